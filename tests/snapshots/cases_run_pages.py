"""Pages over a run: its log, its overview, the machine; and help and commands, over any page."""

from engine.jobs.directory import JobDirectory
from tests.snapshots import fixed_environment
from tests.snapshots.cases import case
from tests.snapshots.cases_runs import choose, open_runs
from tests.snapshots.cases_watch import open_watch
from tests.snapshots.directories import write_runs
from tests.snapshots.recorder import RUNS, Recorder
from tui.runs.run_log import LogPage
from tui.runs.run_overview import OverviewPage
from tui.screens.hardware import HardwarePage
from tui.screens.help import HelpPage
from tui.screens.pick_window import PickWindow
from tui.snapshots import Machine


@case({"log": LogPage, "log-found": LogPage, "log-silent": LogPage})
async def log(recorder: Recorder) -> None:
    write_runs()
    lines = [f"step {at}" + "  saved a checkpoint" * (at % 50 == 0) for at in range(1, 301)]
    JobDirectory(RUNS / "live").attempt(1).log.write_text("\n".join(lines) + "\n")
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.reach(LogPage, "f")
        await recorder.shoot("log", "step 300", "300 lines")
        await recorder.press("slash", *"SAVED", "enter", "N")
        await recorder.shoot("log-found", "“SAVED”: match 5 of 6")
        await recorder.press("escape", "escape")
        await choose(recorder, "lost")
        await recorder.reach(LogPage, "f")
        await recorder.shoot("log-silent", "The log is empty.")


@case({"overview": OverviewPage, "overview-end": OverviewPage, "overview-of-answers": OverviewPage})
async def overview(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await choose(recorder, "emotion-lora")
        await recorder.reach(OverviewPage, "u")
        await recorder.shoot("overview", "Inputs", "no longer exists")
        await recorder.press("end")
        await recorder.shoot("overview-end", "epochs = 2.0" if recorder.wide else "[forgetting]")
        await recorder.press("escape")
        await choose(recorder, "answers")
        await recorder.reach(OverviewPage, "u")
        await recorder.shoot("overview-of-answers", "Inputs")


@case({"machine": HardwarePage})
async def machine(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.reach(HardwarePage, "g")
        await recorder.shoot("machine", "Machine", "NVIDIA H200")


@case({"machine-without-gpu": HardwarePage})
async def machine_without_gpu(recorder: Recorder) -> None:
    write_runs()
    fixed_environment.stand_in(recorder.monkeypatch, fixed_environment.readings(gpu=False))
    recorder.monkeypatch.setattr(fixed_environment, "MACHINE", Machine("workstation"))
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.reach(HardwarePage, "g")
        await recorder.shoot("machine-without-gpu", "No GPU found")


@case({"help": HelpPage, "help-of-watch": HelpPage, "help-end": HelpPage})
async def help_of_keys(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.reach(HelpPage, "question_mark")
        await recorder.shoot("help", "Watch the selected run.")
        await recorder.press("escape")
        await open_watch(recorder)
        await recorder.reach(HelpPage, "question_mark")
        await recorder.shoot("help-of-watch", "Move the cursor to an earlier step.")
        await recorder.press("end")
        await recorder.shoot("help-end", "esc leaves the field.")


@case({"palette": PickWindow, "palette-narrowed": PickWindow, "palette-nothing": PickWindow})
async def palette(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_runs(recorder)
        await recorder.reach(PickWindow, "colon")
        await recorder.shoot("palette", "Watch the selected run.")
        await recorder.press(*"run show")
        await recorder.shoot("palette-narrowed", "hidden")
        await recorder.press(*"zz")
        await recorder.shoot("palette-nothing", "No matching commands.")
