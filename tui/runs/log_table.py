"""The list of watched logs as rows: columns of tags, any value of them, a small curve, an order.

What was worked out of a log is kept until that log is another one. Reads no disk.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from engine.events.summary import is_higher_better
from engine.text import one_line
from tui.feeds.log_summary import last_step
from tui.formatting import NONE, short, state_glyph
from tui.glyphs import Glyphs
from tui.screens.run_filter import state_of
from tui.screens.sort_order import CHANGED, NAME, STEP, LogSortOrder
from tui.screens.tree_and_groups import Heading
from tui.snapshots import SMOOTHED_POINTS, SMOOTHING, SPARK_CELLS, RunRow
from tui.styled_text import Piece
from tui.widgets.sparkline import sparkline
from tui.widgets.table import Column, TableRow

if TYPE_CHECKING:
    from engine.events.log_set import RunLog

_FALLING = SMOOTHING ** np.arange(SMOOTHED_POINTS - 1, -1, -1)
CELLS = 10
"""Of a value."""
_STEP = Column("step", 9, 9, right=True)
_CHANGED = Column("changed", 10, 10, right=True)


class LogTable:
    """Rows for a table, of runs that are logs."""

    def __init__(self, glyphs: Glyphs) -> None:
        self.glyphs = glyphs
        self.tags: list[str] = []
        """The tags that have a column, in order."""
        self.order = LogSortOrder()
        self._worked: dict[str, tuple[RunLog, dict[tuple[str, str], float | None]]] = {}
        self._steps: dict[str, tuple[RunLog, int | None]] = {}
        self._curves: dict[str, tuple[RunLog, str, str]] = {}
        self._rows: dict[str, tuple[RunRow, TableRow]] = {}
        self._cache_key: object = None

    def columns(self, widest: int) -> list[Column]:
        """What the table shows, where names take at most so many cells."""
        columns = [Column("run", 18, max(18, min(60, widest))), _STEP, _CHANGED]
        for tag in self.tags:
            name = short(tag, self.tags)
            least = CELLS + (SPARK_CELLS + 1) * (tag == self.curved)
            columns.append(Column(name, least, max(least, min(18, len(name))), right=True))
        return columns

    @property
    def curved(self) -> str:
        """The tag whose curve is shown in small: the one that it is sorted by, else the first."""
        return self.order.column if self.order.tagged else self.tags[0] if self.tags else ""

    @property
    def sorted_by(self) -> str:
        """The title of the column that the rows are sorted by."""
        if self.order.tagged:
            return short(self.order.column, self.tags)
        return "run" if self.order.column == NAME else self.order.column

    def sort(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """In order; what has no number there comes last."""
        falling = self.order.falling
        if not self.order.tagged:
            if self.order.column == NAME:
                return list(reversed(rows)) if falling else list(rows)
            if self.order.column == CHANGED:
                return sorted(rows, key=lambda row: row.log.modified if row.log else 0.0,
                              reverse=falling)  # fmt: skip
        of = self.value if self.order.tagged else self.step
        values = {row.key: of(row.log, self.order.column) for row in rows if row.log}

        def place(row: RunRow) -> tuple[bool, float]:
            value = values.get(row.key)
            known = value is not None and math.isfinite(value)
            return not known, (-value if falling else value) if value is not None and known else 0.0

        return sorted(rows, key=place)

    def step(self, log: "RunLog", column: str = STEP) -> int | None:
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
        known = self._worked.get(log.name)
        if known is None or known[0] is not log:
            known = self._worked[log.name] = log, {}
        key = tag, self.order.value
        if key not in known[1]:
            known[1][key] = _worked_out(log, *key)
        return known[1][key]

    def rows(
        self,
        runs: Sequence[RunRow | Heading],
        marked: Collection[str],
        pinned: Collection[str] = (),
    ) -> Callable[[int], TableRow]:
        """What makes the row at a place; anew only for what is another one than before."""
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
            run = runs[at]
            if isinstance(run, Heading):
                return TableRow(
                    run.key, (((f"{run.setting} {run.value} ({run.count})", "title"),),)
                )
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
            reason = f"{one_line(log.problems[0].name)}: {one_line(log.problems[0].reason)}"
            return TableRow(run.key, (name, ((reason, "warn"),)), dim=away)
        step = self.step(log)
        cells: list[tuple[Piece, ...]] = [name]
        cells.append((((f"{step:,}" if step is not None else NONE).rjust(9), ""),))
        cells.append(((moment(log.modified).rjust(10), "dim"),))
        for tag in self.tags:
            value = self.value(log, tag)
            text = NONE if value is None else f"{value:.5g}"
            role = "bad" if value is not None and not math.isfinite(value) else ""
            number: Piece = (text.rjust(CELLS), role)
            curve: Piece = (self._curve(log, tag) if tag == self.curved else "", "tuned")
            cells.append((curve, number))
        return TableRow(run.key, tuple(cells), dim=away)

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


def _worked_out(log: "RunLog", tag: str, value: str) -> float | None:
    series = log.series.get(tag) if log.loaded else None
    if series is None or not len(series):
        return None
    if value == "best":
        best = series.best(highest=bool(is_higher_better(tag)))
        return best[1] if best else math.nan
    # The last value of a debiased average is a mean whose weights fall off from the end.
    finite = series.values[-SMOOTHED_POINTS:]
    finite = finite[np.isfinite(finite)]
    weights = _FALLING[len(_FALLING) - len(finite) :]
    return float(weights @ finite / weights.sum()) if len(finite) else math.nan


def moment(seconds: float) -> str:
    """When, short: the time for today, else the day. Not how long ago: that would never rest."""
    then = time.localtime(seconds)
    return time.strftime("%H:%M" if then[:3] == time.localtime()[:3] else "%Y-%m-%d", then)
