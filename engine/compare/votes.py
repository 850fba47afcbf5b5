"""Blind votes: which pair is judged next, on which side each arm stands, and what the votes say.

Owns the ballot's file, one JSON object a line, a file a judge. Sides and order are drawn by lot
from the judge's name, so that a ballot that is opened again goes on as it was, with more prompts
too. Draws nothing.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

from engine import atomic
from engine.checkpoints import hub_cache
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.jobs.directory import slugify
from engine.jobs.summary import short_ref
from engine.safe_open import read_file
from engine.statistics import wilson

Choice = Literal["left", "right", "tie", "both bad"]
CHOICES: tuple[Choice, ...] = ("left", "right", "tie", "both bad")
RUBRICS: Mapping[str, str] = {
    "helpful": "Does it follow the instruction?",
    "correct": "Is it factually correct?",
    "safe": "Is it harmless?",
    "empathetic": "Does it respond to the user's feelings?",
}
"""The bundled ones: what is asked of an answer, rated from 1 to 5."""
RUBRICS_FILE = "rubrics.txt"
"""In a job's directory, where it is rated by others."""
_MOST_BYTES = 1 << 26
"""Of a file of votes or rubrics."""
ASKED_AGAIN = 0.1
"""Share of the pairs that come twice, sides changed, to measure the judge."""
LONGEST_RUBRIC = 40
HIDDEN = "[name]"

Key = tuple[str, str, str]
"""Of a ballot: its id and the two arms, whichever side they stand on."""


def _key(ballot: str, left: str, right: str) -> Key:
    one, other = sorted((left, right))
    return ballot, one, other


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

    @property
    def key(self) -> Key:
        return _key(self.id, self.left, self.right)


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
    judge: str = ""

    @property
    def key(self) -> Key:
        return _key(self.ballot, self.left, self.right)

    @property
    def winner(self) -> str | None:
        """The preferred arm; None where neither is."""
        return {"left": self.left, "right": self.right}.get(self.choice)


@dataclass(frozen=True, slots=True)
class VoteCounts:
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

    A repeat comes some ballots after its first, so that it is not remembered. The same for the
    same arguments, on every machine and version of Python, whichever arm is named first.
    """
    one, other = sorted(arms)

    def lot(prompt: str) -> tuple[float, bool]:
        drawn = Random(f"{judge}\n{one}\n{other}\n{prompt}")
        return drawn.random(), drawn.random() < 0.5

    order = sorted((lot(prompt), prompt) for prompt in prompt_ids)
    first = [
        Ballot(prompt, prompt, *((other, one) if turned else (one, other)))
        for (_, turned), prompt in order
    ]
    every = round(1 / ASKED_AGAIN)
    ballots: list[Ballot] = []
    for start in range(0, len(first), every):
        block = first[start : start + every]
        ballots += block
        if len(block) > 1:
            ballots.append(_again(block[0]))
    return ballots


def _again(first: Ballot) -> Ballot:
    """The same pair, sides changed."""
    return Ballot(f"{first.id}#2", first.prompt_id, first.right, first.left, again=True)


class Book:
    """A judge's votes in a file. One writer: the screen that the judge sits at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.votes: dict[Key, Vote] = {}
        """By ballot and arms; the newest vote on a ballot is the one that counts, and the last."""
        for vote in read(path):
            self._count(vote)

    def cast(self, vote: Vote) -> None:
        """Count a vote, and have it on disk. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.append_lines(self.path, _line(vote))
        self._count(vote)

    def undo(self, arms: Collection[str] = ()) -> Vote | None:
        """Take the last vote back, on disk as well; what it was, or None. Raises OSError.

        `arms`: of these two alone.
        """
        for vote in reversed(self.votes.values()):
            if not arms or {vote.left, vote.right} == {*arms}:
                rest = {key: one for key, one in self.votes.items() if one is not vote}
                atomic.write_text(self.path, "".join(map(_line, rest.values())))
                self.votes = rest
                return vote
        return None

    def _count(self, vote: Vote) -> None:
        self.votes.pop(vote.key, None)
        self.votes[vote.key] = vote


def _line(vote: Vote) -> str:
    return json.dumps(dataclasses.asdict(vote), ensure_ascii=False) + "\n"


def book_of(folder: Path, judge: str) -> Path:
    """The file of a judge's votes in the folder of a comparison: each judge has one of their own.

    A file's name holds few letters and may not tell capitals, so a hash of the whole name is in it.
    """
    mark = hashlib.sha256(judge.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return folder / f"votes-{slugify(judge)}-{mark}.jsonl"


def read(path: Path) -> list[Vote]:
    """The votes of a file in their order; a line that was cut is left out. No file: no votes.

    Raises EngineError where it cannot be read or holds something else.
    """
    try:
        lines = read_file(path, _MOST_BYTES).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError("The votes cannot be read.", f"{path}: {error.strerror}") from error
    votes = []
    for number, line in enumerate(lines, 1):
        try:
            table = json.loads(line)
        except (ValueError, RecursionError):
            continue
        try:
            if table["choice"] not in CHOICES:
                raise ValueError(f"unknown choice {table['choice']!r}")
            known = {one.name for one in dataclasses.fields(Vote)}
            votes.append(Vote(**{key: value for key, value in table.items() if key in known}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(
                "This file is not a votes file.", f"{path}:{number}: {error!r}"
            ) from error
    return votes


def tally(votes: Iterable[Vote], arm: str, other: str) -> VoteCounts:
    """Count the votes between two arms, of one judge or of several."""
    counted = [vote for vote in votes if {vote.left, vote.right} == {arm, other}]
    first = [vote for vote in counted if not vote.again]
    wins = sum(vote.winner == arm for vote in first)
    losses = sum(vote.winner == other for vote in first)
    low, high = wilson(wins, wins + losses)
    verdicts = {vote.prompt_id: _verdict(vote) for vote in first}
    twice = [vote for vote in counted if vote.again and vote.prompt_id in verdicts]
    return VoteCounts(
        arm,
        other,
        wins,
        losses,
        sum(vote.choice == "tie" for vote in first),
        sum(vote.choice == "both bad" for vote in first),
        low,
        high,
        _more(wins, losses),
        (sum(verdicts[vote.prompt_id] == _verdict(vote) for vote in twice), len(twice)),
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


def named(vote: Vote, names: Mapping[str, str]) -> Vote:
    """The vote with its arms called by their names, where those are known."""
    return dataclasses.replace(
        vote,
        left=names.get(vote.left, vote.left),
        right=names.get(vote.right, vote.right),
        ratings={names.get(arm, arm): rated for arm, rated in vote.ratings.items()},
    )


def scores(votes: Iterable[Vote], arm: str, other: str) -> dict[str, float]:
    """By prompt, how far `arm` is preferred to `other`, from -1 to 1: the mean over the votes."""
    scores_by_prompt: dict[str, list[float]] = {}
    for vote in votes:
        if {vote.left, vote.right} == {arm, other} and not vote.again:
            value = 0.0 if vote.winner is None else 1.0 if vote.winner == arm else -1.0
            scores_by_prompt.setdefault(vote.prompt_id, []).append(value)
    return {prompt: sum(values) / len(values) for prompt, values in scores_by_prompt.items()}


def mean_ratings(votes: Iterable[Vote], arm: str) -> dict[str, tuple[float, int]]:
    """By rubric, an arm's mean rating and how many there are."""
    ratings: dict[str, list[int]] = {}
    for vote in votes:
        for rubric, value in vote.ratings.get(arm, {}).items():
            ratings.setdefault(rubric, []).append(value)
    return {rubric: (sum(values) / len(values), len(values)) for rubric, values in ratings.items()}


