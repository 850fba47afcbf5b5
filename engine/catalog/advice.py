"""What to turn down where a run does not fit, and by how much, by the estimate.

Each piece of advice was tried on the estimate, alone: it is given only where the run then fits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.catalog import memory
from engine.jobs.recipe import TrainRecipe

MARGIN = 0.10
"""Share of the free memory that is left free: estimates err, and others' processes grow."""
LARGEST = 4096
"""Rows; no larger batch is sought."""
Needs = Callable[[TrainRecipe], int]


def needs(
    config: Mapping[str, Any], parameters: int | None, device_kind: str, **known: Any
) -> Needs:
    """Bytes that a recipe needs of this model, as a function of the recipe.

    On a CPU that is the whole worker, libraries included. `known` is as in `memory.estimate`.
    """
    libraries = memory.LIBRARIES if device_kind == "cpu" else 0
    return lambda recipe: libraries + memory.estimate(
        config, recipe, parameters=parameters, device_kind=device_kind, **known
    ).total  # fmt: skip


def usable(free: int) -> int:
    """Bytes of what is free that a run may be planned for."""
    return int(free * (1 - MARGIN))


def largest_batch(need: Needs, recipe: TrainRecipe, room: int) -> int:
    """The largest batch size that needs at most `room` bytes; 0 where one row is too much."""
    fits, fails = 0, LARGEST + 1
    while fails - fits > 1:  # more rows never need less
        middle = (fits + fails) // 2
        if need(_with(recipe, batch_size=middle)) <= room:
            fits = middle
        else:
            fails = middle
    return fits


def advise(need: Needs, recipe: TrainRecipe, room: int) -> Iterator[str]:
    """What makes the run need at most `room` bytes, the mildest change first.

    Nothing where it needs no more than that; where nothing helps alone, the least that is left.
    """
    if need(recipe) <= room:
        return
    training, found = recipe.training, 0
    for line in (
        _smaller_batch(need, recipe, room),
        _checkpointing(need, recipe, room),
        _shorter(need, recipe, room),
        _other_method(need, recipe, room),
    ):
        if line:
            found += 1
            yield line
    if not found:
        smallest = _with(recipe, batch_size=1, gradient_checkpointing=True)
        left = need(smallest)
        yield (
            f"even batch_size 1 with gradient_checkpointing needs {gigabytes(left)} "
            f"({training.batch_size} rows now {gigabytes(need(recipe))}): "
            "take a smaller model or another device"
        )


def gigabytes(size: float) -> str:
    """Bytes for people: `3.2 GB`, `870 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _smaller_batch(need: Needs, recipe: TrainRecipe, room: int) -> str:
    """A batch that divides the rows of a step, so that accumulation keeps the step as it is."""
    training = recipe.training
    most = largest_batch(need, recipe, room)
    rows = training.batch_size * training.accumulation
    # Accumulated gradients stay between passes: what fits one pass may not fit two.
    for size in range(min(most, training.batch_size - 1), 0, -1):
        smaller = _with(recipe, batch_size=size, accumulation=rows // size)
        if rows % size == 0 and need(smaller) <= room:
            return (
                f"batch_size {training.batch_size} -> {size} with accumulation "
                f"{training.accumulation} -> {rows // size}: the same step"
            )
    return ""


def _checkpointing(need: Needs, recipe: TrainRecipe, room: int) -> str:
    if recipe.training.gradient_checkpointing:
        return ""
    changed = _with(recipe, gradient_checkpointing=True)
    left = need(changed)
    if left <= room:
        return f"gradient_checkpointing true: needs {gigabytes(left)}, and about a third more time"
    most = largest_batch(need, changed, room)
    if 0 < most < recipe.training.batch_size:
        return f"gradient_checkpointing true and batch_size {most}"
    return ""


def _shorter(need: Needs, recipe: TrainRecipe, room: int) -> str:
    """Half the length, or half of that; rows that are longer are then cut or dropped."""
    length = recipe.data.max_length // 2
    while length >= 64:
        if need(replace(recipe, data=replace(recipe.data, max_length=length))) <= room:
            return f"max_length {recipe.data.max_length} -> {length}, where your rows allow it"
        length //= 2
    return ""


def _other_method(need: Needs, recipe: TrainRecipe, room: int) -> str:
    method = recipe.method
    if method.kind == "full":
        left = need(replace(recipe, method=replace(method, kind="lora")))
        return f"method.kind lora: needs {gigabytes(left)}" if left <= room else ""
    if method.quantize != "4bit":
        left = need(replace(recipe, method=replace(method, quantize="4bit")))
        return f"method.quantize 4bit: needs {gigabytes(left)}" if left <= room else ""
    return ""


def _with(recipe: TrainRecipe, **changes: Any) -> TrainRecipe:
    return replace(recipe, training=replace(recipe.training, **changes))
