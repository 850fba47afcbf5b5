"""What a run does between two steps, and the time that is left, in words."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.events.log_set import Fleet
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.jobs.summary import view
from tests.tui.building import write_run
from tui.charts.run_lines import headline
from tui.cli import main
from tui.commands.follow import progress_line
from tui.commands.watch_plain import Changes
from tui.formatting import activity, progress, remark, time_left
from tui.glyphs import UNICODE
from tui.snapshots import RunRow

EVALUATING: dict[str, Any] = {
    "activity": "evaluating",
    "activity_done": 120,
    "activity_total": 300,
    "activity_seconds": 12.4,
    "eta_seconds": 0.2,
    "eta_basis": "evaluations measured",
}


def row(root: Path, state: State = State.RUNNING, **values: Any) -> RunRow:
    found = view(write_run(root, "live", state=state, **(EVALUATING | values)))
    assert found is not None
    return RunRow(found)


def words(line: object) -> str:
    return "".join(text for text, _ in line)  # type: ignore[attr-defined]


def test_watch_and_runs_say_what_is_done_and_no_zero_is_left(tmp_path: Path) -> None:
    now = row(tmp_path)
    assert "evaluating 120/300 (0:12)" in words(headline(now, UNICODE))
    assert "0:01 left" in words(headline(now, UNICODE))
    assert words(progress(now.view, UNICODE)) == "eval 120/300"
    assert time_left(now.view) == "0:01"
    assert remark(now) == "evaluating 120/300 (0:12)"
    assert "measured" not in words(headline(now, UNICODE))
    (tmp_path / "estimated").mkdir()
    estimated = row(tmp_path / "estimated", eta_basis="evaluations estimated", eta_seconds=40.0)
    assert "0:40 left (evaluations estimated)" in words(headline(estimated, UNICODE))


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        ({"activity": "measuring forgetting", "activity_done": 3, "activity_total": 40},
         "forgetting 7%"),
        ({"activity": "writing samples", "activity_done": 3, "activity_total": 64},
         "samples 3/64"),
        ({"activity": "saving", "activity_done": 0, "activity_total": 0}, "saving"),
        ({"activity_done": 1200, "activity_total": 30000}, "eval 4%"),
    ],
)  # fmt: skip
def test_every_activity_fits_the_column(tmp_path: Path, values: dict[str, Any], cell: str) -> None:
    assert words(progress(row(tmp_path, **values).view, UNICODE)) == cell


def test_a_run_that_stops_or_has_ended_says_so(tmp_path: Path) -> None:
    stopping = row(tmp_path, State.STOPPING, message="stopping: saving a checkpoint")
    assert words(progress(stopping.view, UNICODE)) == "stopping"
    assert remark(stopping) == "saving a checkpoint"


def test_commands_say_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "runs"
    now = row(root).view
    assert now.status is not None
    line = progress_line("live", State.RUNNING, now.status)
    assert "  evaluating 120/300  " in line
    starting = progress_line("live", State.STARTING, now.status)
    assert starting == "live  starting: evaluating 120/300"
    assert main(["--runs", str(root), "runs"]) == 0
    assert "evaluating 120/300" in capsys.readouterr().out
    assert main(["--runs", str(root), "runs", "--json"]) == 0
    (table,) = [one for one in json.loads(capsys.readouterr().out) if one["name"] == "live"]
    assert {name: table[name] for name in EVALUATING} == EVALUATING


def test_a_watched_run_says_when_it_begins(tmp_path: Path) -> None:
    job = write_run(tmp_path, "live", state=State.RUNNING, points=3, **EVALUATING)
    fleet, changes = Fleet([tmp_path]), Changes()
    fleet.poll()
    (run,) = fleet.runs
    assert list(changes.activity(run)) == ["live\t-\tevaluating 120/300, 0:12 left"]
    assert list(changes.activity(run)) == [], "once"
    statuses.write(job, Status(State.RUNNING))
    assert list(changes.activity(run)) == []


def test_an_old_status_has_none_of_it(tmp_path: Path) -> None:
    job = JobDirectory(tmp_path)
    job.status_file.write_text('{"schema": 1, "state": "running", "step": 3, "eta_seconds": 9.0}')
    now = statuses.read(job)
    assert now is not None
    assert (activity(now), now.activity_seconds, now.evaluation_seconds) == ("", None, 0.0)
