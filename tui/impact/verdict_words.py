"""What is said of one change of a skill: its mark, its verdict, its numbers. Pure text, clean."""

import math

from engine.impact.changes.flips import is_right
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillResult, SkillRow, SkillTable
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.number_format import write_number
from engine.text import one_line
from tui.formatting import NONE
from tui.glyphs import Glyphs
from tui.impact.arm_paths import Against
from tui.styled_text import Piece


def change_of(row: SkillRow, arm: str, against: Against) -> SkillChange | None:
    """An arm's change on a skill; against the base where it has no other parent."""
    if against == "parent" and arm in row.stage_changes:
        return row.stage_changes[arm]
    return row.changes.get(arm)


def write_share(value: float, *, signed: bool = False) -> str:
    """A score between -1 and 1, without the zero before the point: .87, 1.00, -.05."""
    return write_number(value, 2, signed=signed).replace("0.", ".", 1)


def three_digits(value: float) -> str:
    """Three significant digits, zeros at the end too: 4.60, 151; NaN and infinity by name."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Inf"
    return f"{value:#.3g}".rstrip(".")


def score_text(row: SkillRow, result: SkillResult | None) -> str:
    """An arm's score in a few cells; of too few items for a verdict how many are right."""
    if result is None:
        return NONE
    if row.unit != "score":
        return three_digits(result.score)
    if len(result.scores) < LEAST_ITEMS:
        right = sum(map(is_right, result.scores.values()))
        return f"{right}/{len(result.scores)}"
    return write_share(result.score)


def interval_text(row: SkillRow, result: SkillResult | None) -> str:
    """An arm's interval: [.83,.90]; empty where there is none, or no verdict for want of items."""
    if result is None or result.interval is None or len(result.scores) < LEAST_ITEMS:
        return ""
    written = (
        write_share(end) if row.unit == "score" else three_digits(end) for end in result.interval
    )
    return "[" + ",".join(written) + "]"


def mark(row: SkillRow, change: SkillChange | None, glyphs: Glyphs) -> Piece:
    """One cell: where a score went. Of values where less is better, up is worse."""
    word = change.verdict.word if change is not None and change.verdict is not None else ""
    rising, falling = (glyphs.rising, "good"), (glyphs.falling, "bad")
    if row.unit == "nats per token":
        rising, falling = (glyphs.rising, "bad"), (glyphs.falling, "good")
    same = "=" if row.unit == "score" else " "
    return {
        "gained": rising,
        "higher": rising,
        "lost": falling,
        "lower": falling,
        "the same within": (same, "dim"),
        "changed within": (glyphs.near, "dim"),
        "not enough evidence": ("?", "dim"),
    }.get(word, (" ", ""))


def verdict_words(change: SkillChange | None, delta: float, *, short: bool = False) -> str:
    """The verdict of one test in words."""
    if change is None:
        return "not measured"
    verdict = change.verdict
    if verdict is None:
        return "not finite"
    if short:
        points = f" {100 * delta:g}" if verdict.word.endswith("within") else ""
        brief = verdict.word.removeprefix("the ").removesuffix(" evidence")
        return f"{brief}{points}"
    if verdict.word == "not enough evidence" and verdict.items_needed is not None:
        return f"{verdict.word}: about {verdict.items_needed:,} items would do"
    return verdict.words


def verdict_role(row: SkillRow, change: SkillChange | None) -> str:
    """The role of the words: good and bad where something changed."""
    if change is None or change.verdict is None:
        return "warn"
    if change.verdict.word in ("lost", "gained", "higher", "lower"):
        less = row.unit == "nats per token"
        is_up = change.verdict.word in ("gained", "higher")
        return "good" if is_up != less else "bad"
    return "" if change.verdict.word in ("the same within", "changed within") else "dim"


def is_lost(change: SkillChange | None) -> bool:
    """Whether the verdict is a loss."""
    return change is not None and change.verdict is not None and change.verdict.word == "lost"


def is_worse(row: SkillRow, change: SkillChange) -> bool:
    """Whether something was lost, be it one item: what no verdict is needed for."""
    if change.flips is not None:
        return bool(change.lost)
    return change.difference > 0 if row.unit == "nats per token" else change.difference < 0


def loss_words(row: SkillRow, change: SkillChange) -> str:
    """What a cell lost: facts: lost 39 of 300 items under lora, gained 2."""
    name, arm = one_line(row.name), one_line(change.after)
    if change.flips is None:
        return f"{name}: {change_text(row, change)} under {arm}"
    gained = f", gained {len(change.gained):,}" if change.gained else ""
    return f"{name}: lost {len(change.lost):,} of {change.test.items:,} items under {arm}{gained}"


def row_verdict(table: SkillTable, row: SkillRow, *, short: bool = False) -> str:
    """The last arm against the base in words, and what came back or went since."""
    last = table.arms[-1]
    if len(table.arms) < 2:
        return ""
    change = row.changes.get(last)
    words = verdict_words(change, table.delta, short=short)
    word = change.verdict.word if change is not None and change.verdict is not None else ""
    is_told = word in ("lost", "items only") or (bool(row.regained) and not short)
    if row.ever_lost and is_told:
        back = "back" if short else "regained"
        words += f"{',' if short else ';'} {len(row.regained)} of {len(row.ever_lost)} {back}"
    stage = row.stage_changes.get(last)
    if not short and stage is not None and is_lost(stage):
        words += f"; {len(stage.lost):,} lost since {one_line(stage.before)}"
    return words


def change_text(row: SkillRow, change: SkillChange) -> str:
    """The difference with its interval, in points or in the measure's unit."""
    ends = (change.difference, change.low, change.high)
    if row.unit == "score":
        value, low, high = (write_share(end, signed=True) for end in ends)
    else:
        value, low, high = (write_number(end, 3, signed=True) for end in ends)
    unit = "" if row.unit == "score" else f" {row.unit}" if row.unit != "value" else ""
    return f"{value}{unit} [{low}, {high}] at {100 * change.confidence:.3g}%"
