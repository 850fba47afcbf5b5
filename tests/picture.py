"""The README's pictures: the real dashboard on a real run, as SVG.

    python -m tests.picture RUNS_DIR RUN_ID

Writes Watch on that run as `.pictures/watch.svg`, and Compare of it with its base, after one answer
of each and with the tuned one's tokens marked, as `.pictures/compare.svg`, both at 110 by 34.
"""

import argparse
import asyncio
import time
from pathlib import Path

from engine.jobs.store import open_store
from tui.app import FinetopApp

FOLDER = Path(__file__).resolve().parent.parent / ".pictures"
SIZE = (110, 34)
SECONDS_TO_ANSWER = 20.0
"""For a companion that must start first."""


async def take(runs: str, run: str) -> None:
    """Write both pictures."""
    store = open_store(runs)
    app = FinetopApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await _settled(pilot)
        app.selected = str(store.find(run).path)
        await pilot.press("3")
        await _settled(pilot)
        _write(app, "watch")
        await pilot.press("4")
        await _settled(pilot)
        await pilot.press("p", "ctrl+s")  # the last prompt is one to translate
        await _settled(pilot, least=SECONDS_TO_ANSWER)
        await pilot.press("t")
        await _settled(pilot)
        _write(app, "compare")


async def _settled(pilot: object, least: float = 0.0) -> None:
    """Until charts are drawn: they are drawn in a thread, so what is shown is looked at."""
    await pilot.pause(least)  # type: ignore[attr-defined]
    deadline = time.monotonic() + 8
    before = ""
    while time.monotonic() < deadline:
        await pilot.pause(1.0)  # type: ignore[attr-defined]
        now = pilot.app.export_screenshot()  # type: ignore[attr-defined]
        if now == before:
            return
        before = now


def _write(app: FinetopApp, name: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.svg").write_text(app.export_screenshot(title="finetop"), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs")
    parser.add_argument("run")
    options = parser.parse_args()
    asyncio.run(take(options.runs, options.run))


if __name__ == "__main__":
    main()
