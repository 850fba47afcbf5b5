"""Pruning a run from the list: what is said before, and what a pruned run answers."""

import dataclasses
import time
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.compare import arm_sets
from engine.compare.arms import Arm
from engine.jobs import summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from tests.jobs.made_checkpoints import write_checkpoints, write_result
from tests.tui.building import write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.runs.runs_status_lines import about
from tui.screens.prune_window import PruneWindow
from tui.snapshots import RunRow
from tui.widgets.table import Table


@pytest.fixture
def job(root: Path) -> JobDirectory:
    made = write_run(root, "ready", points=6, total=6, created=time.time() + 5)
    write_checkpoints(made, (20, 40, 60), best=20)
    write_result(made)
    arm_sets.save("two", [Arm("tuned", str(made.checkpoints / "checkpoint-40"))])
    return made


def _names(job: JobDirectory) -> list[str]:
    return sorted(path.name for path in job.checkpoints.glob("checkpoint-*"))


async def _open(pilot: Pilot[None], app: FinetopApp, job: JobDirectory) -> None:
    await see(pilot, " ready ")
    await until(pilot, lambda: app.screen.query_one(Table).choose(str(job.path)))
    await until(pilot, lambda: app.selected == str(job.path))


async def _notice(pilot: Pilot[None], text: str) -> None:
    await until(pilot, lambda: any(text in one.message for one in pilot.app._notifications))


async def test_it_is_said_what_goes_and_y_drops_it(app: FinetopApp, job: JobDirectory) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _open(pilot, app, job)
        await see(pilot, "r resume")
        await pilot.press("F")
        await see(pilot, "After that it can no longer be resumed.")
        text = screen_text(app)
        for part in ("of ready?", "2 checkpoints, 1 optimizer state", "adapter/, curves, answers",
                     "checkpoint-40: used by the set of arms 'two'",
                     "b yes, but keep best and last"):  # fmt: skip
            assert part in text, text
        await pilot.press("y")
        await until(pilot, lambda: _names(job) == ["checkpoint-40"])
        await see(pilot, "pruned: it cannot be resumed")
        assert job.pruned_file.exists()
        assert "r resume" not in screen_text(app)
        await pilot.press("r")
        await _notice(pilot, "ready was pruned: it cannot be resumed; n starts a new run")
        await pilot.press("F")
        await _notice(pilot, "ready: nothing to free")
        await pilot.press("u")
        await see(pilot, "yes: it cannot be resumed")


@pytest.mark.parametrize("state", [State.CRASHED, State.LOST])
def test_the_line_of_a_run_offers_to_resume_it_unless_it_was_pruned(
    root: Path, state: State
) -> None:
    view = summary.view(write_run(root, "one"))
    assert view is not None
    for pruned in (False, True):
        row = RunRow(dataclasses.replace(view, state=state, pruned=pruned))
        text = "".join(piece for piece, _ in about(row, "-"))
        assert ("; r resumes" in text) is not pruned
        assert "last checkpoint" not in text, "there may be none"


async def test_b_keeps_the_best_and_the_last(app: FinetopApp, job: JobDirectory) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await _open(pilot, app, job)
        await pilot.press("F")
        await see(pilot, "b yes, but keep best and last")
        await pilot.press("b")
        await until(pilot, lambda: job.pruned_file.exists())
        await until(pilot, lambda: not list(job.checkpoints.rglob("optimizer.pt")))
        assert _names(job) == ["checkpoint-20", "checkpoint-40", "checkpoint-60"]


@pytest.mark.parametrize("key", ["n", "enter", "escape"])
async def test_any_other_answer_drops_nothing(app: FinetopApp, job: JobDirectory, key: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await _open(pilot, app, job)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, PruneWindow))
        await pilot.press(key)
        await until(pilot, lambda: not isinstance(app.screen, PruneWindow))
        assert len(_names(job)) == 3
        assert not job.pruned_file.exists()


async def test_a_run_that_cannot_be_pruned_says_why(app: FinetopApp, root: Path) -> None:
    busy = write_run(root, "busy", state=State.RUNNING, created=time.time() + 9)
    write_checkpoints(busy, (20,))
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, " busy ")
        await until(pilot, lambda: app.screen.query_one(Table).choose(str(busy.path)))
        await until(pilot, lambda: app.selected == str(busy.path))
        await pilot.press("F")
        await _notice(pilot, "busy is running. Stop it first.")
        assert not isinstance(app.screen, PruneWindow)
        assert not busy.pruned_file.exists()
