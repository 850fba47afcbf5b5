"""Whether the shipped weights are those that were trained, tensor by tensor.

What they must be is computed anew: the base in float32 with the adapter added by PEFT, or the model
that was trained whole. Each tensor of it is rounded as the file is and compared with the one that
is stored, and both with the weights before training. Shipped tensors are read one at a time.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.gguf_header import read_gguf_header
from engine.number_format import write_count, write_number, write_percent
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.model import loading
from engine.worker.model.stored_tensors import (
    StoredTensor,
    StoredTensors,
    folder_tensors,
    gguf_tensors,
)
from engine.worker.release.proving.proof_spec import Advance, ProofSpec

DIFFER = "weights differ from the base"
SAME = "weights are those of the run"
MOST_SHIFTED = 0.01
"""Share of a tensor's values that may lie one rounding step beside the sum's: two orders of adding
in float32 differ by 1e-7 of a value, which moves 1 in 10,000 across a step of bfloat16."""
GROSS_ERROR = 0.5
"""Of a tensor in other block types than q8_0: the norm of its error against its own. Four bits give
0.07, two bits 0.2; a wrong or permuted tensor 1.4."""
LEAST_KEPT = 0.5
"""Share of a tensor's change that a block type must keep."""
ERRORS = 4
"""Standard errors by which a share lies below that before it is called so: 1 in 30,000 of those
that lie on it."""
_FLOAT32_NOISE = 2e-6
"""Of a tensor's largest value, that two orders of adding may differ by."""
_STEPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10}
"""A rounding step, relative to the value."""
_LEAST_STEP = 2.0**-23
"""An absolute step: of float16 below its normal numbers, and of norms stored with one added."""
_CHUNK = 1 << 22
"""Values that are compared at once."""
_NAMED = 8
"""Tensors that are named where more differ."""


@dataclass(slots=True)
class _Tensor:
    """What one tensor came to."""

    name: str
    values: int = 0
    trained: bool = False
    """Whether training changed it, in float32."""
    visible: int = 0
    """Values that training changed by a rounding step of the stored type or more."""
    moved: int = 0
    """Values that are stored otherwise than those of the base would be."""
    strayed: int = 0
    """Of these, by more than rounding: GGUF has norms of Gemma with one added, in float32."""
    strange: int = 0
    """Values that are stored otherwise than those of the run should be."""
    far: int = 0
    """Of these, by more than a step, or not finite."""
    vanished: int = 0
    """Values of the run that are no zero, and too small for float16."""
    error: float = 0.0
    """Σ (stored − run)²."""
    distance: float = 0.0
    """Σ (stored − base)²."""
    size: float = 0.0
    """Σ run²."""
    base_size: float = 0.0
    change: float = 0.0
    """Σ (run − base)²."""
    along: float = 0.0
    """Σ (stored − base) · (run − base)."""
    unmatched: bool = False
    """Whether the base has no tensor of that name: what training changed of it is not known."""
    resized: bool = False
    """Whether the base has one of another shape."""
    misshaped: bool = False
    """Whether it is stored with another shape."""
    in_blocks: bool = False
    """Of a type whose rounding is not computed here."""

    @property
    def wrong(self) -> bool:
        """Whether it is not the run's tensor in the stored type."""
        if self.misshaped:
            return True
        if self.in_blocks:
            return not self.error <= (GROSS_ERROR**2) * self.size
        return self.far > 0 or self.strange > MOST_SHIFTED * self.values

    @property
    def kept(self) -> float:
        """How much of what training changed is stored: 1 all of it, 0 nothing. What rounding adds
        does not go along with it, unless the base lies on the values that the type can have."""
        return self.along / self.change if self.change else 1.0

    @property
    def kept_error(self) -> float:
        """The standard error of `kept`: rounding adds a part of its own along the change, of which
        one of 7% of the norm moves the share of a change of 0.1% by 0.1 in 500,000 values."""
        return math.sqrt(self.error / (self.values * self.change)) if self.change else 0.0

    @property
    def left(self) -> bool:
        """Whether training changed it, and what is stored is as it was before."""
        if self.in_blocks:
            return self.trained and self.kept + ERRORS * self.kept_error < LEAST_KEPT
        return self.visible > 0 and self.moved == 0

    @property
    def erased(self) -> bool:
        """Whether training changed it by less than a rounding step, everywhere."""
        return self.trained and not self.in_blocks and self.visible == 0


def check_weights(spec: ProofSpec, summed: Any, advance: Advance) -> list[Check]:
    """Both checks of a whole model. `summed` is what it must be, a plain model in float32."""
    if spec.target.startswith("gguf"):
        stored = gguf_tensors(read_gguf_header(spec.shipped), summed)
    else:
        stored = folder_tensors(spec.shipped)
    before = folder_tensors(spec.before)
    # The file was written from a folder whose weights are rounded already.
    source = loading.stored_dtype(spec.checkpoint) if spec.checkpoint is not None else None
    state: dict[str, Tensor] = summed.state_dict()
    missing = _missing(state, stored)
    names = [name for name in state if name in stored.tensors]
    results = []
    for at, name in enumerate(names):
        advance(at, len(names))
        base = find_tensor(before, name)
        results.append(_compare(name, state[name], stored.tensors[name], base, source))
    extra = sorted({*stored.unknown, *(name for name in stored.tensors if name not in state)})
    return [_differ(results), _same(results, missing, extra)]


