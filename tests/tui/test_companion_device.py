"""The companion beside runs that hold GPUs: another GPU, else the CPU, and back again."""

import asyncio
import socket
import sys
import time
from pathlib import Path

import pytest

from engine.jobs.devices import Device
from engine.jobs.directory import JobRecord
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.jobs.summary import JobView, UserNotes
from tui.app import FinetopApp
from tui.companion import Companion
from tui.companion_device import CompanionDevice, choose, held
from tui.snapshots import Machine, RunRow, RunsSnapshot

GPUS = tuple(Device("cuda", f"GPU-{at}", "a GPU", at) for at in range(2))
CPU = CompanionDevice("", "cpu", "on the CPU: runs use cuda:0, cuda:1")
ECHO = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
    told = {"id": asked["id"], "event": "done", "gpu": gpu, "device": asked.get("device")}
    print(json.dumps(told), flush=True)
"""
FREE = CompanionDevice("GPU-1", "cuda", "on cuda:1: runs use cuda:0")


def row(device: str, state: State = State.RUNNING, host: str = "") -> RunRow:
    now = Status(state, started=time.time(), heartbeat=time.time(),
                 host=host or socket.gethostname(), device=device)  # fmt: skip
    record = JobRecord("a", "train", "a", time.time(), [])
    return RunRow(JobView(Path("/runs/a"), record, None, now, state, UserNotes()))


def test_only_runs_that_run_here_hold_a_gpu() -> None:
    rows = (
        row("cuda:1"), row("cpu"), row("cuda:2,cuda:3"), row("cuda:4", State.QUEUED),
        row("cuda:5", State.DONE), row("cuda:6", host="elsewhere"),
    )  # fmt: skip
    assert held(RunsSnapshot(rows)) == {"cuda:1", "cuda:2", "cuda:3"}


@pytest.mark.parametrize(
    ("now", "taken", "wanted"),
    [
        (CompanionDevice(), set(), CompanionDevice()),
        (CompanionDevice(), {"cuda:0"}, FREE),
        (FREE, {"cuda:0"}, FREE),
        (FREE, {"cuda:0", "cuda:1"}, CPU),
        (CPU, {"cuda:0"}, FREE),
        (CPU, set(), CompanionDevice()),
        (FREE, set(), CompanionDevice("GPU-1", "cuda")),
        (FREE, {"cuda:1"}, CompanionDevice("GPU-0", "cuda", "on cuda:0: runs use cuda:1")),
    ],
)
def test_a_free_gpu_then_the_cpu_then_back(
    now: CompanionDevice, taken: set[str], wanted: CompanionDevice
) -> None:
    assert choose(now, taken, GPUS) == wanted
    assert choose(now, taken, ()).device == ("cpu" if taken else wanted.device)


async def test_the_companion_moves_once_nobody_waits_for_it(tmp_path: Path) -> None:
    made: list[Companion] = []

    def make() -> Companion:
        made.append(Companion(device=app.companion_device.device))
        return made[-1]

    app = FinetopApp(Store(tmp_path), companion=make)
    app.machine = Machine(gpus=GPUS)
    first = app.companion()
    assert app.companion() is first
    app.runs = RunsSnapshot((row("cuda:0"),))
    first._waiting[1] = asyncio.Queue()
    assert app.companion() is first, "somebody waits for its answer"
    assert app.companion_device == CompanionDevice()
    first._waiting.clear()
    second = app.companion()
    assert second is not first
    assert app.companion_device == FREE
    app.runs = RunsSnapshot((row("cuda:0,cuda:1"),))
    third = app.companion()
    assert app.companion_device == CPU
    app.runs = RunsSnapshot()
    assert app.companion() is not third, "back after the run"
    assert app.companion_device == CompanionDevice()
    assert len(made) == 4
    await asyncio.gather(*app._ending)


async def test_a_companion_sees_the_one_gpu_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-S", "-c", ECHO]
    monkeypatch.setattr("tui.companion.worker_command", lambda kind: command)
    companion = Companion(gpu=FREE.gpu, device=FREE.device)
    try:
        told = await companion.hello()
    finally:
        await companion.close()
    assert (told["gpu"], told["device"]) == ("GPU-1", "cuda")
