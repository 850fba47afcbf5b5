"""Light colours and dark ones: which are taken, how they are turned, that they are kept."""

from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from textual.theme import Theme

from engine.errors import EngineError
from engine.jobs.store import Store
from tests.tui.conftest import see, until
from tui import cli, theme
from tui.app import FinetopApp
from tui.theme import DARK, DARK_SIXTEEN, LIGHT, LIGHT_SIXTEEN, choose

SAYS_LIGHT = {"COLORFGBG": "0;15"}


def test_what_was_asked_for_last_counts_most() -> None:
    assert choose("", {}) == "dark"
    assert choose("", SAYS_LIGHT) == "light"
    assert choose("", {"COLORFGBG": "15;0"}) == "dark"
    theme.keep(DARK)
    assert choose("", SAYS_LIGHT) == "dark"
    assert choose("", {"FINETOP_THEME": " Light"}) == "light"
    assert choose("dark", {"FINETOP_THEME": "light"}) == "dark"
    theme.keep(LIGHT)
    assert choose("", {}) == "light"
    with pytest.raises(EngineError, match="must be light or dark"):
        choose("", {"FINETOP_THEME": "solarized"})


def test_what_was_kept_and_is_broken_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "theme").write_bytes(b"\xff" * 99)
    assert choose("", SAYS_LIGHT) == "light"


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


@pytest.mark.parametrize("look", [DARK_SIXTEEN, LIGHT_SIXTEEN])
def test_of_sixteen_colours_each_role_has_its_own(look: Theme) -> None:
    def number(colour: str | None) -> int | None:
        return Color.parse(colour or "").downgrade(ColorSystem.STANDARD).number

    texts = [
        look.variables[name]
        for name in ("base-arm", "tuned-arm", "third-arm", "fourth-arm", "quiet")
    ]
    texts += [look.success or "", look.warning or "", look.error or "", look.foreground or ""]
    assert len({number(one) for one in texts}) == len(texts)
    backgrounds = [look.background or "", look.panel or ""]
    assert not {number(one) for one in texts} & {number(one) for one in backgrounds}
    rows = [look.variables[name] for name in look.variables if name.startswith(("row", "block"))]
    assert number(look.foreground) not in [number(one) for one in rows]
    assert number(look.variables["bright"]) not in [number(one) for one in rows]
    assert look.dark == (look is DARK_SIXTEEN)
    names = (DARK if look.dark else LIGHT).variables.keys()
    assert look.variables.keys() == names


def test_the_other_look_has_as_many_colours() -> None:
    assert theme.other(DARK.name) is LIGHT
    assert theme.other(LIGHT.name) is DARK
    assert theme.other(DARK_SIXTEEN.name) is LIGHT_SIXTEEN
    assert theme.other(LIGHT_SIXTEEN.name) is DARK_SIXTEEN
