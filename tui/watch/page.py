"""Watch: one run as it learns, its curves, its numbers, the end of its log."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize

from engine.text import one_line
from tui.background import run_in_background
from tui.charts.cursor import readings
from tui.charts.run_lines import headline, numbers, sparks, standing
from tui.formatting import failure_lines, name_of
from tui.screens.page import bindings_of
from tui.screens.run_actions import RunActions
from tui.screens.tree_and_groups import arrange, kept
from tui.snapshots import PromptHistory, RunDetail, RunRow, RunsSnapshot
from tui.styled_text import Line
from tui.watch.chart_board import ChartBoard
from tui.watch.export import NAME_HINT
from tui.watch.overlay import Overlay
from tui.watch.samples_pane import SamplesPane
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.text_field import TextField

if TYPE_CHECKING:
    from textual.widgets import Input

BOTH_FROM = 32
"""Rows of a terminal from which samples and log are shown at once, not in turn."""


class WatchPage(RunActions):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("watch")
    name_in_keymap = "watch"
    initial_focus = "#log"
    filter_hint = "tags: words, /regex/, with and, or, not, ( )"

    def __init__(self) -> None:
        super().__init__()
        self._detail: RunDetail | None = None
        self._overlay = Overlay(self, self._refresh_all)
        self._recalled = False
        """Whether the saved chart settings were requested."""
        self._shows_log = False
        """Whether the log has its turn where samples and log do not both fit."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="sparks")
        yield ChartBoard(self.services.chart_settings, self.glyphs, id="charts")
        yield Lines(id="numbers")
        yield Lines(id="standing")
        yield Pager(id="trouble")
        yield SamplesPane(id="samples")
        yield Rule(id="log-rule")
        yield Pager(wrap=False, follow=True, id="log")
        yield keys

    @property
    def board(self) -> ChartBoard:
        return self.query_one("#charts", ChartBoard)

    @property
    def chosen(self) -> RunRow | None:
        return self.services.runs.row(self.services.selected)

    def open(self) -> None:
        super().open()
        if self.services.selected is None:
            self.services.selected = _first(self.services.runs)
        self.services.watch_run(self.services.selected)
        self._refresh_all()
        if not self._recalled:
            self._recalled = True
            self.services.chart_settings.recall(self._use_recalled)

    def _use_recalled(self, note: str) -> None:
        """Draw by the saved settings."""
        tag_filter = self.services.tags or self.services.chart_settings.view.tag_filter
        if tag_filter:
            self.filter_text = tag_filter
            self.board.set_filter(tag_filter, keep=False)
        if note:
            self.services.notify_user(note, "warning")
        self.board.reload_settings()
        self._refresh_all()
        self._overlay.read()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._lay_out)

    @property
    def _has_log(self) -> bool:
        """Whether a worker of ours wrote one; of other writers' runs there are only facts."""
        return self.chosen is not None and self.chosen.view.recipe is not None

    @property
    def _prompt_histories(self) -> tuple[PromptHistory, ...]:
        return self._detail.prompt_histories if self._detail else ()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        if self.services.selected is None:
            self.services.watch_run(_first(snapshot))
        self._overlay.read()
        self._update_status()
        self.show_keys()

    def show_detail(self, detail: RunDetail) -> None:
        if detail.row.key == self.services.selected:
            self._detail = detail
            self._refresh_all()

    def redraw(self) -> None:
        self.board.use_glyphs(self.glyphs)
        super().redraw()
        self._refresh_all()

    def on_chart_board_cursor_moved(self) -> None:
        self._update_status()
        self._update_log()
        self._update_samples()

    def on_chart_board_charts_changed(self) -> None:
        self._update_panes()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.ready:
            return False
        board = self.board
        match action:
            case "turn_run" | "overlay":
                return len(self.services.runs.rows) > 1
            case "turn_prompt":
                return len(self._prompt_histories) > 1
            case "turn_sample":
                return any(len(history.answers) > 1 for history in self._prompt_histories)
            case "turn_pane":
                return bool(self._prompt_histories) and self.size.height < BOTH_FROM
            case "turn_charts":
                return 0 < len(board.charts) < len(board.specs)
            case "full_screen":
                return bool(board.charts) and not self.in_field
            case "pan":
                return board.window is not None
            case "zoom":
                return board.can_zoom(float(str(parameters[0])))
            case "export" | "chat":
                return board.drawn_chart is not None
            case "export_all":
                return any(run.series for run in board.runs)
            case "overview":
                return self.chosen is not None
            case "log" if self.chosen and self.chosen.log:
                return self._has_log
        return super().check_action(action, parameters)

    @property
    def field_keys(self) -> list[tuple[str, str]]:
        if self.focused is not None and self.focused.id == "export":
            return [("enter", "save"), ("esc", "cancel")]
        return super().field_keys

    def go_back(self) -> bool:
        if self.query("#export"):
            self._close_export()
        elif self.in_field:
            return super().go_back()
        elif self.board.cursor is not None:
            self.board.set_cursor(None)
        elif self.board.full_screen:
            self.action_full_screen()
        else:
            return super().go_back()
        return True

    def apply_filter(self, text: str) -> None:
        self.board.set_filter(text)
        self._update_status()

    def action_cursor(self, by: int) -> None:
        self.board.move_cursor(by)

    def action_zoom(self, factor: float) -> None:
        self.board.zoom(factor)

    def action_pan(self, by: int) -> None:
        self.board.pan(by)

    def action_smooth(self, by: int) -> None:
        self.board.smooth(by)

    def action_log_scale(self) -> None:
        self.board.toggle_log_scale()

    def action_turn_axis(self) -> None:
        self.board.turn_axis()

    def action_turn_grid(self) -> None:
        self.board.turn_grid()

    def action_turn_charts(self) -> None:
        self.board.turn_charts()

    def action_full_screen(self) -> None:
        self.board.toggle_full_screen()
        self._lay_out_below()  # now, so that one frame shows both

    def action_branches(self) -> None:
        self.board.toggle_abandoned()
        if self.board.draws_abandoned and not any(
            series.abandoned for series in self.board.series.values()
        ):
            self.services.notify_user("No resume discarded points of this run.")

    def action_pin(self) -> None:
        """Find a chart by its tag; pin some before the others."""
        from tui.screens.pick_tags import pick_tags

        board, pinned = self.board, self.services.chart_settings.view.pinned_tags
        pick_tags(
            self.app, board.titles, pinned, board.tag, board.show_tag,
            space="pin chart", enter="show",
        )  # fmt: skip

    def action_overlay(self) -> None:
        """Choose runs to be drawn beside this one."""
        from tui.watch.pick_runs import pick_runs

        marked = self.services.chart_settings.view.selected
        rows = self._overlay.others
        picked = [row.key for row in rows if row.run_key in marked]
        pick_runs(self.app, rows, picked, self.services.pins, self._overlay.choose)

    async def action_export(self) -> None:
        """Ask for a name; its ending says what is written."""
        if not self.query("#export"):
            await self.mount(TextField(hint=NAME_HINT, id="export"))
        self.set_focus(self.query_one("#export"))

    def on_input_submitted(self, event: "Input.Submitted") -> None:
        if event.input.id != "export":
            return  # the filter's, which every page has
        self._close_export()
        path, chart = event.value.strip(), self.board.drawn_chart
        if path and chart is not None:
            run_in_background(
                self, lambda: chart.write(Path(path).expanduser()), self.services.notify_user
            )

    def _close_export(self) -> None:
        self.query("#export").remove()
        self.focus_initial()

    def action_export_all(self) -> None:
        """All tags, whether there is a chart of them in sight or not."""
        from tui.screens.export_points import export_points

        runs = self.board.runs
        whose = one_line(runs[0].name) if len(runs) == 1 else f"the {len(runs)} runs drawn"
        export_points(self, runs, whose, branches=self.board.draws_abandoned)

    def action_chat(self) -> None:
        """Show the chart in a line of text, and have the terminal copy it."""
        from tui.screens.dialogs import Copied

        chart = self.board.drawn_chart
        if chart is not None:
            text = chart.chat_line(self.glyphs)
            self.app.copy_to_clipboard(text)
            self.app.push_screen(Copied(text))

    def action_turn_prompt(self, by: int) -> None:
        self.query_one(SamplesPane).turn_prompt(by)

    def action_turn_sample(self, by: int) -> None:
        """To another step at which this prompt was answered."""
        board = self.board
        board.move_to_step(self.query_one(SamplesPane).step_of_answer(board.step, by))

    def action_turn_pane(self) -> None:
        self._shows_log = not self._shows_log
        self._lay_out()

    def action_turn_run(self, by: int) -> None:
        entries = arrange(kept(self.services.runs.rows), self.services.pins)
        keys = [entry.row.key for entry in entries]
        if not keys:
            return
        at = keys.index(self.services.selected) if self.services.selected in keys else 0
        self._detail = None
        self.services.watch_run(keys[(at + by) % len(keys)])
        self._refresh_all()

    def _lay_out(self) -> None:
        """A higher terminal may leave the charts as high as they were, and yet have more."""
        if self.ready:
            self.board.lay_out()
            self._lay_out_below()
            self.show_keys()

    def _lay_out_below(self) -> None:
        """Samples and log under the charts: both where there is room, else one of them.

        Where several runs are drawn, the values of all of them have room, under one chart too.
        """
        height, board = self.size.height, self.board
        both, samples = height >= BOTH_FROM, bool(self._prompt_histories)
        several, full = len(board.runs) > 1, board.full_screen
        values = sum(len(data.legend) + 1 for data in board.chart_data) if several else 0
        shows_log = both or self._shows_log or not samples or (full and several)
        log, pane = self.query_one("#log"), self.query_one(SamplesPane)
        least = 1 if full else max(1, min(6 if samples else 10, (height - 12) // 3))
        log.styles.height = max(least, min(values, height // 3))
        log.display = shows_log
        self.query_one("#log-rule").display = shows_log and not full
        pane.display = samples and (both or not shows_log) and not full
        pane.styles.height = 1 + max(2, min(9, (height - 14) // 3 - 2 * both))
        focused = self.focused
        if focused is None or not focused.display:
            self.query_one("#log" if shows_log else "#sample-now").focus()

    def _refresh_all(self) -> None:
        if not self.ready:
            return
        self.board.show(self._detail, self._overlay.runs)
        self._update_trouble()
        self._update_panes()

    def _update_panes(self) -> None:
        """All that is read from the charts."""
        if not self.ready:
            return
        self._update_status()
        self._update_log()
        self._lay_out_below()
        self._update_samples()
        self.show_keys()

    def _update_status(self) -> None:
        """The lines of numbers, at the cursor where there is one."""
        row = self.chosen
        if row is None:
            self.query_one("#headline", Lines).show([(" No runs to watch yet.", "dim")])
            return
        series = self.board.series
        self.query_one("#headline", Lines).show(headline(row, self.glyphs))
        self.query_one("#sparks", Lines).show(sparks(series, self.size.width, self.glyphs))
        line = numbers(row, series, self.board.step, named=len(self.board.runs) > 1)
        self.query_one("#numbers").display = bool(line)
        self.query_one("#numbers", Lines).show(line)
        line = standing(row, series, self.glyphs.separator)
        if self.board.filter_error:
            line = [(f" {self.board.filter_error}", "bad")]
        elif self.filter_text and not self.query("#filter"):  # as it was left last time
            line = [*line, (" tag filter: ", "dim"), (one_line(self.filter_text), "warn"),
                    ("   esc show all", "dim")]  # fmt: skip
        self.query_one("#standing").display = bool(line)
        self.query_one("#standing", Lines).show(line)

    def _update_log(self) -> None:
        """The end of the log, or the beginning of what another writer's files say; where several
        runs are drawn, what each reads at the cursor."""
        lines = list(self._detail.log) if self._detail else []
        several = len(self.board.runs) > 1
        if several:
            lines = readings(self.board.chart_data, self.board.cursor)
        pager = self.query_one("#log", Pager)
        pager.follow(self._has_log and not several)
        pager.show([[(f" {line}", "")] for line in lines])

    def _update_samples(self) -> None:
        self.query_one(SamplesPane).show(self._prompt_histories, self.board.step)

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
            owner = f"{name_of(row)}: " if row and self._overlay.runs else ""
            lines += [[(owner + problem, "warn")] for problem in self._detail.problems]
        lines += [[(problem, "warn")] for problem in self._overlay.problems]
        pager = self.query_one("#trouble", Pager)
        pager.styles.height = min(len(lines), max(1, self.size.height // 4))
        pager.display = bool(lines)
        pager.show([[(" ", ""), *line] for line in lines])


def _first(snapshot: RunsSnapshot) -> str | None:
    """What to watch when nothing was chosen: what runs, else the newest."""
    rows = snapshot.rows
    live = [row for row in rows if row.view.state.alive]
    own = [row for row in rows if not row.shipped]
    first = next(iter([*live, *own, *rows]), None)
    return first.key if first else None
