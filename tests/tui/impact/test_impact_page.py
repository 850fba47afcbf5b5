"""Impact on job directories: the list, the matrix and its cursor, what is read anew, troubles."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import sub
from pathlib import Path
from typing import Any

import pytest
from textual.color import Color
from textual.pilot import Pilot
from textual.theme import Theme

from engine.compare.votes import Book, Vote, book_of
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure, State
from engine.jobs.store import Store
from tests.tui.browse.answered import noticed
from tests.tui.building import write_run
from tests.tui.conftest import rests, screen_text, see, until
from tests.tui.impact.evaluated import (
    BASE,
    COUNSEL,
    EMOTION,
    scored,
    staged_results,
    suite_facts,
    write_evaluation,
)
from tui.app import FinetopApp
from tui.glyphs import ASCII
from tui.impact.classification_page import ClassificationPage
from tui.impact.format_page import FormatPage
from tui.impact.item_preview import ItemPreview
from tui.impact.matrix import MatrixView
from tui.impact.page import ImpactPage
from tui.runs.list_page import RunListPage
from tui.terminal_abilities import Abilities
from tui.theme import SIXTEEN
from tui.widgets.table import Table

WIDE, NARROW = (160, 50), (80, 24)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two stages that have saved models, and nothing measured."""
    root = tmp_path / "impact-root" / "runs"
    root.mkdir(parents=True)
    now = time.time()
    first = write_run(root, "emotion-lora", points=20, total=20, created=now - 100)
    first.adapter.mkdir()
    second = write_run(root, "child", points=20, total=20, created=now - 50,
                       parents=["run:emotion-lora"], checkpoint="run:emotion-lora")  # fmt: skip
    second.adapter.mkdir()
    return root


@asynccontextmanager
async def opened(
    root: Path, size: tuple[int, int] = WIDE, chosen: str = "", **settings: Any
) -> AsyncIterator[tuple[FinetopApp, Pilot[Any]]]:
    """Impact, opened from Runs with the cursor on a job."""
    app = FinetopApp(Store(root), **settings)
    async with app.run_test(size=size) as pilot:
        await see(pilot, chosen or "jobs")
        if chosen:
            await until(pilot, lambda: app.screen.query_one(Table).choose(str(root / chosen)))
            await until(pilot, lambda: app.selected == str(root / chosen))
        await pilot.press("5")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
        yield app, pilot


def cell(app: FinetopApp) -> tuple[str, str]:
    matrix = app.screen.query_one(MatrixView)
    assert matrix.skill is not None
    assert matrix.arm is not None
    return matrix.skill.name, matrix.arm


async def test_without_an_evaluation_one_line_says_how_to_make_one(runs: Path) -> None:
    async with opened(runs, NARROW, "child") as (app, pilot):
        await see(pilot, "No evaluations yet. Press I to evaluate the run that is chosen in Runs.")
        assert "child has none: I evaluates it" in screen_text(app)
        assert "0 evaluations" in screen_text(app)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_run_shows_the_newest_evaluation_that_has_it_as_an_arm(
    runs: Path, size: tuple[int, int]
) -> None:
    now = time.time()
    write_evaluation(runs, "older", staged_results(), created=now - 20)
    write_evaluation(runs, "newest", staged_results(), created=now - 10)
    write_evaluation(runs, "of-another", staged_results(), arms=(BASE, "x=run:x"), created=now)
    async with opened(runs, size, "child") as (app, pilot):
        await see(pilot, "arithmetic")
        text = screen_text(app)
        assert text.splitlines()[2].startswith(" newest ")
        assert "base → emotion → counsel" in text
        assert "skills not trained -.02 [" in text
        assert "this checkpoint, one seed" in text
        assert cell(app) == ("arithmetic", "counsel")


async def test_an_evaluate_job_opens_here_from_runs(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    app = FinetopApp(Store(runs))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "enter impact")
        await pilot.press("enter")
        await see(pilot, "arithmetic")
        assert isinstance(app.screen, ImpactPage)


