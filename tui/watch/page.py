"""Watch: one run as it learns, its curves, its numbers, the end of its log."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Resize

from engine.charts.axes import Axis
from engine.text import one_line
from tui.charts.chart_data import build_chart_data
from tui.charts.cursor import place_of, readings
from tui.charts.curve import Level
from tui.charts.run_lines import charts_of, headline, levels_of, numbers, sparks, standing
from tui.formatting import failure_lines, name_of
from tui.screens.page import bindings_of
from tui.screens.tree_and_groups import arrange, kept
from tui.snapshots import RunDetail, RunRow, RunsSnapshot
from tui.styled_text import Line
from tui.watch.chart_board import GRIDS
from tui.watch.export import ChartExportPage
from tui.watch.samples_pane import SamplesPane, answer_at
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager

if TYPE_CHECKING:
    from tui.snapshots import PromptHistory

BOTH_FROM = 32
"""Rows of a terminal from which samples and log are shown at once, not in turn."""


class WatchPage(ChartExportPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("watch")
    name_in_keymap = "watch"
    initial_focus = "#log"

    def __init__(self) -> None:
        super().__init__()
        self._prompt = 0
        self._shows_log = False
        """Whether the log has its turn where samples and log do not both fit."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="sparks")
        yield Container(id="charts")
        yield Lines(id="numbers")
        yield Lines(id="standing")
        yield Pager(id="trouble")
        yield SamplesPane(id="samples")
        yield Rule(id="log-rule")
        yield Pager(wrap=False, follow=True, id="log")
        yield keys

    @property
    def chosen(self) -> RunRow | None:
        return self.services.runs.row(self.services.selected)

    def open(self) -> None:
        super().open()
        if self.services.selected is None:
            self.services.selected = _first(self.services.runs)
        self.services.watch_run(self.services.selected)
        self._refresh_all()
        if not self._remembered:
            self._remembered = True
            self.services.chart_settings.recall(self._recalled)

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._lay_out)

    @property
    def _has_log(self) -> bool:
        """Whether a worker of ours said something; of other writers' runs there are only facts."""
        return self.chosen is not None and self.chosen.view.recipe is not None

    @property
    def _prompt_histories(self) -> "tuple[PromptHistory, ...]":
        return self._detail.prompt_histories if self._detail else ()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if self.services.selected is None:
            self.services.watch_run(_first(snapshot))
        if self._picked:
            self._read_overlay()
        self._update_status()
        self.show_keys()

    def show_detail(self, detail: RunDetail) -> None:
        if detail.row.key != self.services.selected:
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
            return len(self.services.runs.rows) > 1
        if action == "turn_prompt":
            return len(self._prompt_histories) > 1
        if action == "turn_sample":
            return any(len(history.answers) > 1 for history in self._prompt_histories)
        if action == "turn_pane":
            return bool(self._prompt_histories) and self.size.height < BOTH_FROM
        if action == "turn_charts":
            return 0 < len(self._charts) < len(self._specs)
        if action == "overview":
            return self.chosen is not None
        if action == "log" and self.chosen and self.chosen.log:
            return self._has_log
        if action == "overlay":
            return len(self.services.runs.rows) > 1
        if action == "full_screen":
            return bool(self._charts) and not self.in_field
        return super().check_action(action, parameters)

    def go_back(self) -> bool:
        if self.in_field or self.query("#export"):
            return super().go_back()
        if self._charts and self._charts[0].cursor is not None:
            self._put_cursor(None)
            return True
        if self._full:
            self.action_full_screen()
            return True
        return super().go_back()

    def action_turn_prompt(self, by: int) -> None:
        if self._prompt_histories:
            self._prompt = (self._prompt + by) % len(self._prompt_histories)
            self._update_samples()

    def action_turn_sample(self, by: int) -> None:
        """To another step at which this prompt was answered; past the newest, all follows again."""
        if not self._prompt_histories or not self._charts:
            return
        history = self._prompt_histories[self._prompt % len(self._prompt_histories)]
        at = answer_at(history, self._step) + by
        if at >= len(history.answers) - 1:
            self._put_cursor(None)
            return
        step = history.answers[max(0, at)].step
        self._put_cursor(place_of(self._series, step, self._axis))

    def action_turn_pane(self) -> None:
        self._shows_log = not self._shows_log
        self._lay_out()

    def action_turn_charts(self) -> None:
        if not self._specs:
            return
        self._first_chart = (self._first_chart + max(1, len(self._charts))) % len(self._specs)
        self._charts = []
        self._lay_out()

    def action_turn_run(self, by: int) -> None:
        entries = arrange(kept(self.services.runs.rows), self.services.pins)
        keys = [entry.row.key for entry in entries]
        if not keys:
            return
        at = keys.index(self.services.selected) if self.services.selected in keys else 0
        self._detail = None
        self._prompt = 0
        self.services.watch_run(keys[(at + by) % len(keys)])
        self._refresh_all()

    def _lay_out(self) -> None:
        """As many charts as there is room for, side by side."""
        if not self.ready:
            return
        width, height = self.size
        self._lay_out_below(height)
        self.show_keys()
        rows, columns = self._grid_in(width, height)
        count = rows * columns
        if len(self._charts) == count:
            return
        from tui.charts.chart import Chart

        box = self.query_one("#charts", Container)
        box.styles.grid_size_columns, box.styles.grid_size_rows = columns, rows
        box.remove_children()
        self._charts = [Chart(glyphs=self.glyphs) for _ in range(count)]
        box.mount(*self._charts)
        self._apply_chart_settings()
        self.call_after_refresh(self._draw_curves)

    def _grid_in(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of charts: as asked for, as far as each can still be read."""
        if self._full:
            return 1, 1
        if self._grid:
            rows, columns = GRIDS[self._grid]
            return max(1, min(rows, (height - 8) // 6)), max(1, min(columns, width // 34))
        return (1, 1) if width < 100 else (2, 2) if width >= 140 and height >= 40 else (1, 2)

    def _lay_out_below(self, height: int) -> None:
        """Samples and log under the charts: both where there is room, else one of them.

        Where several runs are drawn, the values of all of them have room, under one chart too.
        """
        both, samples = height >= BOTH_FROM, bool(self._prompt_histories)
        several = len(self._run_curves) > 1
        read = sum(len(one.legend) + 1 for one in self._chart_data) if several else 0
        shows_log = both or self._shows_log or not samples or (self._full and several)
        log, pane = self.query_one("#log"), self.query_one(SamplesPane)
        least = 1 if self._full else max(1, min(6 if samples else 10, (height - 12) // 3))
        log.styles.height = max(least, min(read, height // 3))
        log.display = shows_log
        self.query_one("#log-rule").display = shows_log and not self._full
        pane.display = samples and (both or not shows_log) and not self._full
        pane.styles.height = 1 + max(2, min(9, (height - 14) // 3 - 2 * both))
        focused = self.focused
        if focused is None or not focused.display:
            self.query_one("#log" if shows_log else "#sample-now").focus()

    def _put_cursor(self, cursor: float | None) -> None:
        for chart in self._charts:
            chart.cursor = cursor
        self._update_status()
        self._update_log()
        self._update_samples()

    def _apply_chart_settings(self) -> None:
        for at, chart in enumerate(self._charts):
            spec = self._spec(at) if at < len(self._specs) else None
            if spec is None:
                continue
            chart.smoothing = self._view.smoothing if spec.smoothed else 0.0
            chart.log_scale = spec.traces[0].tag in self._view.log_scale
            chart.by_time = self._axis.is_time

    def _draw_curves(self) -> None:
        detail, series = self._detail, self._series
        along_x = "" if self._axis is Axis.STEP else self._axis.value
        specs = charts_of(series, self._filter, self._view.pinned_tags)
        if specs != self._specs:
            self._specs = specs
            self._apply_chart_settings()
        status = detail.row.view.status if detail else None
        total = status.total if status and self._axis is Axis.STEP else 0
        shown = [self._spec(at) for at in range(min(len(self._charts), len(specs)))]
        runs = self._run_curves
        self._chart_data = [
            build_chart_data(spec, runs, self._axis, branches=self._view.branches) for spec in shown
        ]
        self._window = self._window_of(self._chart_data)
        for at, chart in enumerate(self._charts):
            if at >= len(specs):
                chart.show((), title="", missing=" " if specs else "no tag is like this")
                continue
            made = self._chart_data[at]
            chart.show(
                made.curves,
                title=made.title,
                total=total,
                levels=self._levels(at),
                along=along_x,
                wall=self._axis is Axis.WALL_TIME,
                window=self._window,
                facts=made.facts,
                left_out=made.left_out,
                missing=made.missing,
            )

    def _levels(self, at: int) -> list[Level]:
        """Lines across the chart at that place."""
        detail = self._detail
        return levels_of(self._spec(at), self._chart_data[at].curves, detail.row) if detail else []

    def _refresh_all(self) -> None:
        if not self.ready:
            return
        self._update_status()
        self._draw_curves()
        self._update_log()
        self._update_trouble()
        self._lay_out_below(self.size.height)
        self._update_samples()
        self.show_keys()

    def _update_status(self) -> None:
        """The lines of numbers, at the cursor where there is one."""
        row = self.chosen
        if row is None:
            self.query_one("#headline", Lines).show([(" No run to watch yet.", "dim")])
            return
        series = self._series
        self.query_one("#headline", Lines).show(headline(row, self.glyphs))
        self.query_one("#sparks", Lines).show(sparks(series, self.size.width, self.glyphs))
        self.query_one("#numbers", Lines).show(numbers(row, series, self._step))
        line = standing(row, series, self.glyphs.separator)
        if self._filter_error:
            line = [(f" {self._filter_error}", "bad")]
        elif self.filter_text and not self.query("#filter"):  # as it was left last time
            line = [*line, (" only tags like ", "dim"), (one_line(self.filter_text), "warn"),
                    ("   esc shows all", "dim")]  # fmt: skip
        self.query_one("#standing").display = bool(line)
        self.query_one("#standing", Lines).show(line)

    def _update_log(self) -> None:
        """The end of the log, or the beginning of what another writer's files say; where several
        runs are drawn, what each reads at the cursor."""
        lines = list(self._detail.log) if self._detail else []
        several = len(self._run_curves) > 1
        if several:
            lines = readings(self._chart_data, self._charts[0].cursor if self._charts else None)
        pager = self.query_one("#log", Pager)
        pager.follow(self._has_log and not several)
        pager.show([[(f" {line}", "")] for line in lines])

    def _update_samples(self) -> None:
        if self._prompt_histories:
            self._prompt = min(self._prompt, len(self._prompt_histories) - 1)
            self.query_one(SamplesPane).show(self._prompt_histories, self._prompt, self._step)

    def _update_trouble(self) -> None:
        row = self.chosen
        lines: list[Line] = []
        status = row.view.status if row else None
        if status is not None and status.error is not None:
            error = status.error
            lines = failure_lines(error.title, error.detail, error.hint)
        elif row is not None and row.view.problem:
            lines = failure_lines(row.view.problem, "", "")
        if self._detail and (self._detail.series or not (row and row.view.state.alive)):
            owner = f"{name_of(row)}: " if row and self._overlay else ""
            lines += [[(owner + problem, "warn")] for problem in self._detail.problems]
        for other in self._picked:
            told = self._overlay[other.key].problems if other.key in self._overlay else ()
            lines += [[(f"{name_of(other)}: {problem}", "warn")] for problem in told]
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
