"""Controls of an evaluation that is done: their recipe, and what is said of the time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.compare.arms import format_arm, parse_arms
from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.suites.control_arms import list_controls
from engine.jobs import directory, launch, status
from engine.jobs.status import State, Status
from engine.launching import evaluation
from engine.launching.evaluation_controls import describe_cost, make_control_recipe
from engine.recipes.recipe import EvaluateRecipe, Recipe, TrainRecipe
from tests.impact.made_results import measured, scores_of, suite_of, table_of

ARMS = ["base=bundled:demo-base", "tuned=bundled:demo-base"]


@pytest.fixture
def done(tmp_path: Path) -> directory.JobDirectory:
    job = directory.create(tmp_path, EvaluateRecipe(name="mine", arms=ARMS, limit=300))
    arm = {"facts": measured(scores_of(3, 30)), "songs": measured(scores_of(3, 10))}
    table = table_of({"facts": suite_of(30), "songs": suite_of(10)}, dict.fromkeys(("base",), arm))
    job.results.write_text(json.dumps(table))
    status.write(job, Status(State.DONE, 1, started=1000.0, heartbeat=1000.0 + 20 * 60))
    return job


def test_the_recipe_is_that_of_the_evaluation_with_its_controls(
    done: directory.JobDirectory,
) -> None:
    made = make_control_recipe(done)
    assert made.controls_of == str(done.path)
    assert made == replace(
        EvaluateRecipe(name="mine", arms=ARMS, limit=300),
        name="mine-controls",
        controls=True,
        controls_of=str(done.path),
    )


def test_the_time_follows_from_what_the_arms_took(done: directory.JobDirectory) -> None:
    """20 min for two arms: 10 a pass, and a half of the items for null adapters."""
    made = make_control_recipe(done)
    assert "1 control pass beside 2 arms; about 10 min" in describe_cost(made)
    assert "21 control passes" in describe_cost(replace(made, null_adapters=20))
    assert "about 210 min" in describe_cost(replace(made, null_adapters=20))
    few = describe_cost(replace(made, null_adapters=20, null_items=10))
    assert "null adapters on 10 items of each suite at most" in few
    assert "about 110 min" in few
    alone = describe_cost(EvaluateRecipe(arms=ARMS, controls=True, null_adapters=3))
    assert alone.endswith("up to 3.0 times as long as without")
    assert describe_cost(EvaluateRecipe(arms=ARMS)) == ""


def test_only_an_evaluation_that_is_done_has_controls(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="Only an evaluation has controls"):
        make_control_recipe(directory.create(tmp_path, TrainRecipe()))
    with pytest.raises(EngineError, match="no results yet"):
        make_control_recipe(directory.create(tmp_path, EvaluateRecipe()))


def test_a_null_adapter_of_a_whole_model_is_refused_before_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[Recipe] = []

    def keep(recipe: Recipe, *_: Any, **__: Any) -> None:
        launched.append(recipe)

    monkeypatch.setattr(launch, "launch", keep)
    asked = EvaluateRecipe(arms=ARMS[:1], suites=["bundled:facts"], controls=True)
    evaluation.launch_evaluation(asked, tmp_path)
    assert len(launched) == 1
    with pytest.raises(EngineError, match="no adapter to make a null adapter of"):
        evaluation.launch_evaluation(replace(asked, null_adapters=2), tmp_path)
    with pytest.raises(EngineError, match="no arm of an evaluation"):
        evaluation.launch_evaluation(
            replace(asked, arms=[*ARMS[:1], "x=bundled:demo-base?null=1"]), tmp_path
        )
    assert len(launched) == 1


def test_controls_have_names_and_items_of_their_own() -> None:
    arms = parse_arms(["base=b", "base, again=c", "tuned=b+d@0.5?system=Hi"])
    recipe = EvaluateRecipe(null_adapters=2, null_items=3)
    identity, first, second = list_controls(arms, recipe)
    assert (identity.arm.name, identity.kind, identity.of) == ("base, again'", "identity", "base")
    assert format_arm(first.arm) == "tuned, null 1=b+d@0.5?system=Hi&null=1"
    assert (second.arm.null, second.of, second.kind) == (2, "tuned", "null")
    items = [Item(str(at)) for at in range(50)]
    assert first.choose_items(items) == tuple(items[:3])
    again = identity.choose_items(items)
    assert sorted(again, key=lambda one: int(one.id)) == items
    assert list(again) != items
    assert again == identity.choose_items(items), "a job that goes on has the same batches"
    assert list_controls(arms, EvaluateRecipe()) == ()
