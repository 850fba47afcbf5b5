"""Which modules get an adapter: the names of a recipe, checked against those that a model has."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.errors import EngineError

ALL_LINEAR = ["all-linear"]


def adapter_targets(model: Any, targets: Sequence[str]) -> Any:
    """`targets` as PEFT takes it, when it fits the model.

    `all-linear` is every linear layer but the head, by the layers' types and not by their names.
    Raises EngineError for a name that no layer has, and for a head that is the embedding as well.
    """
    if list(targets) == ALL_LINEAR:
        return ALL_LINEAR[0]
    known = linear_names(model)
    unknown = [name for name in targets if not any(_matches(one, name) for one in known)]
    if unknown or not targets:
        short = sorted({name.rpartition(".")[2] for name in known})
        raise EngineError(
            "The adapter cannot be attached.",
            f"no linear layer named {', '.join(unknown)}" if unknown else "the list is empty",
            f"method.target_modules can be all-linear, or some of: {', '.join(short)}.",
        )
    head = model.get_output_embeddings()
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    heads = [name for name, module in model.named_modules() if tied and module is head]
    if any(_matches(one, name) for one in heads for name in targets):
        raise EngineError(
            "The output head cannot have an adapter.",
            "In this model it is tied to the token embedding.",
            f"Remove {heads[0]} from method.target_modules.",
        )
    return list(targets)


def linear_names(model: Any) -> list[str]:
    """The full names of all linear layers, GPT-2's kind among them."""
    return [name for name, one in model.named_modules() if isinstance(one, nn.Linear | Conv1D)]


def is_transposed(model: Any) -> bool:
    """Whether the model's layers hold their weights as (in, out), as GPT-2's do."""
    return any(isinstance(module, Conv1D) for module in model.modules())


def _matches(full: str, name: str) -> bool:
    """As PEFT matches: the whole name, or its end from a dot on."""
    return full == name or full.endswith(f".{name}")