async def test_evaluations_are_listed_newest_first_and_opened(runs: Path) -> None:
    now = time.time()
    write_evaluation(runs, "older", staged_results(), created=now - 20)
    write_evaluation(runs, "begun", state=State.RUNNING, created=now, step=30, total=120)
    async with opened(runs, NARROW, "emotion-lora") as (app, pilot):
        await see(pilot, "No results yet")
        await pilot.press("escape")
        await see(pilot, "2 evaluations")
        lines = screen_text(app).splitlines()
        assert " begun " in lines[4]
        assert "25%" in lines[4]
        assert "older" in lines[5]
        await pilot.press("down", "enter")
        await see(pilot, "arithmetic")
        await pilot.press("o")
        await see(pilot, "2 evaluations")
        await until(pilot, lambda: app.screen.query_one(Table).chosen == str(runs / "older"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))


async def test_a_running_evaluation_shows_its_progress_and_then_its_table(runs: Path) -> None:
    job = write_evaluation(
        runs, "begun", state=State.RUNNING, step=30, total=120, message="emotion: french"
    )
    async with opened(runs, NARROW, "begun") as (app, pilot):
        await see(pilot, "No results yet: emotion: french (30 of 120)")
        await see(pilot, "arms: base, emotion, counsel")
        assert "suites: every bundled one" in screen_text(app)
        assert "25%" in screen_text(app)
        job.results.write_text(json.dumps(staged_results()))
        before = statuses.read(job)
        assert before is not None
        write_status(job, State.DONE)
        await see(pilot, "arithmetic")
        await see(pilot, "skills not trained")


def write_status(job: JobDirectory, state: State) -> None:
    statuses.write(job, statuses.Status(state, step=120, total=120, heartbeat=time.time(),
                                        host="gpu-box", device="cpu"))  # fmt: skip


async def test_the_cursor_moves_over_cells_and_the_lines_below_follow(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, NARROW, "child") as (app, pilot):
        await see(pilot, "arithmetic, counsel: .96")
        await pilot.press("h", "j")
        assert cell(app) == ("emotion", "emotion")
        await see(pilot, "emotion, emotion: .93")
        assert "trained on by this stage" in screen_text(app)
        assert "exploratory, unadjusted" in screen_text(app)
        await pilot.press("left", "left", "left", "G")
        assert cell(app) == ("prose", "base")
        await pilot.press("g", "right", "ctrl+d", "k")
        assert cell(app) == ("song", "emotion")
        await see(pilot, "items only")


async def test_b_compares_with_the_base_or_the_parent(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, NARROW, "child") as (app, pilot):
        await see(pilot, "against emotion +.09")
        line = next(one for one in screen_text(app).splitlines() if "> arithmetic" in one)
        assert ".87 ▼    .96 ▲" in line
        await pilot.press("b")
        await see(pilot, "against base -.04")
        line = next(one for one in screen_text(app).splitlines() if "> arithmetic" in one)
        assert ".87 ▼    .96 ▼" in line
        assert "primary family, corrected by Holm" in screen_text(app)


async def test_skills_are_found_by_their_names(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, NARROW, "child") as (app, pilot):
        await see(pilot, "arithmetic")
        await pilot.press("slash", *"FREN", "enter")
        await until(pilot, lambda: "arithmetic" not in screen_text(app))
        assert cell(app) == ("french", "counsel")
        await pilot.press("slash", *"zzz", "enter")
        await see(pilot, "No skill has this text in its name.")
        await pilot.press("escape")
        await see(pilot, "arithmetic")


async def test_a_high_terminal_previews_the_items_of_the_cell(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, WIDE, "child") as (app, pilot):
        await see(pilot, "kept 261 (27 regained) · lost 0 · gained 27")
        assert "╭─ skills ─ base → emotion → counsel" in screen_text(app)
        await pilot.press("h")
        await see(pilot, "lost     ✓✗✗  Question 0 of arithmetic?")
        await pilot.press("G")
        await see(pilot, "nothing is right or wrong")


async def test_ascii_has_marks_words_and_a_plain_frame(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, WIDE, "child", glyphs=ASCII) as (app, pilot):
        await see(pilot, "arithmetic")
        await see(pilot, "kept 261")
        text = screen_text(app)
        assert text.isascii()
        assert "+- skills - base > emotion > counsel" in text
        assert "lost; 27 of 39 regained" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"schema": 2, "arms"', "results.json cannot be read: it is not whole"),
        ('{"schema": 7, "suites": {}, "arms": {}}', "schema 7 is not known"),
        (None, "The evaluation has no results."),
    ],
)
async def test_results_that_cannot_be_shown_are_one_line(
    runs: Path, content: str | None, words: str
) -> None:
    write_evaluation(runs, "broken", content)
    async with opened(runs, NARROW, "broken") as (app, pilot):
        await see(pilot, words)
        await pilot.press("enter", "f", "j", "l")
        assert isinstance(app.screen, ImpactPage)


