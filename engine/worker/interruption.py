"""Ending work where it stands once a stop is asked for: in an import, a merge, a long read.

For jobs that keep nothing of unfinished work. What has something to save asks
`Attempt.stop_requested` where it can save it, and has no use for this.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from engine.worker.attempt import Attempt, Stopped

POLL_SECONDS = 0.1
AGAIN_SECONDS = 1.0
"""After which it is raised again: what is raised in a callback, as of a weak reference while
modules are imported, Python prints and forgets."""

_Result = TypeVar("_Result")


class Interrupted(BaseException):
    """Raised in the working thread, between any two of its instructions. Not an Exception: what
    libraries catch of those, as while they import each other, would swallow it."""


def do_until_stopped(attempt: Attempt, work: Callable[[], _Result]) -> _Result:
    """What `work` returns. A stop that is asked for ends it at once, but for a single call into a
    library that returns late. Raises Stopped, and what `work` raises."""
    watch = _Watch(attempt)
    watch.start()
    try:
        try:
            return work()
        finally:
            watch.close()
    except Interrupted:
        watch.close()  # which it may have come into
        raise Stopped from None
    except Exception:
        if attempt.stop_requested():  # the interruption may have become another error on its way
            raise Stopped from None
        raise


class _Watch:
    """A thread that interrupts the one in which it was made."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._target = ctypes.c_ulong(threading.get_ident())
        self._closed = threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="stop", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """No interruption comes after this; one that was on its way is taken back."""
        with self._guard:
            self._closed.set()
            ctypes.pythonapi.PyThreadState_SetAsyncExc(self._target, None)

    def _watch(self) -> None:
        wait = POLL_SECONDS
        while not self._closed.wait(wait):
            if not self._attempt.stop_requested():
                continue
            wait = AGAIN_SECONDS
            with self._guard:
                if not self._closed.is_set():
                    error = ctypes.py_object(Interrupted)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(self._target, error)