def _missing(state: Mapping[str, Tensor], stored: StoredTensors) -> list[str]:
    """Tensors of the model that are not stored, nor tied to one that is."""
    addresses = {state[name].data_ptr() for name in stored.tensors if name in state}
    return [
        name
        for name in state
        if name not in stored.tensors and state[name].data_ptr() not in addresses
    ]


def find_tensor(tensors: StoredTensors, name: str) -> StoredTensor | None:
    """The tensor of that name; or the only one whose name has more, or fewer, leading parts."""
    if (exact := tensors.tensors.get(name)) is not None:
        return exact
    close = [
        one
        for other, one in tensors.tensors.items()
        if other.endswith(f".{name}") or name.endswith(f".{other}")
    ]
    return close[0] if len(close) == 1 else None


def _compare(
    name: str,
    run: Tensor,
    stored: StoredTensor,
    base: StoredTensor | None,
    source: torch.dtype | None,
) -> _Tensor:
    result = _Tensor(name, run.numel())
    if stored.shape != tuple(run.shape):
        result.misshaped = True
        return result
    before = base.read() if base is not None and base.shape == stored.shape else None
    result.unmatched = base is None
    result.resized = base is not None and before is None
    result.trained = before is None
    largest = float(run.abs().max()) if run.numel() else 0.0
    for part, own, former in _chunks(stored.read(), run, before):
        _add(result, part, own, former, stored.kind, source, largest)
    return result


def _add(
    result: _Tensor,
    part: Tensor,
    own: Tensor,
    former: Tensor | None,
    kind: str,
    source: torch.dtype | None,
    largest: float,
) -> None:
    """Count a part of a tensor: what is stored, what the run has, what was before."""
    values, own = part.float(), own.float()
    must = _rounded(own, kind, source)
    result.in_blocks = must is None
    result.error += _squares(values - own)
    result.size += _squares(own)
    if must is not None:
        if kind == "float16":
            result.vanished += int(((must == 0) & (own != 0)).sum())
        off = (values - must).abs()
        allowed = _step(must, kind, largest)
        strange = ~(off <= (allowed if kind == "float32" else 0))
        result.strange += int(strange.sum())
        result.far += int((~(off <= allowed)).sum())
    if former is None:
        result.moved = result.visible = result.moved + own.numel()
        return
    former = former.float()
    result.trained |= bool((own != former).any())
    result.distance += _squares(values - former)
    result.change += _squares(own - former)
    result.along += float(((values - former).double() * (own - former).double()).sum())
    result.base_size += _squares(former)
    was = _rounded(former, kind, source)
    if must is not None and was is not None:
        result.visible += int((must != was).sum())
        result.moved += int((values != was).sum())
        result.strayed += int((~((values - was).abs() <= _LEAST_STEP)).sum())


def _rounded(values: Tensor, kind: str, source: torch.dtype | None) -> Tensor | None:
    """What a type makes of values that were rounded to `source` before, as float32; None where that
    is not computed here."""
    if source is not None:
        values = values.to(source).float()
    if kind in ("float32", "float64"):
        return values
    if kind in _STEPS:
        return values.to(getattr(torch, kind)).float()
    if kind != "q8_0":
        return None
    from gguf import GGMLQuantizationType, dequantize, quantize

    blocks = quantize(values.numpy(), GGMLQuantizationType.Q8_0)
    return torch.from_numpy(dequantize(blocks, GGMLQuantizationType.Q8_0)).reshape(values.shape)


def _step(must: Tensor, kind: str, largest: float) -> Tensor:
    """How far a value may lie from what it must be: a rounding step of its type."""
    if kind in _STEPS:
        return must.abs() * _STEPS[kind] + _LEAST_STEP
    if kind == "q8_0":
        blocks = must.reshape(-1, 32)
        step = blocks.abs().amax(-1, keepdim=True) / 127
        return (step * 1.01 + _LEAST_STEP).expand_as(blocks).reshape(must.shape)
    return torch.full_like(must, _FLOAT32_NOISE * largest + _LEAST_STEP)


