"""Filters of runs: what they look at in each list, and how they are typed."""

import dataclasses

import pytest

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.summary import UserNotes, view
from tests.tui.building import write_run
from tests.tui.runs.test_log_table import run
from tui.screens.run_filter import Sieve
from tui.screens.tree_and_groups import arrange, kept, lifted
from tui.snapshots import RunRow, Spark


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRow]:
    root = tmp_path_factory.mktemp("jobs")
    write_run(root, "one", state=State.FAILED, points=2)
    write_run(root, "two", method="full", parents=["run:one"])
    rows = []
    for name in ("one", "two"):
        found = view(JobDirectory(root / name))
        assert found is not None
        rows.append(RunRow(found))
    notes = UserNotes("try Again", ["low"], archived=True)
    one = dataclasses.replace(rows[0].view, notes=notes)
    curves = {"train/loss": Spark((), 1.0)}
    return [dataclasses.replace(rows[0], view=one, curves=curves), rows[1]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["one", "two"]),
        ("o", ["one", "two"]),
        ("state:failed", ["one"]),
        ("not state:failed", ["two"]),
        ("#low", ["one"]),
        ("note:again", ["one"]),
        ("note:again or how:full", ["one", "two"]),
        ("Again", ["one"]),
        ("AGAIN", []),
        ("tag:/loss$/", ["one"]),
        ("on:demo-base kind:train", ["one", "two"]),
        ('"failed at 2"', ["one"]),
    ],
)
def test_jobs(jobs: list[RunRow], text: str, names: list[str]) -> None:
    sieve = Sieve()
    assert sieve.take(text)
    assert [row.view.record.name for row in sieve.sift(jobs)] == names


def test_logs_have_no_state_but_tags() -> None:
    rows = [run("falls", [3, 2]), run("rises", [1])]
    sieve = Sieve()
    assert sieve.take("tag:loss and not rises")
    assert sieve.sift(rows) == rows[:1]
    assert sieve.take("state:done")
    assert sieve.sift(rows) == []


def test_half_a_filter_leaves_the_one_before(jobs: list[RunRow]) -> None:
    sieve = Sieve()
    sieve.take("how:full")
    assert not sieve.take("how:full and")
    assert sieve.wrong == "something is missing here"
    assert [row.view.record.name for row in sieve.sift(jobs)] == ["two"]
    assert not sieve.take("size:3")
    assert "fields are" in sieve.wrong


def test_a_changed_run_is_looked_at_anew(jobs: list[RunRow]) -> None:
    sieve = Sieve()
    sieve.take("#low")
    assert len(sieve.sift(jobs)) == 1
    plain = dataclasses.replace(jobs[0].view, notes=UserNotes())
    assert sieve.sift([dataclasses.replace(jobs[0], view=plain), jobs[1]]) == []


def test_pinned_ones_are_on_top_with_what_builds_on_them(jobs: list[RunRow]) -> None:
    one, two = jobs
    other = run("third", [1.0])
    assert [entry.depth for entry in arrange([other, one, two])] == [0, 0, 1]
    lines = arrange([other, one, two], [one.mark])
    assert [(entry.row, entry.depth) for entry in lines] == [(one, 0), (two, 1), (other, 0)]
    lines = arrange([other, one, two], [two.mark])
    assert [(entry.row, entry.depth) for entry in lines] == [(two, 0), (other, 0), (one, 0)]
    assert lifted([other, one, two], [two.mark, one.mark]) == [one, two, other]
    assert kept(jobs) == [two]
    assert kept(jobs, archived=True) == jobs