async def test_a_failed_evaluation_says_why(runs: Path) -> None:
    error = Failure("The device has no memory left.", "cuda:0", "Lower batch_size.")
    write_evaluation(runs, "failed", state=State.FAILED, error=error)
    async with opened(runs, NARROW, "failed") as (app, pilot):
        await see(pilot, "The device has no memory left.")
        assert "Lower batch_size." in screen_text(app)
        assert "r resume" in screen_text(app)


async def test_votes_have_a_line_each_and_are_read_when_one_comes_back(runs: Path) -> None:
    job = write_evaluation(runs, "measured", staged_results())
    async with opened(runs, WIDE, "measured") as (app, pilot):
        await see(pilot, "arithmetic")
        Book(book_of(job.path, "ana")).cast(Vote("p", "p", BASE, COUNSEL, "right", judge="ana"))
        await pilot.press("1", "5")
        await see(pilot, "votes: counsel against base: 1 of 1")
        assert "1 judge" in screen_text(app)


async def test_what_is_new_elsewhere_changes_nothing_here(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_evaluation(runs, "measured", staged_results())
    live = write_run(runs, "live", state=State.RUNNING, points=5)
    async with opened(runs, NARROW, "measured") as (app, pilot):
        await see(pilot, "arithmetic")
        drawn: list[Any] = []
        refresh = MatrixView.refresh

        def note(self: MatrixView, *regions: Any, **more: Any) -> MatrixView:
            drawn.append(regions)
            return refresh(self, *regions, **more)

        monkeypatch.setattr(MatrixView, "refresh", note)
        await rests(pilot, drawn, "the matrix")
        status = statuses.read(live)
        assert status is not None
        write_status(live, State.DONE)
        await until(pilot, lambda: not any(row.view.state.alive for row in app.runs.rows))
        assert drawn == []


async def test_hostile_names_of_skills_and_arms_are_harmless(runs: Path) -> None:
    skill, arm = "\x1b]0;x\x07日本\u202eskill[/red]", "[b]tuned\x1b[2J\u200b"
    results = {
        "schema": 2,
        "suites": {skill: suite_facts("q", 30)},
        "arms": {
            "base": {"arm": BASE, "suites": {skill: scored("q", 30, range(9))}},
            arm: {"arm": EMOTION, "suites": {skill: scored("q", 30, range(25))}},
        },
    }
    write_evaluation(runs, "hostile", results, arms=(BASE, EMOTION))
    for size in (NARROW, WIDE, (40, 12)):
        async with opened(runs, size, "hostile") as (app, pilot):
            await see(pilot, "日本")
            text = screen_text(app)
            assert not set("\x1b\x07\u202e\u200b") & set(text)
            await pilot.press("f", "enter")
            await pilot.press("escape", "escape")


async def test_evaluating_without_a_saved_model_says_what_is_missing(tmp_path: Path) -> None:
    root = tmp_path / "empty-root" / "runs"
    root.mkdir(parents=True)
    write_run(root, "unsaved", points=3)
    async with opened(root, NARROW, "unsaved") as (_, pilot):
        await pilot.press("I")
        await noticed(pilot, "Choose a run with a saved model in Runs first.")


async def test_no_size_and_no_quick_resize_breaks_the_pages(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    sizes = [(20, 5), (300, 100), (21, 6), (33, 30), (110, 29), (80, 24)]
    async with opened(runs, NARROW, "measured") as (_, pilot):
        await see(pilot, "skills not trained")
        for keys in ((), ("enter",), ("enter",)):
            await pilot.press(*keys)
            for size in sizes:
                await pilot.resize_terminal(*size)
            await pilot.press("h", "l", "n", "b")
            await pilot.resize_terminal(*NARROW)
        await pilot.press("escape", "escape")
        await see(pilot, "skills not trained")


async def test_without_colour_marks_and_words_say_it(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, WIDE, "child") as (app, pilot):
        await see(pilot, "kept 261")
        for keys in ((), ("enter",), ("enter",)):
            await pilot.press(*keys)
            await pilot.pause(0.3)
            for strip in app.screen._compositor.render_strips():
                for segment in strip:
                    style = segment.style
                    if style is not None:
                        assert style.color is None or style.color.is_default, segment
                        assert style.bgcolor is None or style.bgcolor.is_default, segment


async def test_c_and_t_open_the_pages_of_labels_and_of_format(runs: Path) -> None:
    results = staged_results()
    labels = suite_facts("label", 30, measure="likelihood")
    for at, item in enumerate(labels["items"].values()):
        item |= {"choices": ["joy", "fear"], "gold": [("joy", "fear")[at % 2]], "score": "choices"}
    results["suites"]["labels"] = labels
    for arm in results["arms"].values():
        names = list(labels["items"])
        arm["suites"]["labels"] = {
            "measures": {
                "likelihood": dict.fromkeys(names, 1.0), "strict": dict.fromkeys(names, 1.0),
                "gold_nll": dict.fromkeys(names, 0.5),
            },
            "picked": {"likelihood": dict.fromkeys(names, "joy")},
        }  # fmt: skip
    write_evaluation(runs, "measured", results)
    async with opened(runs, NARROW, "child") as (app, pilot):
        await see(pilot, "skills not trained")
        assert "c confusion" not in screen_text(app)
        await pilot.press("c", "t")
        assert isinstance(app.screen, ImpactPage)
        await pilot.press("G")
        await see(pilot, "c confusion")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ClassificationPage))
        await see(pilot, "joy")
        await pilot.press("escape", "t")
        await until(pilot, lambda: isinstance(app.screen, FormatPage))
        await see(pilot, "labels")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))


