"""Filters of runs: what they look at in each list, and how they are typed."""

import dataclasses

import pytest

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.summary import UserNotes, view
from tests.tui.building import write_run
from tests.tui.runs.test_logs_table import run
from tui.screens.run_filter import RunFilter
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
        ("note:again or method:full", ["one", "two"]),
        ("Again", ["one"]),
        ("AGAIN", []),
        ("tag:/loss$/", ["one"]),
        ("base:demo-base kind:train", ["one", "two"]),
        ("on:demo-base how:full", ["two"]),  # the earlier names of base and method
        ('"failed at step 2"', ["one"]),
    ],
)
def test_jobs(jobs: list[RunRow], text: str, names: list[str]) -> None:
    run_filter = RunFilter()
    assert run_filter.set_text(text)
    assert [row.view.record.name for row in run_filter.matching(jobs)] == names


def test_logs_have_no_state_but_tags() -> None:
    rows = [run("falls", [3, 2]), run("rises", [1])]
    run_filter = RunFilter()
    assert run_filter.set_text("tag:loss and not rises")
    assert run_filter.matching(rows) == rows[:1]
    assert run_filter.set_text("state:done")
    assert run_filter.matching(rows) == []


def test_half_a_filter_leaves_the_one_before(jobs: list[RunRow]) -> None:
    run_filter = RunFilter()
    run_filter.set_text("method:full")
    assert not run_filter.set_text("how:full and")
    assert run_filter.error == "a term is missing at the end"
    assert [row.view.record.name for row in run_filter.matching(jobs)] == ["two"]
    assert not run_filter.set_text("size:3")
    assert "fields:" in run_filter.error


def test_a_changed_run_is_looked_at_anew(jobs: list[RunRow]) -> None:
    run_filter = RunFilter()
    run_filter.set_text("#low")
    assert len(run_filter.matching(jobs)) == 1
    plain = dataclasses.replace(jobs[0].view, notes=UserNotes())
    assert run_filter.matching([dataclasses.replace(jobs[0], view=plain), jobs[1]]) == []


def test_pinned_ones_are_on_top_with_what_builds_on_them(jobs: list[RunRow]) -> None:
    one, two = jobs
    other = run("third", [1.0])
    assert [entry.depth for entry in arrange([other, one, two])] == [0, 0, 1]
    lines = arrange([other, one, two], [one.run_key])
    assert [(entry.row, entry.depth) for entry in lines] == [(one, 0), (two, 1), (other, 0)]
    lines = arrange([other, one, two], [two.run_key])
    assert [(entry.row, entry.depth) for entry in lines] == [(two, 0), (other, 0), (one, 0)]
    assert lifted([other, one, two], [two.run_key, one.run_key]) == [one, two, other]
    assert kept(jobs) == [two]
    assert kept(jobs, archived=True) == jobs
