"""Light colours and dark ones: which are taken, how they are turned, that they are kept."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs.store import Store
from tests.tui.conftest import see, until
from tui import cli, theme
from tui.app import FinetopApp
from tui.theme import DARK, LIGHT, choose

SAYS_LIGHT = {"COLORFGBG": "0;15"}


def test_what_was_asked_for_last_counts_most() -> None:
    assert choose("", {}) is DARK
    assert choose("", SAYS_LIGHT) is LIGHT
    assert choose("", {"COLORFGBG": "15;0"}) is DARK
    theme.keep(DARK)
    assert choose("", SAYS_LIGHT) is DARK
    assert choose("", {"FINETOP_THEME": " Light"}) is LIGHT
    assert choose("dark", {"FINETOP_THEME": "light"}) is DARK
    theme.keep(LIGHT)
    assert choose("", {}) is LIGHT
    with pytest.raises(EngineError, match="must be light or dark"):
        choose("", {"FINETOP_THEME": "solarized"})


def test_what_was_kept_and_is_broken_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "theme").write_bytes(b"\xff" * 99)
    assert choose("", SAYS_LIGHT) is LIGHT


def test_it_is_asked_for_before_a_command_or_after_it() -> None:
    for given in (["--ascii", "--light", "watch", "x"], ["watch", "x", "--light", "--ascii"]):
        options = cli.build_parser(given).parse_args(given)
        assert (options.look, options.ascii, options.mouse) == ("light", True, False)
    assert cli.build_parser(["--dark"]).parse_args(["--dark"]).look == "dark"
    with pytest.raises(SystemExit):
        cli.build_parser(["watch"]).parse_args(["watch", "x", "--light", "--dark"])


async def test_the_dashboard_opens_light_and_is_turned_dark_for_good(
    root: Path, tmp_path: Path
) -> None:
    def background(app: FinetopApp) -> object:
        strip = app.screen._compositor.render_strips()[0]
        colour = next(one.style.bgcolor for one in strip if one.style and one.style.bgcolor)
        return colour.triplet.hex if colour.triplet else ""

    app = FinetopApp(Store(root), look="light")
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "live")
        assert background(app) == LIGHT.background
        await pilot.press("enter")
        await see(pilot, "◆")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: background(app) == DARK.background)
        await until(pilot, (tmp_path / "state" / "theme").exists)
    assert FinetopApp(Store(root)).theme == DARK.name
