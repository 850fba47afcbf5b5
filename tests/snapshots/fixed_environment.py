"""What frames show of the machine and of the time, the same for all of them."""

import shutil
import socket
import time
from collections import namedtuple
from collections.abc import Sequence

import pytest

from engine.estimates import fit
from engine.jobs import devices, logout, process
from engine.jobs.devices import Device
from engine.jobs.hardware import Gpu, HardwareSample, Occupant
from tui.feeds.hardware_feed import HardwareFeed
from tui.messages import MachineRead
from tui.snapshots import Machine

NOW = 1_760_000_000.0
"""2025-10-09 08:53:20 in UTC."""
GPU = Device("cuda", "GPU-0", "NVIDIA H200", 0, 141 * 10**9, 61 * 10**9)
CPU = Device("cpu", "cpu", "x86_64")
MACHINE = Machine("workstation", "H200", 43, 61 * 10**9, 141 * 10**9, (GPU,))
_Usage = namedtuple("_Usage", "total used free")


def readings(count: int = 120, *, gpu: bool = True) -> tuple[HardwareSample, ...]:
    """Four minutes of a machine whose numbers rise and fall."""
    return tuple(_reading(at, gpu=gpu) for at in range(count))


def measure(*, live: bool) -> Machine:
    """What the line at the top tells, whether anything runs or not."""
    return MACHINE


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is NOW, for ever; what only measures spans goes on."""
    local = time.localtime
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(
        time, "localtime", lambda moment=None: local(NOW if moment is None else moment)
    )


def stand_in(
    monkeypatch: pytest.MonkeyPatch, shown: Sequence[HardwareSample] | None = None
) -> None:
    """One machine for all: its name, its devices, its memory, its disk, its last minutes."""
    told = tuple(readings() if shown is None else shown)
    monkeypatch.setattr(socket, "gethostname", lambda: "workstation")
    monkeypatch.setattr(devices, "_gpus", lambda: ([GPU], ""))
    monkeypatch.setattr(devices, "_beside", lambda gpus: [*gpus, CPU])
    monkeypatch.setattr(logout, "CONTAINER_MARKS", ())
    monkeypatch.setattr(process, "missing_packages", lambda needs=(): [])
    monkeypatch.setattr(logout, "_ask", lambda *command: "")
    monkeypatch.setattr(fit, "free_main_memory", lambda: 96 * 10**9)
    monkeypatch.setattr(fit, "machine_memory", lambda: 128 * 10**9)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: _Usage(500 * 10**9, 380 * 10**9, 120 * 10**9)
    )
    monkeypatch.setattr(HardwareFeed, "_run", lambda self: self._post(MachineRead(told)))


def _reading(at: int, *, gpu: bool) -> HardwareSample:
    wave = abs(at % 40 - 20) / 20
    occupants = (
        Occupant(4242, "ana", "python train.py", 58 * 10**9),
        Occupant(71, "", "", None),
    )
    one = Gpu(GPU, round(45 * wave), int(61e9 * (0.5 + wave / 1.9)), 120 + 500 * wave, 700.0,
              40 + round(30 * wave), 1200 + round(780 * wave), 3201, occupants)  # fmt: skip
    return HardwareSample(
        NOW - 240 + 2 * at, 100 * (1 - wave) / 2, 16, int(20e9 + 40e9 * wave), 128 * 10**9,
        120 * 10**9, 500 * 10**9, (one,) if gpu else (),
    )  # fmt: skip
