"""What to turn down where a run does not fit, and by how much, by the estimate.

Each piece of advice was tried on the estimate, alone: it is given only where the run then fits.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import EngineError
from engine.estimates import memory
from engine.estimates.memory import Estimate
from engine.recipes.recipe import TrainRecipe

MARGIN = 0.10
"""Share of the free memory that is left free: estimates err, and others' processes grow."""
LARGEST = 4096
"""Rows; no larger batch is sought."""
SHORTEST = 64
"""Tokens; no shorter rows are advised."""
Estimator = Callable[[TrainRecipe], Estimate]
Needs = Callable[[TrainRecipe], int]


@dataclass(frozen=True, slots=True)
class Advice:
    """One change to a recipe that makes it fit, alone."""

    text: str
    changes: tuple[str, ...] = ()
    """As `--set` takes them; none where no change helps."""


def needs(estimate: Estimator, device_kind: str) -> Needs:
    """Bytes that a recipe needs of a device of this kind, as a function of the recipe.

    On a CPU that is the whole worker, libraries included.
    """
    libraries = memory.LIBRARIES if device_kind == "cpu" else 0
    return lambda recipe: libraries + estimate(recipe).total


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


def advise(need: Needs, recipe: TrainRecipe, room: int) -> tuple[Advice, ...]:
    """What makes the run need at most `room` bytes, the mildest change first.

    Nothing where it needs no more than that; where nothing helps alone, what the least would need.
    """
    if need(recipe) <= room:
        return ()
    candidates = (
        _smaller_batch(need, recipe, room),
        _checkpointing(need, recipe, room),
        _shorter(need, recipe, room),
        _other_method(need, recipe, room),
    )
    helpful = tuple(one for one in candidates if one is not None)
    if helpful:
        return helpful
    left = gigabytes(need(_with(recipe, batch_size=1, gradient_checkpointing=True)))
    return (
        Advice(
            f"batch_size 1 with gradient_checkpointing still needs {left}: "
            "use a smaller model or another device"
        ),
    )


def gigabytes(size: float) -> str:
    """Bytes for people: `3.2 GB`, `870 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _smaller_batch(need: Needs, recipe: TrainRecipe, room: int) -> Advice | None:
    """A batch that divides the rows of a step, so that accumulation keeps the step as it is."""
    training = recipe.training
    rows = training.batch_size * training.gradient_accumulation_steps
    most = min(largest_batch(need, recipe, room), training.batch_size - 1)
    for size in range(most, 0, -1):
        if rows % size:
            continue
        # Accumulated gradients stay between passes: what fits one pass may not fit two.
        smaller = _with(recipe, batch_size=size, gradient_accumulation_steps=rows // size)
        if need(smaller) <= room:
            return Advice(
                f"batch_size {training.batch_size} -> {size} with accumulation "
                f"{training.gradient_accumulation_steps} -> {rows // size}: same effective batch",
                (
                    f"training.batch_size={size}",
                    f"training.gradient_accumulation_steps={rows // size}",
                ),
            )
    return None


def _checkpointing(need: Needs, recipe: TrainRecipe, room: int) -> Advice | None:
    if recipe.training.gradient_checkpointing:
        return None
    change = "training.gradient_checkpointing=true"
    changed = _with(recipe, gradient_checkpointing=True)
    left = need(changed)
    if left <= room:
        text = f"gradient_checkpointing: needs {gigabytes(left)}, about 30% slower"
        return Advice(text, (change,))
    smaller = _smaller_batch(need, changed, room)
    if smaller is None:
        return None
    return Advice(f"gradient_checkpointing and {smaller.text}", (change, *smaller.changes))


def _shorter(need: Needs, recipe: TrainRecipe, room: int) -> Advice | None:
    """Half the length, or half of that; rows that are longer are then cut or dropped."""
    length = recipe.data.max_length // 2
    while length >= SHORTEST:
        if need(replace(recipe, data=replace(recipe.data, max_length=length))) <= room:
            text = f"max_length {recipe.data.max_length} -> {length}, if the rows are short enough"
            return Advice(text, (f"data.max_length={length}",))
        length //= 2
    return None


def _other_method(need: Needs, recipe: TrainRecipe, room: int) -> Advice | None:
    """LoRA instead of all weights; under LoRA the base in four bits."""
    method = recipe.method
    if method.kind == "full":
        changed, change = replace(method, kind="lora"), "kind=lora"
    elif method.quantize != "4bit":
        changed, change = replace(method, quantize="4bit"), "quantize=4bit"
    else:
        return None
    try:
        left = need(replace(recipe, method=changed))
    except EngineError:  # of a mixture, what that method learns has not been counted
        return None
    if left > room:
        return None
    return Advice(f"method.{change}: needs {gigabytes(left)}", (f"method.{change}",))


def _with(recipe: TrainRecipe, **changes: Any) -> TrainRecipe:
    return replace(recipe, training=replace(recipe.training, **changes))
