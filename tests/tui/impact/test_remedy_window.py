"""What can be done about a lost cell: the rows, their recipes and commands, what is impossible."""

import dataclasses
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.suites.suite_specs import parse_suite
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe, TrainRecipe
from tests.jobs.made_checkpoints import write_checkpoints
from tests.tui.browse.answered import noticed
from tests.tui.conftest import screen_text, see, until
from tests.tui.impact.evaluated import staged_results, write_evaluation
from tests.tui.impact.test_impact_page import NARROW, WIDE, opened, runs  # noqa: F401
from tui.actions import Actions
from tui.app import FinetopApp
from tui.cli import main
from tui.impact.matrix import MatrixView
from tui.impact.page import ImpactPage
from tui.impact.remedies import Remedy, list_remedies
from tui.screens.pick_window import PickWindow

SUITES = ["arithmetic=bundled:arithmetic", "emotion=bundled:emotion?limit=600",
          "french=bundled:french", "song=song.jsonl", "prose=bundled:prose"]  # fmt: skip


class RecordingStarts(Actions):
    """Launches nothing: it keeps the recipe and the parents, and leaves a job."""

    started: EvaluateRecipe | None = None
    parents: tuple[str, ...] = ()
    swept: SweepRecipe | None = None

    def sweep(self, recipe: SweepRecipe) -> Path:
        self.swept = recipe
        return self.store.root / f"{recipe.name}-1a2b"

    def evaluate(self, recipe: EvaluateRecipe, parents: Sequence[str] = ()) -> Path:
        self.started, self.parents = recipe, tuple(parents)
        return write_evaluation(self.store.root, "started", arms=recipe.arms).path


@pytest.fixture
def staged(runs: Path) -> Path:  # noqa: F811
    """An evaluation of 300 items a suite, limited and decoded in its own way."""
    job = write_evaluation(runs, "staged", staged_results(), created=time.time() - 30)
    recipe = job.recipe()
    assert isinstance(recipe, EvaluateRecipe)
    changed = dataclasses.replace(
        recipe,
        suites=SUITES,
        limit=300,
        decode=dataclasses.replace(recipe.decode, max_new_tokens=24),
    )
    job.recipe_file.write_text(recipes.to_toml(changed))
    status = statuses.read(job)
    assert status is not None
    statuses.write(job, dataclasses.replace(status, started=status.heartbeat - 600))
    return runs


async def found(pilot: Pilot[Any], app: FinetopApp, arm: str) -> dict[str, Remedy]:
    await see(pilot, "skills not trained")
    row = app.runs.row(str(app.store.root / "staged"))
    page = app.screen
    assert isinstance(page, ImpactPage)
    assert row is not None
    assert page.table is not None
    paths = [one.path for one in app.runs.rows]
    remedies = list_remedies(row, page.table.results, arm, paths)
    return {remedy.key: remedy for remedy in remedies}