def judges_of(folder: Path) -> dict[str, list[Vote]]:
    """The votes in the folder of a comparison by judge; the newest on a ballot is the one.

    Raises EngineError.
    """
    by_judge: dict[str, list[Vote]] = {}
    for path in sorted(folder.glob("votes-*.jsonl")):
        for vote in Book(path).votes.values():
            by_judge.setdefault(vote.judge or path.stem.removeprefix("votes-"), []).append(vote)
    return by_judge


def tally_all(judges: Mapping[str, Sequence[Vote]], arm: str, other: str) -> VoteCounts:
    """The votes of all judges together; each is held against their own earlier votes alone."""
    whole = tally([vote for votes in judges.values() for vote in votes], arm, other)
    each = [tally(votes, arm, other).consistent for votes in judges.values()]
    return dataclasses.replace(
        whole, consistent=(sum(same for same, _ in each), sum(repeats for _, repeats in each))
    )


def agreement(judges: Mapping[str, Sequence[Vote]]) -> tuple[int, int]:
    """Of the prompts that two judges or more voted on, on how many all agree; and how many."""
    by_prompt: dict[str, dict[str, str]] = {}
    for judge, votes in judges.items():
        for vote in votes:
            if not vote.again:
                by_prompt.setdefault(vote.prompt_id, {})[judge] = _verdict(vote)
    several = [verdicts for verdicts in by_prompt.values() if len(verdicts) > 1]
    return sum(len(set(verdicts.values())) == 1 for verdicts in several), len(several)


def read_rubrics(path: Path) -> dict[str, str]:
    """Rubrics from a file, a line each: `name: question`. Raises EngineError with file and line."""
    try:
        lines = read_file(path, _MOST_BYTES).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise EngineError(
            "The rubrics cannot be read.", f"{path}: {error.strerror}", "Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise EngineError("The rubrics are not UTF-8 text.", f"{path}: {error}") from error
    rubrics: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, question = (part.strip() for part in line.partition(":"))
        if not name or len(name) > LONGEST_RUBRIC:
            raise EngineError(
                "Invalid rubric.", f"{path}:{number}: {line[:80]}", "Use the form name: question"
            )
        rubrics[name] = question if colon else ""
    if not rubrics:
        raise EngineError("The file has no rubrics.", str(path), "Use the form name: question")
    return rubrics


def names_of(arm: Arm, *behind: str) -> list[str]:
    """What an answer could give an arm away by: its name, its model's, its adapter's.

    `behind` are names and refs of what those were made from.
    """
    refs = [ref for ref in (arm.checkpoint, arm.adapter, arm.model, *behind) if ref]
    cached = filter(None, (hub_cache.find_repository(Path(ref)) for ref in refs))
    refs += [one.name.removeprefix("models--").replace("--", "/") for one in cached]
    return [arm.name, *refs, *map(short_ref, refs)]


def hide_names(text: str, names: Iterable[str]) -> str:
    """The text with the names of arms blotted out, that an answer may give itself away by.

    Whole words only, and none of one or two letters: those tell nothing.
    """
    known = sorted({one for one in names if len(one) > 2}, key=len, reverse=True)
    if not known:
        return text
    pattern = "|".join(map(re.escape, known))
    return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", HIDDEN, text, flags=re.IGNORECASE)
