"""What a type may change is measured of the run: noisy models pass, quiet ones are held closer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.worker.release.proving.answer_checks import GREEDY, READ
from engine.worker.release.proving.type_noise import (
    FACTOR,
    FLOOR,
    USUAL,
    Tolerance,
    TypeNoise,
    measured_tolerances,
    usual_tolerances,
)
from tests.worker.release.whole_exports import Tensors, WholeExport, export_run

FINAL = "model.norm.weight"
OFTEN = USUAL["bfloat16"]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], WholeExport]:
    def export(scale: float) -> WholeExport:
        """A right export whose logits are larger by so much."""
        folder = tmp_path_factory.mktemp("made")
        return export_run(folder, "llama", ["merged"], dtype="bfloat16", scale=scale)

    return export


def turn_little(held: Tensors) -> None:
    held[FINAL] = held[FINAL] * 1.1


def turn_much(held: Tensors) -> None:
    held[FINAL] = held[FINAL].flip(0)


def test_a_noisy_model_passes_and_a_spoiled_one_does_not(
    make: Callable[[float], WholeExport], tmp_path: Path
) -> None:
    made = make(40.0)
    found = {one.name: one for one in made.checks["merged"]}
    facts = found[READ].facts
    assert facts["largest noise"] > OFTEN.margin, "what is usual would not do"
    assert facts["divergence"] > OFTEN.divergence
    assert facts["largest noise"] < facts["tolerance"] < 3 * facts["largest noise"]
    assert facts["divergence"] < facts["divergence limit"] < 3 * facts["divergence"]

    copy = made.copy("merged", tmp_path)
    copy.edit_tensors(turn_much)
    failed = {one.name for one in copy.prove() if one.status == "failed"}
    assert READ in failed


def test_a_quiet_model_is_held_closer_than_usual(
    make: Callable[[float], WholeExport], tmp_path: Path
) -> None:
    copy = make(1.0).copy("merged", tmp_path)
    copy.edit_tensors(turn_little)
    spoiled = {one.name: one for one in copy.prove()}
    facts = spoiled[READ].facts
    assert spoiled[READ].status == "failed"
    assert facts["divergence limit"] < facts["divergence"] < OFTEN.divergence
    assert spoiled[GREEDY].facts["tolerance"] < OFTEN.margin


def test_tolerances_follow_from_what_was_measured() -> None:
    nothing, inf = Tolerance(0.0, 0.0), float("inf")
    noise = TypeNoise(nothing, Tolerance(3.0, 0.5), (Tolerance(inf, inf),))
    allowed = measured_tolerances(noise)
    assert allowed.greedy == FLOOR.margin
    assert allowed.rows == Tolerance(FACTOR * 3.0, FACTOR * 0.5)
    assert allowed.long == (FLOOR,), "the right weights overflow: nothing is allowed for that"
    assert usual_tolerances("q8_0", "float32", 2).long == (FLOOR, FLOOR)
