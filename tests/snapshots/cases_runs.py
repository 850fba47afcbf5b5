"""Runs, and the windows that open over it."""

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Model
from tests.jobs.made_checkpoints import write_checkpoints
from tests.release.made_proof import write_export
from tests.snapshots.cases import case
from tests.snapshots.directories import write_runs
from tests.snapshots.fixed_environment import NOW
from tests.snapshots.recorder import RUNS, Recorder
from tests.sweeps.made_sweep import write_sweep
from tui.runs.list_page import RunListPage
from tui.runs.run_overview import OverviewPage
from tui.screens.dialogs import ConfirmDialog
from tui.screens.export_window import ExportWindow
from tui.screens.pick_window import PickWindow
from tui.screens.prune_window import PruneWindow
from tui.screens.run_dialogs import (
    DifferenceWindow,
    MoreWindow,
    NoteWindow,
    RemoveWindow,
)
from tui.widgets.table import Table


async def open_runs(recorder: Recorder) -> None:
    """The list is whole, with its small curves: what is opened next is built from all of it."""
    await recorder.see("live", "measured", "answers", "9 jobs")
    await recorder.settle()


async def choose(recorder: Recorder, run: str) -> None:
    """Have a run chosen in the list."""
    key, table = str(RUNS / run), recorder.app.screen.query_one(Table)

    def chosen() -> bool:
        # News of the runs that come before the page has heard of it take the choice back.
        if recorder.app.selected == key == table.chosen:
            return True
        table.choose(key)
        return False

    await recorder.until(chosen)


@case({"runs": RunListPage, "runs-failed": RunListPage, "runs-of-answers": RunListPage})
async def runs(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.shoot("runs")
        await choose(recorder, "bad-lr")
        await recorder.shoot("runs-failed", "The loss is NaN at step 21.")
        await choose(recorder, "answers")
        await recorder.shoot("runs-of-answers", "enter browse")


@case({"runs-sweep": RunListPage})
async def runs_sweep(recorder: Recorder) -> None:
    """Its runs stand under it, and it says which one is at work."""
    states = [State.DONE, State.FAILED, State.RUNNING, None]
    RUNS.mkdir()
    write_sweep(RUNS, states=states, state=State.RUNNING, created=NOW - 100)
    async with recorder.finetop():
        await recorder.see("4 jobs")
        await recorder.settle()
        await choose(recorder, "grid-1a2b")
        await recorder.shoot("runs-sweep", "run 3/4: lr3e-4-s7 step 4/9", "enter watch")


@case({"runs-empty": RunListPage})
async def runs_empty(recorder: Recorder) -> None:
    RUNS.mkdir()
    async with recorder.finetop():
        await recorder.shoot("runs-empty", "No runs yet.")


@case(
    {
        "runs-filter-empty": RunListPage,
        "runs-filter-wrong": RunListPage,
        "runs-filtered": RunListPage,
        "runs-filter-kept": RunListPage,
    }
)
async def runs_filtered(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.press("slash")
        await recorder.shoot("runs-filter-empty", "state:running")
        await recorder.press(*"(name:lora or")
        await recorder.shoot("runs-filter-wrong", "a term is missing at the end")
        await recorder.press(*" state:failed)")
        await recorder.shoot("runs-filtered", "emotion-lora", "bad-lr", without="live")
        await recorder.press("enter")
        await recorder.shoot("runs-filter-kept", "watch")


@case(
    {
        "runs-pick-group": PickWindow,
        "runs-grouped": RunListPage,
        "runs-pick-tag": PickWindow,
        "runs-by-tag": RunListPage,
        "runs-pinned-and-archived": RunListPage,
    }
)
async def runs_arranged(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.reach(PickWindow, "b")
        await recorder.shoot("runs-pick-group", "training.learning_rate")
        await recorder.press("down", "enter")
        await recorder.shoot("runs-grouped", "(", without="no groups")
        await recorder.press("b", "home", "enter")
        await recorder.reach(PickWindow, "t")
        await recorder.press(*"loss")
        await recorder.shoot("runs-pick-tag", "eval/loss")
        await recorder.reach(RunListPage, "enter")
        await recorder.shoot("runs-by-tag", "eval/los")
        await choose(recorder, "lost")
        await recorder.press("p", "Z")
        await recorder.shoot("runs-pinned-and-archived", "stopped")


@case(
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
async def runs_windows(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await choose(recorder, "emotion-lora")
        await recorder.reach(NoteWindow, "m")
        await recorder.shoot("runs-note", "the best so far", "paper, lora")
        await recorder.press("escape")
        await recorder.reach(RemoveWindow, "D")
        await recorder.shoot("runs-remove", "Permanently delete", "Used by run answers, run child")
        await recorder.press(*"other", "enter")
        await recorder.shoot("runs-remove-refused", "The name does not match")
        await recorder.press("escape")
        await recorder.reach(MoreWindow, "r")
        await recorder.shoot("runs-more", "New total epochs:")
        await recorder.press("escape", "space")
        await choose(recorder, "bad-lr")
        await recorder.reach(DifferenceWindow, "d")
        await recorder.shoot("runs-difference", "settings differ")
        await recorder.press("escape")
        await choose(recorder, "lost")
        await recorder.reach(ConfirmDialog, "r")
        await recorder.shoot("runs-adopt", "Resume lost")
        await recorder.press("n")
        await choose(recorder, "measured")
        await recorder.reach(ConfirmDialog, "r")
        await recorder.shoot("runs-further", "measured was ended by its forgetting budget")


@case({"runs-prune": PruneWindow, "runs-prune-used": PruneWindow})
async def runs_prune(recorder: Recorder) -> None:
    write_runs()
    done, stopped = JobDirectory(RUNS / "emotion-lora"), JobDirectory(RUNS / "bad-lr")
    write_checkpoints(done, (20, 40, 60), best=40)
    write_checkpoints(stopped, (10, 20), best=10)
    used = RUNS / "emotion-lora" / "checkpoints" / "checkpoint-20"
    stage = TrainRecipe(name="child", model=Model(str(used)))
    JobDirectory(RUNS / "child").recipe_file.write_text(recipes.to_toml(stage))
    async with recorder.finetop():
        await open_runs(recorder)
        await choose(recorder, "bad-lr")
        await recorder.reach(PruneWindow, "F")
        await recorder.shoot("runs-prune", "as the run is not done")
        await recorder.press("escape")
        await choose(recorder, "emotion-lora")
        await recorder.reach(PruneWindow, "F")
        await recorder.shoot("runs-prune-used", "used by run child", "b yes, but keep")


@case({"runs-export": RunListPage, "export-proof": OverviewPage})
async def runs_export(recorder: Recorder) -> None:
    write_runs()
    write_export(RUNS, failed=True)
    async with recorder.finetop():
        await recorder.see("live", "measured", "answers", "10 jobs")
        await recorder.settle()
        await choose(recorder, "export-mine")
        await recorder.shoot("runs-export", "The export is not what was trained")
        await recorder.reach(OverviewPage, "enter")
        await recorder.shoot("export-proof", "prompt 3: 'sadness', the run: 'joy'")


@case({"export": ExportWindow})
async def export_window(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await choose(recorder, "emotion-lora")
        await recorder.reach(ExportWindow, "R")
        await recorder.shoot("export", "the model card will say unknown")
