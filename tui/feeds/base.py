"""A thread that looks at something again and again, and posts what has changed.

Owns starting, stopping, waking, and going on after what nobody foresaw. What is looked at, and how
often, is the affair of the reader that it is given; screens know only what stands here.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.text import one_line
from tui.messages import FeedFailed
from tui.snapshots import RunsSnapshot

if TYPE_CHECKING:
    from textual.message import Message

SWITCH_SECONDS = 0.0005
"""How long a thread that reads may go on once a key waits; several turns make one answer."""

REST_SECONDS = 0.1
"""How long reading rests after a key, so that its answer does not wait for it."""


class FeedReader(Protocol):
    """What a feed's thread reads: jobs, or logs. It posts what has changed by itself."""

    snapshot: RunsSnapshot
    """The list as it was posted last."""
    listed: threading.Event
    """Set once the list's beginning is known."""

    def cycle(self) -> bool:
        """Look once; whether there is more to read."""

    def pause(self, pending: bool) -> float:
        """Seconds until the next look, after one that left something to read or did not."""

    def watch(self, path: Path | None) -> None:
        """Give all there is of this run from now on."""

    def prefer(self, names: Sequence[str]) -> None:
        """The runs of these `run_key` are on screen: read them before the others."""

    def go_on(self) -> None:
        """The list's beginning is on the screen: read the rest."""


class FeedThread:
    """Start it once; `post` is called from its thread, with messages."""

    def __init__(
        self, reader: FeedReader, post: "Callable[[Message], object]", name: str = "feed"
    ) -> None:
        self.reader = reader
        self._post = post
        self._rest_until = 0.0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.reader.go_on()
        self._wake.set()

    def join(self, seconds: float = 2.0) -> None:
        self._thread.join(seconds)

    def first(self, seconds: float) -> RunsSnapshot:
        """The list as it is after so long: its beginning, most often; empty on a slow disk."""
        self.reader.listed.wait(seconds)
        return self.reader.snapshot

    def go_on(self) -> None:
        """The list's beginning is on the screen."""
        self.reader.go_on()

    def wake(self) -> None:
        """Look now: something was just done that files will show."""
        self._wake.set()

    def rest(self) -> None:
        """Somebody is at the keys: leave them the machine for a moment."""
        self._rest_until = time.monotonic() + REST_SECONDS

    def watch(self, path: Path | None) -> None:
        """Give all there is of this run from now on."""
        self.reader.watch(path)
        self.wake()

    def prefer(self, names: Sequence[str]) -> None:
        """The runs of these `run_key` are on screen: read them before the others."""
        self.reader.prefer(names)

    def _run(self) -> None:
        while not self._stop.is_set():
            pending = False
            try:
                pending = self.reader.cycle()
            except Exception:  # whatever a directory may hold, the screens must go on
                last = traceback.format_exc().strip().splitlines()[-1]
                self._post(FeedFailed(one_line(last)))
            rest = self._rest_until - time.monotonic() if pending else 0.0
            if self._wake.wait(max(self.reader.pause(pending), rest)):
                self._wake.clear()
