"""A slice of the mutants of JSON files, and that the harness finds a reader that errs."""

import pytest

from engine.events.trainer_state import TrainerLog
from engine.jobs import status, summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Status
from engine.jobs.summary import JobView
from tests.faults import json_mutants
from tests.faults.verdict import Verdict, render

SEED = 7


def test_a_slice_survives() -> None:
    results = list(json_mutants.run(SEED, range(40)))
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


VIEW, READ = summary.view, status.read


@pytest.mark.parametrize(
    ("owner", "name", "defect", "verdict"),
    [
        (summary, "view", hide_what_is_damaged, Verdict.LOST),
        (status, "read", count_a_step_too_many, Verdict.WRONG),
        (TrainerLog, "poll", read_nothing, Verdict.LOST),
    ],
)
def test_a_reader_that_errs_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, defect: object, verdict: Verdict
) -> None:
    monkeypatch.setattr(owner, name, defect)
    assert verdict in {result.verdict for result in json_mutants.run(SEED, range(40))}
