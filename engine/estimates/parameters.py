"""How many parameters a model and its adapter have, by the shape in `config.json`.

For what is not on this disk yet. What is there is counted by the headers of its files, and exactly,
as built, by the worker (`engine.worker.model.count_parameters`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.estimates.architectures import Linear, Shape
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


def count_model(shape: Shape) -> int:
    """All parameters of the model; exact for the families in `architectures.FAMILIES`."""
    family = shape.family
    norm = shape.hidden * (2 if family.layer_norm else 1)
    block = sum(one.parameters for one in shape.linears) + family.norms * norm
    if family.qk_norm:
        block += 2 * shape.head
    outside = (shape.vocabulary + shape.positions) * shape.hidden + norm
    if not shape.tied:
        outside += shape.head_parameters
    if family.head_bias:
        outside += shape.vocabulary
    return shape.layers * block + outside


def count_adapter(shape: Shape, method: Method) -> int:
    """Parameters that LoRA learns: rank x (inputs + outputs) of each adapted layer, and with DoRA
    a magnitude for each output (arXiv 2106.09685, 2402.09353)."""
    each = 0
    for one in adapted(shape, method.targets):
        each += method.rank * (one.inputs + one.outputs)
        each += one.outputs if method.variant == "dora" else 0
    return shape.layers * each


def adapted(shape: Shape, targets: Sequence[str]) -> list[Linear]:
    """The layers of a block that get an adapter."""
    if list(targets) == ["all-linear"]:
        return list(shape.linears)
    return [one for one in shape.linears if any(_matches(one.name, name) for name in targets)]


def _matches(layer: str, target: str) -> bool:
    """As PEFT matches, by ends from a dot on; `layer` is itself the end of a full name."""
    return layer == target or layer.endswith(f".{target}") or target.endswith(f".{layer}")
