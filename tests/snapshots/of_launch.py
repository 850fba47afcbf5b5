"""Launch: what can be picked, the form, and what is known of a recipe before it starts."""

import json
from pathlib import Path

from engine.errors import EngineError
from engine.jobs.store import Store
from engine.recipes.recipe import TrainRecipe
from tests.snapshots.directories import write_runs
from tests.snapshots.scenes import scene
from tests.snapshots.stage import RUNS, Stage
from tests.tui.conftest import report_of
from tui.actions import Actions
from tui.launch.page import LaunchPage
from tui.screens.dialogs import ErrorDialog
from tui.widgets.pager import Pager

LEARNED = "⟦sadness<|end|>⟧"
FEW = {"rows": 3, "example": "train.jsonl:4"}
LONG = {
    "max_length": 256,
    "policy": "cut",
    "cut": FEW,
    "dropped": {"rows": 0, "example": ""},
    "share_of_learned": 0.125,
    "removed": {"source": "train.jsonl:4", "text": "the end of it"},
}
GROUPS = ("data", "method", "training", "stopping", "replay", "samples", "forgetting")


class Refusing(Actions):
    """Actions that launch nothing, and tell of a session that ends."""

    def launch(self, recipe: TrainRecipe) -> Path:
        raise EngineError("No room.", "runs: the disk is full", "Free some space.")

    def warning(self) -> str:
        return "It ends with Slurm's allocation 7."


async def open_launch(stage: Stage) -> None:
    """The lists are there, the rows are known, and whether it fits is reckoned."""
    await stage.reach(LaunchPage, "2")
    await stage.see("demo-base", "ready", LEARNED, "1,234 tokens learned", " fits")


@scene(
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
async def launch(stage: Stage) -> None:
    write_runs()
    stage.companion.report = report_of("i miss my dog", "sadness", too_long=LONG)
    stage.companion.held = True
    async with stage.finetop(Refusing(Store(RUNS))):
        await stage.reach(LaunchPage, "2")
        await stage.see("ready", " fits")
        await stage.until(lambda: bool(stage.companion.inspected))
        await stage.shoot("launch-asking", "asking the companion")
        stage.companion.held = False
        await open_launch(stage)
        await stage.shoot("launch", "emotion")
        await stage.press("v")
        await stage.shoot("launch-lengths", "[lengths]", "median 12")
        await stage.press("v")
        await stage.shoot("launch-templates", "[templates]")
        await stage.press("v")
        await stage.shoot("launch-fit", "[fit]")
        await stage.press("v")
        await stage.shoot("launch-recipe", "[recipe]", "name = ")
        await stage.press("v")
        await stage.reach(ErrorDialog, "ctrl+s")
        await stage.shoot("launch-refused", "Free some space.")


@scene({f"launch-form-{group}": LaunchPage for group in GROUPS})
async def launch_form(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_launch(stage)
        for at, group in enumerate(GROUPS, 2):
            await stage.press("m")
            await stage.shoot(f"launch-form-{group}", f"{group.capitalize()}  {at} of 8")


@scene(
    {
        "launch-in-a-field": LaunchPage,
        "launch-wrong": LaunchPage,
        "launch-filtered": LaunchPage,
        "launch-of-a-run": LaunchPage,
    }
)
async def launch_written(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_launch(stage)
        await stage.press("enter", "enter")
        await stage.shoot("launch-in-a-field", "leave field")
        await stage.press("tab", "tab", "home", "ctrl+k", "0")
        await stage.shoot("launch-wrong", "rank: must be at least 1")
        await stage.press("home", "ctrl+k", "8")
        await stage.see("ready")
        await stage.press("escape", "slash", *"emo")
        await stage.shoot("launch-filtered", "emotion", without="counsel")
        await stage.press("escape", "down", "down")
        await stage.shoot("launch-of-a-run", "ready", " fits", LEARNED)


@scene(
    {"launch-unusable": LaunchPage, "launch-odd-rows": LaunchPage, "launch-no-torch": LaunchPage}
)
async def launch_troubles(stage: Stage) -> None:
    write_runs()
    broken = Path("models") / "broken"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (broken / "model.safetensors").write_text("<!DOCTYPE html><html>no</html>")
    Path("data").mkdir()
    good = json.dumps({"instruction": "Say yes.", "output": "yes"})
    Path("data", "mixed.jsonl").write_text("\n".join([good, '{"instruction": "none"}', "{no"]))
    Path("data", "bad.jsonl").write_text("this is not JSON\n")
    odd = report_of("i miss my dog", "sadness")
    reject = {"file": "train.jsonl", "line": 4, "reason": "no answer", "text": "{}"}
    odd |= {
        "bos": odd["bos"] | {"several": FEW},
        "ends": odd["ends"] | {"endless": FEW},
        "marks": FEW,
        "rejected": 7,
        "rejects": [reject],
        "sides": odd["sides"] | {"duplicates": 5, "leaked": 2},
    }
    odd["rows"][0] |= {"kept": False, "reason": "longer than 256 tokens"}
    stage.companion.report = odd
    async with stage.finetop():
        await stage.reach(LaunchPage, "2")
        await stage.see("ready", " fits", "1,234 tokens learned")
        await stage.shoot("launch-odd-rows", "twice")
        await stage.press("end")
        await stage.shoot("launch-unusable", "cannot be used:")
        stage.companion.report = EngineError(
            "No torch here.", "the light install", "Install finetop[train]."
        )
        await stage.press("home", "tab", "end")
        stage.app.screen.query_one("#text", Pager).focus()
        await stage.shoot("launch-no-torch", "No torch here.")
