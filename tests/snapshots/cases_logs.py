"""The dashboard on directories of logs: its list, and Watch and the windows over it."""

import json
import math
from pathlib import Path

from engine.jobs.status import Failure, State
from tests.events.encoding import (
    bytes_field,
    event,
    event_file,
    metadata,
    number_field,
    simple,
)
from tests.snapshots.cases import case
from tests.snapshots.fixed_environment import NOW
from tests.snapshots.recorder import Recorder
from tests.tui.building import write_run
from tui.runs.list_page import RunListPage
from tui.runs.run_log import LogPage
from tui.runs.run_overview import OverviewPage
from tui.screens.dialogs import TextWindow
from tui.screens.hardware import HardwarePage
from tui.screens.help import HelpPage
from tui.screens.pick_window import PickWindow
from tui.screens.run_dialogs import DifferenceWindow, NoteWindow
from tui.watch.page import WatchPage

LOGS = Path("logs")


def write_logs() -> None:
    """Runs of another writer with settings and texts, a job of finetop, and a damaged file."""
    for at, name in enumerate(("seed1", "seed2", "seed3"), 1):
        settings = {"lr": at / 1000, "env": "cart", "layers": [64, 64]}
        notes = f"run {at} of three\nstarted by hand"
        told = [_text("args", json.dumps(settings)), _text("notes", notes)]
        points = [
            event(1.7e9 + step, step, simple("Loss/policy", at / step), simple("reward", step / at))
            for step in range(1, 30)
        ]
        if name == "seed2":
            points.append(event(1.7e9 + 30, 30, simple("Loss/policy", math.nan)))
        event_file(LOGS / "ppo" / name, event(1.7e9, 0, *told), *points)
    error = Failure("CUDA out of memory.", "", "Lower the batch size.")
    write_run(LOGS, "tuned", state=State.FAILED, points=12, created=NOW - 500, error=error,
              log="the worker's last word\n")  # fmt: skip
    broken = LOGS / "broken" / "events.out.tfevents.1.x"
    broken.parent.mkdir()
    broken.write_text("version https://git-lfs.github.com/spec/v1\n")


def _text(tag: str, text: str) -> bytes:
    content = number_field(1, 7) + bytes_field(8, text.encode())
    return bytes_field(1, tag.encode()) + bytes_field(8, content) + metadata("text")


async def open_logs(recorder: Recorder) -> None:
    """All of them are listed with their newest values, and read: see `open_runs`."""
    await recorder.see("ppo/seed1", "ppo/seed3", "tuned", "9.6667", "5 runs")
    await recorder.settle()


@case(
    {
        "logs": RunListPage,
        "logs-of-a-job": RunListPage,
        "logs-marked": RunListPage,
        "logs-by-tag": RunListPage,
        "logs-pick-tag": PickWindow,
        "logs-pick-group": PickWindow,
        "logs-grouped": RunListPage,
    }
)
async def logs(recorder: Recorder) -> None:
    write_logs()
    async with recorder.watching(LOGS):
        await open_logs(recorder)
        await recorder.shoot("logs")
        await recorder.press("end")
        await recorder.shoot("logs-of-a-job", "tuned · finetop job")
        await recorder.press("home", "down", "space", "down", "p")
        await recorder.shoot("logs-marked", "1 pinned")
        await recorder.reach(PickWindow, "t")
        await recorder.press(*"reward", "space")
        await recorder.shoot("logs-pick-tag", "◆reward")
        await recorder.reach(RunListPage, "enter")
        await recorder.press("O", "i")
        await recorder.shoot("logs-by-tag", "by best reward")
        await recorder.reach(PickWindow, "b")
        await recorder.shoot("logs-pick-group", "lr")
        await recorder.press("down")
        await recorder.reach(RunListPage, "enter")
        await recorder.shoot("logs-grouped", "lr = 0.001 (1 run)")


@case(
    {
        "logs-filtered": RunListPage,
        "logs-note": NoteWindow,
        "logs-noted": RunListPage,
        "logs-difference": DifferenceWindow,
        "logs-points": TextWindow,
        "logs-help": HelpPage,
        "logs-machine": HardwarePage,
        "logs-overview": OverviewPage,
        "logs-log": LogPage,
    }
)
async def logs_windows(recorder: Recorder) -> None:
    write_logs()
    async with recorder.watching(LOGS):
        await open_logs(recorder)
        await recorder.press("home", "down", "space", "down")
        await recorder.reach(DifferenceWindow, "d")
        await recorder.shoot("logs-difference", "1 hyperparameter differs")
        await recorder.reach(RunListPage, "escape")
        await recorder.reach(NoteWindow, "m")
        await recorder.press(*"looks good", "tab", *"first")
        await recorder.shoot("logs-note", "looks good", "first")
        await recorder.reach(RunListPage, "enter")
        await recorder.shoot("logs-noted", "#first")
        await recorder.reach(TextWindow, "e")
        await recorder.shoot("logs-points", "Export all points of all tags of")
        await recorder.reach(RunListPage, "escape")
        await recorder.reach(HelpPage, "question_mark")
        await recorder.shoot("logs-help", "Watch the selected run.")
        await recorder.reach(RunListPage, "escape")
        await recorder.press("enter")
        await recorder.reach(OverviewPage, "u")
        await recorder.shoot("logs-overview", "hyperparameters", "started by hand")
        await recorder.reach(WatchPage, "escape")
        await recorder.reach(HardwarePage, "g")
        await recorder.shoot("logs-machine", "Machine")
        await recorder.reach(WatchPage, "escape")
        await recorder.reach(RunListPage, "1")
        await recorder.press("slash", *"name:tuned")
        await recorder.shoot("logs-filtered", "1 shown", without="ppo/seed1")
        await recorder.press("enter", "enter")
        await recorder.reach(LogPage, "f")
        await recorder.shoot("logs-log", "the worker's last word")


@case(
    {
        "logs-watch": WatchPage,
        "logs-pick-runs": PickWindow,
        "logs-overlaid": WatchPage,
        "logs-watch-job": WatchPage,
        "logs-watch-damaged": WatchPage,
    }
)
async def logs_watch(recorder: Recorder) -> None:
    write_logs()
    async with recorder.watching(LOGS):
        await open_logs(recorder)
        await recorder.press("home", "down")
        await recorder.reach(WatchPage, "enter")
        await recorder.shoot("logs-watch", "ppo/seed1", "reward" if recorder.wide else "policy")
        await recorder.reach(PickWindow, "o")
        await recorder.press("down", "space", "down", "space")
        await recorder.shoot("logs-pick-runs", "overlay")
        await recorder.reach(WatchPage, "enter")
        await recorder.shoot("logs-overlaid", "b ppo/seed2")
        await recorder.reach(RunListPage, "1")
        await recorder.press("end")
        await recorder.reach(WatchPage, "enter")
        await recorder.shoot("logs-watch-job", "failed at step 12", "tuned")
        await recorder.reach(RunListPage, "1")
        await recorder.press("home")
        await recorder.reach(WatchPage, "enter")
        await recorder.shoot("logs-watch-damaged", "broken")


@case({"logs-notice": RunListPage})
async def logs_notice(recorder: Recorder) -> None:
    write_logs()
    async with recorder.watching(LOGS, notifications=True):
        await open_logs(recorder)
        await recorder.press("2")
        await recorder.shoot("logs-notice", "Logs are read-only here")


@case({"logs-empty": RunListPage})
async def logs_empty(recorder: Recorder) -> None:
    LOGS.mkdir()
    async with recorder.watching(LOGS):
        await recorder.shoot("logs-empty", "No logs yet.")
