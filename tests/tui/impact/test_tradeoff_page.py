"""Gained against retained on a page: points, list, front, and the way back to the matrix."""

import time
from pathlib import Path

import pytest

from tests.tui.conftest import screen_text, see, until
from tests.tui.impact.evaluated import (
    BASE,
    staged_results,
    start_from,
    strength_results,
    write_evaluation,
)
from tests.tui.impact.test_impact_page import NARROW, WIDE, cell, opened, runs  # noqa: F401
from tui.glyphs import ASCII
from tui.impact.page import ImpactPage
from tui.impact.tradeoff_page import TradeoffPage
from tui.impact.tradeoff_reader import find_related
from tui.screens.pick_window import PickWindow
from tui.widgets.table import Table


@pytest.fixture
def related(runs: Path) -> Path:  # noqa: F811
    """An evaluation of two stages, one of strengths that was started from it, and a third one."""
    now = time.time()
    write_evaluation(runs, "staged", staged_results(), created=now - 30)
    strengths = write_evaluation(runs, "strengths", strength_results(), created=now - 20,
                                 arms=(BASE, "strength 0=run:child@0.0"))  # fmt: skip
    start_from(strengths, "run:child", "run:staged")
    write_evaluation(runs, "other", staged_results(), created=now - 40)
    return runs


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_arms_of_evaluations_that_belong_together(
    related: Path, size: tuple[int, int]
) -> None:
    async with opened(related, size, "staged") as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, TradeoffPage))
        await see(pilot, "a emotion")
        text = screen_text(app)
        assert "Gained against retained" in text
        assert "d strength 0.5" in text
        table = app.screen.query_one(Table)
        assert table.chosen == "counsel"  # the arm of the matrix's cursor
        assert "+48.0 [+4" in text  # of counsel: (366 - 78) / 600
        if size == WIDE:
            assert "2 evaluations" in text
            assert "gained: emotion · retained: arithmetic, french" in text
            assert "one seed" in text
        await pilot.press("g")
        await until(pilot, lambda: table.chosen == "emotion")
        await see(pilot, " emotion · on the front")
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
        await see(pilot, "strengths ·")
        await until(pilot, lambda: cell(app)[1] == "strength 0.5")


async def test_enter_on_an_arm_of_the_shown_evaluation(related: Path) -> None:
    async with opened(related, WIDE, "staged") as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("p")
        await see(pilot, "a emotion")
        await pilot.press("g", "enter")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
        await until(pilot, lambda: cell(app) == ("arithmetic", "emotion"))


async def test_a_filter_keeps_its_arms_and_draws_the_others_as_dots(related: Path) -> None:
    async with opened(related, WIDE, "staged", glyphs=ASCII) as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("p")
        await see(pilot, "a emotion")
        await pilot.press("slash", *"0.5")
        await until(pilot, lambda: app.screen.query_one(Table).chosen == "strength 0.5")
        assert "a emotion" not in screen_text(app)
        assert screen_text(app).isascii()
        await pilot.press("escape")
        await see(pilot, "a emotion")


async def test_targets_are_chosen_where_nothing_says_what_was_to_be_gained(
    runs: Path,  # noqa: F811
) -> None:
    results = staged_results()
    for arm in results["arms"].values():
        arm["trained"] = []
    write_evaluation(runs, "untold", results)
    async with opened(runs, NARROW, "untold") as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("p")
        await see(pilot, "It is not known what was to be gained")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await pilot.press("j", "space", "enter")
        await see(pilot, "gained: emotion")
        await see(pilot, "a emotion")


async def test_a_base_alone_has_no_points_and_says_why(runs: Path) -> None:  # noqa: F811
    results = staged_results()
    results["arms"] = {"base": results["arms"]["base"]}
    write_evaluation(runs, "alone", results, arms=(BASE,))
    async with opened(runs, NARROW, "alone") as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("p")
        await see(pilot, "There is no arm to set against the base.")
        await pilot.press("enter")
        assert isinstance(app.screen, TradeoffPage)


async def test_which_evaluations_belong_together(related: Path) -> None:
    again = write_evaluation(related, "again", created=time.time())
    start_from(again, "run:strengths")
    circle = write_evaluation(related, "circle", created=time.time())
    start_from(circle, "run:circle")
    async with opened(related, WIDE, "staged") as (app, pilot):
        await see(pilot, "skills not trained")
        rows = {row.view.record.id: row for row in app.runs.rows}
        names = {
            name: [one.view.record.id for one in find_related(app.runs.rows, rows[name])]
            for name in ("staged", "strengths", "again", "other", "circle")
        }
        whole = ["staged", "strengths", "again"]
        assert names == {
            "staged": whole, "strengths": whole, "again": whole, "other": ["other"],
            "circle": ["circle"],
        }  # fmt: skip
