"""The dashboard on job directories of a test's own, with a companion that needs no model."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual._wait import SLEEP_GRANULARITY, wait_for_idle
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.message_pump import MessagePump
from textual.pilot import Pilot

from engine.answer_parts import split_text
from engine.compare.answer_length import count_sentences
from engine.errors import EngineError
from engine.jobs import status
from engine.jobs.status import Failure, State
from engine.jobs.store import Store
from engine.words import count_words
from tests import patience
from tests.tui.answering import (
    OTHER_TOKENIZERS,
    FakeLast,
    FakeScale,
    pieces_of,
    sample_of,
    shift_of,
)
from tests.tui.building import write_run
from tests.tui.tokens.readings import FakeReadings
from tui import base_app
from tui.app import FinetopApp
from tui.charts.chart import Chart

Line = Callable[[], bool]
Handler = Callable[..., Awaitable[None]]


class FakeStream:
    """The events of one answer, word by word, as the companion would send them."""

    def __init__(self, companion: "FakeCompanion", arm: str, messages: list[dict[str, str]]):
        self._companion = companion
        self._arm = arm
        self._messages = messages
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        yield {"event": "loading", "message": "loading demo-base"}
        adapter = "emotion-lora" if "run:" in self._arm else None
        yield {"event": "begin", "prompt_tokens": 5, "notes": [], "adapter": adapter}
        text = ""
        for word in self._companion.words(self._arm):
            while self._companion.held and not self.cancelled:
                await asyncio.sleep(0.01)
            if self.cancelled:
                break
            text += word
            yield {"event": "text", "text": word}
        finish = "cancelled" if self.cancelled else "stop"
        parts = split_text(text)
        yield {
            "event": "done",
            "sample": sample_of(self._arm, text, self._messages, finish),
            "behaviour": {
                "words": count_words(parts.spoken),
                "sentences": count_sentences(parts.spoken),
                "calls": len(parts.tool_calls) + len(parts.malformed),
                "reasoning_words": count_words(parts.reasoning),
                "lines": 1,
                "tokens": 10,
                "seconds": 0.5,
                "finish": finish,
            },
        }


class FakeReport:
    """What the companion says of data, or why it cannot."""

    def __init__(self, companion: "FakeCompanion") -> None:
        self._companion = companion
        self._report = companion.report

    async def last(self) -> dict[str, Any]:
        while self._companion.held:
            await asyncio.sleep(0.01)
        if isinstance(self._report, EngineError):
            raise self._report
        return {"event": "done", "report": self._report}


class FakeCompanion:
    """Answers at once; `held` keeps it from going on, `asked` is what it was sent."""

    def __init__(self) -> None:
        self.inspected: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = []
        self.report: Mapping[str, Any] | EngineError = report_of("i miss my dog", "sadness")
        self.differing: Mapping[str, Any] = {}
        """What `facts` tells beside nothing: differences, warnings."""
        self.shifted: list[tuple[str, str]] = []
        self.scaled: list[tuple[str, list[dict[str, str]], Mapping[str, Any]]] = []
        self.asked: list[tuple[str, list[dict[str, str]], Mapping[str, Any]]] = []
        self.tools: Any = ()
        """Those of the last prompt."""
        self.held = False
        self.closed = False
        self.answers: Mapping[str, Sequence[str]] = {}
        self.checked: list[tuple[str, Mapping[str, Any]]] = []
        """Rows that were edited, with their sources."""
        self.gates_error: EngineError | None = None
        self.columnar: list[dict[str, Any]] = []
        """The rows of every Parquet file."""
        self.ranks: Sequence[int] = (1, 3, 9)
        """Of the tokens of every tuned answer under the base; an error where it is empty."""

    def words(self, arm: str) -> Sequence[str]:
        name = arm.partition("=")[0]
        return self.answers.get(name, [f"{name} ", "says ", "so."])

    def generate(
        self,
        arm: str,
        messages: Any,
        decoding: Mapping[str, Any] | None = None,
        *,
        tools: Any = (),
    ) -> FakeStream:
        self.tools = tools
        self.asked.append((arm, list(messages), dict(decoding or {})))
        return FakeStream(self, arm, list(messages))

    def inspect(self, checkpoint: str, data: Mapping[str, Any], **settings: Any) -> FakeReport:
        self.inspected.append((checkpoint, data, settings))
        return FakeReport(self)

    def count(self, checkpoint: str, method: Mapping[str, Any]) -> FakeLast:
        return FakeLast({"event": "done", "parameters": 2_422_848, "trained": 138_240,
                         "linear": 1_769_472})  # fmt: skip

    def tokenize(self, request: Mapping[str, Any]) -> FakeReadings:
        return FakeReadings(request, lambda: self.held)

    def shift(self, base: str, tuned: str, sample: Mapping[str, Any]) -> FakeLast:
        self.shifted.append((base, tuned))
        if not self.ranks:
            return FakeLast(OTHER_TOKENIZERS)
        words = sample["text"].split(" ")
        return FakeLast({"event": "done", "shift": shift_of(words, self.ranks)})

    def facts(
        self,
        arms: Sequence[str],
        messages: Any,
        decoding: Mapping[str, Any],
        *,
        probe: bool,
        tools: Any = (),
    ) -> FakeLast:
        told: dict[str, Any] = {"event": "done", "arms": [{"dtype": "float32"} for _ in arms],
                                "differences": [], "warnings": [], "kl": []}  # fmt: skip
        return FakeLast(told | dict(self.differing))

    def check_row(self, job: str, source: str, row: Mapping[str, Any]) -> FakeLast:
        """The gates hold back what says so."""
        self.checked.append((source, row))
        if self.gates_error is not None:
            return FakeLast(self.gates_error)
        held = any("forbidden" in str(value) for value in row.values())
        reasons = [{"name": "refusal", "detail": "claim: it says forbidden"}] if held else []
        return FakeLast({"event": "done", "reasons": reasons, "unjudged": []})

    def first_rows(self, data: str, count: int) -> FakeLast:
        rows = [{"line": at, "end": 0, "value": row, "fault": None, "text": "", "file": ""}
                for at, row in enumerate(self.columnar[:count], 1)]  # fmt: skip
        return FakeLast({"event": "done", "rows": rows})

    async def pieces(self, arm: str, ids: Sequence[int]) -> dict[str, Any]:
        return pieces_of(ids, "".join(self.words(arm)).split(" "))

    def strengths(
        self,
        arm: str,
        messages: Any,
        decoding: Mapping[str, Any],
        strengths: Sequence[float],
        *,
        tools: Any = (),
    ) -> "FakeScale":
        self.scaled.append((arm, list(messages), dict(decoding)))
        return FakeScale(self, arm, list(messages), strengths)

    async def close(self) -> None:
        self.closed = True


def report_of(question: str, answer: str, **changes: Any) -> dict[str, Any]:
    """A report on one row, in the shape that `engine.worker.data.report` makes."""

    def token(text: str, learned: bool = False, special: bool = False) -> dict[str, Any]:
        return {"text": text, "ids": [7], "learned": learned, "special": special}

    tokens = [
        token("<|user|>", special=True),
        *(token(f"{word} ") for word in question.split()),
        token("<|assistant|>", special=True),
        *(token(letter, learned=True) for letter in answer),
        token("<|end|>", learned=True, special=True),
    ]
    row = {"source": "/d/train.jsonl:1", "part": 1, "parts": 1, "replayed": False, "kept": True,
           "reason": "", "cut": 0, "learned": len(answer) + 1, "tokens": tokens,
           "rejected": [], "removed": ""}  # fmt: skip
    none = {"rows": 0, "example": ""}
    template = {"name": "chat", "hash": "abc", "system": "", "notes": []}
    other = {"template": template | {"name": "raw", "hash": "def"}} | row
    refused = {"template": {"name": "chatml", "system": ""}, "reason": "tokens not in vocab"}
    return {
        "data": {"schema": "instruction/output", "rows": 9, "looked_at": 9},
        "sides": {"train": 9, "eval": 0, "duplicates": 0, "leaked": 0, "asked": 0},
        "rejected": 0,
        "rejects": [],
        "remedy": "",
        "notes": [],
        "template": template,
        "rows": [row],
        "replay": None,
        "lengths": {"rows": 9, "least": 3, "median": 12, "p95": 290, "most": 300, "bins": [
            {"least": 0, "most": 199, "rows": 6}, {"least": 200, "most": 399, "rows": 3}]},
        "learned_tokens": 1234,
        "kept": 9,
        "divided": {"examples": 0, "rows": 0},
        "too_long": {"max_length": 256, "policy": "truncate", "cut": none, "dropped": none,
                     "share_of_learned": 0.0, "removed": None},
        "bos": {"token": "<|begin|>", "wanted": True, "none": none, "one": none, "several": none},
        "ends": {"tokens": ["<|end|>"], "endless": none},
        "marks": none,
        "labelled_false": none,
        "greetings": none,
        "unusable_pairs": none,
        "unread": {"columns": {}, "keys": {}, "further": 0},
        "seams": none,
        "templates": [other, refused, {"template": template} | row],
    } | changes  # fmt: skip


def odd_report_of(
    question: str, answer: str, few: dict[str, Any], reject: dict[str, Any]
) -> dict[str, Any]:
    """A report with all warnings: of `few` rows each; `reject` is one of seven."""
    report = report_of(question, answer)
    report |= {
        "bos": report["bos"] | {"several": few},
        "ends": report["ends"] | {"endless": few},
        "marks": few,
        "labelled_false": few,
        "greetings": few,
        "unread": {"columns": {"source": 9, "id": 9}, "keys": {"mood": 3}, "further": 0},
        "rejected": 7,
        "rejects": [reject],
        "sides": report["sides"] | {"duplicates": 5, "leaked": 2},
    }
    unread = [one | {"learned": False} for one in report["rows"][0]["tokens"]]
    reason = "the template leaves out its system message"
    report["rows"][0] |= {"kept": False, "reason": reason, "learned": 0, "tokens": unread}
    return report


_PARSED: dict[Hashable, list[RuleSet]] = {}


@pytest.fixture(autouse=True)
def _style_sheets_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each app parses the same style sheets, once for each theme that it has: a tenth of a test.

    Textual keeps the rules of one app in the same way, and changes none of them.
    """
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, *given: Any, **named: Any) -> list[RuleSet]:
        key = (given, frozenset(named.items()), frozenset(sheet._variables.items()))
        if key not in _PARSED:
            _PARSED[key] = parse(sheet, *given, **named)
        return _PARSED[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_once)


