"""A real pseudo-terminal with the real program in it, and pyte to read its screen."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

HOME = Path(__file__).resolve().parents[2]


class Terminal:
    """`finetop` on `runs` in `columns` by `lines` cells. Use as a context manager."""

    def __init__(
        self,
        runs: Path,
        *options: str,
        columns: int = 80,
        lines: int = 24,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.written = bytearray()
        surroundings = {
            key: value
            for key, value in os.environ.items()
            if key not in ("NO_COLOR", "SSH_CONNECTION", "COLORTERM", "TERM")
        }
        surroundings |= {
            "TERM": "xterm-256color",
            "PYTHONPATH": str(HOME),
            "FINETOP_STATE": str(runs.parent / "state"),
            "FINETOP_MODELS": str(runs.parent / "models"),
            "FINETOP_DATA": str(runs.parent / "data"),
            "LANG": "C.UTF-8",
            **(environ or {}),
        }
        command = [sys.executable, "-m", "tui.cli", "--runs", str(runs), *options]
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(runs.parent)
            os.execvpe(command[0], command, surroundings)
        self.resize(columns, lines)
        self.status: int | None = None

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.status is None:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self.master)

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def pump(self, seconds: float) -> int:
        """Take what is written for so long; how many bytes it was."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                data = os.read(self.master, 65_536)
            except OSError:
                break  # the other side has closed it
            if not data:
                break
            count += len(data)
            self.written += data
            self._stream.feed(data)
        return count

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def wait(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Pump until `condition`; fails with the screen's text."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the screen:\n{self.text()}"
            self.pump(0.05)

    def see(self, text: str, seconds: float = 30.0) -> None:
        self.wait(lambda: text in self.text(), seconds)

    def lose(self, text: str, seconds: float = 30.0) -> None:
        self.wait(lambda: text not in self.text(), seconds)

    def ended(self) -> bool:
        """Whether the program has ended; `status` is then its exit code."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None
