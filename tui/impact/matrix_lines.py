"""The matrix of skills and arms as lines: which columns fit, what stands in a cell. Pure text."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.text import one_line
from tui.glyphs import Glyphs
from tui.impact.arm_paths import Against
from tui.impact.verdict_words import (
    change_of,
    interval_text,
    mark,
    row_verdict,
    score_text,
    verdict_role,
)
from tui.styled_text import Line, Piece, fit, pad, width_of

WIDE = 110
"""Cells from which each score stands with its interval."""
_COUNT = 7
_HIDDEN = 3
"""How many arms are out of sight, at either end."""
_SCORE, _INTERVAL, _MARK = 6, 12, 2
_NAME, _MOST_NAME, _MOST_SHORT_NAME = 10, 32, 16
_MOST_SHORT_ARM, _MOST_ARM = 13, 32
_VERDICT, _MOST_VERDICT, _MOST_SHORT_VERDICT = 17, 48, 24


@dataclass(frozen=True, slots=True)
class MatrixLayout:
    """How many cells each column takes, and which arms are in sight."""

    is_wide: bool
    """Whether scores stand with their intervals."""
    is_long: bool
    """Whether verdicts stand with all their words."""
    name: int
    arm: int
    first: int
    """Place of the first arm in sight."""
    shown: int
    verdict: int
    hidden: int
    """Cells at either end that say how many arms are out of sight."""

    @property
    def arms(self) -> range:
        return range(self.first, self.first + self.shown)

    def arm_at(self, x: int, otherwise: int) -> int:
        """The place of the arm whose column covers a cell of the line."""
        place = (x - 2 - self.name - _COUNT - self.hidden) // self.arm
        return self.first + place if 0 <= place < self.shown else otherwise


def lay_out(
    table: SkillTable, rows: Sequence[SkillRow], width: int, column: int, first: int
) -> MatrixLayout:
    """Columns for a width: the arm of the cursor is in sight, the others as they were.

    Where not all arms fit, first the verdicts are shortened, then the intervals left out.
    """
    longest = max((width_of(name_of_skill(row)) for row in rows), default=0)
    name = max(_NAME, min(longest, _MOST_NAME if width >= WIDE else _MOST_SHORT_NAME)) + 1
    ways = [(True, True), (True, False), (False, True)] if width >= WIDE else []
    arms = len(table.arms)
    for is_wide, is_long in [*ways, (False, False)]:
        verdict = _verdict_cells(table, rows, is_long=is_long)
        arm = _arm_cells(table, is_wide=is_wide)
        room = width - 2 - name - _COUNT - verdict
        if arms * arm <= room:
            arm = _widen(table, arm, room // arms)
            return MatrixLayout(is_wide, is_long, name, arm, 0, arms, verdict, 0)
    room -= 2 * _HIDDEN
    shown = max(1, min(arms, room // arm))
    arm = _widen(table, arm, room // shown)
    first = max(0, min(first, column, arms - shown))
    first = max(first, column - shown + 1)
    return MatrixLayout(is_wide, is_long, name, arm, first, shown, verdict, _HIDDEN)


def _verdict_cells(table: SkillTable, rows: Sequence[SkillRow], *, is_long: bool) -> int:
    """The cells of the verdicts; none where there is but one arm."""
    if len(table.arms) < 2:
        return 0
    longest = max((width_of(row_verdict(table, row, short=not is_long)) for row in rows), default=0)
    return max(_VERDICT, min(longest, _MOST_VERDICT if is_long else _MOST_SHORT_VERDICT)) + 2


def _arm_cells(table: SkillTable, *, is_wide: bool) -> int:
    """The cells that an arm's column has at least."""
    if is_wide:
        return _SCORE + _INTERVAL + _MARK + 1
    return max(_SCORE + _MARK + 1, min(_name_cells(table), _MOST_SHORT_ARM))


def _widen(table: SkillTable, arm: int, room: int) -> int:
    """The cells of an arm's column where `room` is free for each: names are cut where it ends."""
    return max(arm, min(_name_cells(table), room, _MOST_ARM))


def _name_cells(table: SkillTable) -> int:
    return 1 + max((width_of(one_line(arm)) for arm in table.arms), default=0)


def name_of_skill(row: SkillRow) -> str:
    """A skill's name, with its measure where the number is no score between 0 and 1."""
    name = one_line(row.name)
    if row.is_perplexity:
        return f"{name} ppl"
    return name if row.unit == "score" else f"{name} {one_line(row.measure)}"


def head_line(table: SkillTable, layout: MatrixLayout, glyphs: Glyphs) -> Line:
    line: list[Piece] = [("  ", "dim"), (pad("skill", layout.name), "dim")]
    line.append((pad("n", _COUNT - 1, right=True) + " ", "dim"))
    line.append((pad(f"{layout.first}<" if layout.first else "", layout.hidden), "warn"))
    for place in layout.arms:
        name = fit(one_line(table.arms[place]), layout.arm - 1, glyphs.ellipsis)
        line.append((pad(name, layout.arm), "base" if place == 0 else "tuned"))
    hidden = len(table.arms) - layout.first - layout.shown
    line.append((pad(f">{hidden}" if hidden else "", layout.hidden) + "  ", "warn"))
    if layout.verdict:
        title = "verdict, last against base" if layout.is_long else "last against base"
        line.append((title, "dim"))
    return line


def row_line(
    table: SkillTable,
    row: SkillRow,
    layout: MatrixLayout,
    against: Against,
    glyphs: Glyphs,
    picked: int | None,
) -> Line:
    """One skill; `picked` is the place of the arm under the cursor, None in other rows."""
    name = fit(name_of_skill(row), layout.name - 1, glyphs.ellipsis)
    line: list[Piece] = [
        ("> " if picked is not None else "  ", "key"),
        (pad(name, layout.name), "strong" if picked is not None else ""),
        (pad(f"{row.items:,}", _COUNT - 1, right=True) + " ", "dim"),
        (" " * layout.hidden, ""),
    ]
    for place in layout.arms:
        line += _cell(table, row, place, layout, against, glyphs, is_picked=place == picked)
    line.append((" " * layout.hidden + "  ", ""))
    if layout.verdict:
        last = row.changes.get(table.arms[-1])
        words = row_verdict(table, row, short=not layout.is_long)
        line.append((words, verdict_role(row, last)))
    return line


def _cell(
    table: SkillTable,
    row: SkillRow,
    place: int,
    layout: MatrixLayout,
    against: Against,
    glyphs: Glyphs,
    *,
    is_picked: bool,
) -> list[Piece]:
    arm = table.arms[place]
    result = row.results.get(arm)
    score = pad(score_text(row, result), _SCORE - 1, right=True)
    sign, sign_role = mark(row, change_of(row, arm, against), glyphs)
    role = "dim" if result is None else "base" if place == 0 else "tuned"
    pieces: list[Piece] = [(score, role), (" ", "")]
    if layout.is_wide:
        pieces.append((pad(interval_text(row, result), _INTERVAL), "dim"))
    pieces += [(sign, sign_role)]
    if is_picked:
        pieces = [("".join(text for text, _ in pieces), "pick")]
    used = sum(width_of(text) for text, _ in pieces)
    return [*pieces, (" " * max(0, layout.arm - used), "")]
