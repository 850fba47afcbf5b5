"""The window in which rows are picked: one or several, narrowed, typed, and by further keys."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

import tui
from engine.errors import EngineError
from tests.tui.conftest import until
from tui.screens.modal import Window
from tui.screens.pick_window import (
    EntryField,
    FilterField,
    Multi,
    Picked,
    PickOption,
    PickWindow,
    pick_option,
)
from tui.theme import DARK
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager
from tui.widgets.table import Column, Table, TableRow

NAMES = ("red", "green", "blue")
COLUMNS = (Column("colour", 10, 20),)


class _App(App[None]):
    CSS_PATH = Path(tui.__file__).with_name("app.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", priority=True)]

    def __init__(self) -> None:
        super().__init__()
        self.picked: list[Any] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    async def action_back(self) -> None:
        if isinstance(self.screen, Window):
            self.screen.go_back()


def rows_of(text: str = "") -> list[TableRow]:
    """Rows by a part of their name. Raises EngineError for `(`."""
    if "(" in text:
        raise EngineError("No filter.", "a bracket is open")
    return [TableRow(name, (((name, ""),),)) for name in NAMES if text in name]


async def opened(pilot: Pilot[None], **options: Any) -> PickWindow:
    app = pilot.app
    assert isinstance(app, _App)
    window = PickWindow(COLUMNS, rows_of(), **options)
    await window.open(app, app.picked.append)
    await until(pilot, window.opened.is_set)
    return window


def keys_line(window: PickWindow) -> str:
    return "".join(text for line in window.query_one("#keys", Lines)._shown for text, _ in line)


def listed(window: PickWindow) -> list[str]:
    table = window.query_one(Table)
    return [table._make(at).key for at in range(len(table._keys))]


async def test_one_is_chosen_and_esc_chooses_none() -> None:
    app = _App()
    async with app.run_test() as pilot:
        await opened(pilot, chosen="green")
        await pilot.press("down", "space", "enter")
        await until(pilot, lambda: app.picked == [Picked("blue")])
        await opened(pilot)
        await pilot.press("escape")
        assert app.picked == [Picked("blue")]


async def test_marks_are_in_the_order_of_marking_and_no_more_than_there_may_be() -> None:
    app = _App()
    async with app.run_test() as pilot:
        window = await opened(
            pilot,
            multi=Multi(["blue"], most=2, numbered=True),
            keys=lambda window: f"{len(window.marked)} marked",
            extra={"c": PickWindow.clear_marks},
        )
        assert keys_line(window) == "1 marked"
        await pilot.press("space", "down", "space")
        assert window.marked == ("blue", "red"), "two at most"
        first = window.query_one(Table)._make(0)
        assert first.marked
        assert first.cells[0][0] == ("2 ", "key")
        await pilot.press("c", "space", "up", "space", "space")
        assert keys_line(window) == "1 marked"
        await pilot.press("enter")
        await until(pilot, lambda: app.picked == [Picked("red", ("green",))])


@pytest.mark.parametrize("move", ["j", "down"])
async def test_keys_typed_at_once_are_taken_in_their_order(move: str) -> None:
    app = _App()
    async with app.run_test() as pilot:
        window = await opened(pilot, multi=Multi())
        for key in (move, "space", move, "space"):
            app.post_message(Key(key, key if len(key) == 1 else " " if key == "space" else None))
        await until(pilot, lambda: len(window.marked) == 2)
        assert list(window.marked) == ["green", "blue"]


async def test_a_list_is_narrowed_from_the_start_and_space_still_marks() -> None:
    app = _App()
    async with app.run_test() as pilot:
        field = FilterField("a colour", rows_of)
        window = await opened(pilot, multi=Multi(["gone"]), field=field, keys="space mark")
        await pilot.press("r", "e", "space", "down", "space", "e")
        assert window.query_one(Input).value == "ree"
        assert listed(window) == ["green"]
        await pilot.press("left_parenthesis")
        assert listed(window) == ["green"], "the filter before still holds"
        assert keys_line(window) == "filter: a bracket is open"
        await pilot.press("enter")
        await until(pilot, lambda: app.picked == [Picked("green", ("gone", "red", "green"))])


async def test_a_filter_is_opened_by_a_key_and_left_by_esc() -> None:
    app = _App()
    async with app.run_test() as pilot:
        field = FilterField("a colour", rows_of, by_slash=True, keys="enter to the list")
        window = await opened(pilot, field=field, keys="/ filter", extra={"u": _fail})
        await pilot.press("slash", *"blue")
        assert keys_line(window) == "enter to the list"
        assert listed(window) == ["blue"], "letters are text, and no further keys"
        await pilot.press("enter")
        await until(pilot, lambda: keys_line(window) == "/ filter")
        await pilot.press("escape")
        await until(pilot, lambda: listed(window) == [*NAMES])
        assert app.screen is window
        await pilot.press("enter")
        await until(pilot, lambda: app.picked == [Picked("blue")])


def _fail(window: PickWindow) -> None:
    raise AssertionError("it was typed")


async def test_what_is_typed_is_handed_over_and_rows_may_come_later() -> None:
    app = _App()
    async with app.run_test() as pilot:

        def add(window: PickWindow, text: str) -> None:
            window.replace_rows([*window.rows, TableRow(text, (((text, ""),),))])
            window.mark(text)
            window.choose(text)

        window = await opened(
            pilot,
            multi=Multi(),
            field=EntryField("a colour", add),
            on_open=lambda window: add(window, "white"),
        )
        assert listed(window) == [*NAMES, "white"]
        await pilot.press("tab", *"a b", "enter")
        assert listed(window)[-1] == "a b"
        assert window.query_one(Input).value == ""
        await pilot.press("enter")
        await until(pilot, lambda: app.picked == [Picked("a b", ("white", "a b"))])


@pytest.mark.parametrize("size", [(80, 24), (60, 12), (160, 50)])
async def test_the_keys_are_in_sight_at_any_size(size: tuple[int, int]) -> None:
    app = _App()
    async with app.run_test(size=size) as pilot:
        for by_slash in (False, True):
            field = FilterField("a colour", rows_of, by_slash=by_slash)
            window = await opened(pilot, field=field, keys="enter takes")
            await pilot.press("slash")
            await until(pilot, lambda: window.query_one(Input).region.height == 1)  # noqa: B023
            dialog = window.query_one(".dialog").content_region
            for part in window.query("Table, Input, #keys"):
                assert dialog.contains_region(part.region), part
            assert window.query_one(Table).region.height >= 3
            await pilot.press("escape", "escape")


async def test_an_option_is_taken_by_its_key() -> None:
    app = _App()
    async with app.run_test() as pilot:
        options = [PickOption("", "none"), PickOption("x", "\x1bX", "about it")]
        pick_option(app, "title", options, "x", app.picked.append)
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        assert isinstance(app.screen, PickWindow)
        await until(pilot, app.screen.opened.is_set)
        assert "\x1b" not in app.screen.rows[1].text
        await pilot.press("up", "enter")
        await until(pilot, lambda: app.picked == [""])
        pick_option(app, "title", [], None, app.picked.append)
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, PickWindow))
        assert app.picked == [""]


async def test_a_title_and_what_is_said_of_the_chosen_row() -> None:
    app = _App()
    async with app.run_test(size=(80, 24)) as pilot:
        window = await opened(pilot, title="Colours", about=lambda key: f"All of {key}.", lines=5)
        assert window.query_one("#title", Lines)._shown == [[("Colours", "strong")]]

        def about() -> str:
            lines = window.query_one("#about", Pager)._text
            return "".join(text for line in lines for text, _ in line)

        await until(pilot, lambda: about() == "All of red.")
        await pilot.press("j")
        await until(pilot, lambda: about() == "All of green.")
        assert window.query_one(Table).size.height == 5
        await pilot.press("enter")
        assert app.picked == [Picked("green")]