@pytest.fixture(autouse=True)
def _one_rest_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual rests before and after the animations of each key; here nothing is animated.

    It also takes a twentieth of a look for busy, which the threads of the feed alone can be.
    """
    turns = itertools.cycle((True, False))

    async def rest(*given: float) -> None:
        if next(turns):
            await wait_for_idle(*given)

    monkeypatch.setattr("textual.app.wait_for_idle", rest)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", SLEEP_GRANULARITY / 4)


@pytest.fixture(autouse=True)
def _at_rest_after_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key, a resize, a click or a pause, the app has done all that follows from it.

    Textual asks each widget once, and then takes a process that computes little for one that is
    done; on a busy machine it has merely not been its turn. What a thread brings must be waited
    for all the same, with `see` or `until`; of these only the charts are known here. A window
    opens and a notice stays for as long as a test may take to see it.
    """
    once = Pilot._wait_for_screen
    handling: set[MessagePump] = set()
    for name in ("_dispatch_message", "_flush_next_callbacks"):
        monkeypatch.setattr(MessagePump, name, _noted(getattr(MessagePump, name), handling))

    async def wait_for_screen(pilot: Pilot[Any], timeout: float = patience.SECONDS) -> bool:
        for _ in range(TURNS):
            if not await once(pilot, timeout):
                return False
            if not handling and at_rest(pilot.app):
                break
            await asyncio.sleep(TURN_SECONDS)
            pilot.app.screen._on_timer_update()
        return True

    async def press(pilot: Pilot[Any], *keys: str) -> None:
        for key in keys:
            await pilot.app._press_keys([key])
            await pilot._wait_for_screen()

    monkeypatch.setattr(Pilot, "_wait_for_screen", wait_for_screen)
    monkeypatch.setattr(Pilot, "press", press)
    notify = App.notify

    def say(app: App[Any], message: str, **more: Any) -> None:
        notify(app, message, **{**more, "timeout": patience.PROCESS_SECONDS})

    monkeypatch.setattr(App, "notify", say)
    monkeypatch.setattr(base_app, "OPENING_SECONDS", patience.SECONDS)
    monkeypatch.setattr(base_app, "FIRST_SECONDS", patience.SECONDS)


