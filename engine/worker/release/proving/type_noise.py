"""How far the run itself moves in the type that is shipped: its weights rounded, its arithmetic.

A model with large activations or many layers moves far in bfloat16 though nothing is wrong, one of
two layers hardly: so what is shipped is held against the run's own sum in that type, on the same
rows. Owns that measurement, and what is allowed beyond it; it loads no model.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine import atomic
from engine.worker.release.proving import kept_logs
from engine.worker.release.proving.kept_logs import RowComparison
from engine.worker.release.proving.proof_spec import Tick, advance_of
from engine.worker.release.proving.reference import RunReference

FACTOR = 2.0
"""By how much what is shipped may move further than the run in the same type. The right weights
give 1; float16 subnormals, or a norm that was stored with one added, a little more."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a type may change without being wrong."""

    margin: float
    """In nats: the largest margin between the run's first two tokens at which another one may come
    first."""
    divergence: float
    """In nats per token: the largest mean KL(run‖shipped)."""


FLOOR = Tolerance(0.001, 1e-6)
"""Of float32, and at least that of every type: as two orders of adding differ, and a hundred times
that."""
USUAL = {
    "float32": FLOOR,
    "float16": Tolerance(0.15, 0.001),
    "bfloat16": Tolerance(1.2, 0.02),
}
"""Where the run in that type was not measured. At least twice what the untouched base in it,
weights and arithmetic, moved a margin between the first two tokens at most, and at least twenty
times its mean divergence: of the bundled model over 5,911 tokens 0.062 and 0.57 nats, KL 1.1e-5
and 8.6e-4; a tuned Gemma 3 270M in bfloat16 lies below, with 0.26 nats and KL 2.2e-4 over 234
tokens."""


@dataclass(frozen=True, slots=True)
class TypeNoise:
    """By how much a margin moved at most, and the mean divergence, of the run in one type against
    the run in float32."""

    greedy: Tolerance
    """Over its own greedy answers; their divergence is not measured, and 0."""
    rows: Tolerance
    long: tuple[Tolerance, ...]
    """Of each part of each long row, in order."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What is allowed to what is shipped, in each of the three readings of `TypeNoise`."""

    greedy: float
    rows: Tolerance
    long: tuple[Tolerance, ...]


def usual_tolerances(name: str, greedy: str, parts: int) -> Tolerances:
    """Those of a type that was not measured; `greedy` is the type of greedy answers, `parts` how
    many the long rows have."""
    usual = USUAL.get(name, FLOOR)
    return Tolerances(USUAL.get(greedy, FLOOR).margin, usual, (usual,) * parts)


def measured_tolerances(noise: TypeNoise) -> Tolerances:
    """Those beside a noise."""
    long = tuple(_allow(one) for one in noise.long)
    return Tolerances(_allow(noise.greedy).margin, _allow(noise.rows), long)


def _allow(noise: Tolerance) -> Tolerance:
    """Nothing more than of float32 where the noise is no number: the right weights overflow."""
    if not (math.isfinite(noise.margin) and math.isfinite(noise.divergence)):
        return FLOOR
    return Tolerance(
        max(FLOOR.margin, FACTOR * noise.margin), max(FLOOR.divergence, FACTOR * noise.divergence)
    )


def measure_noise(
    open_model: Callable[[], Any], name: str, reference: RunReference, tick: Tick
) -> TypeNoise:
    """The noise of the run in a type, in which `open_model` gives it: that of an earlier proof of
    the same export, where it was kept under this `name`, as in "bfloat16"; else measured."""
    kept = kept_noise(name, reference)
    if kept is not None:
        return kept
    model = open_model()
    activity = f"reading rows with the run in {name}"
    noise = TypeNoise(
        _measure_greedy(model, reference, tick),
        _noise_of(reference.compare_rows(model, advance_of(tick, activity))),
        tuple(
            _noise_of([part])
            for parts in reference.compare_long(model, advance_of(tick, activity))
            for part in parts
        ),
    )
    atomic.write_json(_file_of(name, reference), {"of": reference.digest, **asdict(noise)})
    return noise


def _measure_greedy(model: Any, reference: RunReference, tick: Tick) -> Tolerance:
    rows = [one.row for one in reference.greedy]
    advance = advance_of(tick, "reading its answers with the run in the shipped type")
    largest = 0.0
    for at, logs in enumerate(kept_logs.distributions(model, rows, advance)):
        answer = reference.greedy[at]
        tokens = zip(answer.row.places, answer.seconds, answer.margins, strict=True)
        for number, (place, second, margin) in enumerate(tokens):
            moved = float(logs[number, answer.row.ids[place]] - logs[number, second]) - margin
            largest = max(largest, abs(moved)) if math.isfinite(moved) else math.inf
    return Tolerance(largest, 0.0)


def _noise_of(found: Sequence[RowComparison]) -> Tolerance:
    if not all(one.finite for one in found):
        return Tolerance(math.inf, math.inf)
    places = sum(one.places for one in found)
    return Tolerance(
        max(one.largest_noise for one in found), sum(one.divergence for one in found) / places
    )


def _file_of(name: str, reference: RunReference) -> Path:
    return reference.folder / f"noise-{name}.json"


def kept_noise(name: str, reference: RunReference) -> TypeNoise | None:
    """What `measure_noise` kept under this name; None where it did not measure it."""
    try:
        body = json.loads(_file_of(name, reference).read_bytes())
        if body["of"] != reference.digest:
            return None
        return TypeNoise(
            Tolerance(**body["greedy"]),
            Tolerance(**body["rows"]),
            tuple(Tolerance(**one) for one in body["long"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
