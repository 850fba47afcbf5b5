"""What the lines under the matrix say: of the cell under the cursor, and of all skills together.

Pure text, clean. The test behind a verdict is always named, and so is the family it belongs to.
"""

from collections.abc import Sequence

from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillResult, SkillRow, SkillTable
from engine.impact.changes.stage_summary import StageSummary
from engine.impact.results.evaluation_results import ArmSuite
from engine.number_format import write_number
from engine.text import one_line
from tui.glyphs import Glyphs
from tui.impact.arm_paths import Against
from tui.impact.verdict_words import (
    change_of,
    change_text,
    interval_text,
    score_text,
    verdict_role,
    verdict_words,
    write_share,
)
from tui.styled_text import Line, Piece, fit, length
from tui.widgets.pager import wrap

_SHORT = {
    "backward transfer": "BWT",
    "average": "average",
    "peak forgetting": "peak forgetting",
    "relative forgetting": "relative forgetting",
}
SCOPE = "this checkpoint, one seed"
FAMILY = "last against base corrected by Holm, all else exploratory, unadjusted"


def cell_lines(
    table: SkillTable, row: SkillRow, arm: str, against: Against, separator: str, width: int
) -> list[Line]:
    """Score, change and test of a cell, then how it was asked and what to know of it."""
    head: Line = [(one_line(row.name), "strong"), (f", {one_line(arm)}: ", "")]
    first, *facts = list_facts(table, row, arm, against)
    return pack([[*head, *first], *facts, *_notes(row, arm, table.arms)], separator, width)


def list_facts(
    table: SkillTable, row: SkillRow, arm: str, against: Against, *, is_short: bool = False
) -> list[Line]:
    """Score, change and test of a cell, then how it was asked; `is_short`: where the measure, the
    family and how it was asked are said already."""
    result, change = row.results.get(arm), change_of(row, arm, against)
    if result is None:
        return [[("not measured", "warn")]]
    facts: list[Line] = [_score(row, result, is_named=not is_short)]
    if change is not None:
        facts += _change(table, row, change, is_short=is_short)
    if is_short:
        return facts
    facts += _about_items(row, result, change)
    return [*facts, *([(fact, "dim")] for fact in _asked(table, row, arm))]


def summary_lines(
    summary: StageSummary, table: SkillTable, separator: str, width: int
) -> list[Line]:
    """`list_summary` on as many lines as it takes."""
    return pack(list_summary(summary, table), separator, width)


def list_summary(summary: StageSummary, table: SkillTable) -> list[Line]:
    """The change of the skills that were not trained first, then what stands beside it."""
    facts = [_measure("skills not trained", summary.general, signed=True, role="strong")]
    for measure in summary.others:
        if measure.value is not None or measure.reason:
            name = _SHORT.get(measure.name, measure.name)
            facts.append(_measure(name, measure, signed=measure.name == "backward transfer"))
    facts.append([(SCOPE, "dim")])
    if summary.seen is not None or not any(map(_is_of_training, table.notes)):
        facts.append([_seen(summary.seen)])
    facts.append([(FAMILY, "dim")])
    facts += [
        [(one_line(note), "dim" if _is_of_training(note) else "warn")] for note in table.notes
    ]
    return facts


def clip(lines: Sequence[Line], most: int, width: int, glyphs: Glyphs) -> list[Line]:
    """The first lines, the last of which says how many do not fit and which key shows them all."""
    if len(lines) <= most:
        return list(lines)
    *kept, last = lines[:most]
    more = f" {glyphs.ellipsis} {len(lines) - most:,} more: i"
    room = width - length([(more, "")])
    while len(last) > 1 and length(last) > room:
        last = last[:-1]
    if length(last) > room:
        text, role = last[0]
        last = [(fit(text, room, "").rsplit(" ", 1)[0], role)]
    elif last[-1][0] == f" {glyphs.separator} ":
        last = last[:-1]
    return [*kept, [*last, (more, "key")]]


def pack(facts: Sequence[Line], separator: str, width: int) -> list[Line]:
    """Facts side by side in as many lines as they take; a fact is broken only where it has to."""
    lines: list[list[Piece]] = []
    used = 0
    between: Piece = (f" {separator} ", "dim")
    for fact in facts:
        size = length(fact)
        if lines and used + len(between[0]) + size <= width:
            lines[-1] += [between, *fact]
            used += len(between[0]) + size
        else:
            lines += [[(" ", ""), *part] for part in wrap(fact, max(1, width - 1))]
            used = length(lines[-1])
    return [*lines]


