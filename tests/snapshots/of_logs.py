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
from tests.snapshots.scenes import scene
from tests.snapshots.stage import Stage
from tests.snapshots.surroundings import NOW
from tests.tui.building import write_run
from tui.runs.logs_page import LogsPage
from tui.runs.run_log import LogPage
from tui.runs.run_overview import OverviewPage
from tui.screens.hardware import HardwarePage
from tui.screens.help import HelpPage
from tui.screens.pick_tags import PickTags
from tui.screens.prompts import Ask
from tui.screens.run_dialogs import DifferenceWindow, NoteWindow, PickField
from tui.watch.page import WatchPage
from tui.watch.pick_runs import PickRuns

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
    error = Failure("The loss is NaN.", "step 12", "Lower the learning rate.")
    write_run(LOGS, "tuned", state=State.FAILED, points=12, created=NOW - 500, error=error,
              log="the worker's last word\n")  # fmt: skip
    broken = LOGS / "broken" / "events.out.tfevents.1.x"
    broken.parent.mkdir()
    broken.write_text("version https://git-lfs.github.com/spec/v1\n")


def _text(tag: str, text: str) -> bytes:
    content = number_field(1, 7) + bytes_field(8, text.encode())
    return bytes_field(1, tag.encode()) + bytes_field(8, content) + metadata("text")


async def open_logs(stage: Stage) -> None:
    """All of them are listed with their newest values."""
    await stage.see("ppo/seed1", "ppo/seed3", "tuned", "9.6667", "5 runs")


@scene(
    {
        "logs": LogsPage,
        "logs-of-a-job": LogsPage,
        "logs-marked": LogsPage,
        "logs-by-tag": LogsPage,
        "logs-pick-tag": PickTags,
        "logs-pick-group": PickField,
        "logs-grouped": LogsPage,
    }
)
async def logs(stage: Stage) -> None:
    write_logs()
    async with stage.watching(LOGS):
        await open_logs(stage)
        await stage.shoot("logs")
        await stage.press("end")
        await stage.shoot("logs-of-a-job", "tuned job")
        await stage.press("home", "down", "space", "down", "p")
        await stage.shoot("logs-marked", "2 marked, drawn together")
        await stage.reach(PickTags, "t")
        await stage.press(*"reward", "space")
        await stage.shoot("logs-pick-tag", "◆reward")
        await stage.reach(LogsPage, "enter")
        await stage.press("O", "i")
        await stage.shoot("logs-by-tag", "by best reward")
        await stage.reach(PickField, "b")
        await stage.shoot("logs-pick-group", "lr")
        await stage.press("down")
        await stage.reach(LogsPage, "enter")
        await stage.shoot("logs-grouped", "lr 0.001 (1)")


@scene(
    {
        "logs-filtered": LogsPage,
        "logs-note": NoteWindow,
        "logs-noted": LogsPage,
        "logs-difference": DifferenceWindow,
        "logs-points": Ask,
        "logs-help": HelpPage,
        "logs-machine": HardwarePage,
        "logs-overview": OverviewPage,
        "logs-log": LogPage,
    }
)
async def logs_windows(stage: Stage) -> None:
    write_logs()
    async with stage.watching(LOGS):
        await open_logs(stage)
        await stage.press("home", "down", "space", "down")
        await stage.reach(DifferenceWindow, "d")
        await stage.shoot("logs-difference", "1 setting differs")
        await stage.reach(LogsPage, "escape")
        await stage.reach(NoteWindow, "m")
        await stage.press(*"looks good", "tab", *"first")
        await stage.shoot("logs-note", "looks good", "first")
        await stage.reach(LogsPage, "enter")
        await stage.shoot("logs-noted", "#first")
        await stage.reach(Ask, "e")
        await stage.shoot("logs-points", "Every point of all tags of")
        await stage.reach(LogsPage, "escape")
        await stage.reach(HelpPage, "question_mark")
        await stage.shoot("logs-help", "Draw the chosen run's curves.")
        await stage.reach(LogsPage, "escape")
        await stage.press("enter")
        await stage.reach(OverviewPage, "u")
        await stage.shoot("logs-overview", "settings", "started by hand")
        await stage.reach(WatchPage, "escape")
        await stage.reach(HardwarePage, "g")
        await stage.shoot("logs-machine", "This machine")
        await stage.reach(WatchPage, "escape")
        await stage.reach(LogsPage, "1")
        await stage.press("slash", *"name:tuned")
        await stage.shoot("logs-filtered", "1 shown", without="ppo/seed1")
        await stage.press("enter", "enter")
        await stage.reach(LogPage, "f")
        await stage.shoot("logs-log", "the worker's last word")


@scene(
    {
        "logs-watch": WatchPage,
        "logs-pick-runs": PickRuns,
        "logs-overlaid": WatchPage,
        "logs-watch-job": WatchPage,
        "logs-watch-damaged": WatchPage,
    }
)
async def logs_watch(stage: Stage) -> None:
    write_logs()
    async with stage.watching(LOGS):
        await open_logs(stage)
        await stage.press("home", "down")
        await stage.reach(WatchPage, "enter")
        await stage.shoot("logs-watch", "ppo/seed1", "reward" if stage.wide else "policy")
        await stage.reach(PickRuns, "o")
        await stage.press("down", "space", "down", "space")
        await stage.shoot("logs-pick-runs", "draw beside it")
        await stage.reach(WatchPage, "enter")
        await stage.shoot("logs-overlaid", "b ppo/seed2")
        await stage.reach(LogsPage, "1")
        await stage.press("end")
        await stage.reach(WatchPage, "enter")
        await stage.shoot("logs-watch-job", "failed at 12", "tuned")
        await stage.reach(LogsPage, "1")
        await stage.press("home")
        await stage.reach(WatchPage, "enter")
        await stage.shoot("logs-watch-damaged", "broken")


@scene({"logs-notice": LogsPage})
async def logs_notice(stage: Stage) -> None:
    write_logs()
    async with stage.watching(LOGS, notifications=True):
        await open_logs(stage)
        await stage.press("2")
        await stage.shoot("logs-notice", "Logs are only looked at here")


@scene({"logs-empty": LogsPage})
async def logs_empty(stage: Stage) -> None:
    LOGS.mkdir()
    async with stage.watching(LOGS):
        await stage.shoot("logs-empty", "No log here yet.")
