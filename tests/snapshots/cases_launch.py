"""Launch: what can be picked, the form, and what is known of a recipe before it starts."""

import json
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.store import Store
from engine.recipes.recipe import TrainRecipe
from tests.snapshots.cases import case
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import RUNS, Recorder
from tests.tui.conftest import odd_report_of, report_of
from tui.actions import Actions
from tui.launch.page import LaunchPage
from tui.screens.dialogs import ErrorDialog
from tui.widgets.pager import Pager

LEARNED = "⟦sadness<|end|>⟧"
FEW = {"rows": 3, "example": "train.jsonl:4"}
LONG = {
    "max_length": 256,
    "policy": "truncate",
    "cut": FEW,
    "dropped": {"rows": 0, "example": ""},
    "share_of_learned": 0.125,
    "removed": {"source": "train.jsonl:4", "text": "and then we walked home"},
}
GROUPS = ("data", "method", "training", "stopping", "replay", "answers", "forgetting", "skills")


class Refusing(Actions):
    """Actions that launch nothing, and tell of a session that ends."""

    def launch(self, recipe: TrainRecipe) -> Path:
        raise EngineError("The disk is full.", "runs/ needs 63 MB more.", "Free some space.")

    def warning(self) -> str:
        return "runs stop when Slurm job 7 ends"


async def open_launch(recorder: Recorder) -> None:
    """The lists are there, the rows are known, and whether it fits is reckoned."""
    await recorder.reach(LaunchPage, "2")
    await recorder.see("demo-base", "ready", LEARNED, "1,234 trained tokens", " fits")


@case(
    {
        "launch-asking": LaunchPage,
        "launch": LaunchPage,
        "launch-lengths": LaunchPage,
        "launch-templates": LaunchPage,
        "launch-fit": LaunchPage,
        "launch-recipe": LaunchPage,
        "launch-refused": ErrorDialog,
    }
)
async def launch(recorder: Recorder) -> None:
    write_runs()
    recorder.companion.report = report_of("i miss my dog", "sadness", too_long=LONG)
    recorder.companion.held = True
    async with recorder.finetop(Refusing(Store(RUNS))):
        await recorder.reach(LaunchPage, "2")
        await recorder.see("ready", " fits")
        await recorder.until(lambda: bool(recorder.companion.inspected))
        await recorder.shoot("launch-asking", "loading preview")
        recorder.companion.held = False
        await open_launch(recorder)
        await recorder.shoot("launch", "emotion")
        await recorder.press("v")
        await recorder.shoot("launch-lengths", "[lengths]", "median 12")
        await recorder.press("v")
        await recorder.shoot("launch-templates", "[templates]")
        await recorder.press("v")
        await recorder.shoot("launch-fit", "[fit]")
        await recorder.press("v")
        await recorder.shoot("launch-recipe", "[recipe]", "name = ")
        await recorder.press("v")
        await recorder.reach(ErrorDialog, "ctrl+s")
        await recorder.shoot("launch-refused", "Free some space.")


@case({f"launch-form-{group}": LaunchPage for group in GROUPS})
async def launch_form(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_launch(recorder)
        for at, group in enumerate(GROUPS, 2):
            await recorder.press("m")
            await recorder.shoot(f"launch-form-{group}", f"{group.capitalize()}  page {at} of 9")


@case(
    {
        "launch-in-a-field": LaunchPage,
        "launch-wrong": LaunchPage,
        "launch-filtered": LaunchPage,
        "launch-of-a-run": LaunchPage,
    }
)
async def launch_written(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_launch(recorder)
        await recorder.press("enter", "enter")
        await recorder.shoot("launch-in-a-field", "leave field")
        await recorder.press("tab", "tab", "home", "ctrl+k", "0")
        await recorder.shoot("launch-wrong", "rank: must be at least 1")
        await recorder.press("home", "ctrl+k", "8")
        await recorder.see("ready")
        await recorder.press("escape", "slash", *"emo")
        await recorder.shoot("launch-filtered", "emotion", without="counsel")
        await recorder.press("escape", "down", "down")
        await recorder.shoot("launch-of-a-run", "ready", " fits", LEARNED)


@case({"launch-unusable": LaunchPage, "launch-odd-rows": LaunchPage, "launch-no-torch": LaunchPage})
async def launch_troubles(recorder: Recorder) -> None:
    write_runs()
    broken = Path("models") / "broken"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text(
        '{"architectures": ["BertForMaskedLM"], "model_type": "bert"}'
    )
    (broken / "model.safetensors").write_text("<!DOCTYPE html><html>no</html>")
    Path("data").mkdir()
    good = json.dumps({"instruction": "Say yes.", "output": "yes"})
    Path("data", "mixed.jsonl").write_text("\n".join([good, '{"instruction": "none"}', "{no"]))
    Path("data", "bad.jsonl").write_text("this is not JSON\n")
    reject = {"file": "train.jsonl", "line": 4, "reason": "no answer", "text": "{}"}
    recorder.companion.report = odd_report_of("i miss my dog", "sadness", FEW, reject)
    async with recorder.finetop():
        await recorder.reach(LaunchPage, "2")
        await recorder.see("ready", " fits", "1,234 trained tokens")
        await recorder.shoot("launch-odd-rows", "duplicates")
        await recorder.press("end")
        await recorder.shoot("launch-unusable", "cannot be used:")
        recorder.companion.report = EngineError(
            "torch not installed.",
            "This is the light install: it cannot train or generate.",
            "Install 'finetop[train]'.",
        )
        recorder.monkeypatch.setattr(Actions, "start_error", lambda self: "torch not installed.")
        await recorder.press("home", "r", "tab", "end")
        recorder.app.screen.query_one("#text", Pager).focus()
        await recorder.shoot(
            "launch-no-torch", "cannot start: torch not", "This is the light install"
        )
