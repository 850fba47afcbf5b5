"""Whether an adapter changes its base, and is the run's own, tensor by tensor.

An adapter's tensors that are not zero need not change anything: the factor of a LoRA that is drawn
at random, a rotation by nothing. Of LoRA, DoRA and IA3 the tensors say so themselves; of any other
method PEFT merges each layer. A method that it cannot merge is named, and what it changes left to
the answers.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch

from engine.checkpoints.adapter_config import read_adapter_config
from engine.number_format import write_count
from engine.release.proof import Check, CheckStatus
from engine.text import one_line
from engine.worker.model import loading
from engine.worker.model.stored_tensors import StoredTensor, StoredTensors, folder_tensors
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.weight_checks import (
    DIFFER,
    SAME,
    find_tensor,
    first_lines,
)

_BY_TENSOR = frozenset({"LORA", "IA3"})
"""Methods whose tensors alone say whether they change the base; DoRA is one of LoRA's."""
_INERT = ("lora_A.weight", "lora_embedding_B", "lora_magnitude_vector")
"""Ends of the names of an adapter's tensors that are not zero before training either."""
_WRAPPED = re.compile(r"\.(base_layer|original_module|modules_to_save)\.")
"""Parts that PEFT puts into the names of the base's own tensors."""
_LEAST_CHANGE = 1e-6
"""Of a weight's norm: HRA's reflections by nothing cancel but for float32's rounding."""
_NO_MERGING = (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What PEFT raises for a method that it cannot merge."""


def check_adapter(spec: ProofSpec) -> list[Check]:
    """Both checks of an adapter: it changes its base, and is the run's tensor by tensor."""
    single = "adapter_model.safetensors"
    shipped = folder_tensors(spec.shipped, single).tensors
    base = folder_tensors(spec.shipped_base or spec.base)
    live = [name for name, one in shipped.items() if bool((one.read() != 0).any())]
    began = spec.before_adapter
    former = folder_tensors(began, single).tensors if began is not None else {}
    unchanged = [name for name in former if name in shipped and _equal(former[name], shipped[name])]
    facts: dict[str, Any] = {"tensors": len(shipped), "not zero": len(live)}
    text = f"not zero: {len(live):,} of {write_count(len(shipped), 'tensor')} of the adapter"
    method = str(read_adapter_config(spec.shipped).get("peft_type"))
    changing = [name for name in live if _changes(name, shipped[name], base)]
    merges = True
    if method not in _BY_TENSOR:
        try:
            changing = _list_changed_layers(spec)
            text += f"; as PEFT merges {method}, {write_count(len(changing), 'layer')} change"
        except _NO_MERGING as error:
            merges = False
            reason = one_line(str(error))[:100] or type(error).__name__
            text += f"; PEFT merges no {method}, so what it changes is not computed ({reason})"
    facts["change the base"] = len(changing) if merges else None
    passed = bool(changing) and not (former and len(unchanged) == len(shipped))
    if former:
        text += f"; changed since training began: {len(shipped) - len(unchanged):,}"
        facts["changed"] = len(shipped) - len(unchanged)
    lines = () if passed else ("the adapter changes nothing",)
    status: CheckStatus = "passed" if passed else "failed"
    if passed and not merges:
        status = "not proven"
    changed = Check(DIFFER, status, text, facts, lines)
    if spec.adapter is None:
        return [changed]
    return [changed, _same_adapter(spec, folder_tensors(spec.adapter, single).tensors, shipped)]


def _changes(name: str, tensor: StoredTensor, base: StoredTensors) -> bool:
    """Whether a tensor of an adapter that is not zero makes another model of the base: the factor
    of a LoRA that is drawn at random and DoRA's norms alone do not, nor a copy of the base's."""
    if name.endswith(_INERT):
        return False
    values = tensor.read().float()
    if ".ia3_" in name:
        return bool((values != 1).any())
    own = find_tensor(base, _WRAPPED.sub(".", name.removeprefix("base_model.model.")))
    if own is None or own.shape != tensor.shape:
        return True
    return not torch.equal(own.read().float(), values)


def _same_adapter(
    spec: ProofSpec, own: Mapping[str, StoredTensor], shipped: Mapping[str, StoredTensor]
) -> Check:
    if spec.shipped_base != spec.base:
        # One adapter made of several: its tensors have other ranks than those of any run.
        count = write_count(len(shipped), "tensor")
        text = f"one adapter of all stages, {count}: no run has these, so answers are compared"
        return Check(SAME, "stated", text, {"tensors": len(shipped)})
    differing = [f"{name} is missing" for name in own if name not in shipped]
    differing += [f"{name} is not the run's" for name in shipped if name not in own]
    differing += [
        f"{name} differs"
        for name, one in own.items()
        if name in shipped and not _equal(one, shipped[name])
    ]
    facts = {"tensors": len(own), "differing": len(differing)}
    if differing:
        text = f"not those of the run: {len(differing):,} of {write_count(len(own), 'tensor')}"
        return Check(SAME, "failed", text, facts, first_lines(differing))
    return Check(SAME, "passed", f"equal: {len(own):,} of {write_count(len(own), 'tensor')}", facts)


def _equal(one: StoredTensor, other: StoredTensor) -> bool:
    return one.shape == other.shape and torch.equal(one.read(), other.read())


def _list_changed_layers(spec: ProofSpec) -> list[str]:
    """The layers that are others with the adapter merged in by PEFT. Raises one of `_NO_MERGING`
    for a method that has no merging."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper

    base = loading.load_base(spec.shipped_base or spec.base, torch.device("cpu"), torch.float32)
    attached = loading.attach_adapter(base, spec.shipped)
    changed, found = [], False
    before: Any
    after: Any
    for name, layer in list(attached.named_modules()):
        if isinstance(layer, ModulesToSaveWrapper):
            before, after = layer.original_module, layer.modules_to_save["default"]
            found = True
        elif isinstance(layer, BaseTunerLayer):
            merged: Any = layer
            before = {key: one.detach().clone() for key, one in _weights(merged).items()}
            merged.merge()
            after = _weights(merged)
            found = True
        else:
            continue
        if _differs(_weights_of(before), _weights_of(after)):
            changed.append(name)
    if not found:
        raise ValueError("it has no layers beside those of the base")
    return changed


def _weights(layer: Any) -> dict[str, torch.Tensor]:
    return dict(layer.get_base_layer().named_parameters())


def _weights_of(part: Any) -> dict[str, torch.Tensor]:
    return part if isinstance(part, dict) else dict(part.named_parameters())


def _differs(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> bool:
    return before.keys() != after.keys() or any(
        bool((after[name] - one).norm() > _LEAST_CHANGE * one.norm())
        for name, one in before.items()
    )
