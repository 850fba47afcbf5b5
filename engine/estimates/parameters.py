"""How many parameters a model and its adapter have, by the dimensions in `config.json`.

For what is not on this disk yet. What is there is counted by the headers of its files, and exactly,
as built, by the worker (`engine.worker.model.count_parameters`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.estimates.architectures import Linear, ModelDims
from engine.recipes.settings import Method


@dataclass(frozen=True, slots=True)
class Counted:
    """What the worker counted, of the model as torch builds it."""

    parameters: int
    """Of the model; what is tied counts once."""
    trained: int
    """Those that the method learns."""
    linear: int
    """Those of linear layers, but the head: what quantising shrinks."""
    method: Method
    """The one that they were counted for."""

    def of(self, method: Method) -> "Counted | None":
        """These numbers, where they are those of this method; how the base is held changes none."""
        same = replace(method, quantize=self.method.quantize) == self.method
        return self if same else None


def count_model(dims: ModelDims) -> int:
    """All parameters of the model; exact for the families in `architectures.FAMILIES`."""
    family = dims.family
    norm = dims.hidden * (2 if family.layer_norm else 1)
    block = sum(one.parameters for one in dims.linears) + family.norms * norm
    if family.qk_norm:
        block += 2 * dims.head
    outside = (dims.vocabulary + dims.positions) * dims.hidden + norm
    if not dims.tied:
        outside += dims.head_parameters
    if family.head_bias:
        outside += dims.vocabulary
    return dims.layers * block + outside


def count_adapter(dims: ModelDims, method: Method) -> int:
    """Parameters that LoRA learns: rank x (inputs + outputs) of each adapted layer, and with DoRA
    a magnitude for each output (arXiv 2106.09685, 2402.09353)."""
    each = 0
    for one in adapted(dims, method.target_modules):
        each += method.rank * (one.inputs + one.outputs)
        each += one.outputs if method.variant == "dora" else 0
    return dims.layers * each


def adapted(dims: ModelDims, targets: Sequence[str]) -> list[Linear]:
    """The layers of a block that get an adapter."""
    if list(targets) == ["all-linear"]:
        return list(dims.linears)
    return [one for one in dims.linears if any(_matches(one.name, name) for name in targets)]


def _matches(layer: str, target: str) -> bool:
    """As PEFT matches, by ends from a dot on; `layer` is itself the end of a full name."""
    return layer == target or layer.endswith(f".{target}") or target.endswith(f".{layer}")
