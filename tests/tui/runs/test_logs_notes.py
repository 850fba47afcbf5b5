"""What is said of watched logs, kept in the view of their directory: never beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.store import Store
from tests.events.encoding import event, event_file, simple
from tests.tui.conftest import screen_text, see, until
from tests.tui.runs.test_logs_page import text_value
from tests.tui.runs.test_marking import kept
from tui.logs_app import LogsApp
from tui.screens.page import Page
from tui.screens.run_dialogs import DifferenceWindow, NoteWindow
from tui.styled_text import Line
from tui.widgets.table import Table, TableRow
from tui.widgets.text_field import TextField

RATES = {"a": 0.1, "b": 0.2, "c": 0.1}
STEPS = {"a": 7, "b": 3, "c": 12}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three runs of another writer, who noted their settings; `b` met a NaN and went on."""
    for name, rate in RATES.items():
        settings = text_value("args", json.dumps({"lr": rate, "model": "m", "betas": [0.9, rate]}))
        losses = [1.0, float("nan") if name == "b" else 2.0, 3.0]
        points = [event(at, STEPS[name] + at, simple("loss", x)) for at, x in enumerate(losses)]
        event_file(tmp_path / "logs" / name, event(0.0, 0, settings), *points)
    return tmp_path / "logs"


def app_on(logs: Path, tmp_path: Path) -> LogsApp:
    return LogsApp([logs], Store(tmp_path / "runs"))


def listed(app: LogsApp) -> list[str]:
    names = [line[2:20].replace("!", " ").split() for line in screen_text(app).splitlines()[3:]]
    return [words[0] for words in names if len(words) == 1 and words[0] in RATES]


async def test_groups_differences_notes_and_what_is_put_away(logs: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in logs.rglob("*")}
    app = app_on(logs, tmp_path)
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        await until(pilot, lambda: listed(app) == ["a", "b", "c"])
        await see(pilot, "! b ")  # what stopped being a number for a moment
        await see(pilot, "1 with NaN/Inf")
        await pilot.press("b")
        await see(pilot, "group by")
        assert "model" not in screen_text(app), "they all agree on it"
        await pilot.press("down", "enter")
        await see(pilot, "lr = 0.1 (2 runs)")
        assert listed(app) == ["a", "c", "b"]
        await pilot.press("home", "m", "D")  # a heading is no run
        assert isinstance(app.screen, Page)
        await see(pilot, "cannot be deleted")
        await pilot.press("end", "space", "home", "down", "d")
        await until(pilot, lambda: isinstance(app.screen, DifferenceWindow))
        await see(pilot, "0.2 → 0.1")
        await pilot.press("escape", "m")
        await until(pilot, lambda: isinstance(app.screen, NoteWindow))
        app.screen.query_one("#note", TextField).value = "looks good"
        app.screen.query_one("#tags", TextField).value = "first"
        await pilot.press("enter")
        await see(pilot, "a · event files · 1 tags · #first · looks good")
        await pilot.press("down", "x")
        await until(pilot, lambda: listed(app) == ["a", "b"])
        await see(pilot, "1 hidden")
        await pilot.press("end", "z")
        await until(pilot, lambda: listed(app) == ["a"])
        await pilot.press("X", "Z")
        await until(pilot, lambda: listed(app) == ["a", "c", "b"])
        await until(pilot, lambda: len(kept(tmp_path).get("notes", ())) == 3)  # type: ignore[arg-type]
    again = app_on(logs, tmp_path)
    async with again.run_test(size=(140, 40)) as pilot:
        await see(pilot, "lr = 0.1 (1 run)")
        await see(pilot, "1 hidden · 1 archived")
        await pilot.press("X", "Z", "end", "z", "/")
        again.screen.query_one(TextField).value = "#first or (name:b and not note:first)"
        await until(pilot, lambda: listed(again) == ["a", "b"])
    assert {path: path.stat().st_mtime_ns for path in logs.rglob("*")} == before


async def test_pins_the_order_by_step_and_the_filter_are_kept(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_on(logs, tmp_path)
    layouts: list[object] = []
    lines: list[str] = []
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: listed(app) == ["a", "b", "c"])
        await pilot.press("end", "p", "o")
        await until(pilot, lambda: listed(app) == ["c", "a", "b"])
        assert "step ▼" in screen_text(app)
        await pilot.press("O")
        await until(pilot, lambda: listed(app) == ["c", "b", "a"])
        await pilot.press("/")
        await see(pilot, "state:running")
        await until(pilot, lambda: not app.screen._layout_required)
        lay_out = app.screen._refresh_layout

        def laid_out(*given: Any, **named: Any) -> None:
            layouts.append(given)
            lay_out(*given, **named)

        monkeypatch.setattr(app.screen, "_refresh_layout", laid_out)
        app.screen.query_one(TextField).value = "not a"
        await until(pilot, lambda: listed(app) == ["c", "b"])
        app.screen.query_one(TextField).value = "not (a or d)"
        await pilot.pause()
        await see(pilot, "not (a or d)")
        assert not layouts, "letters move nothing"
        app.screen.query_one(TextField).value = "not a"
        await pilot.press("enter")
        table = app.screen.query_one(Table)
        paint = table._line

        def painted(row: TableRow, widths: list[int], *, chosen: bool) -> Line:
            lines.append(row.key)
            return paint(row, widths, chosen=chosen)

        monkeypatch.setattr(table, "_line", painted)
        before = table.chosen
        await pilot.press("home", "down")
        assert table.chosen != before
        assert len(lines) <= 4, "only what was chosen and what is are painted anew"
        await until(pilot, lambda: kept(tmp_path).get("run_filter") == "not a")
        await until(pilot, lambda: kept(tmp_path).get("pinned_runs") == ["c"])
    again = app_on(logs, tmp_path)
    async with again.run_test(size=(120, 40)) as pilot:
        await see(pilot, "filter: not a, esc show all")
        await until(pilot, lambda: listed(again) == ["c", "b"])
        assert "↑ c" in screen_text(again).replace("↑  ", "↑ ")
        await pilot.press("escape")
        await until(pilot, lambda: listed(again) == ["c", "b", "a"])
        assert again.screen.query_one(Table).chosen
        await pilot.press("end", "enter")
        await see(pilot, "b c")  # a pinned one is always drawn
        await until(pilot, lambda: kept(tmp_path).get("run_filter") == "")
        await pilot.press("o", "/")
        again.screen.query_one(TextField).value = "b"
        await until(pilot, lambda: again.screen.query_one(Table)._keys == (str(logs / "b"),))
        await pilot.press("enter", "space", "enter")
        await see(pilot, "c c")
        await until(pilot, lambda: kept(tmp_path).get("selected") == ["b"])
