"""Confusions of several arms side by side: as matrices, as differences, or the commonest of many
labels. Pure text, cleaned here: labels and names of arms come from data and from the user.
"""

from collections.abc import Iterable, Mapping, Sequence

from engine.impact.changes.classification import Classification, Counts, confusion_changes
from engine.impact.changes.classified_suite import ClassifiedSuite
from engine.number_format import write_percent
from engine.text import one_line
from tui.glyphs import Glyphs
from tui.impact.side_by_side import arm_name, lay_side_by_side
from tui.styled_text import Line, fit, length, pad, width_of

MOST_LABELS = 8
"""Above that the commonest confusions stand for the matrix."""
MUCH, SOME = 0.2, 0.05
"""Of a row's items in one wrong cell: bad, and a warning."""


class Confusions:
    """Confusions of several arms, as many side by side as have room."""

    def __init__(
        self, counted: ClassifiedSuite, roles: Mapping[str, str], width: int, glyphs: Glyphs
    ) -> None:
        self._counted = counted
        self._roles = roles
        self._width = width
        self._glyphs = glyphs
        self._has_none = any(one.no_label for one in counted.arms.values())

    def counts(self) -> list[Line]:
        arms = self._counted.arms
        if len(self._counted.labels) > MOST_LABELS:
            head: Line = [(" The ten commonest confusions", "strong"), ("  of all items", "dim")]
            blocks = [self._commonest(arm, one) for arm, one in arms.items()]
            return [head, *lay_side_by_side(blocks, [], self._width, self._glyphs)]
        head = [
            (" Confusions", "strong"), ("  row: right label, column: prediction; of a row ", "dim"),
            (f"{write_percent(SOME)}+", "warn"), (" ", ""), (f"{write_percent(MUCH)}+", "bad"),
        ]  # fmt: skip
        tables = {arm: one.confusion for arm, one in arms.items()}
        cells = self._cells(tables.values(), signed=False)
        blocks = [
            [self._title(arm), self._head(cells), *self._rows(table, cells)]
            for arm, table in tables.items()
        ]
        return [head, *lay_side_by_side(blocks, self._labels(), self._width, self._glyphs)]

    def differences(self) -> list[Line]:
        first, *others = self._counted.arms
        base = self._counted.arms[first]
        if not others:
            return [[(" One arm alone: there is no difference.", "dim")]]
        if len(self._counted.labels) > MOST_LABELS:
            head: Line = [(" The ten confusions that changed most", "strong")]
            changed = [self._changed(arm, base, self._counted.arms[arm]) for arm in others]
            return [head, *lay_side_by_side(changed, [], self._width, self._glyphs)]
        head = [
            (" Changes of the confusions", "strong"),
            (f"  items more or fewer than {self._name(first)}", "dim"),
        ]
        tables = {arm: self._counted.arms[arm].confusion - base.confusion for arm in others}
        cells = self._cells(tables.values(), signed=True)
        blocks = [
            [self._pair(first, arm), self._head(cells), *self._rows(table, cells, signed=True)]
            for arm, table in tables.items()
        ]
        return [head, *lay_side_by_side(blocks, self._labels(), self._width, self._glyphs)]

    def _pair(self, first: str, arm: str) -> Line:
        return [
            *self._title(first),
            (f" {self._glyphs.arrow} ", "dim"),
            *self._title(arm),
        ]

    def _title(self, arm: str) -> Line:
        return [(self._name(arm), self._roles[arm])]

    def _name(self, arm: str) -> str:
        return arm_name(arm, self._width, self._glyphs.ellipsis)

    def _labels(self) -> list[Line]:
        """What stands left of every line of a block: the labels with their numbers."""
        room = max(6, min(24, self._width // 5))
        names = [fit(label_name(one), room, self._glyphs.ellipsis) for one in self._counted.labels]
        widest = max(width_of(name) for name in names)
        rows: list[Line] = [
            [(f" {at} ", "dim"), (pad(name, widest), "")] for at, name in enumerate(names, 1)
        ]
        blank: Line = [(" " * length(rows[0]), "")]
        return [blank, blank, *rows]

    def _cells(self, tables: Iterable[Counts], *, signed: bool) -> int:
        """Cells of a column."""
        ends = (int(end) for table in tables for end in (table.min(), table.max()))
        widest = max(len(_count(end, signed=signed)) for end in ends)
        return max(3, widest + 1, len("none") + 1 if self._has_none else 0)

    def _head(self, cells: int) -> Line:
        numbers = [str(at + 1) for at in range(len(self._counted.labels))]
        names = [*numbers, *(["none"] if self._has_none else [])]
        return [("".join(f"{name:>{cells}}" for name in names), "dim")]

    def _rows(self, table: Counts, cells: int, *, signed: bool = False) -> list[Line]:
        labels = len(self._counted.labels)
        shown = table if self._has_none else table[:, :labels]
        lines: list[Line] = []
        for row, counts in enumerate(shown.tolist()):
            total = max(1, sum(counts))
            lines.append(
                [
                    (
                        f"{_count(count, signed=signed) if count else '0':>{cells}}",
                        _difference_role(count, is_right=row == column)
                        if signed
                        else _count_role(count, total, is_right=row == column),
                    )
                    for column, count in enumerate(counts)
                ]
            )
        return lines

    def _commonest(self, arm: str, one: Classification) -> list[Line]:
        lines = [self._title(arm)]
        rows = [
            (true, found, f"{count:,}", "strong")
            for true, found, count in one.commonest_confusions()
        ]
        return lines + self._listed(rows, len(self._counted.arms), "no confusions")

    def _changed(self, arm: str, before: Classification, after: Classification) -> list[Line]:
        lines = [self._pair(next(iter(self._counted.arms)), arm)]
        rows = [
            (
                true,
                found,
                f"{first:,} {self._glyphs.arrow} {second:,}",
                _difference_role(second - first, is_right=False),
            )
            for true, found, first, second in confusion_changes(before, after)
        ]
        return lines + self._listed(rows, len(self._counted.arms) - 1, "no changes")

    def _listed(
        self, rows: Sequence[tuple[str, str, str, str]], blocks: int, empty: str
    ) -> list[Line]:
        """Right label, prediction, count and its role, in the cells of one of `blocks` blocks."""
        if not rows:
            return [[(empty, "dim")]]
        arrow = f" {self._glyphs.arrow} "
        counts = max(len(count) for _, _, count, _ in rows)
        most = max(6, ((self._width - 1) // min(3, blocks) - counts - 1 - 2 * len(arrow)) // 2)
        names = [
            [fit(label_name(label), most, self._glyphs.ellipsis) for label in (true, found)]
            for true, found, _, _ in rows
        ]
        widest = [max(map(width_of, column)) for column in zip(*names, strict=True)]
        return [
            [
                (pad(true, widest[0]), ""),
                (arrow, "dim"),
                (pad(found, widest[1]), ""),
                (f" {count:>{counts}}", role),
            ]
            for (true, found), (_, _, count, role) in zip(names, rows, strict=True)
        ]


def label_name(label: str) -> str:
    """A label as it is shown; of a prediction that is none of them, `none`."""
    return one_line(label) or "none"


def _count(count: int, *, signed: bool) -> str:
    return f"{count:+,}" if signed else f"{count:,}"


def _count_role(count: int, total: int, *, is_right: bool) -> str:
    if not count:
        return "dim"
    if is_right:
        return "good"
    share = count / total
    return "bad" if share >= MUCH else "warn" if share >= SOME else ""


def _difference_role(count: int, *, is_right: bool) -> str:
    """More right ones and fewer confusions are good."""
    if not count:
        return "dim"
    return "good" if (count > 0) == is_right else "bad"
