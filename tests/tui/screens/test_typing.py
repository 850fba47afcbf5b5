"""Keys that come in one burst, as from fast fingers, reach the field that they were meant for."""

from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input

from engine.jobs.store import Store
from tests.tui.building import write_event
from tests.tui.conftest import see, until
from tui.app import FinetopApp
from tui.base_app import BaseApp
from tui.logs_app import LogsApp
from tui.screens.modal import Window
from tui.screens.page import Page
from tui.screens.pick_window import PickWindow
from tui.widgets.pager import Pager

TYPED = "xq3Dn"
"""Each is a command where letters are not text: hide, leave, Watch, delete, new."""


def burst(app: BaseApp, text: str) -> None:
    """All keys at once, as the terminal's driver hands them over."""
    for letter in text:
        app.post_message(Key("slash" if letter == "/" else letter, letter))


async def typed(pilot: Pilot[None], app: BaseApp) -> None:
    page = app.screen
    assert isinstance(page, Page)
    burst(app, f"/{TYPED}")
    await until(pilot, lambda: page.filter_text == TYPED)
    field = app.focused
    assert isinstance(field, Input)
    burst(app, "/z")
    await until(pilot, lambda: field.value == f"{TYPED}/z")
    assert app.screen is page


@pytest.mark.parametrize("way", ["", "2", "3", "f"], ids=["runs", "launch", "watch", "log"])
async def test_on_every_page_with_a_filter(app: FinetopApp, way: str) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "live")
        before = app.screen
        if way:
            await pilot.press(way)
            await until(pilot, lambda: app.screen is not before)
            await until(pilot, lambda: isinstance(app.screen, Page) and app.screen.ready)
        await typed(pilot, app)


async def test_in_a_window_that_opens(app: FinetopApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "live")
        page = app.screen
        app.action_help()
        window = app.screen
        assert isinstance(window, Window)
        assert not window.opened.is_set()
        app.post_message(Key("pagedown", None))  # no key of a window, but of what is in it
        await until(pilot, lambda: any(one._top for one in window.query(Pager)))
        await pilot.press("escape")
        assert app.screen is page


async def test_in_the_palette(app: FinetopApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "live")
        app.post_message(Key("colon", ":"))
        burst(app, TYPED)
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await until(pilot, lambda: app.screen.query_one(Input).value == TYPED)
        await pilot.press("escape", "slash", "colon")
        await until(pilot, lambda: isinstance(app.screen, Page) and app.screen.filter_text == ":")


async def test_on_the_list_of_watched_logs(tmp_path: Path) -> None:
    write_event(tmp_path / "one", 1, {"loss": 0.5})
    app = LogsApp([tmp_path / "one"], Store(tmp_path / "runs"))
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "0.5")
        await typed(pilot, app)