def _chunks(
    stored: Tensor, run: Tensor, before: Tensor | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Parts of the three along their first dimension."""
    if run.dim() == 0:
        yield stored, run, before
        return
    rows = max(1, _CHUNK // max(1, run[0].numel()))
    for start in range(0, len(run), rows):
        part = slice(start, start + rows)
        yield stored[part], run[part], None if before is None else before[part]


def _squares(values: Tensor) -> float:
    total = float(values.double().square().sum())
    return total if math.isfinite(total) else math.inf


def _differ(found: list[_Tensor]) -> Check:
    trained = [one for one in found if one.trained]
    unmatched = sum(one.unmatched for one in found)
    left = [one for one in trained if one.left]
    erased = [one for one in trained if one.erased]
    others = [one for one in found if not one.trained and one.strayed]
    changed = len(trained) - len(left) - len(erased) - unmatched
    base_size = sum(one.base_size for one in trained)
    relative = math.sqrt(sum(one.distance for one in trained) / base_size) if base_size else 0.0
    values = sum(one.values for one in trained)
    exact = not any(one.in_blocks for one in found)
    share = sum(one.moved for one in trained) / values if values and exact else None
    facts: dict[str, Any] = {
        "changed": changed,
        "trained": len(trained),
        "tensors": len(found),
        "left at the base": len(left),
        "rounded away": len(erased),
        "without a counterpart": unmatched,
        "of another shape": sum(one.resized for one in found),
        "relative change": relative if math.isfinite(relative) else None,
        "share of values moved": share,
    }
    text = f"different from the base: {changed:,} of {write_count(len(trained), 'trained tensor')} "
    text += f"({len(found):,} in all); the change is {write_number(relative, 4)} of their norm"
    if share is not None:
        text += f" and moves {write_percent(share)} of their values"
    change = sum(one.change for one in trained)
    if not exact and change > 0:
        kept = sum(one.along for one in trained) / change
        spread = sum((one.kept_error * one.change) ** 2 for one in trained)
        low, high = (kept + side * 1.96 * math.sqrt(spread) / change for side in (-1, 1))
        if math.isfinite(low + high):
            facts["share of the change kept"] = kept
            facts["share kept interval"] = [low, high]
            text += f"; the type keeps {write_percent(kept)} of it "
            text += f"[{write_percent(low)}, {write_percent(high)}]"
    if erased:
        text += f"; in {write_count(len(erased), 'tensor')} it is smaller than a rounding step of "
        text += "this type"
    if unmatched:
        text += f"; without one of that name in the base: {unmatched:,}"
    lines = [_describe_left(one) for one in left]
    lines += [f"{one.name} differs from the base: training did not change it" for one in others]
    if not trained:
        lines = ["training changed no tensor"]
    elif unmatched == len(trained) and not lines:
        return Check(DIFFER, "not proven", text, facts)
    elif not changed and not lines:
        lines = ["no value differs from the base: use float32, or ship the adapter"]
    return Check(DIFFER, "failed" if lines else "passed", text, facts, first_lines(lines))


def _describe_left(one: _Tensor) -> str:
    if not one.in_blocks:
        return f"{one.name} is that of the base: training changed it"
    kept = write_percent(max(0.0, one.kept))
    return f"{one.name} keeps {kept} of what training changed: use a type with more bits"


def _same(found: list[_Tensor], missing: list[str], extra: list[str]) -> Check:
    wrong = [one for one in found if one.wrong]
    exact = sum(not (one.strange or one.in_blocks or one.misshaped) for one in found)
    size = sum(one.size for one in found)
    error = math.sqrt(sum(one.error for one in found) / size) if size else 0.0
    facts: dict[str, Any] = {
        "tensors": len(found),
        "exact": exact,
        "wrong": len(wrong),
        "missing": len(missing),
        "unknown": len(extra),
        "relative error": error if math.isfinite(error) else None,
    }
    vanished, values = sum(one.vanished for one in found), sum(one.values for one in found)
    if vanished:
        facts["too small for float16"] = vanished
    lines = [f"{name} is missing" for name in missing]
    lines += [f"{name} has no place in the model" for name in extra]
    lines += [_describe(one) for one in sorted(wrong, key=_rank)]
    right = len(found) - len(wrong)
    text = f"equal to the run's in this type: {right:,} of {write_count(len(found), 'tensor')} "
    text += f"(in every value: {exact:,}); relative error {write_number(error, 5)}"
    if vanished:
        share = write_percent(vanished / values)
        text += f"; {vanished:,} values ({share}) are too small for float16 and became zero"
    return Check(SAME, "failed" if lines else "passed", text, facts, first_lines(lines))


def _rank(one: _Tensor) -> float:
    """The most telling first."""
    return -math.inf if one.misshaped else -one.far / (one.values or 1)


def _describe(one: _Tensor) -> str:
    if one.misshaped:
        return f"{one.name} has another shape"
    if not math.isfinite(one.error):
        return f"{one.name} has values that are not finite, as of an overflow"
    share = write_percent((one.strange or one.values) / one.values)
    error = math.sqrt(one.error / one.size) if one.size else math.inf
    return f"{one.name} differs in {share} of its values, by {write_number(error, 4)} of its norm"


def first_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """The first of them, clean, and how many more there are."""
    clean = [one_line(line) for line in lines]
    more = [f"… and {len(clean) - _NAMED:,} more"] if len(clean) > _NAMED else []
    return (*clean[:_NAMED], *more)