TURNS = 500
"""How often what goes on is looked at: a screen that something always changes never rests."""
TURN_SECONDS = 0.002


def _noted(work: Handler, handling: set[MessagePump]) -> Handler:
    """What a pump does, which is in `handling` meanwhile: then its queue may well be empty."""

    async def noted(pump: MessagePump, *given: Any) -> None:
        outer = pump in handling
        handling.add(pump)
        try:
            await work(pump, *given)
        finally:
            if not outer:
                handling.discard(pump)

    return noted


def at_rest(app: App[Any]) -> bool:
    """Whether the app has no message left, nothing to lay out or paint, and no chart to draw."""
    screen = app.screen
    if (
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    ):
        return False
    for pump in (app, *screen.walk_children(with_self=True)):
        if pump.message_queue_size or pump._pending_message or pump._next_callbacks:
            return False
        if isinstance(pump, Chart) and pump.display and not pump.settled:
            return False
    return True


@pytest.fixture(autouse=True)
def _long_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of another host stay alive for the test, however slow the machine."""
    monkeypatch.setattr(status, "STALE_SECONDS", 86_400)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("FINETOP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of runs: one in each state that a screen must tell from the others."""
    root = tmp_path / "runs"
    root.mkdir()
    now = time.time()
    write_run(
        root, "live", state=State.RUNNING, points=40, created=now, heartbeat=now, log="step 40"
    )
    write_run(root, "waiting", state=State.QUEUED, created=now - 1,
            message="#1 in the queue for cuda:0",
              heartbeat=now)  # fmt: skip
    done = write_run(root, "emotion-lora", points=60, total=60, created=now - 100)
    done.adapter.mkdir()
    child = write_run(root, "child", points=20, total=20, created=now - 50,
                      parents=["run:emotion-lora"], checkpoint="run:emotion-lora")  # fmt: skip
    child.adapter.mkdir()
    error = Failure("The loss is NaN.", "step 21", "Lower the learning rate.")
    write_run(root, "bad-lr", state=State.FAILED, points=21, created=now - 200, error=error)
    write_run(root, "stopped", state=State.STOPPED, points=30, created=now - 300)
    write_run(root, "lost", state=State.RUNNING, points=30, created=now - 400, heartbeat=1.0)
    return root


