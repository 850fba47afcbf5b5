"""The dashboard in a real pseudo-terminal, and pyte to read its screen."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

from tests import patience
from tests.pseudo_terminal import PseudoTerminal, dashboard


class Terminal(PseudoTerminal):
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
        super().__init__(
            dashboard(runs, *options), runs.parent, columns=columns, lines=lines, environ=environ
        )

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        super().resize(columns, lines)

    def pump(self, seconds: float) -> int:
        """Take what is written for so long; how many bytes it was."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            data = self.read(left)
            if not data:
                break
            count += len(data)
            self.written += data
            self._stream.feed(data)
        return count

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def wait(
        self, condition: Callable[[], bool], seconds: float = patience.PROCESS_SECONDS
    ) -> None:
        """Pump until `condition`; fails with the screen's text."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the screen:\n{self.text()}"
            self.pump(0.05)

    def see(self, text: str, seconds: float = patience.PROCESS_SECONDS) -> None:
        self.wait(lambda: text in self.text(), seconds)

    def lose(self, text: str, seconds: float = patience.PROCESS_SECONDS) -> None:
        self.wait(lambda: text not in self.text(), seconds)
