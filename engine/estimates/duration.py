"""How long training may take: by an earlier run's measured speed, else by counting operations.

A product with a weight costs 2 operations a token forward, 2 for the gradient of its input, and 2
for that of the weight (Kaplan et al. 2020, arXiv 2001.08361, section 2.1): 6 N in full, 4 N where
weights are frozen; checkpointing adds the 2 N of a second forward pass.
"""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError
from engine.estimates.architectures import ModelDims, read_dims
from engine.estimates.parameters import count_adapter
from engine.jobs import status
from engine.jobs.devices import Device
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe

SPEED = {"cuda": 1e14, "mps": 3e12}
"""Operations a second that training reaches on such a device, within a factor of four."""
SPEED_OF_CORE = 2.5e10
"""The same of a core of a CPU, in float32."""
MOST_CORES = 16
"""Beyond them a CPU's memory is the bound."""
LEAST_STEPS = 10
"""Of a run whose speed is believed: the first ones are slow."""
ENOUGH_STEPS = 100
"""From here on more steps make a speed no more certain, and the newer run is the better basis."""
FEW_STEPS_SPREAD = 1.5
"""Times as wide a range with fewer steps."""
GUESSED = "from the model's operations and a usual speed of the device, not measured"
SPREAD = {"same": 1.25, "like": 2.0, "guessed": 4.0}
"""The factor by which a time may be off: after a run with the same batch and length, one with
others, and none, see `SPEED`."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What an earlier run of the same model and method reached on a device of this kind."""

    tokens_per_second: float
    steps: int
    """That were measured."""
    same_size: bool = True
    """Whether its batch and length were the same."""

    @property
    def spread(self) -> float:
        """The factor by which a time that is taken from it may be off."""
        factor = SPREAD["same" if self.same_size else "like"]
        return factor if self.steps >= ENOUGH_STEPS else factor * FEW_STEPS_SPREAD

    @property
    def basis(self) -> str:
        """In words."""
        other = "" if self.same_size else ", with another batch or length"
        return f"from {self.steps:,} measured steps of this model on this device{other}"


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a run may take."""

    seconds: float
    low: float
    high: float
    basis: str
    """What that is taken from, in words."""


def estimate_duration(
    config: Mapping[str, Any],
    recipe: TrainRecipe,
    chosen: Sequence[Device],
    *,
    tokens: int | None,
    row_tokens: float | None,
    held_out: int,
    speed: Speed | None,
) -> Duration | None:
    """Of training with its evaluations, without loading, samples and the alarm; None where the rows
    are not known. `tokens` are those of an epoch, `row_tokens` those of a row on average,
    `held_out` those of an evaluation."""
    total, dims = count_tokens(recipe, tokens, row_tokens), read_dims(config)
    if total is None or not (speed or dims):
        return None
    each = _training_operations(dims, recipe) if dims else 0.0
    if dims:
        measured = held_out * _count_evaluations(recipe)
        total += int(measured * _forward_operations(dims, recipe) / each)
    if speed:
        return _spread(total / speed.tokens_per_second, speed.spread, speed.basis)
    return _spread(total * each / _rate(chosen), SPREAD["guessed"], GUESSED)


def _spread(taken: float, factor: float, basis: str) -> Duration:
    return Duration(taken, taken / factor, taken * factor, basis)


def _count_evaluations(recipe: TrainRecipe) -> int:
    """There is one before the first step, and one at the last."""
    training = recipe.training
    planned = max(1, training.evaluations)
    return 1 + min(planned, training.max_steps or planned)


def count_tokens(recipe: TrainRecipe, tokens: int | None, row_tokens: float | None) -> int | None:
    """Tokens of the whole run, from those of an epoch; with `max_steps`, from the mean of a row.

    Rows of unknown length, and packed ones, are taken to be `max_length` long.
    """
    training = recipe.training
    if training.max_steps:
        rows = training.max_steps * training.batch_size * training.gradient_accumulation_steps
        if row_tokens is None or training.packing:
            return rows * recipe.data.max_length
        return int(rows * row_tokens)
    return None if tokens is None else int(tokens * training.epochs)


def operations(config: Mapping[str, Any], recipe: TrainRecipe) -> float:
    """Floating-point operations for a token that is trained on; 0 for unknown dimensions."""
    dims = read_dims(config)
    return _training_operations(dims, recipe) if dims else 0.0


def _training_operations(dims: ModelDims, recipe: TrainRecipe) -> float:
    weights = dims.products + dims.head_parameters
    passes, learned = 2.0, weights  # forward, and the gradient of the inputs
    if recipe.method.kind == "lora":
        learned = count_adapter(dims, recipe.method)
    if recipe.training.gradient_checkpointing:
        passes += 1.0
    if recipe.training.objective == "dpo":  # the reference answers once, in one of the epochs
        passes += 1.0 / max(recipe.training.epochs, 1.0)
    attention = _attention_operations(dims, recipe)
    return passes * _forward_operations(dims, recipe) + 2 * learned + attention


def _forward_operations(dims: ModelDims, recipe: TrainRecipe) -> float:
    return 2 * (dims.products + dims.head_parameters) + _attention_operations(dims, recipe)


def _attention_operations(dims: ModelDims, recipe: TrainRecipe) -> float:
    """Scores and their use: two products of (length, width) each way (arXiv 2205.05198, sec. 4)."""
    return 4 * dims.layers * dims.queries * recipe.data.max_length / 2


def measured_speed(
    jobs: Iterable[JobDirectory], recipe: TrainRecipe, device_kind: str
) -> Speed | None:
    """That of the best measured run here with the same model and method; None: there is none.

    One with the same batch and length goes before one without, then one that has ended before one
    that has not, then one of more steps up to `ENOUGH_STEPS`, then the newer one. Reads each job's
    status and, of those that trained on this host, its recipe.
    """
    speeds: list[tuple[tuple[bool, bool, int, float], Speed]] = []
    for job in jobs:
        now = status.read(job)
        if now is None or not now.tokens_per_second > 0 or now.host != socket.gethostname():
            continue
        if now.step < LEAST_STEPS or not now.device.startswith(device_kind):
            continue
        try:
            other = job.recipe()
        except EngineError:
            continue
        if isinstance(other, TrainRecipe) and _alike(other) == _alike(recipe):
            same = _size(other) == _size(recipe)
            speed = Speed(now.tokens_per_second, now.step, same)
            steps = min(now.step, ENOUGH_STEPS)
            speeds.append(((same, now.state.final, steps, now.heartbeat), speed))
    return max(speeds, key=lambda ranked: ranked[0])[1] if speeds else None


def spoken_range(low: float, high: float) -> str:
    """A range of times: `20 s to 7 min`, `2 to 3 min`."""
    first, last = spoken(low), spoken(high)
    number, _, unit = first.partition(" ")
    if first == last:
        return last
    return f"{number} to {last}" if last.endswith(f" {unit}") else f"{first} to {last}"


def spoken(seconds: float) -> str:
    """A time as people say it: `40 s`, `7 min`, `3.5 h`, `2.1 days`."""
    for size, unit in ((86_400, "days"), (3600, "h")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(1, round(seconds))} s"


def _alike(recipe: TrainRecipe) -> tuple[object, ...]:
    training = recipe.training
    return (
        recipe.model.checkpoint, recipe.method.kind, recipe.method.quantize, recipe.method.variant,
        training.objective, training.gradient_checkpointing, training.dtype,
    )  # fmt: skip


def _size(recipe: TrainRecipe) -> tuple[object, ...]:
    training = recipe.training
    return training.batch_size, recipe.data.max_length, training.packing, training.group_by_length


def _rate(chosen: Sequence[Device]) -> float:
    """Operations a second; layers that are spread over devices work one after the other."""
    kind = chosen[0].kind
    return SPEED.get(kind) or SPEED_OF_CORE * min(os.cpu_count() or 1, MOST_CORES)
