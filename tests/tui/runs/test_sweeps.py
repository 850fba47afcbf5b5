"""Sweeps on the Runs screen: their runs below them, and what a key opens."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.recipe import (
    EvaluateRecipe,
    GenerateRecipe,
    JudgeRecipe,
    Recipe,
    SweepRecipe,
    TrainRecipe,
    to_toml,
)
from engine.recipes.settings import Training
from tests.sweeps.made_sweep import make_results, write_sweep
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.impact.page import ImpactPage
from tui.runs.run_overview import OverviewPage, changed, toml_lines
from tui.snapshots import RunRow
from tui.watch.page import WatchPage

WIDE, NARROW = (160, 50), (80, 24)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder without other runs."""
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return folder


def app_of(root: Path) -> FinetopApp:
    return FinetopApp(Store(root))


def notices(app: FinetopApp) -> str:
    return " ".join(one.message for one in app._notifications)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_its_runs_and_its_evaluation_stand_under_it(
    root: Path, size: tuple[int, int]
) -> None:
    write_sweep(root, results=make_results())
    app = app_of(root)
    async with app.run_test(size=size) as pilot:
        await see(pilot, "└ ")
        lines = [line[2:].split("  ")[0].rstrip() for line in screen_text(app).splitlines()[3:9]]
        assert lines[0] == "✓ grid"
        assert lines[1:] == [
            "├ ✓ evaluation", "├ ✗ lr3e-4-s8", "├ ✓ lr3e-4-s7", "├ ✓ lr1e-4-s8", "└ ✓ lr1e-4-s7",
        ]  # fmt: skip
        assert "sweep" in screen_text(app)


async def test_apart_from_the_sweep_a_run_has_its_whole_name(root: Path) -> None:
    write_sweep(root)
    app = app_of(root)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "├ ✓ lr3e-4-s7")
        await pilot.press("o")
        await see(pilot, "✓ grid-lr3e-4-s7")


async def test_enter_opens_the_evaluation_in_impact(root: Path) -> None:
    write_sweep(root, results=make_results())
    app = app_of(root)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "└ ")
        await pilot.press("home")
        await see(pilot, "enter impact")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
        await see(pilot, "grid-evaluation")
        await see(pilot, "lr1e-4-s7")


async def test_key_5_on_a_sweep_shows_its_evaluation(root: Path) -> None:
    write_sweep(root, name="other", results=make_results(), created=1.0)
    write_sweep(root, results=make_results())
    app = app_of(root)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "└ ")
        await pilot.press("end")
        await until(pilot, lambda: app.selected is not None)
        for _ in range(5):
            await pilot.press("k")
        await until(pilot, lambda: app.selected == str(root / "other-1a2b"))
        await pilot.press("5")
        await see(pilot, "other-evaluation")


async def test_enter_opens_the_run_at_work_then_the_overview(root: Path) -> None:
    write_sweep(
        root, states=[State.DONE, State.DONE, State.RUNNING, None], state=State.RUNNING,
        results=None,
    )  # fmt: skip
    write_sweep(root, name="young", states=[None] * 4, state=State.RUNNING, created=1.0)
    app = app_of(root)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "└ ")
        await pilot.press("home")
        await see(pilot, "run 3/4: lr3e-4-s7 step 4/9")
        await see(pilot, "enter watch")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await see(pilot, "grid-lr3e-4-s7")
        await pilot.press("1", "end")
        await see(pilot, "enter overview")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OverviewPage))
        await see(pilot, "young · running")


async def test_runs_left_out_are_counted_and_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.launching import resume

    job = write_sweep(root, results=make_results())
    text = job.status_file.read_text().replace('"rejected": 0', '"rejected": 1')
    job.status_file.write_text(text)
    resumed: list[object] = []
    monkeypatch.setattr(resume, "resume_job", lambda job, *_, **__: resumed.append(job.path.name))
    app = app_of(root)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "1 left out")
        await pilot.press("home")
        await see(pilot, "r resume")
        await pilot.press("r")
        await until(pilot, lambda: resumed == ["grid-1a2b"])
        await until(pilot, lambda: "grid resumed" in notices(app))


