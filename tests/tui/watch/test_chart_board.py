"""The board of charts in an app that has nothing else: no page, no services, no run on disk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from engine.charts import view_state
from engine.charts.axes import Axis
from engine.events.series import Branch, Series
from engine.jobs.summary import view
from tests import patience
from tests.charts.curves import series
from tests.tui.building import write_run
from tui.charts.run_curves import RunCurves
from tui.charts.view_store import ChartSettings
from tui.glyphs import ASCII, UNICODE
from tui.snapshots import RunDetail, RunRow
from tui.watch.chart_board import ChartBoard
from tui.watch.export import DrawnChart

TAGS = ("train/loss", "train/perplexity", "train/grad_norm", "zz/speed")


class BoardApp(App[None]):
    """Counts what the board posts."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.settings = ChartSettings(self, place)
        self.posted: list[Message] = []

    def compose(self) -> ComposeResult:
        yield ChartBoard(self.settings, UNICODE)

    @property
    def board(self) -> ChartBoard:
        return self.query_one(ChartBoard)

    def on_chart_board_cursor_moved(self, event: ChartBoard.CursorMoved) -> None:
        self.posted.append(event)

    def on_chart_board_charts_changed(self, event: ChartBoard.ChartsChanged) -> None:
        self.posted.append(event)

    @property
    def cursors(self) -> list[float | None]:
        return [one.cursor for one in self.posted if isinstance(one, ChartBoard.CursorMoved)]


@pytest.fixture
def app(tmp_path: Path) -> BoardApp:
    return BoardApp(tmp_path / "logs")


def detail(
    root: Path, name: str = "live", tags: Sequence[str] = TAGS, points: int = 5
) -> RunDetail:
    """A run with so many points of each tag, at steps 0, 10, 20 ..."""
    shown = view(write_run(root, name, total=100))
    assert shown is not None
    steps = [10 * at for at in range(points)]
    return RunDetail(RunRow(shown), {tag: series(tag, [1.0 + at for at in range(points)], steps)
                                     for tag in tags})  # fmt: skip


async def settled(pilot: Pilot[None], app: BoardApp) -> None:
    """Everything is drawn, and every message has arrived."""
    for _ in range(int(patience.SECONDS / 0.01)):
        await pilot.pause(0.01)
        charts = app.board.charts
        if charts and all(chart.settled and chart.span for chart in charts):
            await pilot.pause()
            return
    raise AssertionError("the charts are never drawn")


def titles(app: BoardApp) -> list[str]:
    return [data.title for data in app.board.chart_data]


@pytest.mark.parametrize(
    ("size", "count"), [((80, 24), 1), ((120, 30), 2), ((140, 39), 2), ((140, 40), 4)]
)
async def test_as_many_charts_as_there_is_room_for(
    app: BoardApp, tmp_path: Path, size: tuple[int, int], count: int
) -> None:
    async with app.run_test(size=size) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        assert len(app.board.charts) == count
        assert titles(app) == ["loss", "perplexity", "gradient norm", "zz/speed"][:count]