async def test_a_terminal_of_sixteen_colours_gets_no_other(runs: Path) -> None:
    write_evaluation(runs, "measured", staged_results())
    sixteen = [Color.parse(color).rgb for theme in SIXTEEN.values() for color in colors_of(theme)]
    terminal = Abilities(sixteen_colors=True)
    async with opened(runs, WIDE, "child", terminal=terminal) as (app, pilot):
        await see(pilot, "kept 261")
        used: set[tuple[int, int, int]] = set()
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                color = segment.style.color if segment.style is not None else None
                if color is not None and color.triplet is not None:
                    used.add((color.triplet.red, color.triplet.green, color.triplet.blue))
        for one in used:  # Textual rounds by one
            assert any(max(map(abs, map(sub, one, other))) <= 1 for other in sixteen), one
        assert len(used) > 4, "lost, gained, base and tuned are told apart"


async def test_the_counts_of_items_follow_the_width_that_the_page_gives_them(runs: Path) -> None:
    """The items may be known before the first layout, when there is no width yet."""
    write_evaluation(runs, "measured", staged_results())
    async with opened(runs, WIDE, "child") as (app, pilot):
        await see(pilot, "kept 261")
        preview = app.screen.query_one(ItemPreview)
        preview.styles.width = 1
        await until(pilot, lambda: preview.size.width == 1)
        preview.draw()  # as once the items are known
        preview.styles.width = "1fr"
        await see(pilot, "kept 261")


def colors_of(theme: Theme) -> set[str]:
    named = (theme.primary, theme.secondary, theme.warning, theme.error, theme.success,
             theme.foreground, *theme.variables.values())  # fmt: skip
    return {color for color in named if color is not None}


@pytest.mark.parametrize(("keys", "arms"), [((), (EMOTION, COUNSEL)), (("b",), (BASE, COUNSEL)),
                                            (("h", "h"), None)])  # fmt: skip
async def test_v_browses_the_arm_of_the_cursor_beside_what_it_is_held_against(
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: tuple[str, ...],
    arms: tuple[str, str] | None,
) -> None:
    write_evaluation(runs, "measured", staged_results())
    asked: list[tuple[str, str] | None] = []

    def keep(app: FinetopApp, path: Path, then: str = "", arms: Any = None) -> None:
        assert (path.name, then) == ("measured", "")
        asked.append(arms)

    monkeypatch.setattr(FinetopApp, "show_browse", keep)
    async with opened(runs, NARROW, "measured") as (_, pilot):
        await see(pilot, "arithmetic, counsel")
        await pilot.press(*keys, "v")
        await until(pilot, lambda: len(asked) == 1)
    assert asked == [arms]
