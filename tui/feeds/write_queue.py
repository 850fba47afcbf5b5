"""Writes of a page, one after the other, on a thread of their own."""

import queue
from collections.abc import Callable

from textual.message import Message

from engine.errors import EngineError
from tui.background import file_error


class OperationFailed(Message):
    """Something could not be written or read."""

    def __init__(self, error: EngineError) -> None:
        super().__init__()
        self.error = error


class WriteQueue:
    """Writes, one thing after the other, on a thread of its own."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        self._post = post
        self._tasks: queue.SimpleQueue[Callable[[], Message | None] | None] = queue.SimpleQueue()

    def put(self, task: Callable[[], Message | None]) -> None:
        """Run it when those before it are done; the message that it returns is posted."""
        self._tasks.put(task)

    def stop(self) -> None:
        self._tasks.put(None)

    def run(self) -> None:
        """On a thread, until it is stopped; what was given until then is done."""
        while (task := self._tasks.get()) is not None:
            try:
                message = task()
            except EngineError as error:
                message = OperationFailed(error)
            except OSError as error:
                message = OperationFailed(file_error(error))
            if message is not None:
                self._post(message)
