"""What became of each source: a row, a row that a gate holds back, or nothing usable, and why.

The worker appends one line when a source is finished, never before; the raw answers stand in
`samples.jsonl`. A source without a line is still to be asked, so a killed job loses no row and
makes none twice. A source that a reviewer had asked again has a line of a later round, which counts
instead of the earlier ones.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from engine import atomic
from engine.errors import EngineError
from engine.safe_open import read_lines

State = Literal["passed", "held back", "set aside"]
"""Passed every gate; a row that a gate holds back; no row could be made."""
Fault = Literal[
    "cut", "empty", "no object", "two objects", "doubled key", "not JSON", "nested too deeply",
    "too large", "changed by its repair", "missing field", "unknown field", "wrong type",
    "not a choice", "two values", "out of range", "too short", "too long", "invalid text",
]  # fmt: skip
"""Why an answer is of no use, by which outcomes are counted."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a source gave no row, or a gate holds its row back."""

    name: str
    """Short and from a fixed list, to be counted by: a gate, or a fault of an answer."""
    detail: str = ""
    """Untrusted where it quotes an answer."""


class BadAnswer(Exception):
    """An answer of which no value can be made: it is asked for again, or its source set aside."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}" if detail else fault)
        self.fault: Fault = fault
        self.detail = detail
        """Untrusted where it quotes the answer."""

    @property
    def reason(self) -> Reason:
        return Reason(self.fault, self.detail)


@dataclass(frozen=True, slots=True)
class Repair:
    """A change without which an answer would not have been JSON."""

    field: str
    """Whose answer; empty of one object for all fields."""
    kind: str
    """From the list in `engine.synthesis.object_reader`, or what was taken off around it all."""


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """One question and what its answer came to; the answer is the sample of that id."""

    sample: str
    """The prompt id in `samples.jsonl`."""
    arm: str
    """In the grammar of `engine.compare.arms`."""
    field: str
    """What was asked for; empty: the whole object."""
    prompt_hash: str
    """SHA-256 of the conversation as it was asked."""
    seed: int
    fault: str = ""
    """Name of the reason for which it was of no use; empty: it was used."""
    grammar: str = ""
    """What held it to its form as it was written, with its version; empty: nothing here did."""


@dataclass(frozen=True, slots=True)
class Outcome:
    source: str
    """The id of a source row."""
    state: State
    row: dict[str, Any] = dataclasses.field(default_factory=dict)
    """The fields of the row wanted; empty where none could be made."""
    reasons: tuple[Reason, ...] = ()
    repairs: tuple[Repair, ...] = ()
    answers: tuple[AnswerRecord, ...] = ()
    cut: int = 0
    """Tokens or, of an endpoint, characters of the source that were not shown to the generator."""
    input_tokens: int = 0
    output_tokens: int = 0
    """Of all its answers; of an endpoint as it counts them, else as they were counted here."""
    seconds: float = 0.0
    round: int = 0
    """How often a reviewer had it asked again."""
    unjudged: tuple[Reason, ...] = ()
    """By gate, why it could not judge the row, which it let pass."""


def append_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Add lines and flush them to disk; what a killed writer left is closed off. Raises OSError."""
    lines = (json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n" for one in outcomes)
    atomic.append_lines(path, "".join(lines))


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """By source, its latest outcome, in the order of their first lines; a line that was cut is left
    out. Raises EngineError with file and line."""
    found: dict[str, Outcome] = {}
    for number, line in enumerate(read_lines(path, "The rows made"), 1):
        try:
            table = json.loads(line)
        except (ValueError, RecursionError):
            continue  # empty, or cut by the death of its writer
        try:
            outcome = outcome_from_table(table)
        except ValueError as error:
            raise EngineError(
                "This file is not a file of rows made.", f"{path}:{number}: {error}"
            ) from error
        if counts_instead(outcome, found.get(outcome.source)):
            found[outcome.source] = outcome
    return found


def counts_instead(outcome: Outcome, before: Outcome | None) -> bool:
    """Whether a later line takes the place of that `before` it; None: there is none."""
    return before is None or outcome.round >= before.round


def outcome_from_table(table: Mapping[str, Any]) -> Outcome:
    """Raises ValueError where it is none."""
    try:
        if table["state"] not in get_args(State):
            raise ValueError(f"unknown state {table['state']!r}")
        return Outcome(
            source=str(table["source"]),
            state=cast(State, table["state"]),
            row=dict(table["row"]),
            reasons=tuple(Reason(**one) for one in table["reasons"]),
            repairs=tuple(Repair(**one) for one in table["repairs"]),
            answers=tuple(AnswerRecord(**one) for one in table["answers"]),
            cut=int(table["cut"]),
            input_tokens=int(table["input_tokens"]),
            output_tokens=int(table["output_tokens"]),
            seconds=float(table["seconds"]),
            round=int(table["round"]),
            unjudged=tuple(Reason(**one) for one in table.get("unjudged", ())),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not an outcome: {error!r}") from error
