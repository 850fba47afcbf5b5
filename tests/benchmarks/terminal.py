"""A pseudo-terminal that keeps every byte with its time: first paint, traffic, hang-up, memory.

Reading and understanding are apart: bytes are stamped as they come, and pyte reads them only when
the screen is asked for, so that measuring costs the program nothing.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pyte

from tests.pseudo_terminal import PseudoTerminal

SYNC_ASKED, SYNC_ANSWER = b"\x1b[?2026$p", "\x1b[?2026;2$y"
"""Whether frames can be shown at once: today's terminals say yes, which costs some bytes more."""


class Terminal(PseudoTerminal):
    """A program in `columns` by `lines` cells of true colour. Use as a context manager."""

    def __init__(
        self, command: Sequence[str], folder: Path, *, columns: int = 100, lines: int = 30
    ) -> None:
        self.size = (columns, lines)
        self.chunks: list[tuple[float, bytes]] = []
        """Seconds on the monotonic clock, and what came then."""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._shown = 0
        self._asked = False
        self.started = time.monotonic()
        super().__init__(
            command, folder, columns=columns, lines=lines, environ={"COLORTERM": "truecolor"}
        )

    def pump(self, seconds: float) -> int:
        """Wait for bytes, `seconds` at most, and take what there is; how many there were."""
        data = self.read(seconds)
        assert data is not None, f"the program ended; its screen:\n{self.text()}"
        if not data:
            return 0
        self.chunks.append((time.monotonic(), data))
        if not self._asked and SYNC_ASKED in b"".join(chunk for _, chunk in self.chunks):
            self._asked = True
            self.press(SYNC_ANSWER)
        return len(data)

    def take(self, seconds: float) -> int:
        """How many bytes come in so many seconds."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            count += self.pump(left)
        return count

    def leave(self, seconds: float) -> bool:
        """Read on until the program has ended, for `seconds` at most; whether it has."""
        end = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < end:
            if self.master < 0 or not self.read(0.01):
                time.sleep(0.01)
        return self.ended()

    def settle(self, quiet: float, seconds: float = 120.0) -> None:
        """Wait until nothing has come for `quiet` seconds."""
        end = time.monotonic() + seconds
        while self.pump(quiet):
            assert time.monotonic() < end, f"it never rests; the screen:\n{self.text()}"

    def see(self, text: str, seconds: float = 60.0) -> float:
        """Wait until `text` is on the screen; the moment at which its last byte came."""
        end = time.monotonic() + seconds
        while text not in self.text():
            assert time.monotonic() < end, f"no {text!r} on the screen:\n{self.text()}"
            self.pump(0.05)
        return self.chunks[-1][0]

    def text(self) -> str:
        for _, data in self.chunks[self._shown :]:
            self._stream.feed(data)
        self._shown = len(self.chunks)
        return "\n".join(self._screen.display)

    def found(self, text: str) -> float | None:
        """The moment at which `text` came onto the screen, of those not looked at yet."""
        for came, data in self.chunks[self._shown :]:
            self._stream.feed(data)
            self._shown += 1
            if text in "\n".join(self._screen.display):
                return came
        return None

    def first_byte(self) -> float:
        """Seconds from the start to the first byte."""
        return self.chunks[0][0] - self.started

    def shown(self, *texts: str) -> float:
        """Seconds from the start until all of `texts` were first on the screen together."""
        for came, display in self._replay():
            if all(text in display for text in texts):
                return came - self.started
        raise AssertionError(f"never on one screen: {texts}")

    def last_change(self) -> float:
        """Seconds from the start until the screen first showed all that it shows now."""
        before, moment = "", self.started
        for came, display in self._replay():
            if display != before:
                before, moment = display, came
        return moment - self.started

    def _replay(self) -> Iterator[tuple[float, str]]:
        screen = pyte.Screen(*self.size)
        stream = pyte.ByteStream(screen)
        for came, data in self.chunks:
            stream.feed(data)
            yield came, "\n".join(screen.display)

    def busiest_second(self, since: float) -> int:
        """The most bytes in any one second after the moment `since`."""
        after = [(came, len(data)) for came, data in self.chunks if came >= since]
        return max(
            (sum(n for came, n in after if start <= came < start + 1) for start, _ in after),
            default=0,
        )

    def resident(self) -> int:
        """Bytes of memory of the program itself, without its children."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def mapped(self) -> list[str] | None:
        """The files mapped into the program; None where the system does not tell."""
        maps = Path(f"/proc/{self.pid}/maps")
        if not maps.exists():
            return None
        fields = (line.split(maxsplit=5) for line in maps.read_text().splitlines())
        return sorted({field[5] for field in fields if len(field) == 6})
