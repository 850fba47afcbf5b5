"""Starting an evaluation by a key: the arms of a run, its suites, and what is launched."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.recipes.recipe import EvaluateRecipe, ExportRecipe
from tests.tui.building import write_run
from tests.tui.conftest import screen_text, see, until
from tests.tui.impact.evaluated import write_evaluation
from tui.actions import Actions
from tui.app import FinetopApp
from tui.impact.page import ImpactPage
from tui.screens.evaluate_window import EvaluateWindow
from tui.screens.evaluation_arms import list_stages, list_tree, run_arms
from tui.snapshots import NotableSteps
from tui.widgets.choice import Choice
from tui.widgets.form import Form
from tui.widgets.table import Table


class RecordingActions(Actions):
    """Launches nothing: it keeps the recipe, and leaves a job."""

    launched: EvaluateRecipe | None = None

    def evaluate(self, recipe: EvaluateRecipe, parents: Sequence[str] = ()) -> Path:
        self.launched = recipe
        return write_evaluation(self.store.root, "started", arms=recipe.arms).path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A base, two stages, and a branch: emotion, child of it, sibling of it."""
    root = tmp_path / "tree-root" / "runs"
    root.mkdir(parents=True)
    now = time.time()
    for at, (name, parent) in enumerate(
        (("emotion", ""), ("child", "run:emotion"), ("sibling", "run:emotion"), ("alone", ""))
    ):
        ref = parent or "bundled:demo-base"
        job = write_run(root, name, points=5, total=5, created=now - 100 + at,
                        parents=[ref], checkpoint=ref)  # fmt: skip
        job.adapter.mkdir()
    child = JobDirectory(root / "child")
    child.held_out.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    for step in (20, 5):
        (child.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
    write_run(root, "unsaved", points=2, created=now - 500)
    return root


async def test_an_export_is_measured_beside_its_run(root: Path, tmp_path: Path) -> None:
    run = JobDirectory(root / "child")
    out = tmp_path / "out"
    for file in ("merged/SHA256SUMS", "gguf/child-Q8_0.gguf"):
        (out / file).parent.mkdir(parents=True)
        (out / file).touch()
    recipe = ExportRecipe(name="shipped", source="child=run:child", targets=["merged"],
                          out=str(out))  # fmt: skip
    job = directory.create(root, recipe)
    status.write(job, Status(State.DONE, step=1, total=1))
    actions = Actions(Store(root))
    run.held_out.unlink(missing_ok=True)
    assert actions.find_evaluable(job.path).suite == "", "it held out nothing"
    run.held_out.write_text('{"prompt": "i miss my dog"}\n' * 40)
    found = actions.find_evaluable(job.path)
    assert (found.suite, found.held_out) == ("run:child", 40)
    shipped = [parse_arm(arm) for arm in found.exported]
    assert [(arm.name, arm.checkpoint) for arm in shipped] == [
        ("run", "run:child"), ("merged", str(out / "merged")),
        ("q8_0", str(out / "gguf" / "child-Q8_0.gguf")),
    ]  # fmt: skip
    app = FinetopApp(Store(root))
    async with app.run_test(size=(100, 30)) as pilot:
        window = await open_window(pilot, job.path.name, named="shipped")
        await see(pilot, "3 arms: run, merged, q8_0")
        await see(pilot, "1 suite, all items; the run held out 40 rows")
        recipe_of_it = window._recipe()
    assert (recipe_of_it.suites, recipe_of_it.arms) == (["run:child"], list(found.exported))
    (out / "gguf" / "child-Q8_0.gguf").unlink()
    (out / "merged" / "SHA256SUMS").unlink()
    with pytest.raises(EngineError, match="no whole model to measure"):
        actions.find_evaluable(job.path)


async def open_window(
    pilot: Pilot[Any], run: str, page: str = "", named: str = ""
) -> EvaluateWindow:
    app = pilot.app
    assert isinstance(app, FinetopApp)
    key = str(app.store.root / run)
    await see(pilot, named or run)
    await until(pilot, lambda: app.screen.query_one(Table).choose(key))
    await until(pilot, lambda: app.selected == key)
    await pilot.press(*([page] if page else []), "I")
    await until(pilot, lambda: isinstance(app.screen, EvaluateWindow))
    window = app.screen
    assert isinstance(window, EvaluateWindow)
    return window


def pick(window: EvaluateWindow, field: int, words: str) -> None:
    """Turn a choice of the window until it says `words`."""
    choice = list(window.query(Choice))[field]
    for _ in range(9):
        if choice.value == words:
            return
        choice.action_turn(1)
    raise AssertionError(f"{words} is not offered")


def specs(recipe: EvaluateRecipe | None) -> list[tuple[str, str]]:
    assert recipe is not None
    arms = [parse_arm(text) for text in recipe.arms]
    return [(arm.name, arm.checkpoint + (f"@{arm.strength:g}" if arm.strength != 1 else ""))
            for arm in arms]  # fmt: skip


async def started(root: Path, run: str, arms: str, suites: str, page: str = "") -> EvaluateRecipe:
    """What is launched once these were chosen, after which Impact shows it."""
    actions = RecordingActions(Store(root))
    app = FinetopApp(Store(root), actions=actions)
    async with app.run_test(size=(100, 30)) as pilot:
        window = await open_window(pilot, run, page)
        pick(window, 0, arms)
        pick(window, 1, suites)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
        await see(pilot, "started")
        await see(pilot, "The evaluation has no results")
    assert actions.launched is not None
    return actions.launched


@pytest.mark.parametrize("page", ["", "3", "5"])
async def test_a_run_beside_its_root_from_every_page(root: Path, page: str) -> None:
    recipe = await started(root, "child", "base and this run", "bundled", page)
    assert specs(recipe) == [("base", "bundled:demo-base"), ("child", "run:child")]
    assert recipe.name == "impact-child"
    assert "facts=bundled:facts" in recipe.suites
    assert len(recipe.suites) == 6
    assert recipe.limit == 0


async def test_the_stages_that_led_to_a_run(root: Path) -> None:
    recipe = await started(root, "child", "base and its stages", "bundled")
    assert specs(recipe)[1:] == [("emotion", "run:emotion"), ("child", "run:child")]


async def test_the_whole_tree_ends_with_the_run_itself(root: Path) -> None:
    recipe = await started(root, "child", "base and the whole tree", "held-out rows")
    assert specs(recipe) == [
        ("base", "bundled:demo-base"), ("emotion", "run:emotion"), ("sibling", "run:sibling"),
        ("child", "run:child"),
    ]  # fmt: skip
    assert recipe.suites == ["run:child"]


async def test_checkpoints_in_order_of_step_and_strengths(root: Path) -> None:
    recipe = await started(root, "child", "base and its checkpoints", "bundled and held-out")
    folder = root / "child" / "checkpoints"
    assert specs(recipe)[1:] == [
        ("step 5", str(folder / "checkpoint-5")), ("step 20", str(folder / "checkpoint-20")),
    ]  # fmt: skip
    assert len(recipe.suites) == 7


async def test_strengths_of_an_adapter(root: Path) -> None:
    recipe = await started(root, "alone", "base and its strengths", "bundled")
    assert specs(recipe)[1:] == [
        ("strength 0.25", "run:alone@0.25"), ("strength 0.5", "run:alone@0.5"),
        ("strength 0.75", "run:alone@0.75"), ("strength 1", "run:alone"),
    ]  # fmt: skip


async def test_a_file_and_a_limit_are_typed_and_checked(root: Path, tmp_path: Path) -> None:
    actions = RecordingActions(Store(root))
    app = FinetopApp(Store(root), actions=actions)
    async with app.run_test(size=(100, 30)) as pilot:
        window = await open_window(pilot, "alone")
        form = window.query_one(Form)
        pick(window, 1, "a file")
        await see(pilot, "File of items: a suite or a data set, by its path.")
        await pilot.press("ctrl+s")
        assert app.screen is window
        form.fill({"file": "mine.jsonl?fewshot=x", "limit": "many"})
        await pilot.press("ctrl+s")
        await see(pilot, "Items of each: a whole number, 0 for all.")
        form.fill({"limit": "60"})
        await pilot.press("ctrl+s")
        await see(pilot, "Invalid suite: fewshot")
        form.fill({"file": "own=mine.jsonl?fewshot=2"})
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ImpactPage))
    assert actions.launched is not None
    path = tmp_path / "mine.jsonl"
    assert actions.launched.suites == [f"own={path}?fewshot=2"]
    assert actions.launched.limit == 60


