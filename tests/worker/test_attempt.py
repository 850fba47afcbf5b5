"""An attempt's way to its devices: several GPUs at once, what others use, what may not fit.

In a process of its own, as an attempt takes over signals and output. The GPUs are written here.
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.jobs import directory, status
from engine.jobs.status import State, Status
from engine.recipes.recipe import TrainRecipe

BEGIN = """
import json, os, sys
from pathlib import Path
from engine.estimates import fit
from engine.jobs import devices, status
from engine.jobs.devices import Device
from engine.worker.attempt import Attempt
GB = 10**9
USED = (0, 60)
gpus = [Device("cuda", f"GPU-{n}", "", n, 80 * GB, int(used * GB)) for n, used in enumerate(USED)]
devices._gpus = lambda: (gpus, "")
attempt = Attempt.begin(Path(sys.argv[1]))
taken = attempt.wait_for_devices(attempt.recipe.device)
said = os.fdopen(os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT), "w")
json.dump({
    "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
    "taken": devices.labels(taken),
    "first": attempt.device.key,
    "message": attempt._status.message,
    "log": attempt.files.log.read_text(),
}, said)
said.close()
attempt.finish(status.State.DONE)
"""


def begin(root: Path, tmp_path: Path, device: str) -> dict[str, str]:
    job = directory.create(root, TrainRecipe(device=device))
    answer = tmp_path / "answer.json"
    command = [sys.executable, "-c", BEGIN, str(job.path), str(answer)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + job.attempt(1).log.read_text()
    found: dict[str, str] = json.loads(answer.read_text())
    return found


@pytest.mark.parametrize(
    ("device", "visible", "taken"),
    [("auto", "GPU-0", "cuda:0"), ("cuda:1", "GPU-1", "cuda:1"),
     ("cuda:1,cuda:0", "GPU-1,GPU-0", "cuda:1,cuda:0")],
)  # fmt: skip
def test_torch_sees_what_the_queue_gave_and_nothing_else(
    root: Path, tmp_path: Path, device: str, visible: str, taken: str
) -> None:
    said = begin(root, tmp_path, device)
    assert (said["visible"], said["taken"]) == (visible, taken)
    assert said["first"] == visible.partition(",")[0]
    assert ("other processes use 60.0 of 80.0 GB on cuda:1" in said["log"]) == ("1" in visible)
    assert said["message"] == "loading libraries"


def test_an_attempt_knows_how_long_those_before_it_ran(root: Path, tmp_path: Path) -> None:
    job = directory.create(root, TrainRecipe(device="cpu"))
    crashed = Status(State.RUNNING, 1, started=1000.0, heartbeat=1060.0, queued_seconds=10.0)
    status.write(job, dataclasses.replace(crashed, earlier_seconds=300.0))
    command = [sys.executable, "-c", BEGIN, str(job.path), str(tmp_path / "answer.json")]
    subprocess.run(command, check=True, capture_output=True)
    done = status.read(job)
    assert done is not None
    assert (done.attempt, done.earlier_seconds) == (2, 350.0)
    assert 350.0 < done.running_seconds < 350.0 + (done.heartbeat - done.started)
    assert done.queued_seconds > 0


def test_what_may_not_fit_is_said_and_tried(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = BEGIN.replace("(0, 60)", "(79.99, 79.99)")
    monkeypatch.setattr(sys.modules[__name__], "BEGIN", full)
    said = begin(root, tmp_path, "cuda:0")
    assert "it may not fit: needs" in said["message"]
    assert "it may not fit: needs" in said["log"]
    assert "other processes use 80.0 of 80.0 GB on cuda:0" in said["log"]


SIGNALLED = """
import os, signal, sys
from pathlib import Path
from engine.jobs import status
from engine.worker.attempt import Attempt
write = status.write
def write_and_signal(*given):
    write(*given)
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
status.write = write_and_signal
attempt = Attempt.begin(Path(sys.argv[1]))
status.write = write
stopped = attempt.stop_requested()
attempt.finish(status.State.STOPPED if stopped else status.State.DONE)
"""


@pytest.mark.parametrize(
    ("signal", "state"), [("SIGTERM", "stopped"), ("SIGINT", "stopped"), ("SIGHUP", "done")]
)
def test_a_signal_at_the_first_status_is_a_request_like_a_later_one(
    root: Path, signal: str, state: str
) -> None:
    job = directory.create(root, TrainRecipe(device="cpu"))
    command = [sys.executable, "-c", SIGNALLED, str(job.path), signal]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(job.status_file.read_bytes())["state"] == state


SWEEP = """
import sys
from pathlib import Path
from engine.jobs.status import State
from engine.worker.attempt import Attempt
Attempt.begin(Path(sys.argv[1])).finish(State.STOPPED)
"""


def test_what_a_killed_attempt_left_half_written_is_removed(root: Path) -> None:
    job = directory.create(root, TrainRecipe())
    for name in (".status.json.x1y2", ".adapter/weights", "checkpoints/.saving/checkpoint-3/x"):
        path = job.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    whole = job.checkpoints / "checkpoint-2"
    whole.mkdir()
    subprocess.run([sys.executable, "-c", SWEEP, str(job.path)], check=True)
    assert [path for path in job.unfinished() if path.exists()] == []
    assert [path.name for path in job.checkpoints.iterdir()] == ["checkpoint-2"]