def _score(row: SkillRow, result: SkillResult, *, is_named: bool) -> list[Piece]:
    name = "perplexity " if row.is_perplexity else "" if row.unit == "score" else f"{row.measure} "
    name = name if is_named else ""
    pieces: list[Piece] = [(f"{one_line(name)}{score_text(row, result)}", "strong")]
    if interval := interval_text(row, result):
        pieces.append((f" {interval} {one_line(result.estimate.method)}", "dim"))
    pieces.append((f", n = {len(result.scores):,}", ""))
    if result.bits_per_byte is not None:
        pieces.append((f", {write_number(result.bits_per_byte, 3)} bits per byte", ""))
    return pieces


def _change(table: SkillTable, row: SkillRow, change: SkillChange, *, is_short: bool) -> list[Line]:
    """The change with its interval, its verdict, and the test behind it; of too few items that
    alone."""
    words: Line = [(verdict_words(change, table.delta), verdict_role(row, change))]
    against = f"against {one_line(change.before)}"
    if change.verdict is not None and change.verdict.word == "items only":
        return [[(f"{against}: ", "dim"), *words]]
    return [
        [(f"{against} ", "dim"), (change_text(row, change), "")],
        words,
        [(one_line(change.test.name) if is_short else _test(change), "dim")],
    ]


def _test(change: SkillChange) -> str:
    verdict = change.verdict
    corrected = " family, corrected by Holm" if verdict is not None and verdict.is_primary else ""
    return f"{change.test.name}, {change.family}{corrected}"


def _about_items(row: SkillRow, result: SkillResult, change: SkillChange | None) -> list[Line]:
    facts: list[Line] = []
    if change is not None and change.flips is not None:
        facts.append([(f"lost {len(change.lost):,}, gained {len(change.gained):,}", "")])
    if result.seen is None:
        facts.append([("seen in training: unknown", "dim")])
    if row.is_weighted:
        facts.append([("weighted mean", "dim")])
    return facts


def _asked(table: SkillTable, row: SkillRow, arm: str) -> list[str]:
    """How the suite was asked, in words."""
    measured = table.results.arms[arm].suites.get(row.name)
    facts = asked_words(measured) if measured is not None else []
    if row.name in table.results.arms[arm].trained:
        facts.insert(0, "trained on by this stage")
    return [*facts, row.measure]


def asked_words(measured: ArmSuite) -> list[str]:
    """Zero-shot, own template, greedy: as far as it is known."""
    asked, facts = measured.asked, []
    fewshot, template = asked.get("fewshot"), asked.get("template")
    if isinstance(fewshot, int):
        facts.append(f"{fewshot}-shot" if fewshot else "zero-shot")
    if isinstance(template, str) and template:
        facts.append(f"{one_line(template)} template" if template != "raw" else "raw prompt")
    return facts


def _measure(name: str, measure: StageMeasure, *, signed: bool, role: str = "") -> Line:
    if measure.value is None:
        return [(f"{name} ", "dim"), (f"none: {measure.reason}", "dim")]
    text = write_share(measure.value, signed=signed)
    pieces: list[Piece] = [(f"{name} ", "dim"), (text, role)]
    if measure.low is not None and measure.high is not None:
        low, high = (write_share(end, signed=signed) for end in (measure.low, measure.high))
        pieces.append((f" [{low}, {high}]", "dim"))
    elif measure.reason:
        pieces.append((f" ({measure.reason})", "dim"))
    return pieces


def _is_of_training(note: str) -> bool:
    """Whether a note says of which arms it is not known what they saw in training."""
    return note.endswith("in training is unknown.")


def _seen(seen: int | None) -> Piece:
    if seen is None:
        return ("items seen in training: unknown", "dim")
    return (f"{seen:,} item{'s' * (seen != 1)} seen in training", "warn" if seen else "dim")


def _notes(row: SkillRow, arm: str, arms: Sequence[str]) -> list[Line]:
    """The notes of a skill but for those of other arms alone; what is said of this arm first."""
    others = tuple(f"{other}: " for other in arms if other != arm)
    notes = [note for note in row.notes if not note.startswith(others)]
    notes.sort(key=lambda note: not note.startswith(f"{arm}: "))
    return [[(one_line(note.removeprefix(f"{arm}: ")), "warn")] for note in notes]
