"""Judges beside the answers that they judged: from Runs, in Browse, beside the votes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from tests.judge.judged import HELPFUL, TUNED, judge_job
from tests.tui.browse.answered import noticed, write_answers
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.browse.page import BrowsePage
from tui.browse.vote_page import VotePage
from tui.screens.dialogs import Dialog

RUBRICS = {**HELPFUL, "safe": "Is it harmless?"}
LINE = "judge gemma, helpful: tuned 3, base 0, tie 0 of 3"


@pytest.fixture
def judge(tmp_path: Path) -> JobDirectory:
    judged = write_answers(tmp_path / "runs")
    return judge_job(judged, lambda one: "A" if one.first == TUNED else "B", RUBRICS)


@asynccontextmanager
async def on_the_judge(
    judge: JobDirectory, size: tuple[int, int]
) -> AsyncIterator[tuple[FinetopApp, Pilot[Any]]]:
    app = FinetopApp(Store(judge.path.parent))
    async with app.run_test(size=size) as pilot:
        await see(pilot, "└ ✓ judge")
        await pilot.press("j")
        await until(pilot, lambda: app.selected == str(judge.path))
        yield app, pilot


@pytest.mark.parametrize("size", [(160, 50), (80, 24)])
async def test_enter_on_a_judge_opens_its_report_over_the_answers(
    judge: JobDirectory, size: tuple[int, int]
) -> None:
    async with on_the_judge(judge, size) as (app, pilot):
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await see(pilot, "helpful: tuned 3, base 0, tie 0 of 3")
        assert "judge gemma (gemma)" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, BrowsePage))
        await see(pilot, "4 pairs, 1 identical")
        if size[1] > 30:
            assert LINE in screen_text(app)
        else:
            assert "2 lines of judges: finetop judge show answers" in screen_text(app)


async def test_nothing_of_a_judge_is_seen_while_one_votes(
    judge: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ana")
    async with on_the_judge(judge, (160, 50)) as (app, pilot):
        await pilot.press("k", "enter")
        await see(pilot, LINE)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, VotePage))
        await see(pilot, "0 of 4 votes given")
        assert "gemma" not in screen_text(app)
        await pilot.press("t", "o")
        await see(pilot, "judged by models, apart from the votes:")
        assert LINE in screen_text(app)
        assert "no preference: 1 tie, 0 both bad" in screen_text(app), "votes are those of people"


async def test_a_judge_of_a_job_that_is_gone_says_how_to_see_it(judge: JobDirectory) -> None:
    (judge.path.parent / "answers").rename(judge.path.parent.parent / "gone")
    app = FinetopApp(Store(judge.path.parent))
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, " ✓ judge")
        await pilot.press("j")
        await until(pilot, lambda: app.selected == str(judge.path))
        await pilot.press("enter")
        await noticed(pilot, "The judged job answers does not exist: finetop judge show judge")


async def test_a_judge_at_work_counts_its_answers_in_watch(judge: JobDirectory) -> None:
    from tui.charts.run_lines import headline
    from tui.glyphs import UNICODE

    app = FinetopApp(Store(judge.path.parent))
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "└ ✓ judge")
        row = app.runs.row(str(judge.path))
        assert row is not None
        assert "  8/8 answers" in [text for text, _ in headline(row, UNICODE)]
