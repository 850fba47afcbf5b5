"""Runs, and the windows that open over it."""

from tests.snapshots.directories import write_runs
from tests.snapshots.scenes import scene
from tests.snapshots.stage import RUNS, Stage
from tui.runs.jobs_page import RunsPage
from tui.screens.dialogs import ConfirmDialog
from tui.screens.pick_tags import PickTags
from tui.screens.run_dialogs import (
    DifferenceWindow,
    MoreWindow,
    NoteWindow,
    PickField,
    RemoveWindow,
)
from tui.widgets.table import Table


async def open_runs(stage: Stage) -> None:
    """The list is whole, with its small curves."""
    await stage.see("live", "measured", "answers", "9 runs here")


async def choose(stage: Stage, run: str) -> None:
    """Have a run chosen in the list."""
    key, table = str(RUNS / run), stage.app.screen.query_one(Table)

    def chosen() -> bool:
        # News of the runs that come before the page has heard of it take the choice back.
        if stage.app.selected == key == table.chosen:
            return True
        table.choose(key)
        return False

    await stage.until(chosen)


@scene({"runs": RunsPage, "runs-failed": RunsPage, "runs-of-answers": RunsPage})
async def runs(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.shoot("runs")
        await choose(stage, "bad-lr")
        await stage.shoot("runs-failed", "The loss is NaN.")
        await choose(stage, "answers")
        await stage.shoot("runs-of-answers", "enter browse")


@scene({"runs-empty": RunsPage})
async def runs_empty(stage: Stage) -> None:
    RUNS.mkdir()
    async with stage.finetop():
        await stage.shoot("runs-empty", "No run yet.")


@scene(
    {
        "runs-filter-empty": RunsPage,
        "runs-filter-wrong": RunsPage,
        "runs-filtered": RunsPage,
        "runs-filter-kept": RunsPage,
    }
)
async def runs_filtered(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.press("slash")
        await stage.shoot("runs-filter-empty", "state:running")
        await stage.press(*"(name:lora or")
        await stage.shoot("runs-filter-wrong", "something is missing here")
        await stage.press(*" state:failed)")
        await stage.shoot("runs-filtered", "emotion-lora", "bad-lr", without="live")
        await stage.press("enter")
        await stage.shoot("runs-filter-kept", "watch")


@scene(
    {
        "runs-pick-group": PickField,
        "runs-grouped": RunsPage,
        "runs-pick-tag": PickTags,
        "runs-by-tag": RunsPage,
        "runs-pinned-and-archived": RunsPage,
    }
)
async def runs_arranged(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.reach(PickField, "b")
        await stage.shoot("runs-pick-group", "training.learning_rate")
        await stage.press("down", "enter")
        await stage.shoot("runs-grouped", "(", without="no groups")
        await stage.press("b", "home", "enter")
        await stage.reach(PickTags, "t")
        await stage.press(*"loss")
        await stage.shoot("runs-pick-tag", "eval/loss")
        await stage.reach(RunsPage, "enter")
        await stage.shoot("runs-by-tag", "eval/los")
        await choose(stage, "lost")
        await stage.press("p", "Z")
        await stage.shoot("runs-pinned-and-archived", "stopped")


@scene(
    {
        "runs-note": NoteWindow,
        "runs-remove": RemoveWindow,
        "runs-remove-refused": RemoveWindow,
        "runs-adopt": ConfirmDialog,
        "runs-more": MoreWindow,
        "runs-further": ConfirmDialog,
        "runs-difference": DifferenceWindow,
    }
)
async def runs_windows(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await choose(stage, "emotion-lora")
        await stage.reach(NoteWindow, "m")
        await stage.shoot("runs-note", "the best so far", "paper, lora")
        await stage.press("escape")
        await stage.reach(RemoveWindow, "D")
        await stage.shoot("runs-remove", "Delete emotion-lora for ever?", "1 run builds on it")
        await stage.press(*"other", "enter")
        await stage.shoot("runs-remove-refused", "That is not its name")
        await stage.press("escape")
        await stage.reach(MoreWindow, "r")
        await stage.shoot("runs-more", "How many in all?")
        await stage.press("escape", "space")
        await choose(stage, "bad-lr")
        await stage.reach(DifferenceWindow, "d")
        await stage.shoot("runs-difference", "settings differ")
        await stage.press("escape")
        await choose(stage, "lost")
        await stage.reach(ConfirmDialog, "r")
        await stage.shoot("runs-adopt", "Adopt lost")
        await stage.press("n")
        await choose(stage, "measured")
        await stage.reach(ConfirmDialog, "r")
        await stage.shoot("runs-further", "measured ended early")
