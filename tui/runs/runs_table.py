"""The list of jobs as rows: columns of progress and losses, families as trees. Reads no disk."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.text import one_line
from tui.formatting import (
    NONE,
    SHORT_WORDS,
    forgot,
    name_of,
    number,
    progress,
    short,
    small,
    state_glyph,
    state_words,
    time_left,
)
from tui.glyphs import Glyphs
from tui.runs.list_protocols import ListedRuns, ListMemory
from tui.runs.runs_status_lines import about, noun_of, summary
from tui.screens.sort_order import JOB_COLUMNS, VALUES, SortOrder, value_of
from tui.screens.tree_and_groups import Entry, Heading, arrange, grouped, heading_row, lifted
from tui.snapshots import SPARK_CELLS, RunRow, Spark
from tui.styled_text import Line, Piece, width_of
from tui.widgets.sparkline import sparkline
from tui.widgets.table import Column, TableRow

COLUMNS = (
    Column("run", 18, 40),
    Column("base", 9, 16),
    Column("method", 8, 12),
    Column("progress", SHORT_WORDS, 15),
    Column("ETA", 7, 8, right=True),
    Column("loss", 13, 15),
    Column("eval", 6, 7, right=True),
    Column("eval ppl", 8, 8, right=True),
    Column("forgetting", 10, 10, right=True),
    Column("eval ppl curve", 14),
)
_NO_BASE = {"train": "(empty)", "pretrain": "(empty)"}
"""By the kind of a job, what stands in place of its base; an evaluation has one in each arm."""
_NUMBER_CELLS = 5
"""Of a loss beside its curve, at 80 columns."""
_TAG_AT = 3
"""Where the column of a tag stands that is sorted by."""
MOST_RAILS = 6
"""Levels of a family that are drawn; deeper ones stand under each other."""

SortKey = tuple[float, str]


class RunsTable:
    """A `ListTable`."""

    pinning_tags = "pin in Watch"
    empty = "No runs yet. Press 2, choose a model and a dataset, and launch a run."

    def __init__(self, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.columns: tuple[Column, ...] = COLUMNS
        self.sorted_by = ""
        self._order = SortOrder()
        self._lines: Sequence[Entry | Heading] = ()

    def arrange(
        self, rows: Sequence[RunRow], memory: ListMemory, *, tree: bool
    ) -> list[RunRow | Heading]:
        self._order = order = memory.order
        self.columns, self.sorted_by = _columns(order), _title(order)
        if tree and order == SortOrder(value=order.value, pinned=order.pinned):
            self._lines = arrange(rows, order.pinned)
        else:
            lines = grouped(lifted(sort(rows, order), order.pinned), order.group, noun_of(rows))
            self._lines = [line if isinstance(line, Heading) else Entry(line) for line in lines]
        return [line.row if isinstance(line, Entry) else line for line in self._lines]

    def rows(self, memory: ListMemory) -> Callable[[int], TableRow]:
        return [self._row(line, memory.marked) for line in self._lines].__getitem__

    def next_order(self, order: SortOrder) -> SortOrder:
        at = JOB_COLUMNS.index(order.column) if order.column in JOB_COLUMNS else 0
        return replace(order, column=JOB_COLUMNS[(at + 1) % len(JOB_COLUMNS)], tag="")

    def next_value(self, order: SortOrder) -> SortOrder:
        return replace(order, value=VALUES[(VALUES.index(order.value) + 1) % len(VALUES)])

    def by_tag(self, order: SortOrder, tag: str) -> SortOrder:
        return replace(order, column="", tag=tag)

    def is_possible(self, action: str, listed: ListedRuns) -> bool:
        if action in ("turn_value", "pick_tag"):
            return any(row.tags for row in listed.rows)
        return True

    def about(self, row: RunRow) -> Line:
        return about(row, self.glyphs.separator)

    def summary(self, listed: ListedRuns, memory: ListMemory) -> Line:
        return summary(listed, memory.order, self.glyphs)

    def _row(self, line: Entry | Heading, marked: Sequence[str]) -> TableRow:
        if isinstance(line, Heading):
            return heading_row(line)
        row, view, glyphs, order = line.row, line.row.view, self.glyphs, self._order
        tree = ""
        if line.depth:
            rails = "".join(f"{glyphs.trunk if follows else ' '} " for follows in line.rails)
            tree = rails[-2 * MOST_RAILS :] + (glyphs.last if line.last else glyphs.branch) + " "
        alarm: Piece = (" !" if row.has_alarm else "", "bad")
        name: Piece = (f" {_name_in_tree(line)}", "strong" if view.state.alive else "")
        cells: list[tuple[Piece, ...]] = [
            ((tree, "dim"), state_glyph(view.state, glyphs), alarm, name),
            ((one_line(view.base) or _NO_BASE.get(view.record.kind, NONE), ""),),
            ((one_line(view.method), ""),),
            tuple(progress(view, glyphs)),
            ((time_left(view), ""),),
            self._loss(row.loss),
            ((number(value_of(row.eval_loss, order.value)), ""),),
            ((number(value_of(row.perplexity, order.value), 2), ""),),
            (forgot(row),),
            ((sparkline(row.perplexity.values, glyphs) if row.perplexity else "", "tuned"),),
        ]
        if order.tag:
            value = value_of(row.curves.get(order.tag), order.value)
            cells.insert(_TAG_AT, ((small(value), ""),))
        return TableRow(
            row.key,
            tuple(cells),
            dim=view.notes.hidden or view.notes.archived,
            marked=row.run_key in marked,
            pinned=row.run_key in order.pinned,
        )

    def _loss(self, spark: Spark | None) -> tuple[Piece, ...]:
        if spark is None:
            return ((NONE, "dim"),)
        curve = sparkline(spark.values, self.glyphs)
        return (
            (f"{curve:<{SPARK_CELLS}} ", "tuned"),
            (short_number(value_of(spark, self._order.value)), ""),
        )


def short_number(value: float | None) -> str:
    """As `number`, in the five cells that are left beside the curve."""
    text = number(value)
    if value is None or width_of(text) <= _NUMBER_CELLS:
        return text
    if "e" in text:
        mantissa, exponent = f"{value:.0e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return number(value, 2 - (value < 0))


def _name_in_tree(line: Entry) -> str:
    """The name of a job; of one that stands under its sweep only what that name adds to it."""
    name = name_of(line.row)
    sweep = line.row.view.record.sweep.rpartition("-")[0]
    return name.removeprefix(f"{sweep}-") if sweep and line.depth else name


def sort(rows: Sequence[RunRow], order: SortOrder) -> list[RunRow]:
    """Jobs by the column of the order; those that have nothing there, or NaN, always come last."""
    if not order.tag and order.column not in JOB_COLUMNS[1:]:
        return [*reversed(rows)] if order.descending else [*rows]
    keyed = [(_sort_key(row, order), row) for row in rows]
    known = [(key, row) for key, row in keyed if key is not None]
    known.sort(key=lambda pair: pair[0], reverse=order.descending)
    return [row for _, row in known] + [row for key, row in keyed if key is None]


def _sort_key(row: RunRow, order: SortOrder) -> SortKey | None:
    if order.tag:
        return _number_key(value_of(row.curves.get(order.tag), order.value))
    view = row.view
    texts = {"run": view.record.name, "base": view.base, "method": view.method}
    if order.column in texts:
        return (0.0, texts[order.column].casefold()) if texts[order.column] else None
    if order.column == "progress":
        return (view.progress, state_words(view))
    if order.column == "ETA":
        left = view.status.eta_seconds if view.status and view.state.alive else None
        return None if left is None else (left, "")
    numbers = {
        "loss": value_of(row.loss, order.value),
        "eval": value_of(row.eval_loss, order.value),
        "eval ppl": value_of(row.perplexity, order.value),
        "forgetting": value_of(row.forgot, "last"),
    }
    return _number_key(numbers[order.column])


def _number_key(number: float | None) -> SortKey | None:
    return None if number is None or math.isnan(number) else (number, "")


def _columns(order: SortOrder) -> tuple[Column, ...]:
    """With one for the tag that is sorted by."""
    if not order.tag:
        return COLUMNS
    title = _title(order)
    tag = Column(title, 9, max(9, min(18, width_of(title))), right=True)
    return (*COLUMNS[:_TAG_AT], tag, *COLUMNS[_TAG_AT:])


def _title(order: SortOrder) -> str:
    """Of the column that is sorted by."""
    if not order.tag:
        return order.column
    return short(order.tag, [order.tag, *(column.title for column in COLUMNS)])
