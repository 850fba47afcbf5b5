"""A key press never waits for the model, with the real client and a model that is in a long step.

How soon a key is on the screen meanwhile is measured by `tests.benchmarks.bench_dashboard`.
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engine.jobs.store import Store
from tests.tui.conftest import screen_text, see
from tui.app import FinetopApp
from tui.companion import Companion

STEP = 600
"""Seconds that the model takes for a step: no test waits for so long."""


@pytest_asyncio.fixture
async def slow(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FinetopApp]:
    script = Path(__file__).with_name("slow_line.py")
    command = [sys.executable, "-S", str(script), str(STEP)]
    monkeypatch.setattr("tui.companion.worker_command", lambda kind: command)
    companion = Companion()
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
        for key in ("d", "o", "tab", "d", "t", "down", "up", "o", "o", "t") * 2:
            await pilot.press(key)
        assert "base: " in screen_text(slow)
        await pilot.press("o")
        assert "base: " not in screen_text(slow), "the tuned model's pane alone"
        assert "word-1" not in screen_text(slow)
        assert "esc cancel" in screen_text(slow), "it still answers"
        await pilot.press("escape")
        await see(pilot, "cancelled")
        assert "esc cancel" not in screen_text(slow)
