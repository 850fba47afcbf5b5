"""Room in a base for the tokens that were added to the vocabulary before an adapter was trained.

Owns the base's new rows: made before the adapter is attached, and not a number until it fills them,
so that a row which nobody saved is found. Refuses an adapter with fewer rows than its base, one of
another model, and added tokens of which the adapter has no weights.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from engine.checkpoints.adapter_rows import WEIGHTS, read_rows
from engine.errors import EngineError
from engine.number_format import write_count

_LEAST_ALIKE = 0.25
"""Cosine of a trained embedding and that of its base, all rows as one vector. Training that changes
every value by 100% leaves 0.7; embeddings of two models have 0."""
_ROWS = 1 << 14
"""That are compared at once."""
_NAMED = 4
_HINT = (
    "Save the adapter again where it was trained, with save_embedding_layers=True, or merge it "
    "there."
)


def make_room(model: Any, adapter: Path) -> int | None:
    """Give a plain model as many rows as the adapter was trained with, and return the first new
    one; None where it has them. Raises EngineError."""
    embedding = model.get_input_embeddings()
    before = int(embedding.weight.shape[0])
    rows = read_rows(adapter)
    wanted = rows.count(before)
    if wanted < before:
        raise misfit(
            adapter,
            f"it was trained with {wanted:,} tokens, and the base has {before:,}: the rows of the "
            "others would be lost",
        )
    if wanted == before:
        return None
    if hasattr(model, "peft_config"):
        raise misfit(adapter, f"it has {wanted:,} tokens, and others are on a base of {before:,}")
    _check_alike(model, adapter, rows.names)
    try:
        model.resize_token_embeddings(wanted, mean_resizing=False)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        raise misfit(adapter, f"the base takes no more tokens: {error}") from error
    for weight in _end_weights(model):
        weight.data[before:] = torch.nan
    return before


def check_filled(model: Any, name: str, first: int, adapter: Path) -> None:
    """Raise EngineError where a row from `first` on, which `make_room` made, has no values with the
    adapter of that `name` on. What the base itself has there is zero from now on."""
    plain = model.get_base_model()
    ends = {"embedding": plain.get_input_embeddings(), "head": plain.get_output_embeddings()}
    for part, module in ends.items():
        empty = sorted(_find_empty(module, name, first)) if module is not None else []
        if empty:
            ids = ", ".join(map(str, empty[:_NAMED])) + (" …" if len(empty) > _NAMED else "")
            raise EngineError(
                "The adapter lacks weights of added tokens.",
                f"{adapter}: the {part} has no row for {write_count(len(empty), 'token')} that the "
                f"base does not have: {ids}",
                _HINT,
            )
    for weight in _end_weights(plain):
        weight.data[first:].nan_to_num_(nan=0.0)


def misfit(adapter: Path, detail: str) -> EngineError:
    """The error of an adapter of another base."""
    return EngineError(
        "The adapter does not match this base.",
        f"{adapter}: {detail}",
        "Use the base that it was trained on: dimensions or vocabulary differ.",
    )


def _end_weights(model: Any) -> Iterator[Any]:
    """Embedding and head with all that an adapter laid around them, a weight or bias at a time."""
    for module in (model.get_input_embeddings(), model.get_output_embeddings()):
        for name, weight in module.named_parameters() if module is not None else ():
            if name.endswith(("weight", "bias")) and "lora_" not in name:
                yield weight


def _find_empty(module: Any, name: str, first: int) -> set[int]:
    """Rows without values in what `module` looks up with the adapter on."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper, TrainableTokensWrapper

    trained: set[int] = set()
    while True:
        if isinstance(module, ModulesToSaveWrapper) and name in module.modules_to_save:
            module = module.modules_to_save[name]
        elif isinstance(module, TrainableTokensWrapper):
            trained |= set(map(int, module.token_adapter.token_indices.get(name, ())))
            module = module.token_adapter.base_layer
        elif isinstance(module, BaseTunerLayer):
            module = getattr(module, "base_layer")  # noqa: B009 (the class does not name it)
        else:
            break
    empty = torch.isnan(module.weight[first:]).any(dim=-1).nonzero()[:, 0].tolist()
    return {first + at for at in empty} - trained


def _check_alike(model: Any, adapter: Path, names: Sequence[str]) -> None:
    """Refuse an adapter that brings the embedding of another model, whatever number of rows."""
    embedding = model.get_input_embeddings()
    called = next(name for name, module in model.named_modules() if module is embedding)
    own = embedding.weight.detach()
    with safe_open(adapter / WEIGHTS, framework="pt") as file:
        for name in names:
            if f".{called}." not in f".{name}":
                continue
            stored = file.get_tensor(name)[: len(own)].to(own.device)
            if stored.shape != own.shape:
                raise misfit(adapter, f"its embedding has the width {stored.shape[1]:,}, and the "
                             f"base's {own.shape[1]:,}")  # fmt: skip
            parts = [
                torch.stack([(left * right).sum(), left.square().sum(), right.square().sum()])
                for left, right in zip(*(one.split(_ROWS) for one in (own, stored)), strict=True)
                for left, right in [(left.float(), right.float())]
            ]
            product, left, right = torch.stack(parts).double().sum(0).tolist()
            if product < _LEAST_ALIKE * math.sqrt(left * right):
                raise misfit(adapter, "its embedding is that of another model")
