"""What a fresh process is asked to prove, as a file of JSON.

The process that wrote an export still holds what it wrote: only one that starts anew shows what a
user will load.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import atomic
from engine.release.source import ExportSource

Tick = Callable[[str, int, int], None]
"""Told what is done, how much of it, of how much (0: not known); may raise, to stop."""
Advance = Callable[[int, int], None]
"""The same of one activity."""


@dataclass(frozen=True, slots=True)
class ProofSpec:
    target: str
    """As in `TargetProof`: "adapter", "merged", "gguf:q8_0"."""
    shipped: Path
    """The folder of an adapter or model, or a GGUF file."""
    shipped_base: Path | None
    """Of an adapter, the whole model that its user will put it on; else None."""
    dtype: str
    """Of the shipped weights: "float32", "bfloat16", "float16", or a GGUF type as in "q8_0"."""
    base: Path
    """The run itself, as it was trained: a whole model, and the adapter on it."""
    adapter: Path | None
    quantized: str
    """How the run had its base: `none`, `4bit` or `8bit`."""
    before: Path
    """The whole model that the last training began with, and the adapter on it."""
    before_adapter: Path | None
    tokenizer: Path
    """The folder with the tokenizer and the template that were trained with."""
    held_out: Path | None
    """Prompts with answers, that the run held out; None: bundled prompts stand in."""
    ends: tuple[int, ...]
    """Every token that must end an answer."""
    prompts: int = 20
    """Of greedy answers, and of conversations."""
    rows: int = 100
    """Read under teacher forcing."""
    strings: int = 5000
    """Of which the token ids are compared."""
    seed: int = 0
    checkpoint: Path | None = None
    """Of a GGUF file, the model folder that it was written from; else None."""
    reference: Path | None = None
    """A folder in which what the run itself answers is kept between the proofs of one export, so
    that it is computed once; None: nowhere. Whoever makes it removes it."""


_PATHS = ("shipped", "base", "before", "tokenizer")
_OPTIONAL_PATHS = (
    "shipped_base",
    "adapter",
    "before_adapter",
    "held_out",
    "checkpoint",
    "reference",
)


def make_spec(
    source: ExportSource, target: str, shipped: Path, dtype: str, ends: tuple[int, ...]
) -> ProofSpec:
    """What is asked of one thing that was written of `source`; an adapter's user puts it on the
    model that all began with."""
    return ProofSpec(
        target=target,
        shipped=shipped,
        shipped_base=source.root if target == "adapter" else None,
        dtype=dtype,
        base=source.base,
        adapter=source.adapter,
        quantized=source.quantized,
        before=source.before,
        before_adapter=source.before_adapter,
        tokenizer=source.tokenizer,
        held_out=source.held_out,
        ends=ends,
    )


def write_spec(spec: ProofSpec, path: Path) -> None:
    """Write it, whole or not at all."""
    body = {
        key: str(value) if isinstance(value, Path) else value
        for key, value in dataclasses.asdict(spec).items()
    }
    atomic.write_json(path, body)


def read_spec(path: Path) -> ProofSpec:
    """The spec that `write_spec` wrote."""
    body: dict[str, Any] = json.loads(path.read_bytes())
    body |= {key: Path(body[key]) for key in _PATHS}
    body |= {key: Path(body[key]) for key in _OPTIONAL_PATHS if body[key] is not None}
    return ProofSpec(**body | {"ends": tuple(body["ends"])})


def advance_of(tick: Tick, activity: str) -> Advance:
    """`tick`, for one activity."""
    return lambda done, total: tick(activity, done, total)
