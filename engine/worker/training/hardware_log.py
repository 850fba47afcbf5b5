"""The machine beside the run: every few seconds, at a step that is logged anyway.

Never part of what a run decides by: no two machines agree on it, and no resume gives it back.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from engine.jobs.devices import Device
from engine.jobs.hardware import HardwareReader, scalars

SECONDS = 5.0


class HardwareLogger:
    """Reads the devices that a run has, the CPU, memory, and the disk of its folder."""

    def __init__(self, folder: Path, devices: Sequence[Device]) -> None:
        self._meter = HardwareReader(folder, devices, occupants=False)
        self._due = 0.0

    def scalars_if_due(self) -> dict[str, float]:
        """Scalars `machine/…` where it is time for them, else none. A few milliseconds at most."""
        now = time.monotonic()
        if now < self._due:
            return {}
        self._due = now + SECONDS
        return scalars(self._meter.read())