async def test_stopping_one_says_what_happens_to_its_runs(root: Path) -> None:
    job = write_sweep(
        root, states=[State.DONE, State.DONE, State.RUNNING, None], state=State.RUNNING
    )
    app = app_of(root)
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "└ ")
        await pilot.press("home")
        await see(pilot, "s stop")
        await pilot.press("s")
        await until(
            pilot,
            lambda: (
                "its runs at work save a checkpoint, those that wait leave the queue"
                in notices(app)
            ),
        )
        assert job.attempt(1).stop_request.exists()


def test_settings_of_the_base_are_marked_where_they_are_not_the_default() -> None:
    base = TrainRecipe(training=Training(epochs=1.0))
    recipe = SweepRecipe(base=base, over={"method.rank": [4, 8]})
    assert changed(recipe) == {"base.training.epochs", "over"}
    lines = toml_lines(to_toml(recipe), changed(recipe))
    marked = ["".join(text for text, _ in line) for line in lines if line[0][0].startswith("*")]
    assert "* epochs = 1.0" in marked


def test_a_run_of_a_sweep_builds_on_no_sweep(root: Path) -> None:
    """What it is compared with, or measured beside, is the run or model that it begins with."""
    from engine.jobs.summary import view
    from tui.runs.opened_page import find_in_sweep
    from tui.screens.tree_and_groups import parent_of

    write_sweep(root, results=make_results())
    views = [found for job in Store(root).jobs() if (found := view(job)) is not None]
    rows = [RunRow(one) for one in views]
    run = next(row for row in rows if row.path.name == "grid-run0")
    assert parent_of(run) == ""
    assert find_in_sweep(rows, run) is None


@pytest.mark.parametrize(
    ("recipe", "page"),
    [
        (TrainRecipe(), "watch"), (GenerateRecipe(), "browse"), (JudgeRecipe(), "judges"),
        (EvaluateRecipe(), "impact"), (SweepRecipe(), "overview"), (None, "watch"),
    ],
)  # fmt: skip
def test_each_kind_of_job_opens_its_page(root: Path, recipe: Recipe | None, page: str) -> None:
    from engine.jobs.summary import view
    from tui.runs.opened_page import find_page

    found = view(write_sweep(root, states=[None] * 4))
    assert found is not None
    row = RunRow(replace(found, recipe=recipe))
    assert find_page(row, [row]) == (page, row)


def test_a_sweep_opens_what_its_evaluation_opens(root: Path) -> None:
    from engine.jobs.summary import view
    from tui.runs.opened_page import find_page

    write_sweep(root, results=make_results())
    rows = [RunRow(one) for job in Store(root).jobs() if (one := view(job)) is not None]
    (sweep,) = (row for row in rows if row.view.record.kind == "sweep")
    page, shown = find_page(sweep, rows)
    assert (page, shown.view.record.kind) == ("impact", "evaluate")


def test_a_sweep_that_ended_early_counts_runs(root: Path) -> None:
    from engine.jobs.summary import view
    from tui.formatting import state_words

    found = view(write_sweep(root, state=State.STOPPED))
    assert found is not None
    assert state_words(found) == "stopped after 2 of 4 runs"


def test_the_overview_names_the_sweep_of_a_run(root: Path) -> None:
    from engine.jobs.overview import gather
    from tui.runs.run_overview import overview_lines

    write_sweep(root)
    lines = overview_lines(gather(Store(root).find("grid-run0")))
    assert any("sweep" in line[0][0] and line[1][0] == "grid-1a2b" for line in lines if line)
    own = overview_lines(gather(Store(root).find("grid-1a2b")))
    assert not any(line and line[0][0].split() == ["sweep"] for line in own)
