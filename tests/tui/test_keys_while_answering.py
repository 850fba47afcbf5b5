"""A key press never waits for the model, with the real client and a line that is slow."""

import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engine.jobs.store import Store
from tests.tui.conftest import screen_text, see
from tui.app import FinetopApp
from tui.companion import Companion

STEP = 0.6
"""Seconds that the model takes for a step: far more than a key may."""


@pytest_asyncio.fixture
async def slow(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FinetopApp]:
    script = Path(__file__).with_name("slow_line.py")
    command = [sys.executable, "-S", str(script), str(STEP)]
    monkeypatch.setattr("tui.companion.worker_command", lambda kind: command)
    companion = Companion(tmp_path / "companion.log")
    yield FinetopApp(Store(root), companion=lambda: companion)
    await companion.close()


async def test_no_key_waits_for_the_model(slow: FinetopApp) -> None:
    async with slow.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("4")
        await see(pilot, "tuned: ")
        await see(pilot, "prompt 1/")
        await pilot.press("ctrl+s")
        await see(pilot, "word-0")
        waited, worked = [], []
        for key in ("d", "o", "tab", "d", "t", "down", "up", "o", "o", "t") * 2:
            began, busy = time.perf_counter(), time.process_time()
            await pilot.press(key)
            waited.append(time.perf_counter() - began)
            worked.append(time.process_time() - busy)
        assert "esc cancels" in screen_text(slow), "it still answers"
        # Whoever waits for a step waits half of it on average; other programs cost less than that.
        assert statistics.median(waited) < STEP / 3, waited
        assert statistics.median(worked) <= 0.05, worked
        began = time.perf_counter()
        await pilot.press("escape")
        assert "esc cancels" not in screen_text(slow)
        assert "cancelled" in screen_text(slow)
        assert time.perf_counter() - began < STEP
