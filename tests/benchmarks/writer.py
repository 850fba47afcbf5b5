"""A worker's side of a job directory without a model: lock, events, status, log.

    python -m tests.benchmarks.writer JOB_DIR POINTS

Holds the job's lock, writes POINTS steps at once, then one more for every line on its input: the
line is the loss. Each is answered by the moment (monotonic clock) at which the events were on disk.
"""

import math
import socket
import subprocess
import sys
import time
from pathlib import Path

from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State, Status
from tests.events.encoding import event, record, simple, version
from tests.pseudo_terminal import HOME

EVALUATE_EVERY = 20
TOTAL = 4000


class Writer:
    """The process, from outside. Use as a context manager."""

    def __init__(self, job: JobDirectory, points: int) -> None:
        self._points = points
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.writer", str(job.path), str(points)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=HOME,
        )
        self._answer()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def log(self, loss: float | None = None) -> float:
        """One more step; the moment at which it was on disk."""
        self._points += 1
        assert self._process.stdin is not None
        print(curve(self._points) if loss is None else loss, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the writer ended"
        return float(line)


def curve(step: int) -> float:
    """A loss that falls and never quite rests."""
    return 0.4 + 2.0 * 0.997**step + 0.05 * math.sin(step * 12.9898) * math.sin(step * 0.7)


def main() -> None:
    job, points = JobDirectory(Path(sys.argv[1])), int(sys.argv[2])
    lock = Lock(job.lock_file)
    assert lock.acquire(), "somebody has this job"
    began = time.time() - 0.5 * points
    with (job.events / f"events.out.tfevents.{began:.0f}.box.1").open("ab") as file:
        file.write(record(version(began)))
        file.write(b"".join(_step(n, curve(n), began + n / 2) for n in range(1, points + 1)))
        file.flush()
        _tell(job, points, began)
        print(time.monotonic(), flush=True)
        for step, line in enumerate(sys.stdin, points + 1):
            file.write(_step(step, float(line), time.time()))
            file.flush()
            written = time.monotonic()
            if step % EVALUATE_EVERY == 0:
                _say(job, f"step {step}: eval loss {float(line) + 0.05:.4f} over 4,096 tokens")
            _tell(job, step, began)
            print(written, flush=True)


def _step(step: int, loss: float, wall: float) -> bytes:
    """The records of one step, an event for each value as the worker's own writer has them."""
    values = {
        "train/loss": loss,
        "train/perplexity": math.exp(loss),
        "train/learning_rate": 1e-3 * (1 - step / TOTAL),
        "train/grad_norm": 0.9 + 0.2 * math.sin(step * 78.233),
        "train/tokens_per_second": 9800.0 + 300 * math.sin(step * 3.7),
        "train/tokens": 16 * 40.0 * step,
        "train/epoch": step / 500,
        "machine/device_memory_bytes": 1.2e9,
    }
    if step % EVALUATE_EVERY == 0:
        values |= {"eval/loss": loss + 0.05, "eval/perplexity": math.exp(loss + 0.05)}
    return b"".join(record(event(wall, step, simple(tag, one))) for tag, one in values.items())


def _say(job: JobDirectory, line: str) -> None:
    with job.attempt(1).log.open("a", encoding="utf-8") as file:
        print(time.strftime("%H:%M:%S"), line, file=file)


def _tell(job: JobDirectory, step: int, began: float) -> None:
    now = Status(
        State.RUNNING, step=step, total=TOTAL, epoch=step / 500, epochs=TOTAL / 500,
        tokens=640 * step, tokens_per_second=9800.0, eta_seconds=(TOTAL - step) / 2,
        started=began, heartbeat=time.time(), host=socket.gethostname(), device="cpu",
    )  # fmt: skip
    status.write(job, now)


if __name__ == "__main__":
    main()
