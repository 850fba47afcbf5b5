"""Pages over a run: its log, its overview, the machine; and help and commands, over any page."""

from engine.jobs.directory import JobDirectory
from tests.snapshots import surroundings
from tests.snapshots.directories import write_runs
from tests.snapshots.of_runs import choose, open_runs
from tests.snapshots.of_watch import open_watch
from tests.snapshots.scenes import scene
from tests.snapshots.stage import RUNS, Stage
from tui.runs.run_log import LogPage
from tui.runs.run_overview import OverviewPage
from tui.screens.hardware import HardwarePage
from tui.screens.help import HelpPage
from tui.screens.palette import PalettePage


@scene({"log": LogPage, "log-found": LogPage, "log-silent": LogPage})
async def log(stage: Stage) -> None:
    write_runs()
    lines = [f"step {at}" + "  saved a checkpoint" * (at % 50 == 0) for at in range(1, 301)]
    JobDirectory(RUNS / "live").attempt(1).log.write_text("\n".join(lines) + "\n")
    async with stage.finetop():
        await open_runs(stage)
        await stage.reach(LogPage, "f")
        await stage.shoot("log", "step 300", "300 lines")
        await stage.press("slash", *"SAVED", "enter", "N")
        await stage.shoot("log-found", "“SAVED” 5 of 6")
        await stage.press("escape", "escape")
        await choose(stage, "lost")
        await stage.reach(LogPage, "f")
        await stage.shoot("log-silent", "It has said nothing yet.")


@scene(
    {"overview": OverviewPage, "overview-end": OverviewPage, "overview-of-answers": OverviewPage}
)
async def overview(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await choose(stage, "emotion-lora")
        await stage.reach(OverviewPage, "u")
        await stage.shoot("overview", "Inputs", "not there any more")
        await stage.press("end")
        await stage.shoot("overview-end", "learning_rate = 0.002" if stage.wide else "[forgetting]")
        await stage.press("escape")
        await choose(stage, "answers")
        await stage.reach(OverviewPage, "u")
        await stage.shoot("overview-of-answers", "Inputs")


@scene({"machine": HardwarePage})
async def machine(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.reach(HardwarePage, "g")
        await stage.shoot("machine", "This machine", "NVIDIA H200")


@scene({"machine-without-gpu": HardwarePage})
async def machine_without_gpu(stage: Stage) -> None:
    write_runs()
    surroundings.stand_in(stage.monkeypatch, surroundings.readings(gpu=False))
    async with stage.finetop():
        await open_runs(stage)
        await stage.reach(HardwarePage, "g")
        await stage.shoot("machine-without-gpu", "No GPU is here")


@scene({"help": HelpPage, "help-of-watch": HelpPage, "help-end": HelpPage})
async def help_of_keys(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.reach(HelpPage, "question_mark")
        await stage.shoot("help", "Watch the chosen run.")
        await stage.press("escape")
        await open_watch(stage)
        await stage.reach(HelpPage, "question_mark")
        await stage.shoot("help-of-watch", "Move the cursor to an earlier step.")
        await stage.press("end")
        await stage.shoot("help-end", "esc closes this.")


@scene({"palette": PalettePage, "palette-narrowed": PalettePage, "palette-nothing": PalettePage})
async def palette(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_runs(stage)
        await stage.reach(PalettePage, "colon")
        await stage.shoot("palette", "Watch the chosen run.")
        await stage.press(*"run show")
        await stage.shoot("palette-narrowed", "hidden")
        await stage.press(*"zz")
        await stage.shoot("palette-nothing", "No command is called so.")
