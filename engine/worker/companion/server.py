"""The companion process: requests in, streamed answers out, a JSON object a line.

Owns the turn-taking, not the work: that is `engine.worker.companion.handlers`, which
is imported once the first request has been answered. Nothing that a library prints can reach the
protocol.

`engine.worker.companion.protocol` says what a request and an event are. The process ends when its
input closes.
"""

import contextlib
import importlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

from engine.errors import EngineError
from engine.json_output import replace_not_finite
from engine.worker.companion.protocol import PROTOCOL, WAITING, Event, Request
from engine.worker.environment import set_environment

IDLE_SECONDS = 600.0
"""After so long without a request the models are let go."""

_PAUSE = 0.01
"""Seconds between two looks, where all tasks wait for what is outside."""


def main() -> int:
    """Serve until the input closes."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what prints, prints into the log
    requests = os.dup(0)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    with contextlib.suppress(OSError):
        os.nice(10)
    set_environment()
    server = Server(requests, answers)
    threading.Thread(target=server.read, name="requests", daemon=True).start()
    server.serve()
    return 0


class Server:
    """Reads on one thread, so that a cancel is never late; works on the other, in turns."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._writing = threading.Lock()
        self._inbox: queue.Queue[Request] = queue.Queue()
        self._cancelled: set[object] = set()
        self._tasks: dict[object, Iterator[Event | None]] = {}
        self._handlers: Any = None
        self._idle = False
        """Whether every task waits for something outside."""

    def read(self) -> None:
        """Take requests until the input closes; then the process ends: it has nothing to save."""
        with open(self._requests, "rb", closefd=False) as lines:
            for line in lines:
                self._take(line)
        os._exit(0)

    def serve(self) -> None:
        """Loop without end: one step of each task in turn, new requests between the steps."""
        while True:
            for request in self._new_requests():
                self._start(request)
            self._idle = bool(self._tasks)
            for identity in list(self._tasks):
                self._step(identity)

    def send(self, identity: object, event: str, **fields: Any) -> None:
        """One event to the client, whole. A client that is gone ends the process."""
        message = replace_not_finite({"id": identity, "event": event, **fields})
        text = json.dumps(message, ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8", "backslashreplace") + b"\n"
        with self._writing:
            while data:
                try:
                    data = data[os.write(self._answers, data) :]
                except BrokenPipeError:
                    os._exit(0)

    def _take(self, line: bytes) -> None:
        """On the reader's thread: `cancel` is done here, all else waits its turn."""
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            self._refuse(None, EngineError("A request is not valid JSON.", str(error)))
            return
        identity = request.get("id") if isinstance(request, dict) else None
        if not isinstance(identity, str | int) or not isinstance(request.get("type"), str):
            start = line[:200].decode("utf-8", "replace")
            self._refuse(None, EngineError("A request needs an id and a type.", start))
        elif request["type"] == "cancel":
            self._cancelled.add(request.get("target"))
            self.send(identity, "done")
        else:
            self._inbox.put(request)

    def _new_requests(self) -> Iterator[Request]:
        """What has come in; waits for it where there is nothing to do."""
        if not self._tasks:
            try:
                yield self._inbox.get(timeout=IDLE_SECONDS if self._handlers else None)
            except queue.Empty:
                self._handlers.unload()
                yield self._inbox.get()
        elif self._idle:
            with contextlib.suppress(queue.Empty):
                yield self._inbox.get(timeout=_PAUSE)
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._inbox.get_nowait()

    def _start(self, request: Request) -> None:
        identity, kind = request["id"], request["type"]
        if kind == "hello":
            self.send(identity, "hello", protocol=PROTOCOL, pid=os.getpid(), python=sys.version)
        if self._handlers is None:
            self._handlers = importlib.import_module("engine.worker.companion.handlers").Handlers()
        handler = self._handlers.by_type.get(kind)
        if identity in self._tasks:
            self._refuse(identity, EngineError(f"The id {identity!r} is in use."))
        elif handler is None:
            known = ", ".join(["cancel", *self._handlers.by_type])
            self._refuse(identity, EngineError(f"Unknown request {kind!r}.", f"Known: {known}."))
        else:
            self._tasks[identity] = handler(request, lambda: identity in self._cancelled)

    def _step(self, identity: object) -> None:
        """One event of a task; None where it has worked, or waits for another task."""
        event: Event | None = None
        try:
            event = next(self._tasks[identity])
        except EngineError as error:
            self._finish(identity)
            self._refuse(identity, error)
        except StopIteration:
            self._finish(identity)
        except BaseException as error:  # our own mistake, or a model's: the other panes go on
            # Rust's panics, as of a tokenizer whose pattern takes too long, are no Exception.
            if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
                raise
            traceback.print_exc()
            self._finish(identity)
            place = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error}".rstrip(": ")
            hint = f"It was raised at {place.filename}:{place.lineno}."
            self._refuse(identity, EngineError("Unexpected error.", detail, hint))
        self._idle &= event is WAITING
        if event:
            self.send(identity, **event)

    def _finish(self, identity: object) -> None:
        del self._tasks[identity]
        self._cancelled.discard(identity)

    def _refuse(self, identity: object, error: EngineError) -> None:
        reason = {"title": error.title, "detail": error.detail, "hint": error.hint}
        self.send(identity, "error", error=reason)
