"""W&B's viewer for the terminal, `wandb leet`, where this machine has it on its PATH.

Owns how it is found, started, and given something to show. It is a peer to measure beside, and no
dependency.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.parts import NotHere

OFFLINE = Path(__file__).with_name("offline.py")


def command(folder: Path) -> list[str]:
    """What opens it on the runs below `folder`. Raises NotHere where there is none."""
    return [_program(), "leet", str(folder / "wandb")]


class OfflineRun:
    """A run that grows as it is told. Use as a context manager; raises NotHere without wandb."""

    def __init__(self, folder: Path) -> None:
        program = Path(_program())
        python = program.with_name("python")
        if not python.exists():
            raise NotHere("wandb has no Python beside it")
        folder.mkdir(parents=True, exist_ok=True)
        own = {f"WANDB_{name}_DIR": str(folder) for name in ("CONFIG", "CACHE", "DATA")}
        self._process = subprocess.Popen(
            [str(python), str(OFFLINE), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env={**os.environ, **own, "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"},
        )

    def __enter__(self) -> "OfflineRun":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"step": step, **values}), file=self._process.stdin, flush=True)
        while line := self._process.stdout.readline():
            if line == "logged\n":
                return
        raise AssertionError("wandb ended")


def _program() -> str:
    program = shutil.which("wandb")
    if program is None:
        raise NotHere("no wandb here")
    return program
