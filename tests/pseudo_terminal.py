"""A program in a real pseudo-terminal: its start, its keys, its end. What it writes is for others.

`tests.tui.terminal` waits for what its screen shows; `tests.benchmarks.terminal` times its bytes.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

HOME = Path(__file__).resolve().parents[1]
HIDDEN = ("NO_COLOR", "SSH_CONNECTION", "COLORFGBG", "COLORTERM", "TERM",
          "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE",
          "COLUMNS", "LINES",  # the size is that of the terminal
          "PYTHONDONTWRITEBYTECODE")  # fmt: skip  # a user's starts find bytecode
"""Of this user's environment, what would change what the program shows or how fast it starts."""
CHUNK = 65_536


def dashboard(runs: Path, *options: str) -> list[str]:
    """The command that opens the dashboard on these runs."""
    program = Path(__file__).with_name("dashboard.py")
    # Without its own folder on the path: there is a package `tui` beside it.
    return [sys.executable, "-P", str(program), "--runs", str(runs), *options]


class PseudoTerminal:
    """A program in `columns` by `lines` cells. Use as a context manager: it is killed at the end.

    `folder` is where it starts, and where its state, models and data folders are; `environ` is
    added to an environment that sees nothing of this user's but the bundled model.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        columns: int,
        lines: int,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.status: int | None = None
        surroundings = {
            **{key: value for key, value in os.environ.items() if key not in HIDDEN},
            "FINETOP_STATE": str(folder / "state"),
            "FINETOP_MODELS": str(folder / "models"),
            "FINETOP_DATA": str(folder / "data"),
            "HF_HOME": str(folder / "hub"),
            "PYTHONPATH": str(HOME),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            **(environ or {}),
        }
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            _set_size(0, columns, lines)
            os.chdir(folder)
            os.execvpe(command[0], list(command), surroundings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        self.hang_up()

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        _set_size(self.master, columns, lines)

    def read(self, seconds: float) -> bytes | None:
        """What comes within `seconds`, perhaps nothing; None once the other side has closed."""
        if not select.select([self.master], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            return os.read(self.master, CHUNK) or None
        except OSError:
            return None

    def hang_up(self) -> None:
        """Close the line: the kernel sends SIGHUP, and every write fails from then on."""
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def ended(self) -> bool:
        """Whether the program has ended; `status` is then its exit code."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None


def _set_size(line: int, columns: int, lines: int) -> None:
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
