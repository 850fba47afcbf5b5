"""Client of the companion process, which answers prompts with models in memory.

Starts it when first asked, streams its events to whoever asked, and starts it anew after a crash.
Holds no model and imports no heavy library.
"""

import asyncio
import contextlib
import itertools
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.chat import Tools
from engine.errors import EngineError, JobFailed
from engine.jobs.child_output import ChildOutput
from engine.jobs.process import worker_command, worker_environment

Event = dict[str, Any]
Conversation = str | Sequence[Mapping[str, Any]]
"""What a user says, or messages with role and content."""


class Companion:
    """One companion process, at most. All methods belong to one event loop."""

    def __init__(self, gpu: str = "", **hello: Any) -> None:
        """`hello` is what the process is told first: device, runs.

        `gpu` is the UUID of the one GPU that it may see, however torch counts them.
        """
        self._output: ChildOutput | None = None
        self._gpu = gpu
        self._hello = hello
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Event | None]] = {}
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._waiting)

    def generate(
        self,
        arm: str,
        messages: Conversation,
        decoding: Mapping[str, Any] | None = None,
        prompt_id: str = "",
        *,
        tools: Tools = (),
    ) -> "Stream":
        """One answer: events `loading`, `begin`, `text` …, then `done` with the sample.

        `arm` is in the grammar of `engine.compare.arms`, `decoding` as
        `engine.recipes.recipe.Decode`; `tools` are the prompt's own, before those of the arm.
        """
        asked = {"arm": arm, "decoding": dict(decoding or {}), "prompt_id": prompt_id}
        return Stream(self, "generate", asked | _said(messages, tools))

    async def render(self, arm: str, messages: Conversation) -> Event:
        """The prompt as an arm reads it: `text`, `tokens`, `template`. Raises EngineError."""
        return await Stream(self, "render", {"arm": arm} | _said(messages)).last()

    def shift(self, base: str, tuned: str, sample: Mapping[str, Any]) -> "Stream":
        """Token shift of an answer of `tuned`: `done` has the `shift`, null where cancelled.

        `sample` is the answer as its own `done` gave it; `engine.compare.token_shift.from_table`
        reads what comes.
        """
        return Stream(self, "shift", {"base": base, "tuned": tuned, "sample": dict(sample)})

    async def pieces(self, arm: str, ids: Sequence[int]) -> Event:
        """What token ids are: `text`, `tokens`, `spans`. Raises EngineError."""
        return await Stream(self, "pieces", {"arm": arm, "ids": list(ids)}).last()

    def strengths(
        self,
        arm: str,
        messages: Conversation,
        decoding: Mapping[str, Any] | None = None,
        strengths: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
        *,
        tools: Tools = (),
    ) -> "Stream":
        """One answer at each strength of an arm's adapter, in that order.

        Events `loading`, and for each strength `begin`, `text` … and `answer` with the sample; the
        `done` holds all `samples`.
        """
        asked = {"arm": arm, "decoding": dict(decoding or {}), "strengths": list(strengths)}
        return Stream(self, "strengths", asked | _said(messages, tools))

    def facts(
        self,
        arms: Sequence[str],
        messages: Conversation | None = None,
        decoding: Mapping[str, Any] | None = None,
        *,
        probe: bool = False,
        tools: Tools = (),
    ) -> "Stream":
        """How arms differ but for their weights, and what should be known of them.

        `facts` comes from files alone; with `probe` the models are loaded and read the prompt, one
        pass an arm, and `done` says which are the same. Both hold `arms`, `differences`,
        `warnings` and `kl`.
        """
        asked = {"arms": list(arms), "decoding": dict(decoding or {}), "probe": probe}
        return Stream(self, "facts", asked | ({} if messages is None else _said(messages, tools)))

    async def preview(
        self, checkpoint: str, data: str | Mapping[str, Any], **settings: int
    ) -> Event:
        """Rows as training sees them (settings: `rows`, `max_length`). Raises EngineError.

        `data` is a data set's name or the data table of a recipe.
        """
        asked = {"checkpoint": checkpoint, "data": data, **settings}
        return await Stream(self, "preview", asked).last()

    def inspect(self, checkpoint: str, data: Mapping[str, Any], **settings: Any) -> "Stream":
        """Rows, lengths, templates and oddities.

        The settings are `rows`, `sample`, `seed`, `objective`, `templates`, and a recipe's `replay`
        table. Its `done` holds the `report`, null where it was cancelled.
        """
        return Stream(self, "inspect", {"checkpoint": checkpoint, "data": data, **settings})

    def count(self, checkpoint: str, method: Mapping[str, Any]) -> "Stream":
        """Parameters as torch builds the model; `method` is the method table of a recipe.

        Its `done` holds `parameters`, `trained` and `linear`.
        """
        return Stream(self, "count", {"checkpoint": checkpoint, "method": dict(method)})

    def check_row(self, job: str, source: str, row: Mapping[str, Any]) -> "Stream":
        """What the gates of a job that makes data say of an edited row of a source.

        Its `done` holds `reasons` and `unjudged`, each with `name` and `detail`.
        """
        return Stream(self, "check_row", {"job": job, "source": source, "row": dict(row)})

    def first_rows(self, data: str, count: int) -> "Stream":
        """The first rows of a data set, also of Parquet and Arrow: `done` has `rows`, each with
        `line`, `value`, `fault`, `text` and `file`."""
        return Stream(self, "first_rows", {"data": data, "count": count})

    def write_rows(self, job: str, out: str, *, force: bool = False) -> "Stream":
        """Write the accepted rows of a job that makes data, also as Parquet; `done` has `written`:
        what was, as JSON has it."""
        return Stream(self, "write_rows", {"job": job, "out": out, "force": force})

    def tokenize(self, request: Mapping[str, Any]) -> "Stream":
        """What tokenizers make of texts and a conversation: an event `reading` for each of them.

        See `engine.worker.companion.tokenize_handler` for the request's fields.
        """
        return Stream(self, "tokenize", request)

    async def hello(self) -> Event:
        """Start the process if need be and wait until it is ready to work."""
        return await Stream(self, "hello", self._hello).last()

    async def close(self) -> None:
        """End the process. It has nothing to save, so that is at once."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def open(self, kind: str, fields: Mapping[str, Any]) -> "Request":
        """Send one request; its events come to the queue, None where the process died."""
        process = await self._started()
        request = Request(next(self._ids), process, asyncio.Queue())
        self._waiting[request.id] = request.events
        _send(process, {"id": request.id, "type": kind, **fields})
        return request

    def cancel(self, request: "Request") -> None:
        """Ask for the end of a request: its last event comes soon."""
        _send(request.process, {"id": next(self._ids), "type": "cancel", "target": request.id})

    def forget(self, request: "Request") -> None:
        """Nobody waits for this request's events any more."""
        self._waiting.pop(request.id, None)

    def explain(self, process: Process) -> EngineError:
        """Why a process is gone, as the last lines of its output have it."""
        why = self._output.tail() if self._output is not None else ""
        return JobFailed(
            "The companion process exited.",
            why or f"exit code {process.returncode}",
            "Try again: a new process is started.",
        )

    async def _started(self) -> Process:
        """The process, started and greeted where there is none."""
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                if self._reader is not None:
                    await self._reader
                self._process = await self._start()
                self._reader = asyncio.create_task(self._read(self._process))
                _send(self._process, {"id": 0, "type": "hello", **self._hello})
            return self._process

    async def _start(self) -> Process:
        environment = worker_environment()
        if self._gpu:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpu
        if self._output is not None:
            self._output.close()
        self._output = ChildOutput()
        return await asyncio.create_subprocess_exec(
            *worker_command("serve"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._output.fileno(),
            env=environment,
            start_new_session=True,
        )

    async def _read(self, process: Process) -> None:
        """Hand each event to who waits for it, until the process ends.

        Lines are cut here: the stream's own `readline` gives up on one of more than 64 KiB.
        """
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                event = json.loads(line)
                waiting = self._waiting.get(event["id"])
                if waiting is not None:
                    waiting.put_nowait(event)
        await process.wait()
        for waiting in self._waiting.values():
            waiting.put_nowait(None)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was sent."""

    id: int
    process: Process
    events: "asyncio.Queue[Event | None]"


class Stream:
    """The events of one request as they come, the last one `done`: an asynchronous iterator.

    Raises EngineError for a request that cannot be answered, JobFailed where the process died.
    """

    def __init__(self, companion: Companion, kind: str, fields: Mapping[str, Any]) -> None:
        self._companion = companion
        self._kind = kind
        self._fields = fields
        self._request: Request | None = None
        self._cancelled = False
        self._finished = False

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Event:
        if self._finished:
            raise StopAsyncIteration
        try:
            if self._request is None:
                self._request = await self._companion.open(self._kind, self._fields)
                if self._cancelled:  # while the process started
                    self._companion.cancel(self._request)
            event = await self._request.events.get()
        except asyncio.CancelledError:
            self.cancel()
            self._finish()
            raise
        if event is None:
            self._finish()
            raise self._companion.explain(self._request.process)
        if event["event"] in ("done", "error"):
            self._finish()
        if event["event"] == "error":
            reason = event["error"]
            raise EngineError(reason["title"], reason["detail"], reason["hint"])
        return event

    async def last(self) -> Event:
        """Wait for the last event."""
        event: Event = {}
        async for one in self:
            event = one
        return event

    def cancel(self) -> None:
        """Ask for the end, from anywhere: the `done` that follows holds what there is."""
        self._cancelled = True
        if self._request is not None and not self._finished:
            self._companion.cancel(self._request)

    def _finish(self) -> None:
        self._finished = True
        if self._request is not None:
            self._companion.forget(self._request)


def _said(messages: Conversation, tools: Tools = ()) -> dict[str, Any]:
    said: dict[str, Any] = (
        {"text": messages} if isinstance(messages, str) else {"messages": list(messages)}
    )
    return said | ({"tools": list(tools)} if tools else {})


def _send(process: Process, request: Mapping[str, Any]) -> None:
    """Write one request. Without waiting: they are small, and the process reads at once."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(json.dumps(request, allow_nan=False).encode() + b"\n")
