"""Marks, pins, sorting and what is remembered of them, on the list of watched logs and in Watch."""

import json
from pathlib import Path

import pytest

from engine.jobs.store import Store
from tests.tui.building import write_event
from tests.tui.conftest import screen_text, see, until
from tui.logs_app import LogsApp
from tui.runs.list_page import RunListPage
from tui.runs.logs_memory import parse_order, sort_by
from tui.screens.sort_order import SortOrder
from tui.watch.page import WatchPage
from tui.widgets.table import Table


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three runs: `low` ends lowest, `dip` was lowest, `high` is steady but ends in a spike."""
    top = tmp_path / "logs"
    top.mkdir()
    curves = {
        "dip": [3.0, 0.1, 2.0, 2.0],
        "high": [0.9, 0.9, 0.9, 7.0],
        "low": [4.0, 3.0, 2.0, 1.0],
    }
    for name, values in curves.items():
        for step, value in enumerate(values):
            write_event(top / name, step, {"loss": value, "zz/far": step, "speed": 9.0 - value})
    return top


@pytest.fixture
def app(logs: Path, tmp_path: Path) -> LogsApp:
    return LogsApp([logs], Store(tmp_path / "runs"))


def order(app: LogsApp) -> list[str]:
    lines = [line.lstrip("> ◆").split(" ")[0] for line in screen_text(app).splitlines()]
    return [name for name in lines[2:10] if name in ("dip", "high", "low")]


def kept(tmp_path: Path) -> dict[str, object]:
    files = [*(tmp_path / "state" / "views").glob("*.json")]
    found: dict[str, object] = json.loads(files[0].read_text())["view"] if files else {}
    return found


async def test_sorted_by_any_value_of_any_tag(app: LogsApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await see(pilot, "low")
        await until(pilot, lambda: order(app) == ["dip", "high", "low"])
        await pilot.press("t")
        await see(pilot, "space pin")
        await pilot.press("l", "o", "s", "s", "enter")
        await until(pilot, lambda: order(app) == ["low", "dip", "high"])
        await see(pilot, "by last loss ▲")
        await pilot.press("O")
        await until(pilot, lambda: order(app) == ["high", "dip", "low"])
        await pilot.press("O", "i")
        await until(pilot, lambda: order(app) == ["dip", "high", "low"])
        await see(pilot, "by best loss ▲")
        assert " 0.1 " in screen_text(app)
        await pilot.press("i")
        await see(pilot, "by smoothed loss")
        await until(pilot, lambda: order(app) == ["dip", "low", "high"])
        await until(pilot, lambda: kept(tmp_path).get("sort_by") == "smoothed:loss")
        assert "█▆▃▁" in screen_text(app), "the curve of what it is sorted by"
    again = LogsApp([tmp_path / "logs"], app.store)
    async with again.run_test(size=(120, 30)) as pilot:
        await see(pilot, "by smoothed loss")
        await until(pilot, lambda: order(again) == ["dip", "low", "high"])


async def test_marked_runs_are_drawn_together_and_remembered(app: LogsApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "low")
        await pilot.press("space")
        await see(pilot, "1 marked")
        await pilot.press("end", "enter")
        await see(pilot, "a low")
        await see(pilot, "b dip")
        await pilot.press("1", "M")
        await see(pilot, "3 marked")
        await pilot.press("M")
        await until(pilot, lambda: " marked," not in screen_text(app))
        await pilot.press("home", "space")
        await until(pilot, lambda: kept(tmp_path).get("selected") == ["dip"])
    again = LogsApp([tmp_path / "logs"], app.store)
    async with again.run_test(size=(120, 40)) as pilot:
        await see(pilot, "1 marked")
        await pilot.press("end", "enter")
        await see(pilot, "b dip")


async def test_pinned_tags_come_first_in_list_and_grid(app: LogsApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await see(pilot, "low")
        head = screen_text(app).splitlines()[2].split()
        assert head.index("loss") < head.index("far")
        await pilot.press("t")
        await see(pilot, "space pin")
        await pilot.press("f", "a", "r", "space", "enter")
        await until(pilot, lambda: screen_text(app).splitlines()[2].split()[:4][-1] == "far")
        await pilot.press("enter")
        await see(pilot, "zz/far · ")
        page = app.screen
        assert isinstance(page, WatchPage)
        assert page.board.specs[0].title == "zz/far"
        await pilot.press("P")
        await see(pilot, "space pin")
        await pilot.press("s", "p", "e", "e", "d", "enter")
        await until(pilot, lambda: page.board.tag == "speed")
        await until(pilot, lambda: kept(tmp_path).get("pinned_tags") == ["zz/far"])
        await pilot.press("P", "space", "escape")
        assert app.chart_settings.view.pinned_tags == ["zz/far"], "esc leaves all as before"


async def test_grid_smoothing_and_zoom_are_as_they_were(app: LogsApp, tmp_path: Path) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "low")
        await pilot.press("enter")
        await see(pilot, "loss · ")
        await pilot.press("d", "d", "plus", "z")
        await see(pilot, "zoomed")
        await until(pilot, lambda: bool(kept(tmp_path).get("window")))
    view = kept(tmp_path)
    assert (view["rows"], view["columns"], view["smoothing"]) == (1, 2, 0.8)
    again = LogsApp([tmp_path / "logs"], app.store)
    async with again.run_test(size=(160, 50)) as pilot:
        await see(pilot, "low")
        await pilot.press("enter")
        await see(pilot, "zoomed")
        page = again.screen
        assert isinstance(page, WatchPage)
        await until(pilot, lambda: len(page.board.charts) == 2)
        assert list(page.board.window or ()) == view["window"]
        assert page.board.charts[0].smoothing == 0.8
        await pilot.press("Z", "Z")
        await until(pilot, lambda: page.board.window is None)


async def test_a_zoom_on_what_another_run_lacks_shows_all_of_that(app: LogsApp, logs: Path) -> None:
    write_event(logs / "zlater", 5000, {"loss": 1.0})
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "zlater")
        await pilot.press("enter")
        await see(pilot, "loss · ")
        await pilot.press("z")
        await see(pilot, "zoomed")
        await pilot.press("left_square_bracket")
        await see(pilot, "step 5000")
        await until(pilot, lambda: "zoomed" not in screen_text(app))
        await pilot.press("right_square_bracket")
        await see(pilot, "zoomed")


@pytest.mark.parametrize("content", ['{"schema": 1, "view": {"rows": 3}}', "{broken"])
async def test_an_older_or_broken_view_is_told_once(
    app: LogsApp, tmp_path: Path, content: str
) -> None:
    from engine.charts.view_state import state_file

    path = state_file(app.place)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: len(app._notifications) == 1)
        (note,) = app._notifications
        assert "using defaults" in note.message
        await see(pilot, "low")
        assert isinstance(app.screen, RunListPage)
        assert app.screen.query_one(Table).chosen is not None
        await pilot.press("enter")
        await see(pilot, "loss · ")
        assert len(app._notifications) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("best:train/loss", SortOrder("", True, "best", tag="train/loss")),
        ("last:a:b", SortOrder("", True, "last", tag="a:b")),
        ("changed", SortOrder("changed", True)),
        ("name", SortOrder("", True)),
        ("worst:x", SortOrder("", True)),
        ("loss", SortOrder("", True)),
        ("", SortOrder("", True)),
    ],
)
def test_an_order_is_read_back(text: str, expected: SortOrder) -> None:
    assert parse_order(text, True) == expected
    if text in ("best:train/loss", "last:a:b", "changed", "name"):
        assert sort_by(expected) == text


async def test_a_cursor_is_never_out_of_sight(app: LogsApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "low")
        await pilot.press("end", "enter")
        await see(pilot, "loss · ")
        page = app.screen
        assert isinstance(page, WatchPage)
        await pilot.press("h", "h", "h", "h")
        await until(pilot, lambda: page.board.charts[0].cursor == 0)
        await pilot.press("z")
        await until(pilot, lambda: page.board.window == (0.0, 1.5))
        assert page.board.charts[0].cursor == 0, "in the middle it would show what is not there"
        await pilot.press("right_curly_bracket", "right_curly_bracket")
        await until(pilot, lambda: page.board.window == (0.75, 2.25))
        assert page.board.charts[0].cursor == 1, "the nearest point in sight"
        await pilot.press("right_curly_bracket", "right_curly_bracket", "right_curly_bracket")
        await until(pilot, lambda: page.board.window == (1.5, 3.0))
        assert page.board.charts[0].cursor == 2
        await pilot.press("x")
        await see(pilot, "relative step 2")
        assert page.board.charts[0].cursor == 2, "another axis, the same step"
        await pilot.press("z", "Z", "Z")
        await until(pilot, lambda: page.board.window is None)
        assert page.board.charts[0].cursor == 2


async def test_perplexity_is_derived_for_every_overlaid_run(tmp_path: Path) -> None:
    logs = tmp_path / "nll"
    logs.mkdir()
    for step in range(4):
        write_event(logs / "one", step, {"val_loss": 1.0})
        write_event(logs / "two", step, {"val_loss": 2.0})
        write_event(logs / "zwei", step, {"val_loss": 2.0, "val_perplexity": 7.5})
    app = LogsApp([logs], Store(tmp_path / "runs"), tags="perplexity")
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "zwei")
        await pilot.press("down", "space", "end", "k", "k", "enter")
        await see(pilot, "(derived: exp(val_loss))")
        await see(pilot, "a one  b two")
        await see(pilot, "2.71828")
        await see(pilot, "7.38906")
        await pilot.press("o", "end", "space", "enter")
        await see(pilot, "b two (derived: exp(val_loss))")
        assert "c zwei (derived" not in screen_text(app)


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (300, 100)])
async def test_any_size(app: LogsApp, logs: Path, size: tuple[int, int]) -> None:
    """Overlay, grid, zoom, pan, cursor, log scale; what is no number stays a gap and is told."""
    write_event(logs / "low", 4, {"loss": float("nan")})
    write_event(logs / "low", 5, {"loss": 0.5})
    write_event(logs / "dip", 7, {"loss": float("inf")})
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: len(app.runs.rows) == 3)
        await pilot.press("M", "end", "enter")
        await until(
            pilot, lambda: isinstance(app.screen, WatchPage) and bool(app.screen.board.chart_data)
        )
        page = app.screen
        assert isinstance(page, WatchPage)
        await until(pilot, lambda: len(page.board.chart_data[0].curves) == 3)
        for key in ("d", "d", "d", "z", "h", "right_curly_bracket", "y", "P", "escape",
                    "x", "enter", "Z", "Z", "Y", "escape", "plus", "a", "enter"):  # fmt: skip
            await pilot.press(key)
        await until(pilot, lambda: all(chart.settled for chart in page.board.charts))
        lines = screen_text(app).splitlines()
        assert len(lines) <= size[1]
        assert all(len(line) <= size[0] for line in lines)
        if size[1] > 20:
            assert "low: ! loss: NaN from step 4, finite again" in screen_text(app)
            assert "dip: ! loss: inf since step 7" in screen_text(app)
            for letter in ("a low", "b dip", "c high"):
                assert letter in screen_text(app)
        for columns, rows in [(20, 5), size]:
            await pilot.resize_terminal(columns, rows)
        await until(pilot, lambda: all(chart.settled for chart in page.board.charts))
