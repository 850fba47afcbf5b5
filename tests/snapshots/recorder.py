"""One app at one size: keys go in, frames come out, and each waits for what it is to show."""

import asyncio
import os
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets._toast import Toast
from textual.worker import Worker, WorkerState

import tui
from engine.jobs.store import Store
from tests import patience
from tests.snapshots.fixed_environment import measure
from tests.snapshots.frame_text import difference, frame_of, text_of
from tests.tui.conftest import FakeCompanion
from tui.actions import Actions
from tui.app import FinetopApp
from tui.base_app import BaseApp
from tui.browse.answers_feed import AnswersFeed
from tui.charts.chart import Chart
from tui.feeds.write_queue import WriteQueue
from tui.logs_app import LogsApp
from tui.runs.run_log import LogPage
from tui.synthesis.made_feed import MadeFeed

FOLDER = Path(__file__).with_name("frames")
WRITING = os.environ.get("FINETOP_SNAPSHOTS") == "write"
"""Whether frames are written anew, and not compared."""
RUNS = Path("runs")
SECONDS = patience.SECONDS
"""Longest that anything is waited for."""
DIFFERENT_SECONDS = 5.0
"""How long a frame that is not as kept, with nothing to come, is looked at before it is taken."""
RESTED_SECONDS = 0.8
"""How long a frame must stay as it is before it is written."""
_PROGRAM = Path(tui.__file__).parent
_LASTING = frozenset({LogPage._follow, AnswersFeed.run, MadeFeed.run, WriteQueue.run})
"""What threads do as long as a page is there: they never end by themselves."""


class Recorder:
    """`differences` gathers what is not as it was kept."""

    def __init__(self, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
        self.size = size
        self.monkeypatch = monkeypatch
        self.companion = FakeCompanion()
        self.differences: list[str] = []
        self.troubles: list[str] = []
        """What reading met that nobody foresaw."""
        self.taken: dict[str, type[Screen[Any]]] = {}
        self._app: BaseApp | None = None
        self._pilot: Pilot[Any] | None = None
        self._quiet = 0

    @property
    def wide(self) -> bool:
        return self.size[0] >= 120

    @property
    def app(self) -> BaseApp:
        assert self._app is not None, "nothing is shown"
        return self._app

    @property
    def pilot(self) -> Pilot[Any]:
        assert self._pilot is not None, "nothing is shown"
        return self._pilot

    @asynccontextmanager
    async def finetop(self, actions: Actions | None = None, **options: Any) -> AsyncIterator[None]:
        """The dashboard on the folder of runs."""
        app = FinetopApp(
            Store(RUNS),
            actions=actions,
            companion=lambda: self.companion,  # type: ignore[arg-type, return-value]
            measure=measure,
            **options,
        )
        async with self._showing(app):
            yield

    @asynccontextmanager
    async def watching(self, *paths: Path, notifications: bool = False) -> AsyncIterator[None]:
        """The dashboard on directories of logs."""
        app = LogsApp(paths, Store(RUNS), measure=measure)
        async with self._showing(app, notifications=notifications):
            yield

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def see(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        for text in texts:
            await self.until(lambda text=text: text in text_of(self.app))  # type: ignore[misc]

    async def reach(self, page: type[Screen[Any]], *keys: str) -> None:
        """Press keys, and wait until that page or window has the keys."""
        await self.press(*keys)
        await self.until(lambda: isinstance(self.app.screen, page))

    async def shoot(self, name: str, *texts: str, without: str = "") -> None:
        """Compare with the frame of this name, once `texts` are there and nothing is pending."""
        await self.see(*texts)
        if without:
            await self.until(lambda: without not in text_of(self.app))
        await self.settle()
        self.taken[name] = type(self.app.screen)
        full = f"{name}-{self.size[0]}x{self.size[1]}"
        path = FOLDER / f"{full}.txt"
        if WRITING:
            path.parent.mkdir(exist_ok=True)
            path.write_text(await self._rested(), encoding="utf-8")
            return
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        told = difference(full, kept, await self._as_kept(kept))
        if told:
            self.differences.append(told)

    @asynccontextmanager
    async def _showing(self, app: BaseApp, *, notifications: bool = False) -> AsyncIterator[None]:
        rest()
        look = app.feed.reader.cycle

        def cycle() -> bool:
            try:
                pending = look()
            except Exception:
                self.troubles.append(traceback.format_exc())
                raise
            self._quiet = 0 if pending else self._quiet + 1
            return pending

        self.monkeypatch.setattr(app.feed.reader, "cycle", cycle)
        async with app.run_test(size=self.size, notifications=notifications) as pilot:
            self._app, self._pilot = app, pilot
            yield
        self._app = self._pilot = None

    async def settle(self) -> None:
        """Wait until the feed has looked at everything, and nothing is read, drawn or laid out."""
        self._quiet = 0
        before = ""

        def settled() -> bool:
            nonlocal before
            if self._quiet < 2:  # the first may have begun before the last key
                self.app.feed.wake()
                return False
            if not self._at_rest():
                return False
            now = frame_of(self.app)
            same, before = now == before, now
            return same

        await self.until(settled)

    async def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the screen:\n{text_of(self.app)}"
            await self.pilot.pause(0.02)

    def _at_rest(self) -> bool:
        nodes = [
            node
            for screen in self.app.screen_stack
            for node in screen.walk_children(with_self=True)
        ]
        return (
            all(node.settled for node in nodes if isinstance(node, Chart))
            and not any(map(_busy, self.app.workers))
            and not any(map(_waits, nodes))
            and (self.companion.held or not any(map(_ours, asyncio.all_tasks())))
        )

    async def _as_kept(self, kept: str) -> str:
        """The frame, at the latest when it has not been as kept for a while."""
        end = time.monotonic() + DIFFERENT_SECONDS
        while (now := frame_of(self.app)) != kept and kept and time.monotonic() < end:
            await self.pilot.pause(0.05)
        return now

    async def _rested(self) -> str:
        """The frame, once it has stayed as it is."""
        now, since, end = "", time.monotonic(), time.monotonic() + SECONDS
        while time.monotonic() - since < RESTED_SECONDS:
            assert time.monotonic() < end, f"this never rests:\n{text_of(self.app)}"
            await self.pilot.pause(0.05)
            found = frame_of(self.app)
            if found != now:
                now, since = found, time.monotonic()
        return now


def rest() -> None:
    """Every file here was changed at the same moment, a while ago."""
    for folder, folders, files in os.walk("."):
        for name in (*folders, *files):
            moment = time.time() - 30
            os.utime(os.path.join(folder, name), (moment, moment), follow_symlinks=False)


def _waits(node: DOMNode) -> bool:
    """Whether it has something to do after a while; a notice only goes away."""
    timers = [] if isinstance(node, Toast) else [one for one in node._timers if one._repeat == 0]
    return any(one._task is not None and not one._task.done() for one in timers)


def _ours(task: "asyncio.Task[Any]") -> bool:
    """Whether it is a task of the program, and not one of Textual or of the test."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.startswith(str(_PROGRAM))


def _busy(worker: "Worker[Any]") -> bool:
    alive = worker.state in (WorkerState.PENDING, WorkerState.RUNNING)
    return alive and getattr(worker._work, "__func__", None) not in _LASTING
