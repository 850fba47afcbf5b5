"""What became of a mutant or a fault trial, and the table of them by kind. Runs nothing itself."""

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

HANG_SECONDS = 30.0


class Verdict(StrEnum):
    SURVIVED = "survived"
    LOST = "lost"
    """What was whole on disk is gone or not read, or trouble has no reason."""
    WRONG = "wrong"
    """A value, a step or a weight that nobody wrote."""
    HUNG = "hung"
    """No end within `HANG_SECONDS`, on a machine that has the time."""


@dataclass(frozen=True, slots=True)
class Result:
    kind: str
    number: int
    """With the seed of all it makes the same mutant or trial again."""
    verdict: Verdict
    detail: str = ""


class LostError(AssertionError):
    """Something is gone."""


class WrongError(AssertionError):
    """Something is other than it was written."""


class HungError(BaseException):
    """It took too long; no handler of the program's takes it for its own."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise HungError in the main thread after so many seconds."""

    def end(number: int, frame: FrameType | None) -> None:
        raise HungError(f"no end within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge_error(error: BaseException) -> Verdict:
    """The verdict on what a check raised. A reader that raises shows nothing of what is there."""
    if isinstance(error, HungError):
        return Verdict.HUNG
    return Verdict.WRONG if isinstance(error, WrongError) else Verdict.LOST


def count(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """How many of each kind were tried, and how they ended; kinds in order of first use."""
    table: dict[str, dict[str, int]] = {}
    for result in results:
        row = table.setdefault(result.kind, dict.fromkeys(("tried", *Verdict), 0))
        row["tried"] += 1
        row[result.verdict] += 1
    return table


def render(results: Sequence[Result]) -> str:
    """The table by kind for a terminal, its last line the sum, then each that did not survive."""
    table = count(results)
    table["all"] = {
        column: sum(row[column] for row in table.values()) for column in ("tried", *Verdict)
    }
    width = max(map(len, table))
    lines = [f"{'kind':<{width}} " + " ".join(f"{name:>8}" for name in ("tried", *Verdict))]
    for kind, row in table.items():
        lines.append(f"{kind:<{width}} " + " ".join(f"{number:>8,}" for number in row.values()))
    lines += [
        f"{result.verdict}: {result.kind} #{result.number}: {result.detail}"
        for result in unsurvived(results)
    ]
    return "\n".join(lines)


def unsurvived(results: Iterable[Result]) -> list[Result]:
    return [result for result in results if result.verdict is not Verdict.SURVIVED]
