"""The list of watched logs as rows: columns of tags, any value of them, a small curve, an order.

What was computed from a log is kept until that log is another one. Reads no disk.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from engine.charts.filters import parse
from engine.events.tag_names import in_order, is_higher_better
from engine.text import one_line
from tui.feeds.log_summary import common_tags, last_step
from tui.formatting import NONE, short, significant, state_glyph
from tui.glyphs import Glyphs
from tui.runs.list_protocols import ListedRuns, ListMemory
from tui.runs.logs_status_lines import about, count_notable, summary
from tui.screens.run_filter import state_of
from tui.screens.sort_order import CHANGED, STEP, VALUES, SortOrder
from tui.screens.tree_and_groups import Heading, grouped, heading_row, lifted
from tui.snapshots import SMOOTHED_POINTS, SMOOTHING, SPARK_CELLS, RunRow
from tui.styled_text import Line, Piece, width_of
from tui.widgets.sparkline import sparkline
from tui.widgets.table import Column, TableRow

if TYPE_CHECKING:
    from engine.events.log_set import RunLog

_FALLING = SMOOTHING ** np.arange(SMOOTHED_POINTS - 1, -1, -1)
CELLS = 10
"""Of a value."""
TAGS_LISTED = 6
MOST_TAGS = 12
"""With those that are pinned."""
_OF_LISTED = ("mark_shown", "export", "turn_order", "turn_direction", "turn_value", "pick_tag")
"""What needs a run that is listed."""
_STEP = Column("step", 9, 9, right=True)
_UPDATED = Column("updated", 10, 10, right=True)


class LogsTable:
    """A `ListTable`. Of the tags that have a column, `tag_filter` lets through those not pinned."""

    pinning_tags = "pin column"
    empty = "No logs yet."

    def __init__(self, glyphs: Glyphs, tag_filter: str = "") -> None:
        self.glyphs = glyphs
        self.columns: tuple[Column, ...] = (Column("run", 18, 60),)
        self.tags: list[str] = []
        """The tags that have a column, in order."""
        self.order = SortOrder()
        self._tag_filter = parse(tag_filter)
        self._lines: Sequence[RunRow | Heading] = ()
        self._counts: tuple[object, list[str], bool] = (None, [], False)
        """Of all runs that are known, by these: what is notable, and whether settings are noted."""
        self._values: dict[str, tuple[RunLog, dict[tuple[str, str], float | None]]] = {}
        self._steps: dict[str, tuple[RunLog, int | None]] = {}
        self._curves: dict[str, tuple[RunLog, str, str]] = {}
        self._rows: dict[str, tuple[RunRow, TableRow]] = {}
        self._cache_key: object = None

    def arrange(
        self, rows: Sequence[RunRow], memory: ListMemory, *, tree: bool
    ) -> list[RunRow | Heading]:
        """Logs have no families."""
        self.order = order = memory.order
        logs = [row.log for row in rows if row.log is not None]
        tags = [*memory.pinned_tags, *common_tags(logs, self._tag_filter, TAGS_LISTED)]
        tags = [*dict.fromkeys(tags)][:MOST_TAGS]
        self.tags = [order.tag, *tags] if order.tag and order.tag not in tags else tags
        self.columns = self._columns(max(map(_name_cells, rows), default=18) + 2)
        lines = grouped(lifted(self.sort(rows), order.pinned), order.group)
        self._lines = lines
        return lines

    def rows(self, memory: ListMemory) -> Callable[[int], TableRow]:
        pinned = set(memory.order.pinned)
        return self.row_maker(self._lines, set(memory.marked) - pinned, pinned)

    def next_order(self, order: SortOrder) -> SortOrder:
        """By name, by step, by change, by each tag that has a column."""
        choices = [
            ("", "", False),
            (STEP, "", True),
            (CHANGED, "", True),
            *(("", tag, False) for tag in self.tags),
        ]
        keys = [(column, tag) for column, tag, _ in choices]
        key = order.column, order.tag
        at = keys.index(key) if key in keys else 0
        column, tag, descending = choices[(at + 1) % len(choices)]
        return replace(order, column=column, tag=tag, descending=descending)

    def next_value(self, order: SortOrder) -> SortOrder:
        """Of the tag that it is sorted by, else by the first one."""
        if not self.tags:
            return order
        value = VALUES[(VALUES.index(order.value) + 1) % len(VALUES)]
        descending = order.descending and bool(order.tag)
        tag = order.tag or self.tags[0]
        return replace(order, column="", tag=tag, value=value, descending=descending)

    def by_tag(self, order: SortOrder, tag: str) -> SortOrder:
        """The lowest first, whatever the order before."""
        return replace(order, column="", tag=tag, descending=False)

    def is_possible(self, action: str, listed: ListedRuns) -> bool:
        if action in _OF_LISTED:
            return bool(listed.shown)
        return action != "group" or self._count(listed)[1]

    def about(self, row: RunRow) -> Line:
        own = self._curved_of(row.log) if row.log is not None else self.curved
        return about(row, self.glyphs.separator, "" if own == self.curved else own)

    def summary(self, listed: ListedRuns, memory: ListMemory) -> Line:
        return summary(listed, memory, self._count(listed)[0], self.glyphs)

    def _count(self, listed: ListedRuns) -> tuple[list[str], bool]:
        """What is notable of all runs, and whether any log notes settings; once for each list."""
        if self._counts[0] is not listed.rows:
            has_settings = any(row.log and row.log.settings for row in listed.rows)
            self._counts = listed.rows, count_notable(listed.rows), has_settings
        return self._counts[1:]

    def _columns(self, widest: int) -> tuple[Column, ...]:
        """What the table shows, where names take at most so many cells."""
        columns = [Column("run", 18, max(18, min(60, widest))), _STEP, _UPDATED]
        for tag in self.tags:
            name = short(tag, self.tags)
            least = CELLS + (SPARK_CELLS + 1) * (tag == self.curved)
            columns.append(Column(name, least, max(least, min(18, width_of(name))), right=True))
        return tuple(columns)

    @property
    def curved(self) -> str:
        """The tag whose curve is shown in small: the one that it is sorted by, else the first."""
        return self.order.tag or (self.tags[0] if self.tags else "")

    def _curved_of(self, log: "RunLog") -> str:
        """The tag whose curve is shown in small of a log: its own first one where it lacks
        `curved`."""
        if self.curved in log.tags or not log.tags:
            return self.curved
        ordered = in_order(log.tags, log.placeholders)
        curves = (tag for tag in ordered if tag in log.series and len(log.series[tag]) > 1)
        return next(curves, ordered[0])

    @property
    def sorted_by(self) -> str:
        """The title of the column that the rows are sorted by."""
        if self.order.tag:
            return short(self.order.tag, self.tags)
        return {CHANGED: _UPDATED.title}.get(self.order.column, self.order.column or "run")

    def sort(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """In order; what has no number there comes last."""
        order = self.order
        if order.tag:
            values = {row.key: self.value(row.log, order.tag) for row in rows if row.log}
        elif order.column == STEP:
            values = {row.key: self.step(row.log) for row in rows if row.log}
        elif order.column == CHANGED:
            values = {row.key: row.log.modified for row in rows if row.log}
        else:
            return [*reversed(rows)] if order.descending else [*rows]

        def sort_key(row: RunRow) -> tuple[bool, float]:
            value = values.get(row.key)
            if value is None or not math.isfinite(value):
                return True, 0.0
            return False, -value if order.descending else value

        return sorted(rows, key=sort_key)

    def step(self, log: "RunLog") -> int | None:
        """The newest step of any tag; None where there is none, or none yet."""
        known = self._steps.get(log.name)
        if known is None or known[0] is not log:
            known = self._steps[log.name] = log, last_step(log)
        return known[1]

    def value(self, log: "RunLog", tag: str) -> float | None:
        """Last, best or smoothed value of a tag; None where there is none, or none yet."""
        if self.order.value == "last":
            last = log.last(tag)
            return None if last is None else last.value
        known = self._values.get(log.name)
        if known is None or known[0] is not log:
            known = self._values[log.name] = log, {}
        key = tag, self.order.value
        if key not in known[1]:
            known[1][key] = _compute_value(log, *key)
        return known[1][key]

    def row_maker(
        self,
        lines: Sequence[RunRow | Heading],
        marked: Collection[str],
        pinned: Collection[str] = (),
    ) -> Callable[[int], TableRow]:
        """What makes the row of a line by its place; anew only for a run that has changed."""
        cache_key = (
            tuple(self.tags),
            self.curved,
            self.order.value,
            self.glyphs,
            time.localtime()[:3],
        )
        if cache_key != self._cache_key:
            self._cache_key, self._rows = cache_key, {}

        def make(at: int) -> TableRow:
            run = lines[at]
            if isinstance(run, Heading):
                return heading_row(run)
            known = self._rows.get(run.key)
            if known is None or known[0] is not run:
                known = self._rows[run.key] = run, self._row(run)
            row, is_marked = known[1], run.run_key in marked
            is_pinned = run.run_key in pinned
            changed = is_marked or is_pinned
            return replace(row, marked=is_marked, pinned=is_pinned) if changed else row

        return make

    def _row(self, run: RunRow) -> TableRow:
        log = run.log
        assert log is not None
        state = state_of(run)
        glyph, role = state_glyph(run.view.state, self.glyphs) if state else (" ", "")
        odd: Piece = ("! " if run.odd_tags else "", "bad")
        name = ((f"{glyph} ", role), odd, (one_line(run.view.record.name), ""))
        away = run.view.notes.hidden or run.view.notes.archived
        if not log.tags and log.problems:
            # What to do must fit; the overview has the file's name too.
            reason = one_line(log.problems[0].reason)
            return TableRow(run.key, (name, ((reason, "warn"),)), dim=away)
        step = self.step(log)
        cells: list[tuple[Piece, ...]] = [name]
        cells.append((((f"{step:,}" if step is not None else NONE).rjust(9), ""),))
        updated = moment(log.modified) if log.modified else NONE
        cells.append(((updated.rjust(10), "dim"),))
        for tag in self.tags:
            value = self.value(log, tag)
            text = self._absent(log, tag) if value is None else significant(value, 5)
            role = "bad" if value is not None and not math.isfinite(value) else ""
            number: Piece = (text.rjust(CELLS), role)
            curve: Piece = ("", "")
            if tag == self.curved:
                own = self._curved_of(log)
                curve = (self._curve(log, own), "tuned" if own == tag else "dim")
            cells.append((curve, number))
        return TableRow(run.key, tuple(cells), dim=away)

    def _absent(self, log: "RunLog", tag: str) -> str:
        """What stands where there is no value: a log without the tag, or a tag without a best."""
        no_best = self.order.value == "best" and tag in log.tags
        return "no best" if no_best and is_higher_better(tag, log.tags) is None else NONE

    def _curve(self, log: "RunLog", tag: str) -> str:
        """A tag's curve in small; blank as long as it is not read."""
        known = self._curves.get(log.name)
        if known is None or known[0] is not log or known[1] != tag + self.glyphs.name:
            series = log.series.get(tag) if log.loaded else None
            drawn = ""
            if series is not None and len(series):
                from engine.events.series import bucket

                drawn = sparkline(bucket(series.values, SPARK_CELLS).tolist(), self.glyphs)
            known = self._curves[log.name] = log, tag + self.glyphs.name, drawn
        return f"{known[2]:<{SPARK_CELLS}} "


def _compute_value(log: "RunLog", tag: str, value: str) -> float | None:
    series = log.series.get(tag) if log.loaded else None
    if series is None or not len(series):
        return None
    if value == "best":
        higher = is_higher_better(tag, log.tags)
        best = series.best(highest=higher) if higher is not None else None
        return best[1] if best else None if higher is None else math.nan
    # The last value of a debiased average is a mean whose weights fall off from the end.
    finite = series.values[-SMOOTHED_POINTS:]
    finite = finite[np.isfinite(finite)]
    weights = _FALLING[len(_FALLING) - len(finite) :]
    return float(weights @ finite / weights.sum()) if len(finite) else math.nan


def _name_cells(row: RunRow) -> int:
    """Of its name, with the mark before it."""
    return width_of(one_line(row.view.record.name)) + 2 * bool(row.odd_tags)


def moment(seconds: float) -> str:
    """When, short: the time for today, else the day. Not how long ago: that would never rest."""
    then = time.localtime(seconds)
    return time.strftime("%H:%M" if then[:3] == time.localtime()[:3] else "%Y-%m-%d", then)
