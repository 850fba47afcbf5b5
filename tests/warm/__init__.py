"""Worker processes that need not import torch anew: for tests that start many of them.

Nearly all of a tiny run's time is the import of its libraries. Here one process has imported them,
and each worker is a fork of it: a process of its own, with its own session, lock, signals and end,
that runs the very command it was given. `install` makes a program to name in FINETOP_PYTHON.
Tests of the start itself, of memory, or of what is imported are marked `cold` and go without.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests import patience

CLIENT = Path(__file__).with_name("client.py")
SERVER = Path(__file__).with_name("server.py")


def install(folder: Path, owner: int) -> Path:
    """A program in `folder` that stands for a Python.

    Its server starts when it is first used, and ends soon after the process `owner` does.
    """
    folder.mkdir(exist_ok=True)
    program = folder / "python"
    text = CLIENT.read_text()
    for name, value in (
        ("PYTHON", sys.executable), ("SERVER", SERVER), ("FOLDER", folder), ("OWNER", owner),
        ("SECONDS", patience.PROCESS_SECONDS),
    ):  # fmt: skip
        text = text.replace(f'{name} = ""', f"{name} = {str(value)!r}", 1)
    # Another process of the tests may be about to run the one that it wrote.
    aside = folder / f"python-{os.getpid()}"
    aside.write_text(f"#!{sys.executable} -S\n{text}")
    aside.chmod(0o700)
    return aside.replace(program)


def wait(program: Path) -> None:
    """Wait until its server is there."""
    subprocess.run([program], check=True)
