"""Blind votes on the screen: no name shows, sides are by lot, votes survive and can be undone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.compare import annotations, votes
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.jobs.summary import view
from tests.tui.browse.answered import BASE, TUNED, noticed, write_answers
from tests.tui.building import write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.browse.ballots import names_behind
from tui.browse.page import BrowsePage
from tui.browse.vote_page import VotePage
from tui.keymap import KEYS
from tui.snapshots import RunRow


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return write_answers(tmp_path / "runs")


@asynccontextmanager
async def voting(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int] = (120, 30)
) -> AsyncIterator[tuple[FinetopApp, Pilot[Any]]]:
    monkeypatch.setenv("LOGNAME", "ana")
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=size) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "Sing of rain.")
        await pilot.press("v")
        await see(pilot, "0 of 4 votes given")
        yield app, pilot


def cast(job: JobDirectory, judge: str = "ana") -> list[votes.Vote]:
    return list(votes.Book(votes.book_of(job.path, judge)).votes.values())


def test_no_key_of_a_vote_is_a_screens_key() -> None:
    everywhere = {one for key in KEYS if not key.screen for one in key.key.split(",")}
    own = {one for key in KEYS if key.screen == "vote" for one in key.key.split(",")}
    assert not everywhere & own


async def type_in(app: FinetopApp, pilot: Pilot[Any], text: str) -> None:
    await until(pilot, lambda: isinstance(app.focused, Input))
    assert isinstance(app.focused, Input)
    app.focused.value = text
    await pilot.press("enter")


@pytest.mark.parametrize("size", [(160, 50), (80, 24)])
async def test_no_name_shows_and_each_key_says_what_it_does(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with voting(job, monkeypatch, size) as (app, pilot):
        for key in ("h", "right", "t", "b"):
            text = screen_text(app)
            assert not [name for name in ("base", "tuned", "emotion") if name in text]
            await pilot.press(key)
        await see(pilot, "tuned vs base")
        await see(pilot, "shown twice, counted once: ")
        await pilot.press("escape")
        await see(pilot, "All votes given.")
    found = cast(job)
    ballots = votes.draw(["p2", "p3", "p4"], (BASE, TUNED), "ana")
    assert [vote.ballot for vote in found] == [one.id for one in ballots]
    assert [vote.choice for vote in found] == ["left", "right", "tie", "both bad"]
    assert [(vote.left, vote.right) for vote in found] == [(one.left, one.right) for one in ballots]


async def test_names_are_hidden_in_answers_as_well(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with voting(job, monkeypatch) as (app, pilot):
        for _ in range(3):
            if "What is 2 + 3?" in screen_text(app):
                break
            await pilot.press("t")
        await see(pilot, "I am [name], and [name]: 5")


def test_bases_behind_an_arm_are_names_as_well(tmp_path: Path) -> None:
    write_run(tmp_path, "first", checkpoint="/models/gpt-maker", directory="first-1a2b")
    write_run(tmp_path, "second", checkpoint="run:first-1a2b", parents=["run:first-1a2b"])
    views = [view(JobDirectory(tmp_path / name)) for name in ("second", "first-1a2b")]
    rows = [RunRow(one) for one in views if one is not None]
    found = names_behind(["x=run:second", "other=/models/tiny"], rows)
    assert {"x", "second", "first", "first-1a2b", "gpt-maker", "tiny"} <= {*found}


async def test_undo_brings_the_pair_back_with_all_that_was_said(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with voting(job, monkeypatch) as (app, pilot):
        first = votes.draw(["p2", "p3", "p4"], (BASE, TUNED), "ana")[0]
        await pilot.press("m")
        await type_in(app, pilot, "too short")
        await pilot.press("r", "l", "l", "L", "down", "h", "enter")
        await see(pilot, "left: helpful 2, correct 5 · right: helpful 1 · note: too short")
        await pilot.press("asterisk")
        await see(pilot, "* bookmarked")
        await pilot.press("l")
        await see(pilot, "1 of 4 votes given")
        await until(pilot, lambda: len(cast(job)) == 1)
        (vote,) = cast(job)
        assert vote.note == "too short"
        assert vote.ratings == {
            first.left: {"helpful": 2, "correct": 5},
            first.right: {"helpful": 1},
        }
        await until(pilot, lambda: annotations.read(job.path)[first.prompt_id].marked)
        await pilot.press("u")
        await see(pilot, "0 of 4 votes given")
        await see(pilot, "note: too short")
        await until(pilot, lambda: cast(job) == [])
        await pilot.press("h")
        await until(pilot, lambda: len(cast(job)) == 1)
    assert cast(job)[0].choice == "left"


async def test_judges_are_kept_apart_and_go_on_where_they_were(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with voting(job, monkeypatch) as (app, pilot):
        await pilot.press("l")
        await see(pilot, "1 of 4 votes given")
        await pilot.press("J")
        await type_in(app, pilot, "Ben")
        await see(pilot, "0 of 4 votes given · voter Ben")
        await pilot.press("h", "h")
        await see(pilot, "2 of 4 votes given")
        await pilot.press("o")
        await see(pilot, "tuned vs base")
        await see(pilot, "ana: preferred in")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, BrowsePage))
        await pilot.press("v")
        await see(pilot, "1 of 4 votes given · voter ana")
        await until(pilot, lambda: (len(cast(job)), len(cast(job, "Ben"))) == (1, 2))


async def test_own_rubrics(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("brave: Is it brave?\n")
    async with voting(job, monkeypatch) as (app, pilot):
        await pilot.press("R")
        await type_in(app, pilot, str(tmp_path / "none"))
        await see(pilot, "The rubrics cannot be read.")
        await pilot.press("escape", "R")
        await type_in(app, pilot, str(mine))
        await noticed(pilot, "1 rubrics are used.")
        await pilot.press("r")
        await see(pilot, "Is it brave?")
        assert "helpful" not in screen_text(app)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, VotePage))
        await pilot.press("v", "r")
        await see(pilot, "Is it brave?")


async def test_a_vote_that_cannot_be_written_is_not_counted(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with voting(job, monkeypatch) as (_, pilot):
        votes.book_of(job.path, "ana").mkdir()
        await pilot.press("l")
        await see(pilot, "The vote could not be written.")
        await pilot.press("escape")
        await see(pilot, "0 of 4 votes given")
        votes.book_of(job.path, "ana").rmdir()
        await pilot.press("l")
        await see(pilot, "1 of 4 votes given")
        await until(pilot, lambda: len(cast(job)) == 1)