async def test_a_larger_terminal_gets_more_charts(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.posted.clear()
        await pilot.resize_terminal(160, 50)
        await settled(pilot, app)
        assert len(app.board.charts) == 4
        assert [type(one) for one in app.posted] == [ChartBoard.ChartsChanged]


async def test_charts_take_turns_and_one_stands_alone(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.board.turn_charts()
        await settled(pilot, app)
        assert titles(app) == ["gradient norm", "zz/speed"]
        app.board.toggle_full_screen()
        await settled(pilot, app)
        assert (app.board.full_screen, titles(app)) == (True, ["gradient norm"])
        app.board.toggle_full_screen()
        app.board.turn_charts()
        await settled(pilot, app)
        assert titles(app) == ["loss", "perplexity"]


async def test_a_grid_has_only_charts_that_can_be_read(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        counts = []
        for _ in range(7):
            app.board.turn_grid()
            await settled(pilot, app)
            counts.append(len(app.board.charts))
        assert counts == [1, 2, 4, 6, 9, 9, 2], "sixteen would have no room; then as at first"


async def test_the_cursor_is_told_and_stands_in_every_chart(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.posted.clear()
        app.board.move_cursor(-2)
        await settled(pilot, app)
        assert app.cursors == [app.board.cursor] == [20.0]
        assert {chart.cursor for chart in app.board.charts} == {20.0}
        assert app.board.step == 20
        app.board.move_to_step(None)
        await settled(pilot, app)
        assert app.cursors[1:] == [None]
        assert app.board.step is None


async def test_another_axis_keeps_the_step_under_the_cursor(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.board.move_to_step(20)
        for _ in Axis:
            app.board.turn_axis()
            await settled(pilot, app)
            if app.board.axis.is_time:
                assert app.board.step == 20
        assert app.board.axis is Axis.STEP


async def test_another_run_has_no_cursor_yet_and_new_points_keep_it(
    app: BoardApp, tmp_path: Path
) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        first = detail(tmp_path)
        app.board.show(first)
        await settled(pilot, app)
        app.board.move_to_step(20)
        app.board.show(RunDetail(first.row, detail(tmp_path, "longer", points=9).series))
        assert app.board.step == 20
        app.board.show(detail(tmp_path, "second"))
        assert app.board.step is None


async def test_what_is_shown_is_not_told_again(app: BoardApp, tmp_path: Path) -> None:
    """Who calls `show` knows; a message for each new point would have it all done twice."""
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot, app)
        app.posted.clear()
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        assert titles(app) == ["loss", "perplexity"]
        assert app.posted == []


async def test_zoom_takes_the_cursor_along_and_goes_back(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        assert not app.board.can_zoom(2.0)
        app.board.move_to_step(0)
        app.board.zoom(0.5)
        await settled(pilot, app)
        assert app.board.window == (0.0, 50.0), "the axis goes as far as the run will"
        assert app.board.can_zoom(2.0)
        app.board.pan(2)
        await settled(pilot, app)
        assert app.board.window == (25.0, 75.0)
        assert app.board.step == 30, "the nearest point in sight"
        app.board.zoom(2.0)
        await settled(pilot, app)
        assert app.board.window is None
        assert app.board.charts[0].span == (0.0, 100.0)


async def test_nothing_is_zoomed_or_exported_where_nothing_is_drawn(app: BoardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        app.board.zoom(0.5)
        app.board.pan(1)
        app.board.move_cursor(-1)
        assert not app.board.can_zoom(0.5)
        assert (app.board.window, app.board.cursor, app.board.drawn_chart) == (None, None, None)


async def test_a_filter_that_is_none_leaves_the_one_before(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.board.set_filter("norm or speed")
        assert titles(app) == ["gradient norm", "zz/speed"]
        assert app.settings.view.tag_filter == "norm or speed"
        app.board.set_filter("(norm or")
        assert app.board.filter_error.startswith("filter: ")
        assert titles(app) == ["gradient norm", "zz/speed"]
        assert app.settings.view.tag_filter == "norm or speed"
        app.board.set_filter("speed", keep=False)
        assert (app.board.filter_error, titles(app)) == ("", ["zz/speed"])
        assert app.settings.view.tag_filter == "norm or speed"
        app.board.set_filter("")
        assert len(titles(app)) == 4


async def test_pinned_tags_come_first_and_a_tag_can_be_looked_up(
    app: BoardApp, tmp_path: Path
) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        assert app.board.titles["zz/speed"] == "zz/speed"
        app.board.show_tag("train/grad_norm", [])
        assert (app.board.tag, titles(app)) == ("train/grad_norm", ["gradient norm", "zz/speed"])
        app.board.show_tag("train/grad_norm", ["zz/speed"])
        assert titles(app) == ["zz/speed", "loss"]


async def test_smoothing_and_scale_are_of_the_charts_and_kept(
    app: BoardApp, tmp_path: Path
) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.board.smooth(1)
        app.board.smooth(99)
        assert [chart.smoothing for chart in app.board.charts] == [0.99, 0.99]
        app.board.toggle_log_scale()
        assert all(chart.log_scale for chart in app.board.charts)
        app.board.turn_charts()
        await settled(pilot, app)
        assert not any(chart.log_scale for chart in app.board.charts), "others are linear still"
        app.board.toggle_log_scale()
        app.board.toggle_log_scale()
        assert app.settings.view.log_scale == ["train/loss", "train/perplexity"]
        for _ in range(int(patience.SECONDS / 0.01)):
            kept, _note = view_state.load(tmp_path / "logs")
            if kept == app.settings.view:
                break
            await pilot.pause(0.01)
        assert kept.smoothing == 0.99


async def test_settings_of_last_time_are_drawn_by(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.settings.change(rows=1, columns=2, smoothing=0.3, window=[0.0, 20.0])
        app.board.reload_settings()
        await settled(pilot, app)
        assert len(app.board.charts) == 2
        assert app.board.charts[0].smoothing == 0.3
        assert app.board.window == app.board.charts[0].span == (0.0, 20.0)


async def test_runs_beside_the_watched_one(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        other = RunCurves("other", {"train/loss": series("train/loss", [3.0, 2.0], [0, 10])})
        app.board.show(None, [other])
        assert app.board.runs == [], "beside nothing, nothing is drawn"
        app.board.show(detail(tmp_path), [other])
        await settled(pilot, app)
        assert [run.name for run in app.board.runs] == ["live", "other"]
        assert [len(data.curves) for data in app.board.chart_data] == [2, 1]


async def test_what_a_resume_abandoned_is_drawn_on_request(app: BoardApp, tmp_path: Path) -> None:
    branch = Branch(np.array([30, 40]), np.array([3.0, 4.0]), np.array([9.0, 9.0]), 20)
    curve: Series = series("train/loss", [3, 2, 1], [0, 10, 20], abandoned=(branch,))
    async with app.run_test(size=(80, 24)) as pilot:
        app.board.show(RunDetail(detail(tmp_path).row, {"train/loss": curve}))
        await settled(pilot, app)
        app.board.toggle_abandoned()
        assert [one.faint for one in app.board.chart_data[0].curves] == [False, True]
        app.board.toggle_abandoned()
        assert [one.faint for one in app.board.chart_data[0].curves] == [False]


async def test_the_first_chart_is_exported_as_it_is_drawn(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.board.show(detail(tmp_path))
        await settled(pilot, app)
        app.board.toggle_log_scale()
        app.board.zoom(0.5)
        drawn = app.board.drawn_chart
        assert isinstance(drawn, DrawnChart)
        assert (drawn.log_scale, drawn.smoothing, drawn.window) == (True, 0.6, app.board.window)
        assert drawn.chat_line(ASCII).startswith("live")
        assert "train/loss" in drawn.chat_line(ASCII)
        assert drawn.write(tmp_path / "loss.svg") == f"Wrote {tmp_path}/loss.svg"
        assert (tmp_path / "loss.svg").read_text().startswith("<svg")


async def test_other_glyphs_are_taken_up(app: BoardApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.board.show(detail(tmp_path))
        app.board.use_glyphs(ASCII)
        await settled(pilot, app)
        (chart,) = app.board.charts
        canvas = "".join(chart.render_line(y).text for y in range(1, chart.size.height))
        assert canvas.isascii()
