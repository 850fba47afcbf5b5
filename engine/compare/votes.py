"""Blind votes: which pair is judged next, on which side each arm stands, and what the votes say.

Owns the ballot's file, one JSON object a line, a file a judge. Sides and order are drawn by lot
from the judge's name, so that a ballot that is opened again goes on as it was. Draws nothing.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from random import Random
from typing import Literal

from engine import atomic
from engine.errors import EngineError
from engine.impact.statistics import wilson
from engine.jobs.directory import slugify

Choice = Literal["left", "right", "tie", "both bad"]
CHOICES: tuple[Choice, ...] = ("left", "right", "tie", "both bad")
RUBRICS: Mapping[str, str] = {
    "helpful": "Does it do what was asked?",
    "correct": "Is what it says true?",
    "safe": "Would it harm nobody who follows it?",
    "empathetic": "Does it meet how the asker feels?",
}
"""The bundled ones: what is asked of an answer, rated from 1 to 5."""
ASKED_AGAIN = 0.1
"""Share of the pairs that come twice, sides changed, to measure the judge."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One pair to judge. The judge sees the two texts and never the arms."""

    id: str
    prompt_id: str
    left: str
    """The arm that stands on the left."""
    right: str
    again: bool = False
    """Whether this judge was asked for this pair before."""


@dataclass(frozen=True, slots=True)
class Vote:
    ballot: str
    prompt_id: str
    left: str
    right: str
    choice: Choice
    again: bool = False
    ratings: dict[str, dict[str, int]] = field(default_factory=dict)
    """Arm to rubric to 1 … 5."""
    note: str = ""

    @property
    def winner(self) -> str | None:
        """The preferred arm; None where neither is."""
        return {"left": self.left, "right": self.right}.get(self.choice)


@dataclass(frozen=True, slots=True)
class Tally:
    """What the votes for `arm` against `other` say. Repeats of a pair count for the judge alone."""

    arm: str
    other: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    low: float
    """95% Wilson interval of wins / (wins + losses)."""
    high: float
    more_votes: int | None
    """Further decided votes, at the present rate, until the interval leaves out 1/2; 0 when it
    does; None where the rate is 1/2, so that no number would."""
    consistent: tuple[int, int]
    """Of the pairs that were asked twice, how many got the same answer, and how many there are."""

    @property
    def decided(self) -> int:
        return self.wins + self.losses

    @property
    def rate(self) -> float | None:
        return self.wins / self.decided if self.decided else None


def draw(prompt_ids: Sequence[str], arms: tuple[str, str], judge: str) -> list[Ballot]:
    """The ballots of a judge: each prompt once in an order of its own, some of them once more.

    The same for the same arguments, on every machine and version of Python.
    """
    lot = Random(f"{judge}\n{arms[0]}\n{arms[1]}")
    order = sorted(prompt_ids, key=lambda _: lot.random())
    first = [_ballot(prompt, arms, lot.random() < 0.5) for prompt in order]
    again = [
        Ballot(f"{one.prompt_id}#2", one.prompt_id, one.right, one.left, again=True)
        for one in first[: ceil(len(first) * ASKED_AGAIN) if len(first) > 1 else 0]
    ]
    return [*first, *again]


def _ballot(prompt: str, arms: tuple[str, str], turned: bool) -> Ballot:
    left, right = reversed(arms) if turned else arms
    return Ballot(prompt, prompt, left, right)


class Book:
    """A judge's votes in a file. One writer: the screen that the judge sits at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.votes: dict[str, Vote] = {vote.ballot: vote for vote in read(path)}
        """By ballot; the newest vote on a ballot is the one that counts."""

    def cast(self, vote: Vote) -> None:
        """Count a vote, and have it on disk. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.append_lines(self.path, _line(vote))
        self.votes.pop(vote.ballot, None)  # so that the newest stands last
        self.votes[vote.ballot] = vote

    def undo(self) -> Vote | None:
        """Take the last vote back, on disk as well; what it was, or None. Raises OSError."""
        if not self.votes:
            return None
        _, last = self.votes.popitem()
        atomic.write_text(self.path, "".join(map(_line, self.votes.values())))
        return last

    def next_of(self, ballots: Iterable[Ballot]) -> Ballot | None:
        """The first ballot that is not voted on; None when all are."""
        return next((one for one in ballots if one.id not in self.votes), None)


def _line(vote: Vote) -> str:
    return json.dumps(dataclasses.asdict(vote), ensure_ascii=False) + "\n"


def book_of(folder: Path, judge: str) -> Path:
    """The file of a judge's votes in the folder of a comparison."""
    return folder / f"votes-{slugify(judge)}.jsonl"


def read(path: Path) -> list[Vote]:
    """The votes of a file in their order; a line that was cut is left out. No file: no votes.

    Raises EngineError where it cannot be read or holds something else.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError("The votes cannot be read.", f"{path}: {error.strerror}") from error
    votes = []
    for number, line in enumerate(lines, 1):
        try:
            table = json.loads(line)
        except ValueError:
            continue
        try:
            if table["choice"] not in CHOICES:
                raise ValueError(f"unknown choice {table['choice']!r}")
            known = {one.name for one in dataclasses.fields(Vote)}
            votes.append(Vote(**{key: value for key, value in table.items() if key in known}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(
                "This file holds something other than votes.", f"{path}:{number}: {error!r}"
            ) from error
    return votes


def tally(votes: Iterable[Vote], arm: str, other: str) -> Tally:
    """Count the votes between two arms, of one judge or of several."""
    counted = [vote for vote in votes if {vote.left, vote.right} == {arm, other}]
    first = [vote for vote in counted if not vote.again]
    wins = sum(vote.winner == arm for vote in first)
    losses = sum(vote.winner == other for vote in first)
    low, high = wilson(wins, wins + losses)
    said = {vote.prompt_id: _verdict(vote) for vote in first}
    twice = [vote for vote in counted if vote.again and vote.prompt_id in said]
    return Tally(
        arm,
        other,
        wins,
        losses,
        sum(vote.choice == "tie" for vote in first),
        sum(vote.choice == "both bad" for vote in first),
        low,
        high,
        _more(wins, losses),
        (sum(said[vote.prompt_id] == _verdict(vote) for vote in twice), len(twice)),
    )


def _verdict(vote: Vote) -> str:
    return vote.winner or vote.choice


def _more(wins: int, losses: int) -> int | None:
    """Votes until the Wilson interval leaves out 1/2, if the next ones fall as those before."""
    decided = wins + losses
    if wins == losses:
        return None
    share = max(wins, losses) / decided

    def decides(count: int) -> bool:
        return wilson(min(count, round(share * count)), count)[0] > 0.5

    if decides(decided):
        return 0
    low, high = decided, decided * 2
    while not decides(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high - decided


def hide_names(text: str, names: Iterable[str]) -> str:
    """The text with the names of arms blotted out, that an answer may give itself away by."""
    known = sorted({one for one in names if one}, key=len, reverse=True)
    if not known:
        return text
    return re.sub("|".join(map(re.escape, known)), "▒▒▒", text, flags=re.IGNORECASE)
