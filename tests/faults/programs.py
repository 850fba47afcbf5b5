"""Other programs of the user's that act on the same runs, each begun at a moment that is chosen."""

import os
import subprocess
import sys
from pathlib import Path

from tests.faults.trial import Trial
from tests.faults.verdict import HungError

HOME = Path(__file__).resolve().parents[2]
REFUSED = 3
"""The exit code of a program that says in words why it does nothing."""
"""How often a run is resumed at most; none needs more than one or two."""
DISK = 1_000_000
"""Bytes of a disk that a run fills, at most."""
_PROGRAM = """
import os, sys, time
from pathlib import Path
from engine.errors import EngineError
from engine.jobs import delete, launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.launching import resume
from tests.faults import reference
launch.START_SECONDS = launch.END_SECONDS = {limit}
print("ready", flush=True)
sys.stdin.readline()
try:
    {action}
except EngineError as error:
    print(error.title)
    sys.exit(3)
"""


def start_program(trial: Trial, action: str) -> subprocess.Popen[str]:
    """A program that loads the engine, and then waits until it may do `action`."""
    code = _PROGRAM.format(action=action, limit=trial.world.limit)
    environ = {**os.environ, "FINETOP_RUNS": str(trial.root), "PYTHONPATH": str(HOME)}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environ, cwd=trial.folder,
    )  # fmt: skip


def let_go(*processes: subprocess.Popen[str]) -> None:
    """Let programs that are ready begin, all at once."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def run_at_once(trial: Trial, actions: list[str]) -> dict[int, int]:
    """Exit codes of programs that begin together, by their place."""
    processes = [start_program(trial, action) for action in actions]
    let_go(*processes)
    ends = {}
    for place, process in enumerate(processes):
        try:
            words, errors = process.communicate(timeout=trial.world.limit)
        except subprocess.TimeoutExpired:
            process.kill()
            raise HungError(f"no end of {actions[place]}") from None
        ends[place] = process.returncode
        trial.notes.append(f"{process.returncode}: {words.strip()} {errors.strip()[-300:]}")
    return ends