async def test_what_cannot_be_offered_is_not_offered(root: Path) -> None:
    app = FinetopApp(Store(root), actions=RecordingActions(Store(root)))
    async with app.run_test(size=(80, 24)) as pilot:
        window = await open_window(pilot, "alone")
        with pytest.raises(AssertionError, match=r"checkpoints is not offered"):
            pick(window, 0, "base and its checkpoints")
        with pytest.raises(AssertionError, match=r"is not offered"):
            pick(window, 1, "held-out rows")
        await pilot.press("escape")
        key = str(root / "unsaved")
        await until(pilot, lambda: app.screen.query_one(Table).choose(key))
        await until(pilot, lambda: app.selected == key)
        await pilot.press("I")
        assert not isinstance(app.screen, EvaluateWindow)
        assert "I evaluate" not in screen_text(app)


async def test_an_error_of_the_launcher_is_shown_and_nothing_else_happens(
    root: Path, tmp_path: Path
) -> None:
    app = FinetopApp(Store(root))  # the real launcher: the adapters of these runs are empty
    before = sorted(path.name for path in root.iterdir())
    async with app.run_test(size=(100, 30)) as pilot:
        await open_window(pilot, "alone")
        await pilot.press("ctrl+s")
        await see(pilot, "esc close")
        await pilot.press("escape")
    assert sorted(path.name for path in root.iterdir()) == before


async def test_stages_end_where_a_run_is_missing(root: Path) -> None:
    app = FinetopApp(Store(root))
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "sibling")
        rows = {row.view.record.name: row for row in app.runs.rows}
        others = [row for name, row in rows.items() if name != "emotion"]
        assert [row.view.record.name for row in list_stages(rows["child"], others)] == ["child"]
        assert json.dumps(run_arms(rows["child"], others)) == (
            '["base=run:emotion", "child=run:child"]'
        )
        older = replace(rows["sibling"], notable_steps=NotableSteps(best=7))
        names = [row.view.record.name for row in list_tree(older, app.runs.rows)]
        assert names == ["emotion", "child", "sibling"]