@pytest.fixture
def companion() -> FakeCompanion:
    return FakeCompanion()


@pytest.fixture
def app(root: Path, companion: FakeCompanion) -> FinetopApp:
    return FinetopApp(Store(root), companion=lambda: companion)  # type: ignore[arg-type, return-value]


def screen_text(app: App[Any]) -> str:
    """What is on the screen, as plain text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def see(pilot: Pilot[Any], text: str, seconds: float = patience.SECONDS) -> None:
    """Wait until `text` is on the screen."""
    await until(pilot, lambda: text in screen_text(pilot.app), seconds)


async def rests(pilot: Pilot[Any], drawn: list[Any], what: str = "") -> None:
    """Wait until nothing is put into `drawn` for a second; what is new may come late."""
    end = time.monotonic() + patience.SECONDS
    while True:
        drawn.clear()
        await pilot.pause(1.0)
        if not drawn:
            return
        assert time.monotonic() < end, f"it never rests: {what}"


async def until(pilot: Pilot[Any], condition: Line, seconds: float = patience.SECONDS) -> None:
    """Wait until `condition`; fails with the screen's text."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain; the screen:\n{screen_text(pilot.app)}"
        await pilot.pause(0.02)
    await pilot._wait_for_screen()  # what belongs to it is on the screen as well
