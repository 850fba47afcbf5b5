"""The items of a cell, their filter and search, and the answers of all arms to one of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.jobs.directory import JobDirectory
from tests.tui.browse.answered import noticed
from tests.tui.conftest import screen_text, see, until
from tests.tui.impact.evaluated import (
    ARMS,
    BASE,
    COUNSEL,
    EMOTION,
    add_samples,
    add_staged_samples,
    scored,
    staged_results,
    suite_facts,
    write_evaluation,
)
from tests.tui.impact.test_impact_page import NARROW, WIDE, opened
from tui.app import FinetopApp
from tui.impact.answers_page import AnswersPage
from tui.impact.items_page import ItemsPage
from tui.impact.page import ImpactPage
from tui.widgets.table import Table


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    root = tmp_path / "items-root" / "runs"
    root.mkdir(parents=True)
    job = write_evaluation(root, "measured", staged_results())
    add_staged_samples(job)
    return job


@asynccontextmanager
async def items_of(
    job: JobDirectory, *keys: str, size: tuple[int, int] = NARROW
) -> AsyncIterator[tuple[FinetopApp, Pilot[Any]]]:
    """The items of a cell: keys from the first skill under the last arm."""
    async with opened(job.path.parent, size, job.path.name) as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press(*keys, "enter")
        await until(pilot, lambda: isinstance(app.screen, ItemsPage))
        await until(pilot, lambda: "Pairing" not in screen_text(app))
        yield app, pilot


def listed(app: FinetopApp) -> tuple[str, ...]:
    page = app.screen
    assert isinstance(page, ItemsPage)
    return tuple(row.id for row in page._rows)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_cell_opens_its_items_with_counts_and_the_test(
    job: JobDirectory, size: tuple[int, int]
) -> None:
    async with items_of(job, size=size) as (app, pilot):
        text = screen_text(app)
        assert "arithmetic · emotion → counsel · 300 items by strict" in text
        assert "kept 261 (27 regained) · lost 0 · gained 27 · never 12" in text
        assert "McNemar exact p < 0.0001" in text
        assert "regained" in text
        assert "✓✗✓" in text
        assert len(listed(app)) == 300
        await pilot.press("b")
        await see(pilot, "kept 288 (27 regained) · lost 12 · gained 0 · never 0")
        assert "base → counsel" in screen_text(app)
        await pilot.press("h")
        await see(pilot, "kept 261 · lost 39 · gained 0 · never 0")


async def test_f_turns_through_the_classes_that_have_items(job: JobDirectory) -> None:
    async with items_of(job, "b") as (app, pilot):
        for name, count in (("lost", 12), ("regained", 27), ("kept", 288)):
            await pilot.press("f")
            await see(pilot, f"{count} {name}")
            assert len(listed(app)) == count
        await pilot.press("f")
        await until(pilot, lambda: len(listed(app)) == 300)


async def test_n_jumps_through_the_lost_items_and_slash_searches(job: JobDirectory) -> None:
    async with items_of(job, "b") as (app, pilot):
        table = app.screen.query_one(Table)
        await pilot.press("n", "n")
        assert table.chosen == "arithmetic-2"
        await pilot.press("N", "N", "N")
        assert table.chosen == "arithmetic-11"
        await pilot.press("G")
        assert table.chosen == "arithmetic-299"
        await pilot.press("n")
        assert table.chosen == "arithmetic-0"
        await pilot.press("slash", *"question 29", "enter")
        await until(pilot, lambda: len(listed(app)) == 11)
        await pilot.press("n")
        await noticed(pilot, "No item in this list was lost.")
        await pilot.press("escape")
        await until(pilot, lambda: len(listed(app)) == 300)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))


async def test_f_in_the_matrix_opens_the_lost_items_and_says_where_there_are_none(
    job: JobDirectory,
) -> None:
    async with opened(job.path.parent, NARROW, job.path.name) as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("f")
        await see(pilot, "No item was lost; f lists the other classes.")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
        await pilot.press("h", "f")
        await see(pilot, "39 lost")


async def test_a_song_of_three_items_is_listed_and_not_judged(job: JobDirectory) -> None:
    async with items_of(job, "j", "j", "j", "b") as (app, _):
        assert listed(app) == ("song-0", "song-1", "song-2")
        text = screen_text(app)
        assert text.count("✓✗✓") == 3
        assert text.count("regained") >= 3
        assert "lost at" in text


async def test_an_item_shows_prompt_gold_and_the_answers_of_the_arms(job: JobDirectory) -> None:
    async with items_of(job, "b", size=WIDE) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AnswersPage))
        await see(pilot, "The sum is 0.")
        text = screen_text(app)
        for words in ("Question 0 of arithmetic?", "gold: 0", "base ✓", "emotion ✗", "counsel ✗",
                      "joy", "It is 0, I believe.", "strict 1", "lost at emotion",
                      "lost under counsel"):  # fmt: skip
            assert words in text
        await pilot.press("n")
        await see(pilot, "The sum is 1.")
        await pilot.press("greater_than_sign")
        await see(pilot, "The sum is 2.")
        await pilot.press("less_than_sign")
        await see(pilot, "The sum is 1.")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ItemsPage))
        assert app.screen.query_one(Table).chosen == "arithmetic-1"


async def test_80_columns_have_two_panes_and_turn_to_the_other_arms(job: JobDirectory) -> None:
    async with items_of(job, "b") as (app, pilot):
        await pilot.press("enter")
        await see(pilot, "It is 0, I believe.")
        assert "The sum is 0." in screen_text(app)
        assert "2 of 3 arms" in screen_text(app)
        await pilot.press("h")
        await see(pilot, "joy")
        assert "I believe" not in screen_text(app)
        assert "The sum is 0." in screen_text(app)


async def test_an_item_without_stored_answers_says_so(job: JobDirectory) -> None:
    async with items_of(job, "j", "b", size=WIDE) as (app, pilot):
        await pilot.press("enter")
        await see(pilot, "No answer to this item is stored in samples.jsonl.")
        assert "strict" in screen_text(app)


async def test_choices_show_what_was_picked_and_the_chance_adjusted_flips(tmp_path: Path) -> None:
    root = tmp_path / "choices-root" / "runs"
    root.mkdir(parents=True)
    facts = suite_facts("q", 40, measure="likelihood")
    for item in facts["items"].values():
        item |= {"choices": ["yes", "no"], "gold": ["yes"], "score": "choices"}
    arms = {}
    for name, spec, right in (("base", BASE, range(30)), ("emotion", EMOTION, range(10, 35))):
        hits = set(right)
        values = {f"q-{at}": float(at in hits) for at in range(40)}
        picked = {f"q-{at}": "yes" if at in hits else "no" for at in range(40)}
        suite = {"measures": {"likelihood": values}, "picked": {"likelihood": picked}, "seen": None}
        arms[name] = {"arm": spec, "suites": {"s": suite}}
    job = write_evaluation(
        root, "choices", {"schema": 2, "suites": {"s": facts}, "arms": arms}, arms=ARMS[:2]
    )
    async with items_of(job, size=WIDE) as (app, pilot):
        text = screen_text(app)
        # lost 10, gained 5 of 40; by chance (1 - 30/40)(1 - 25/40) / (2 - 1) = 9.4% of either.
        assert "adjusted for chance (k = 2): lost 15.6%, gained 3.1%" in text
        assert "McNemar exact p = 0.3018" in text
        await pilot.press("n", "enter")
        await see(pilot, "picked no by likelihood")
        text = screen_text(app)
        assert "picked yes by likelihood" in text
        assert "choices: yes | no" in text
        assert "No answer was generated: the choices were scored by likelihood alone." in text


async def test_results_of_version_1_show_their_answers_or_say_that_there_are_none(
    tmp_path: Path,
) -> None:
    root = tmp_path / "old-root" / "runs"
    root.mkdir(parents=True)
    arms = {}
    for name, spec, right in (("base", BASE, 20), ("counsel", COUNSEL, 9)):
        suite = {
            "scores": {f"q{at}": float(at < right) for at in range(30)},
            "prompts": {f"q{at}": f"Question {at}?" for at in range(30)},
            "answers": {"q0": f"Old answer of {name}."},
        }
        arms[name] = {"arm": spec, "suites": {"facts": suite}}
    job = write_evaluation(root, "old", {"schema": 1, "arms": arms}, arms=(BASE, COUNSEL))
    async with items_of(job, size=WIDE) as (_, pilot):
        await pilot.press("enter")
        await see(pilot, "Old answer of base.")
        await see(pilot, "Old answer of counsel.")
        await pilot.press("greater_than_sign")
        await see(pilot, "Results of version 1 hold no answer to this item.")


async def test_hostile_prompts_and_answers_are_harmless(tmp_path: Path) -> None:
    root = tmp_path / "hostile-root" / "runs"
    root.mkdir(parents=True)
    bad = "\x1b]0;title\x07\x9b2J [/red] \u202eעברית日本語\u200b\nnext"
    facts = suite_facts("q", 30)
    facts["items"]["q-0"] |= {"prompt": bad, "gold": [bad]}
    arms = {
        name: {"arm": spec, "suites": {"s": scored("q", 30, right)}}
        for name, spec, right in (("base", BASE, range(20)), ("emotion", EMOTION, range(5, 30)))
    }
    results = {"schema": 2, "suites": {"s": facts}, "arms": arms}
    job = write_evaluation(root, "hostile", results, arms=ARMS[:2])
    add_samples(job, [(BASE, "s", "q-0", bad * 50), (EMOTION, "s", "q-0", bad + "ok")])
    for size in (NARROW, WIDE, (40, 12)):
        async with items_of(job, size=size) as (app, pilot):
            await see(pilot, "title")
            await pilot.press("enter")
            await see(pilot, "emotion")
            await until(pilot, lambda: "reading the answers" not in screen_text(app))
            text = screen_text(app)
            assert not set("\x1b\x07\x9b\u202e\u200b") & set(text)


@pytest.mark.timeout(300)
async def test_20_000_items_are_listed_filtered_and_searched(tmp_path: Path) -> None:
    root = tmp_path / "big-root" / "runs"
    root.mkdir(parents=True)
    count = 20_000
    arms = {
        name: {"arm": spec, "suites": {"big": scored("big", count, right)}}
        for name, spec, right in (
            ("base", BASE, range(15_000)), ("emotion", EMOTION, range(100, 16_000)),
        )
    }  # fmt: skip
    results = {"schema": 2, "suites": {"big": suite_facts("big", count)}, "arms": arms}
    job = write_evaluation(root, "big", results, arms=ARMS[:2])
    async with items_of(job) as (app, pilot):
        await see(pilot, "kept 14,900 · lost 100 · gained 1,000 · never 4,000")
        await pilot.press("G")
        assert app.screen.query_one(Table).chosen == "big-19999"
        await pilot.press("f")
        await until(pilot, lambda: len(listed(app)) == 100)
        await pilot.press("f", "f", "f", "f", "slash", *"question 1999", "enter")
        await until(pilot, lambda: len(listed(app)) == 11)
