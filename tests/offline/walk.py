"""Every command that must work without a network, one after another, as a user would type them.

Run as a program: `python -m tests.offline.walk FOLDER`. It prints a JSON line for each step.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from tests import warm
from tests.tui.terminal import Terminal
from tui.companion import Companion

BEGAN = time.monotonic()
SMALL = (
    "training.max_steps=2", "training.batch_size=2", "training.evaluations=1", "training.saves=1",
    "data.max_length=64", "samples.count=1", "samples.max_new_tokens=4",
    "forgetting.tokens=64", "device=cpu",
)  # fmt: skip


def main(folder: Path) -> None:
    """Walk through all of them, with all that is made below `folder`."""
    root = folder / "runs"
    (folder / "prompts.txt").write_text("What is two and two?\n")
    data = _rows(folder / "rows")
    small = [part for change in (*SMALL, f"data.train={data}") for part in ("--set", change)]
    run = _step(root, "train", "--follow", "--set", "name=tiny", *small).strip()
    # One worker has started from nothing, and the companion will; the others may share a start.
    os.environ["FINETOP_PYTHON"] = str(warm.install(folder / "warm", os.getpid()))
    _step(root, "resume", run, "--set", "training.max_steps=4", "--follow")
    _step(
        root, "generate", "--arm", "base=bundled:demo-base", "--arm", f"tuned=run:{run}",
        "--prompts", str(folder / "prompts.txt"), "--out", str(folder / "out.jsonl"),
        "--device", "cpu", "--set", "decode.max_new_tokens=4",
    )  # fmt: skip
    _step(root, "demo", "--items", "1", "--replay", "--json", str(folder / "demo.json"), *small)
    _step(root, "data", "inspect", str(data), "--checkpoint", "bundled:demo-base", "--rows", "1")
    for command in ("checkpoints", "runs", "doctor", "queue"):
        _step(root, command)
    _step(root, "metrics", run, "--csv", str(folder / "curves.csv"))
    _step(root, "metrics", run)
    _step(root, "logs", run)
    del os.environ["FINETOP_PYTHON"]
    asyncio.run(_companion(folder, run))
    _dashboard(root)
    _step(root, "rm", "--yes", "--force", run)


def _rows(folder: Path) -> Path:
    """Few rows, with held-out ones beside them: what is measured takes time."""
    folder.mkdir()
    for name, count in (("train", 24), ("eval", 4)):
        lines = [
            json.dumps({
                "instruction": "What emotion is in this text?",
                "input": f"{name} {number}",
                "output": ("joy", "fear")[number % 2],
            })
            for number in range(count)
        ]  # fmt: skip
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "train.jsonl"


def _step(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "tui.cli", "--runs", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _say(" ".join(arguments[:2]), done.returncode, done.stderr[-2000:])
    return done.stdout


async def _companion(folder: Path, run: str) -> None:
    """What Compare asks: the process that the dashboard starts, and one answer of each arm."""
    companion = Companion(device="cpu", runs=[str(folder / "runs" / run)])
    for arm in ("base=bundled:demo-base", f"tuned=run:{run}"):
        await companion.generate(arm, "What is two and two?", {"max_new_tokens": 4}).last()
    await companion.close()
    _say("companion", 0, "")


def _dashboard(root: Path) -> None:
    """Open it in a terminal, look at every page, leave."""
    environ = {"PYTHONPATH": os.environ["PYTHONPATH"]}
    with Terminal(root, columns=100, lines=30, environ=environ) as terminal:
        terminal.see("tiny")
        for key in ("2", "3", "4", "5", "6"):
            terminal.press(key)
            terminal.pump(2.0 if key in "24" else 0.5)  # in two of them a companion starts
        terminal.press("\x1b")
        terminal.pump(1.0)  # else the two keys would be one
        terminal.press("1")
        terminal.see("tiny")
        terminal.press("q")
        terminal.wait(terminal.ended)
        _say("dashboard", terminal.status or 0, "")


def _say(step: str, code: int, error: str) -> None:
    at = round(time.monotonic() - BEGAN, 1)
    print(json.dumps({"step": step, "code": code, "error": error, "at": at}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
