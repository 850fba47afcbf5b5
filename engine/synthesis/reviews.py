"""What a person decided of rows made: one line a decision, of the dashboard; the newest counts.

A decision is on an outcome of one round: where the worker has asked again since, it no longer
holds. Nothing here changes a row: `engine.synthesis.accepted_rows` puts both together.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from engine import atomic
from engine.errors import EngineError
from engine.safe_open import read_lines
from engine.synthesis.outcomes import Reason

Decision = Literal["accept", "reject", "edit", "ask again", "undo"]
"""An edit is accepted in the form of its row where that passes the gates; one that does not is
accepted all the same by `accept` with that row. `undo` leaves the row undecided again."""


@dataclass(frozen=True, slots=True)
class Review:
    source: str
    """The id of a source row."""
    round: int
    """Of the outcome that was looked at."""
    decision: Decision
    row: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Of an edit, or of one that is accepted: the row as the person wrote it; else empty."""
    reasons: tuple[Reason, ...] = ()
    """Of that row: gates that it does not pass."""
    note: str = ""
    when: float = 0.0
    """Unix seconds."""


def append_review(path: Path, review: Review) -> None:
    """Add a line and flush it to disk. Raises OSError."""
    atomic.append_lines(path, json.dumps(dataclasses.asdict(review), ensure_ascii=False) + "\n")


def read_reviews(path: Path) -> dict[str, Review]:
    """By source, its newest decision; a line that was cut is left out. Raises EngineError."""
    found: dict[str, Review] = {}
    for number, line in enumerate(read_lines(path, "The reviews"), 1):
        try:
            table = json.loads(line)
        except (ValueError, RecursionError):
            continue
        try:
            review = review_from_table(table)
        except ValueError as error:
            raise EngineError(
                "This file is not a file of reviews.", f"{path}:{number}: {error}"
            ) from error
        found[review.source] = review
    return {name: one for name, one in found.items() if one.decision != "undo"}


def review_from_table(table: Mapping[str, Any]) -> Review:
    """Raises ValueError where it is none."""
    try:
        if table["decision"] not in get_args(Decision):
            raise ValueError(f"unknown decision {table['decision']!r}")
        return Review(
            source=str(table["source"]),
            round=int(table["round"]),
            decision=cast(Decision, table["decision"]),
            row=dict(table["row"]),
            reasons=tuple(Reason(**one) for one in table["reasons"]),
            note=str(table["note"]),
            when=float(table["when"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a review: {error!r}") from error