async def test_each_remedy_measures_the_same_suites_in_the_same_way(staged: Path) -> None:
    write_checkpoints(JobDirectory(staged / "child"), (10, 20))
    async with opened(staged, WIDE, "staged") as (app, pilot):
        remedies = await found(pilot, app, "counsel")
    strengths, checkpoints = remedies["strengths"].recipe, remedies["checkpoints"].recipe
    for recipe in (strengths, checkpoints):
        assert isinstance(recipe, EvaluateRecipe)
        assert recipe.suites == SUITES
        assert (recipe.limit, recipe.decode.max_new_tokens, recipe.tree) == (300, 24, "")
        assert recipe.arms[0] == "base=bundled:demo-base"
    assert isinstance(strengths, EvaluateRecipe)
    arms = [parse_arm(text) for text in strengths.arms[1:]]
    assert [(arm.checkpoint, arm.strength) for arm in arms] == [
        ("run:child", one) for one in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert isinstance(checkpoints, EvaluateRecipe)
    folder = staged / "child" / "checkpoints"
    assert [parse_arm(text).checkpoint for text in checkpoints.arms[1:]] == [
        str(folder / "checkpoint-10"), str(folder / "checkpoint-20"),
    ]  # fmt: skip
    assert remedies["strengths"].parents == ("run:child", "run:staged")
    # 10 minutes for 3 arms on 1,227 items: 6 arms take twice that.
    assert "7,362 items in all, ~20 min" in remedies["strengths"].about
    assert remedies["checkpoints"].brief == "base and 2 checkpoints, ~10 min"


async def test_no_training_is_the_base_with_examples_under_other_names(staged: Path) -> None:
    async with opened(staged, WIDE, "staged") as (app, pilot):
        remedies = await found(pilot, app, "counsel")
    recipe = remedies["fewshot"].recipe
    assert isinstance(recipe, EvaluateRecipe)
    assert recipe.arms == ["base=bundled:demo-base"]
    # A song of three items has no five others, and prose is not asked.
    specs = [parse_suite(text) for text in recipe.suites]
    assert [spec.name for spec in specs] == [
        "arithmetic, 5-shot", "emotion, 5-shot", "french, 5-shot",
    ]  # fmt: skip
    assert [(spec.options.fewshot, spec.options.limit) for spec in specs] == [
        (5, 0), (5, 600), (5, 0),
    ]  # fmt: skip


async def test_a_command_starts_the_same(
    staged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(staged, WIDE, "staged") as (app, pilot):
        remedies = await found(pilot, app, "counsel")
    given: list[EvaluateRecipe] = []

    def keep(recipe: EvaluateRecipe, root: Path, *, parents: Sequence[str]) -> JobDirectory:
        given.append(recipe)
        return JobDirectory(staged / "staged")

    monkeypatch.setattr("engine.launching.evaluation.launch_evaluation", keep)
    for key in ("strengths", "fewshot"):
        program, *arguments = shlex.split(remedies[key].command)
        assert program == "finetop"
        assert main([*arguments, "--detach", "--runs", str(staged)]) == 0
        recipe = remedies[key].recipe
        assert isinstance(recipe, EvaluateRecipe)
        assert given[-1] == dataclasses.replace(recipe, name="evaluate")


async def test_what_is_impossible_is_said_with_its_reason(staged: Path) -> None:
    child = JobDirectory(staged / "child")
    child.adapter.rmdir()
    child.model.mkdir()
    async with opened(staged, WIDE, "staged") as (app, pilot):
        remedies = await found(pilot, app, "counsel")
        base = await found(pilot, app, "base")
    assert remedies["strengths"].about.startswith("Not possible: a full fine-tune has no strength")
    assert remedies["checkpoints"].about == "Not possible: no checkpoint is kept."
    assert remedies["checkpoints"].brief == "not possible: no checkpoint is kept"
    assert remedies["sweep-replay"].brief == "not possible"
    assert "names no older data to replay" in remedies["sweep-replay"].about
    assert remedies["sweep-replay"].command == (
        f"finetop sweep {child.recipe_file} --set replay.data=FILE --over replay.share=0,0.1,0.3"
    )
    assert not remedies["sweep-replay"].is_possible
    assert base["strengths"].about == (
        "Not possible: the arm is no run of these folders, and has no adapter."
    )
    assert base["fewshot"].is_possible


async def test_sweeps_measure_the_same_suites_in_the_same_way(
    staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = JobDirectory(staged / "child")
    recipe = child.recipe()
    assert isinstance(recipe, TrainRecipe)
    replay = dataclasses.replace(recipe.replay, data="bundled:emotion")
    training = dataclasses.replace(recipe.training, learning_rate=4e-4)
    changed = dataclasses.replace(recipe, replay=replay, training=training)
    child.recipe_file.write_text(recipes.to_toml(changed))
    async with opened(staged, WIDE, "staged") as (app, pilot):
        remedies = await found(pilot, app, "counsel")
    given: list[SweepRecipe] = []

    def keep(recipe: SweepRecipe, root: Path, *, force: bool) -> SweepRecipe:
        given.append(recipe)
        raise EngineError("Kept.")

    monkeypatch.setattr("engine.launching.sweep.locate_sweep", keep)
    for key, over in (
        ("sweep-replay", {"replay.share": [0.0, 0.1, 0.3]}),
        ("sweep-rate", {"training.learning_rate": [4e-4, 2e-4, 1e-4]}),
    ):
        made = remedies[key].recipe
        assert isinstance(made, SweepRecipe)
        assert (made.over, made.base, made.suites, made.limit) == (over, changed, SUITES, 300)
        assert made.decode.max_new_tokens == 24
        program, *arguments = shlex.split(remedies[key].command)
        assert program == "finetop"
        assert main([*arguments, "--runs", str(staged)]) == 2
        assert (given[-1].over, given[-1].suites, given[-1].limit) == (over, SUITES, 300)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_from_a_lost_cell_to_an_evaluation_that_runs(
    staged: Path, size: tuple[int, int]
) -> None:
    actions = RecordingStarts(Store(staged))
    async with opened(staged, size, "staged", actions=actions) as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("b", "x")
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await see(pilot, "arithmetic: lost 12 of 300 items under counsel")
        await see(pilot, "Strengths 0 to 1; strength 0 is the base once more, which is a control.")
        await pilot.press("j")
        await see(pilot, "Not possible: no checkpoint is kept.")
        await pilot.press("enter")
        await noticed(pilot, "Not possible: no checkpoint is kept.")
        assert actions.started is None
        await until(pilot, lambda: isinstance(app.screen.focused, MatrixView))
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await pilot.press("enter")
        await see(pilot, "started")
        await see(pilot, "The evaluation has no results")
    assert actions.started is not None
    assert actions.started.name == "strengths-counsel"
    assert actions.parents == ("run:child", "run:staged")


async def test_y_copies_the_command_and_enter_starts_a_sweep(
    staged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(FinetopApp, "copy_to_clipboard", lambda app, text: copied.append(text))
    actions = RecordingStarts(Store(staged))
    async with opened(staged, WIDE, "staged", actions=actions) as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("b", "x")
        await see(pilot, "what can be done")
        await pilot.press("y")
        await see(pilot, "finetop evaluate --strengths child")
        await pilot.press("escape")
        await see(pilot, "what can be done")
        await pilot.press("j", "j", "j")
        await see(pilot, "3 runs of the run's recipe over training.learning_rate")
        await pilot.press("enter")
        await noticed(pilot, "see its runs in Runs")
        assert isinstance(app.screen, ImpactPage)
    assert copied[0].startswith("finetop evaluate --strengths child --suite arithmetic=")
    assert actions.swept is not None
    assert actions.swept.over == {"training.learning_rate": [2e-4, 1e-4, 5e-5]}


async def test_a_cell_that_lost_nothing_says_so(staged: Path) -> None:
    async with opened(staged, WIDE, "staged") as (app, pilot):
        await see(pilot, "skills not trained")
        await pilot.press("x")  # counsel regained what its parent lost
        await noticed(pilot, "Nothing was lost here")
        assert isinstance(app.screen, ImpactPage)
        assert "x remedies" not in screen_text(app)
        await pilot.press("b")
        await see(pilot, "x remedies")
