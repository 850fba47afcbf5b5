"""Recipes: every wrong setting is named, what is written reads back the same."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.recipes import recipe, validation
from engine.recipes.recipe import JudgeRecipe, TrainRecipe


def test_defaults_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(TrainRecipe()))
    assert recipe.read(path) == TrainRecipe()


@given(st.floats(1e-7, 1.0), st.integers(1, 512), st.text(max_size=40))
def test_any_values_read_back_the_same(rate: float, rank: int, name: str) -> None:
    table: dict[str, Any] = {
        "name": name,
        "method": {"rank": rank},
        "training": {"learning_rate": rate},
    }
    built = recipe.parse(table)
    assert recipe.parse(__import__("tomllib").loads(recipe.to_toml(built))) == built


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ("training.epochs=0", "training.epochs", "greater than 0"),
        ("training.learning_rate=fast", "training.learning_rate", "a number"),
        ("training.learning_rate=nan", "training.learning_rate", "finite"),
        ("training.batch_size=2.5", "training.batch_size", "an integer"),
        ("training.batch_size=-1", "training.batch_size", "at least 1"),
        ("method.kind=qlora", "method.kind", "one of lora, full"),
        ("method.ranks=8", "method.ranks", "did you mean method.rank?"),
        ("data.rows=8", "data.rows", "data has train, eval, eval_fraction"),
        ("colour=red", "colour", "unknown setting"),
        ("method=lora", "method", "must be a table"),
        ("data.eval_fraction=0.95", "data.eval_fraction", "at most 0.9"),
        (f"training.max_steps={10**400}", "training.max_steps", "too large"),
        ("data.train=/data/\udcff.jsonl", "data.train", "valid Unicode"),
        ("method.target_modules=q_proj,\udcff", "method.target_modules", "valid Unicode"),
    ],
)
def test_a_wrong_setting_is_named(change: str, key: str, words: str) -> None:
    with pytest.raises(EngineError) as caught:
        recipe.parse(recipe.with_changes({"kind": "train"}, [change]))
    assert key in caught.value.detail
    assert words in caught.value.detail


def test_a_whole_number_too_large_for_a_float_is_told() -> None:
    found = validation.errors(TrainRecipe, {"training": {"epochs": 10**400}})
    assert list(found) == ["training.epochs"]


def test_all_wrong_settings_are_told_at_once() -> None:
    found = validation.errors(
        TrainRecipe, {"method": {"rank": 0}, "training": {"epochs": "x", "seed": True}}
    )
    assert sorted(found) == ["method.rank", "training.epochs", "training.seed"]


def test_changes_take_the_type_of_the_setting() -> None:
    table = recipe.with_changes(
        {"kind": "train"},
        [
            "training.epochs=2",
            "method.target_modules=q_proj, v_proj",
            "name=3",
            "training.seed=1_000",
        ],
    )
    built = recipe.parse(table)
    assert isinstance(built, TrainRecipe)
    assert built.training.epochs == 2.0
    assert isinstance(built.training.epochs, float)
    assert built.method.target_modules == ["q_proj", "v_proj"]
    assert built.name == "3"
    assert built.training.seed == 1000


def test_a_change_without_a_value_is_refused() -> None:
    with pytest.raises(EngineError, match="Invalid --set value"):
        recipe.with_changes({}, ["training.epochs"])


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(EngineError, match="version 9"):
        recipe.parse({"version": 9})


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\nkind = \n')
    with pytest.raises(EngineError) as caught:
        recipe.read(path)
    assert str(path) in caught.value.detail
    assert "line 2" in caught.value.detail


def test_a_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        recipe.read(tmp_path / "none.toml")


def test_the_recipe_of_the_shipped_run_can_be_read() -> None:
    from engine.bundled import PRETRAIN_RUN, RECIPE

    assert recipe.read(PRETRAIN_RUN / "recipe.toml").kind == "pretrain"
    assert recipe.read(RECIPE).kind == "train"


def test_the_recipe_of_a_judge_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    rubrics = ["safe: Is it harmless?", "in other words: [is] it = so?"]
    judge = JudgeRecipe(job="run:a-1b2c", judge="j=/m?prompt=raw", arms=["a=x", "b=y"],
                        rubrics=rubrics, limit=3, reading="likelihood", prompt="0f")  # fmt: skip
    path.write_text(recipe.to_toml(judge))
    assert recipe.read(path) == judge
    with pytest.raises(EngineError, match="reading"):
        recipe.read(path, ["reading=aloud"])
