"""The skill table as lines of a terminal, 80 columns wide: scores a skill, and the verdict under
them. Owns the words and the widths; what they say is computed in `engine.impact`."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.impact.changes import skill_notes
from engine.impact.changes.skill_notes import SCOPE
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import GOLD_NLL, NLL
from engine.impact.scores.measure_kinds import RIGHT_OR_WRONG
from engine.number_format import write_exponent, write_number
from engine.text import one_line
from tui.commands.wrapped_lines import WIDTH, wrap
from tui.glyphs import Glyphs
from tui.styled_text import fit, pad, width_of

if TYPE_CHECKING:
    from engine.impact.changes.forgetting import StageMeasure
    from engine.impact.changes.skill_changes import SkillChange
    from engine.impact.changes.skill_rows import SkillResult, SkillRow, SkillTable
    from engine.impact.changes.stage_summary import StageSummary

_NAME, _COUNT = 17, 6
_WIDE, _NARROW = 19, 8
"""Of a score with its interval, and of one alone, with the space before it."""
_MOST_NAMED = 8
"""Items that are named one by one."""


def list_lines(
    table: "SkillTable", summary: "StageSummary", glyphs: Glyphs, *, is_whole: bool = False
) -> Iterator[str]:
    """All of it: the skills, the summary, what must be known. With `is_whole` every other measure
    and every change as well."""
    lines = _SkillLines(table, glyphs, is_whole)
    yield from lines.head("skill")
    for row in table.skills:
        yield from lines.row(row, _name_skill(row))
    if is_whole and table.secondary:
        yield ""
        yield from lines.head("other measures")
        for at, row in enumerate(table.secondary):
            if not at or table.secondary[at - 1].name != row.name:
                yield one_line(row.name)
            yield from lines.row(row, f" {one_line(row.measure)}")
    yield ""
    yield from _list_measures(summary, glyphs.arrow)
    yield from wrap(_say_method(table, glyphs, is_whole=is_whole))
    if summary.seen is not None:
        verb = "item was" if summary.seen == 1 else "items were"
        yield from wrap(f"{summary.seen:,} {verb} seen by {one_line(table.arms[-1])} in training.")
    if not is_whole and (table.secondary or len(table.arms) > 2):
        yield from wrap("Every measure and change: finetop impact JOB --all.")
    yield from _list_notes(table, summary, is_whole=is_whole)


@dataclass(frozen=True, slots=True)
class _SkillLines:
    """The lines of skills under the same arms."""

    table: "SkillTable"
    glyphs: Glyphs
    is_whole: bool

    @property
    def _is_wide(self) -> bool:
        """Whether scores stand with their intervals."""
        return self.is_whole or _NAME + _COUNT + _WIDE * len(self.table.arms) <= WIDTH

    @property
    def _cell(self) -> int:
        """As wide as the names need where all arms fit on a line."""
        if self._is_wide:
            return _WIDE
        names = max(width_of(one_line(arm)) for arm in self.table.arms)
        each = (WIDTH - _NAME - _COUNT) // len(self.table.arms)
        return max(_NARROW, min(names + 2, each))

    def head(self, name: str) -> Iterator[str]:
        arms = [one_line(arm) for arm in self.table.arms]
        cut = [self._clip(arm, self._cell - 1) for arm in arms]
        if len(set(cut)) < len(cut):  # stages of one run differ at the end of their names
            cut = [self._clip(arm[::-1], self._cell - 1)[::-1] for arm in arms]
        return self._cells(name, "n", cut)

    def row(self, row: "SkillRow", name: str) -> Iterator[str]:
        """The scores, and the changes that are told."""
        if not row.results:
            yield pad(self._clip(name, _NAME - 1), _NAME) + f"{'-':>{_COUNT}} not measured"
            return
        cells = [self._score(row, arm) for arm in self.table.arms]
        yield from self._cells(name, f"{row.items:,}", cells)
        last = self.table.arms[-1]
        for arm, change in row.changes.items():
            if self.is_whole or arm == last:
                yield from self._say_change(row, change)
        if self.is_whole:
            for change in row.stage_changes.values():
                yield from self._say_change(row, change)

    def _cells(self, name: str, count: str, cells: Sequence[str]) -> Iterator[str]:
        """As many lines as the arms need."""
        each = (WIDTH - _NAME - _COUNT) // self._cell
        for at in range(0, len(cells), each):
            head = pad(self._clip(name, _NAME - 1), _NAME) + f"{count:>{_COUNT}}"
            if at:
                head = " " * (_NAME + _COUNT)
            yield (head + "".join(map(self._fill, cells[at : at + each]))).rstrip()

    def _fill(self, cell: str) -> str:
        return pad(f" {self._clip(cell, self._cell - 1)}", self._cell)

    def _clip(self, text: str, most: int) -> str:
        return fit(text, most, self.glyphs.ellipsis)

    def _score(self, row: "SkillRow", arm: str) -> str:
        result = row.results.get(arm)
        if result is None:
            return "-"
        mark = self._mark(row, arm)
        score = write_score(row, result)
        if not self._is_wide or result.interval is None or row.items < LEAST_ITEMS:
            return f"{score}{mark}"
        low, high = (_short(one, row) for one in result.interval)
        whole = f"{score} [{low},{high}]{mark}"
        return whole if width_of(whole) <= self._cell - 1 else f"{score}{mark}"

    def _mark(self, row: "SkillRow", arm: str) -> str:
        """In which direction the score went from the stage before, where a test says so."""
        change = row.stage_changes.get(arm) or row.changes.get(arm)
        if change is None or change.verdict is None:
            return ""
        word = change.verdict.word
        if word in ("lost", "gained", "higher", "lower"):
            return f" {self.glyphs.rising if change.difference > 0 else self.glyphs.falling}"
        return " =" if word in ("the same within", "changed within") else ""

    def _say_change(self, row: "SkillRow", change: "SkillChange") -> Iterator[str]:
        table = self.table
        is_few = row.items < LEAST_ITEMS
        parts = [change_words(change)]
        is_primary = (change.before, change.after) == (table.arms[0], table.arms[-1])
        if self.is_whole and len(table.arms) > 2:
            parts[0] = f"{one_line(change.after)} against {one_line(change.before)}: {parts[0]}"
        if change.verdict is None:
            return _join_parts(parts)
        if not is_few:
            parts.append(write_difference(row, change))
        if change.flips is not None:
            parts.append(_say_flips(row, change))
        if is_primary and row.ever_lost:
            parts.append(f"{len(row.regained):,} of {len(row.ever_lost):,} regained")
        if is_few:
            return _join_parts(parts)
        parts.append(change.test.name)
        if not (change.verdict and change.verdict.is_primary) and row.is_primary and is_primary:
            parts.append(change.family)
        return _join_parts(parts)


def _name_skill(row: "SkillRow") -> str:
    """The skill, with its measure where that is no score between 0 and 1."""
    is_named = row.unit != "score" and not row.is_perplexity
    return one_line(f"{row.name} {row.measure}" if is_named else row.name)


def write_score(row: "SkillRow", result: "SkillResult") -> str:
    """One score: `3/3` of a few items that are right or wrong, else a mean or a perplexity."""
    if row.items < LEAST_ITEMS and row.measure in RIGHT_OR_WRONG:
        right = sum(result.scores.values())
        return f"{right:g}/{len(result.scores)}"
    if row.unit != "score":
        return _short(result.score, row)
    return write_number(result.score, 2)


def change_words(change: "SkillChange") -> str:
    """The verdict, and how many items would do where these do not."""
    verdict = change.verdict
    if verdict is None:
        return "diverged, no verdict"
    if verdict.delta is None and change.difference == 0 == change.test.error:
        return "unchanged on every item"
    if verdict.word == "not enough evidence" and verdict.items_needed is not None:
        return f"not enough evidence, about {verdict.items_needed:,} items would do"
    return verdict.words


def write_difference(row: "SkillRow", change: "SkillChange") -> str:
    """The change with its interval, its level where that is not 95%, and its unit."""
    difference, low, high = (
        _drop_zero(write_number(one, 3, signed=True))
        for one in (change.difference, change.low, change.high)
    )
    level = "" if change.confidence == 0.95 else f" at {100 * change.confidence:.3g}%"
    unit = " nats/token" if row.unit == "nats per token" else ""
    return f"{difference}{unit} [{low},{high}]{level}"


def _say_flips(row: "SkillRow", change: "SkillChange") -> str:
    """How many items were lost and gained; of a few items which."""
    if row.items >= LEAST_ITEMS:
        return f"{len(change.lost):,} lost, {len(change.gained):,} gained"
    named = [
        f"{word} {', '.join(map(one_line, items[:_MOST_NAMED]))}"
        for word, items in (("lost", change.lost), ("gained", change.gained))
        if items
    ]
    return "; ".join(named) or "no item flipped"


def _short(value: float, row: "SkillRow") -> str:
    """Two decimals without the zero before them; of a perplexity three digits."""
    if row.unit != "score":
        if abs(value) < 10:
            return write_number(value, 2)
        if not math.isfinite(value):
            return write_number(value, 0)
        return f"{value:#.3g}".rstrip(".") if abs(value) < 1000 else write_exponent(value)
    return _drop_zero(write_number(value, 2))


def _drop_zero(text: str) -> str:
    return text.replace("0.", ".", 1) if text.lstrip("+-><").startswith("0.") else text


def _join_parts(parts: Iterable[str]) -> Iterator[str]:
    """The parts on as few lines as they need; only one that is longer than a line is broken."""
    line = "  "
    for at, part in enumerate(parts):
        glued = part if not at else f"; {part}"
        if width_of(line) + width_of(glued) >= WIDTH and line.strip():
            yield from wrap(line + ";", "    ")
            line, glued = "    ", part
        line += glued
    yield from wrap(line, "    ")


def _list_measures(summary: "StageSummary", arrow: str) -> Iterator[str]:
    if len(summary.stages) > 2:
        yield from wrap(f"stages: {f' {arrow} '.join(map(one_line, summary.stages))}")
    for measure in summary.measures:
        if measure.value is not None:
            yield f"{measure.name}: {say_measure(measure)}"
        elif measure is summary.general and len(summary.stages) > 1:
            yield f"{measure.name}: none, for {measure.reason}"


def say_measure(measure: "StageMeasure") -> str:
    """The value with its interval, and of how many skills it is the mean."""
    assert measure.value is not None, measure.reason
    is_change = measure.name != "average"
    value = write_number(measure.value, 3, signed=is_change)
    count = f"{len(measure.skills)} skill{'' if len(measure.skills) == 1 else 's'}"
    if measure.low is None or measure.high is None:
        return f"{value} ({count}; {measure.reason})" if measure.reason else f"{value} ({count})"
    low, high = (write_number(one, 3, signed=is_change) for one in (measure.low, measure.high))
    return f"{value} [{low}, {high}] ({count})"


def _say_lacking(table: "SkillTable", *, is_whole: bool) -> str:
    """What the mark of a missing score means, where an arm cannot have it by its kind."""
    rows = (*table.skills, *table.secondary) if is_whole else table.skills
    reasons = dict.fromkeys(reason for row in rows for reason in row.not_measured.values())
    return f" -: not measured ({'; '.join(map(one_line, reasons))})." if reasons else ""


def _say_method(table: "SkillTable", glyphs: Glyphs, *, is_whole: bool) -> str:
    text = "Intervals at 95%."
    if len(table.arms) > 1:
        last, first = one_line(table.arms[-1]), one_line(table.arms[0])
        points = write_number(100 * table.delta, 0 if table.delta >= 0.01 else 1)
        text = (
            f"Delta {points} points. {last} against {first} is corrected by Holm over all skills, "
            "its intervals too; all else is exploratory, unadjusted. "
            f"{glyphs.rising} {glyphs.falling} =: higher, lower, the same as the stage before, or "
            "as the base."
        )
    if any(row.measure == NLL for row in table.skills):
        text += " Of texts perplexities are shown: higher is worse, and there is no delta."
    if any(row.measure == GOLD_NLL for row in table.skills):
        text += (
            " Of answers in free words gold_nll is shown, the nats per token of the reference: "
            "higher is worse, and there is no delta."
        )
    return f"{text}{_say_lacking(table, is_whole=is_whole)} All of it is about {SCOPE}."


def _list_notes(table: "SkillTable", summary: "StageSummary", *, is_whole: bool) -> Iterator[str]:
    for note in (*summary.notes, *table.notes):
        yield from wrap(one_line(note))
    rows = (*table.skills, *table.secondary) if is_whole else table.skills
    for note in skill_notes.of_rows(table.results, rows):
        yield from wrap(one_line(note))
