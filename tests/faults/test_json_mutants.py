"""A slice of the mutants of JSON files, and that the harness finds a reader that errs."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from engine.events.trainer_state import TrainerLog
from engine.impact.results import job_results
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.impact.watched.skill_log import SkillLog
from engine.jobs import status, summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Status
from engine.jobs.store import Store
from engine.jobs.summary import JobView
from engine.judge import judgements
from engine.judge.verdicts import Reading
from engine.recipes.recipe import SweepRecipe
from engine.sweeps import points_file, sweep_table
from engine.sweeps.grid import SweepPoint, list_points
from engine.worker.inference import score_log
from tests.faults import evaluation_mutants, json_mutants
from tests.faults.verdict import Verdict, render

SEED = 7
MUTANTS = 100
CHECKS = list(json_mutants.CHECKS)
OF_TRAINERS, OF_JOBS, OF_EVALUATIONS, OF_SWEEPS, OF_JUDGES = (
    range(CHECKS.index(kind), 300 * len(CHECKS), len(CHECKS))
    for kind in (
        "trainer_state.json",
        "a job's file",
        "an evaluation's file",
        "a sweep's file",
        "a judge's file",
    )
)


def test_a_slice_survives() -> None:
    results = list(json_mutants.run(SEED, range(MUTANTS)))
    assert {result.verdict for result in results} == {Verdict.SURVIVED}, render(results)


def hide_what_is_damaged(job: JobDirectory) -> JobView | None:
    result = VIEW(job)
    return None if result is None or result.problem else result


def count_a_step_too_many(job: JobDirectory) -> Status | None:
    result = READ(job)
    if result is not None:
        object.__setattr__(result, "step", result.step + 1)
    return result


def read_nothing(self: TrainerLog, budget_seconds: float | None = None) -> bool:
    return False


class AnyCrc(int):
    """Equal to whatever a line says."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def believe_the_value(value: object) -> AnyCrc:
    return AnyCrc()


def read_no_skill(path: Path) -> SkillLog:
    return SkillLog()


def pass_a_wrong_value(table: dict[str, object]) -> EvaluationResults:
    results = read_results(table)
    for arm in results.arms.values():
        for suite in arm.suites.values():
            for values in suite.measures.values():
                cast(dict[str, float], values).update(i0=0.25)
    return results


def read_every_answer_as_a(sample: object) -> Reading:
    return Reading("first")


def read_no_row(path: Path) -> Iterator[dict[str, object]]:
    return iter(())


VIEW, READ = summary.view, status.read


@pytest.mark.parametrize(
    ("owner", "name", "defect", "numbers", "verdict"),
    [
        (summary, "view", hide_what_is_damaged, OF_JOBS, Verdict.LOST),
        (status, "read", count_a_step_too_many, OF_JOBS, Verdict.WRONG),
        (TrainerLog, "poll", read_nothing, OF_TRAINERS, Verdict.LOST),
    ],
)
def test_a_reader_that_errs_is_found(
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    defect: object,
    numbers: range,
    verdict: Verdict,
) -> None:
    monkeypatch.setattr(owner, name, defect)
    found = (result.verdict for result in json_mutants.run(SEED, numbers[:100]))
    assert verdict in found


@pytest.mark.parametrize(
    ("owner", "name", "defect", "verdict"),
    [
        (score_log, "_crc", believe_the_value, Verdict.WRONG),
        (evaluation_mutants, "read_skill_log", read_no_skill, Verdict.LOST),
        (job_results, "read_results", pass_a_wrong_value, Verdict.WRONG),
    ],
)
def test_a_reader_of_evaluations_that_errs_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, defect: object, verdict: Verdict
) -> None:
    monkeypatch.setattr(owner, name, defect)
    assert verdict in (result.verdict for result in json_mutants.run(SEED, OF_EVALUATIONS))


def find_no_run(sweep: str, store: Store) -> dict[str, JobDirectory]:
    return {}


def drop_a_point(job: JobDirectory, sweep: SweepRecipe) -> tuple[SweepPoint, ...]:
    return list_points(sweep)[1:]


@pytest.mark.parametrize(
    ("owner", "name", "defect"),
    [
        (points_file, "find_runs", find_no_run),
        (sweep_table, "list_known_points", drop_a_point),
    ],
)
def test_a_reader_of_sweeps_that_errs_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, defect: object
) -> None:
    numbers = OF_SWEEPS[:40]
    assert {one.verdict for one in json_mutants.run(SEED, numbers)} == {Verdict.SURVIVED}
    monkeypatch.setattr(owner, name, defect)
    assert Verdict.LOST in (one.verdict for one in json_mutants.run(SEED, numbers))


@pytest.mark.parametrize(
    ("name", "defect", "verdict"),
    [
        ("read_answer", read_every_answer_as_a, Verdict.WRONG),
        ("_rows", read_no_row, Verdict.LOST),
    ],
)
def test_a_reader_of_judges_that_errs_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, defect: object, verdict: Verdict
) -> None:
    monkeypatch.setattr(judgements, name, defect)
    assert verdict in (result.verdict for result in json_mutants.run(SEED, OF_JUDGES[:100]))
