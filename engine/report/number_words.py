"""How a report writes scores, changes and their intervals: one way in all its pages."""

import math

from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillResult, SkillRow
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.number_format import NOISE, write_exponent, write_number, write_points
from engine.report.blocks import GridCell, Tone

NONE = "–"


def write_value(value: float, row: SkillRow) -> str:
    """A score to two decimals; a perplexity and any other value to three digits."""
    if row.unit == "score":
        return write_number(value, 2)
    return write_digits(value)


def write_digits(value: float) -> str:
    """Three significant digits; NaN and infinity by name."""
    if not math.isfinite(value):
        return write_number(value, 0)
    if 0 < abs(value) < 0.001 or abs(value) >= 1e6:
        return write_exponent(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def write_interval(low: float, high: float, digits: int = 2, *, signed: bool = False) -> str:
    ends = (write_number(one, digits, signed=signed) for one in (low, high))
    return f"[{', '.join(ends)}]"


def write_score(row: SkillRow, result: SkillResult | None) -> str:
    """A score with its interval; of too few items for a verdict the score alone."""
    if result is None:
        return NONE
    text = write_value(result.score, row)
    if result.interval is None or len(result.scores) < LEAST_ITEMS:
        return text
    return f"{text} [{', '.join(write_value(one, row) for one in result.interval)}]"


def digits_of(low: float, high: float) -> int:
    """Decimals that an interval with these ends needs; 2 where they are not finite."""
    reach = max(abs(low), abs(high))
    return 4 if reach < 0.01 else 3 if reach < 0.1 else 2


def write_change(row: SkillRow, change: SkillChange) -> str:
    """A change with its interval and unit, and the interval's level."""
    ends = (change.difference, change.low, change.high)
    if row.unit == "score":
        value, low, high = (write_points(one) for one in ends)
        text = f"{value} points [{low}, {high}]"
    else:
        value, low, high = (write_number(one, 3, signed=True) for one in ends)
        unit = f" {row.unit}" if row.unit != "value" else ""
        text = f"{value}{unit} [{low}, {high}]"
    return f"{text}{write_level(change)}"


def write_level(change: SkillChange) -> str:
    """The level of a change's interval, where that is not 95%."""
    return "" if change.confidence == 0.95 else f" at {100 * change.confidence:.3g}%"


def write_p(value: float) -> str:
    """A p-value to three decimals; what float64 cannot tell from 0 is no 0."""
    return f"<{write_exponent(NOISE)}" if value < NOISE else write_number(value, 3)


def verdict_cell(row: SkillRow, change: SkillChange | None) -> GridCell:
    """The verdict in words, with the tone of what it says."""
    if change is None:
        return GridCell(NONE, "dim")
    if change.verdict is None:
        return GridCell("diverged, no verdict", "bad")
    return GridCell(verdict_words(change), tone_of(row, change))


def verdict_words(change: SkillChange) -> str:
    """The verdict, and how many items would do where these do not."""
    verdict = change.verdict
    if verdict is None:
        return "diverged, no verdict"
    if verdict.word == "not enough evidence" and verdict.items_needed is not None:
        return f"{verdict.word}; about {verdict.items_needed:,} items would do"
    if verdict.delta is None and change.difference == 0 == change.test.error:
        return "unchanged on every item"
    return verdict.words


def tone_of(row: SkillRow, change: SkillChange) -> Tone:
    """Good and bad where the verdict is that something changed."""
    word = change.verdict.word if change.verdict else ""
    if word in ("gained", "lost"):
        return "good" if word == "gained" else "bad"
    if word in ("higher", "lower") and row.unit == "nats per token":
        return "bad" if word == "higher" else "good"
    return "" if word in ("higher", "lower", "the same within", "changed within") else "dim"
