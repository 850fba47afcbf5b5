"""The thread that reads the machine again and again, once somebody has asked to see it.

Its last minutes are kept, also while nobody looks; only who looks is told. Draws nothing.
"""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tui.messages import MachineRead

if TYPE_CHECKING:
    from textual.message import Message

    from engine.jobs.hardware import HardwareSample

SECONDS = 2.0
KEPT = 300
"""Readings: ten minutes."""


class HardwareFeed:
    """Start it once; `post` is called from its thread."""

    def __init__(self, folder: Path, post: "Callable[[Message], object]") -> None:
        self.folder = folder
        """Whose disk is looked at; may be set from elsewhere."""
        self._post = post
        self._kept: deque[HardwareSample] = deque(maxlen=KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hardware_feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        from engine.jobs.hardware import HardwareReader

        meter = HardwareReader(self.folder)
        try:
            while not self._stop.is_set():
                if meter.folder != self.folder:
                    meter.folder = self.folder
                self._kept.append(meter.read())
                self._post(MachineRead(tuple(self._kept)))
                # The first two quickly: what the CPU does is only known from the second on.
                self._stop.wait(SECONDS if len(self._kept) > 1 else 0.25)
        finally:
            meter.close()
