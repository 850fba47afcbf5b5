"""Watch: one run as it learns, its curves, its numbers, the end of its log."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Resize

from tui.listing import arrange
from tui.phrases import failure_lines
from tui.readings import CHARTS, curves_of, headline, numbers, sparks
from tui.screens.deeds import Deeds
from tui.screens.page import bindings_of
from tui.snapshots import RunDetail, RunRow, RunsSnapshot
from tui.widgets.cells import Line
from tui.widgets.line import Lines, Rule
from tui.widgets.pager import Pager

if TYPE_CHECKING:
    from tui.widgets.chart import Chart

SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)


class WatchPage(Deeds):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("watch")
    name_in_keymap = "watch"
    home = "#log"

    def __init__(self) -> None:
        super().__init__()
        self._detail: RunDetail | None = None
        self._smoothing = 2
        self._log_scale = False
        self._by_time = False
        self._first_chart = 0
        self._charts: list[Chart] = []

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="sparks")
        yield Container(id="charts")
        yield Lines(id="numbers")
        yield Pager(id="trouble")
        yield Rule()
        yield Pager(wrap=False, follow=True, id="log")
        yield keys

    @property
    def chosen(self) -> RunRow | None:
        return self.finetop.runs.row(self.finetop.selected)

    def open(self) -> None:
        super().open()
        if self.finetop.selected is None:
            self.finetop.selected = _first(self.finetop.runs)
        self.finetop.watch_run(self.finetop.selected)
        self._refresh_all()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._lay_out)

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if self.finetop.selected is None:
            self.finetop.watch_run(_first(snapshot))
        self._tell()
        self.show_keys()

    def show_detail(self, detail: RunDetail) -> None:
        if detail.row.key != self.finetop.selected:
            return
        fresh = self._detail is None or self._detail.row.key != detail.row.key
        self._detail = detail
        if fresh:
            for chart in self._charts:
                chart.clear_cursor()
        self._refresh_all()

    def redraw(self) -> None:
        self._charts = []
        self._lay_out()
        super().redraw()
        self._refresh_all()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "turn_run":
            return len(self.finetop.runs.rows) > 1
        if action == "filter":
            return False
        return super().check_action(action, parameters)

    def step_back(self) -> bool:
        if self._charts and self._charts[0].cursor is not None:
            for chart in self._charts:
                chart.clear_cursor()
            self._tell()
            return True
        return super().step_back()

    def action_cursor(self, by: int) -> None:
        if not self._charts:
            return
        self._charts[0].move_cursor(by)
        for chart in self._charts[1:]:
            chart.cursor = self._charts[0].cursor
        self._tell()

    def action_smooth(self, by: int) -> None:
        self._smoothing = max(0, min(self._smoothing + by, len(SMOOTHING) - 1))
        self._dress()

    def action_log_scale(self) -> None:
        self._log_scale = not self._log_scale
        self._dress()

    def action_turn_axis(self) -> None:
        self._by_time = not self._by_time
        self._dress()
        self._tell()

    def action_turn_charts(self) -> None:
        self._first_chart = (self._first_chart + max(1, len(self._charts))) % len(CHARTS)
        self._charts = []
        self._lay_out()

    def action_turn_run(self, by: int) -> None:
        keys = [entry.row.key for entry in arrange(self.finetop.runs.rows)]
        if not keys:
            return
        at = keys.index(self.finetop.selected) if self.finetop.selected in keys else 0
        self._detail = None
        self.finetop.watch_run(keys[(at + by) % len(keys)])
        self._refresh_all()

    def _lay_out(self) -> None:
        """As many charts as there is room for, side by side."""
        if not self.ready:
            return
        width, height = self.size
        count = 1 if width < 100 else 4 if width >= 140 and height >= 40 else 2
        self.query_one("#log").styles.height = max(1, min(10, (height - 12) // 3))
        if len(self._charts) == count:
            return
        from tui.widgets.chart import Chart

        box = self.query_one("#charts", Container)
        box.set_class(count == 1, "narrow")
        box.remove_children()
        chosen = [CHARTS[(self._first_chart + at) % len(CHARTS)] for at in range(count)]
        self._charts = [Chart(spec.title, glyphs=self.glyphs) for spec in chosen]
        box.mount(*self._charts)
        self._dress()
        self.call_after_refresh(self._draw_curves)

    def _dress(self) -> None:
        for chart in self._charts:
            chart.smoothing = SMOOTHING[self._smoothing]
            chart.log_scale = self._log_scale
            chart.by_time = self._by_time

    def _draw_curves(self) -> None:
        series = self._detail.series if self._detail else {}
        status = self._detail.row.view.status if self._detail else None
        for at, chart in enumerate(self._charts):
            spec = CHARTS[(self._first_chart + at) % len(CHARTS)]
            chart.show(curves_of(spec, series), total=status.total if status else 0)

    def _refresh_all(self) -> None:
        if not self.ready:
            return
        self._tell()
        self._draw_curves()
        detail = self._detail
        self.query_one("#log", Pager).show(
            [[(f" {line}", "")] for line in detail.log] if detail else []
        )
        self._tell_trouble()
        self.show_keys()

    def _tell(self) -> None:
        """The lines of numbers, at the cursor where there is one."""
        row = self.chosen
        if row is None:
            self.query_one("#headline", Lines).show([(" No run to watch yet.", "dim")])
            return
        series = self._detail.series if self._detail else {}
        cursor = self._charts[0].cursor if self._charts else None
        self.query_one("#headline", Lines).show(headline(row, self.glyphs))
        self.query_one("#sparks", Lines).show(sparks(series, self.size.width, self.glyphs))
        self.query_one("#numbers", Lines).show(numbers(row, series, cursor, by_time=self._by_time))

    def _tell_trouble(self) -> None:
        row = self.chosen
        lines: list[Line] = []
        status = row.view.status if row else None
        if status is not None and status.error is not None:
            error = status.error
            lines = failure_lines(error.title, error.detail, error.hint)
        elif row is not None and row.view.problem:
            lines = failure_lines(row.view.problem, "", "")
        if self._detail and (self._detail.series or not (row and row.view.state.alive)):
            lines += [[(problem, "warn")] for problem in self._detail.problems]
        pager = self.query_one("#trouble", Pager)
        pager.styles.height = min(len(lines), max(1, self.size.height // 4))
        pager.display = bool(lines)
        pager.show([[(" ", ""), *line] for line in lines])


def _first(snapshot: RunsSnapshot) -> str | None:
    """What to watch when nothing was chosen: what runs, else the newest."""
    rows = snapshot.rows
    live = [row for row in rows if row.view.state.alive]
    own = [row for row in rows if not row.shipped]
    found = next(iter([*live, *own, *rows]), None)
    return found.key if found else None
