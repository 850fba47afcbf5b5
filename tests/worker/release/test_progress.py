"""How far an export is, and how long it takes still."""

from typing import Any

import pytest

from engine.worker.attempt import Stopped
from engine.worker.release.progress import ExportProgress, ExportStep

STEPS = [
    ExportStep("merging", "write", 10), ExportStep("writing gguf", "write", 5),
    ExportStep("proving merged", "prove", 40), ExportStep("proving gguf", "prove", 40),
]  # fmt: skip


class Shown:
    """What an attempt is told."""

    def __init__(self) -> None:
        self.stop = False
        self.activity: tuple[Any, ...] = ()
        self.left: float | None = None
        self.message = ""

    def stop_requested(self) -> bool:
        return self.stop

    def log(self, line: str) -> None:
        pass

    def show_activity(self, *values: Any) -> None:
        self.activity = values

    def progress(self, step: int, total: int, *, message: str, eta_seconds: float | None) -> None:
        self.step, self.total, self.message, self.left = step, total, message, eta_seconds


def test_the_time_left_is_that_of_steps_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("engine.worker.release.progress.time.monotonic", lambda: now)
    shown = Shown()
    progress = ExportProgress(shown, STEPS)  # type: ignore[arg-type]
    progress.begin("merging")
    now += 4
    progress.tick(1, 2)
    assert (shown.step, shown.total, shown.left) == (0, 4, None), "nothing is known yet"
    assert shown.activity == ("merging", 1, 2, 4.0)
    now += 4
    progress.begin("writing gguf")  # 8 s for a weight of 10: 4 s here, and 32 s for each proof
    assert shown.left == 4 + 64
    now += 1
    progress.tick(1, 4)
    assert shown.left == 3 + 64
    now += 3
    progress.begin("proving merged")
    assert shown.left == 64
    now += 10
    progress.tick_part("greedy answers", 7, 20)
    assert (shown.left, shown.message) == (54, "proving merged: greedy answers")
    assert shown.activity[:3] == ("greedy answers", 7, 20)
    now += 5
    progress.begin("proving gguf")  # the first proof took 15 s
    assert shown.left == 15


def test_a_stop_is_noticed_at_every_tick() -> None:
    shown = Shown()
    progress = ExportProgress(shown, STEPS)  # type: ignore[arg-type]
    progress.begin("merging")
    shown.stop = True
    with pytest.raises(Stopped):
        progress.tick(1, 2)
    with pytest.raises(Stopped):
        progress.tick_part("x", 0, 0)
