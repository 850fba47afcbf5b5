"""Recipes of version 1: every name and value that changed, what is refused, and what is written."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EngineError
from engine.recipes import recipe, validation, versions
from engine.recipes.diff import differences, flatten
from engine.recipes.recipe import TrainRecipe
from tests.fixtures.home import VERSION1

VERSION2 = VERSION1.with_name("version2") / "recipes"

OLD = {
    "data": {"eval_share": 0.2, "too_long": "cut"},
    "method": {"targets": ["q_proj"]},
    "training": {
        "objective": "answers", "accumulation": 3, "schedule": "constant", "warmup_share": 0.1,
        "keep": 4,
    },
    "stopping": {"higher_is_better": True, "min_improvement": 0.5},
}  # fmt: skip
NEW = {
    "data": {"eval_fraction": 0.2, "too_long": "truncate"},
    "method": {"target_modules": ["q_proj"]},
    "training": {
        "objective": "sft", "gradient_accumulation_steps": 3,
        "lr_scheduler_type": "constant_with_warmup", "warmup_ratio": 0.1, "save_total_limit": 4,
    },
    "stopping": {"greater_is_better": True, "min_delta": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("version", [{"version": 1}, {}], ids=["version 1", "no version"])
def test_each_old_name_and_value_is_read_as_the_new_one(version: dict[str, int]) -> None:
    table = {**version, **OLD}
    assert recipe.parse(table) == recipe.parse({"version": 2, **NEW})
    assert table == {**version, **OLD}, "what was given is left as it is"


def test_old_and_new_names_are_told_apart_for_ever() -> None:
    for old, new in versions.RENAMED.items():
        assert validation.exists(TrainRecipe, new), new
        assert not validation.exists(TrainRecipe, old), f"{old} would have two meanings"


def test_a_recipe_without_a_version_may_use_the_names_of_either() -> None:
    mixed = {"training": {"accumulation": 2, "lr_scheduler_type": "constant"}}
    built = recipe.parse(mixed)
    assert isinstance(built, TrainRecipe)
    assert built.training.gradient_accumulation_steps == 2
    assert built.training.lr_scheduler_type == "constant", "as Hugging Face means it"


@pytest.mark.parametrize(
    "table",
    [
        {"version": 2, "training": {"accumulation": 2}},
        {"training": {"accumulation": 2, "gradient_accumulation_steps": 4}},
    ],
    ids=["in version 2", "under both names"],
)
def test_an_old_name_is_refused_where_it_cannot_be_meant(table: dict[str, Any]) -> None:
    with pytest.raises(EngineError) as caught:
        recipe.parse(table, "mine.toml")
    assert "mine.toml: training.accumulation: unknown setting" in caught.value.detail


@pytest.mark.parametrize("version", [0, 3, 1.5, "2", [1], {"major": 1}])
def test_any_other_version_is_refused_by_name(version: object) -> None:
    with pytest.raises(EngineError, match=r"has version .*; this finetop reads versions 1 to 2"):
        recipe.parse({"version": version})
    with pytest.raises(EngineError, match="has version"):
        recipe.parse(recipe.with_changes({"version": version}, ["training.epochs=1"]))


@pytest.mark.parametrize("table", [{"training": 3}, {"training": []}, {"training": {"keep": [1]}}])
def test_damaged_tables_of_version_1_are_still_refused(table: dict[str, Any]) -> None:
    with pytest.raises(EngineError):
        recipe.parse({"version": 1, **table})


def test_changes_are_made_to_old_recipes_by_new_names_and_by_old_ones() -> None:
    # A job of version 1 that ran out of memory has a command with the old names in its status.
    new = "training.lr_scheduler_type=constant_with_warmup"
    for changes in (
        ["training.gradient_accumulation_steps=8", new],
        ["training.accumulation=8", "training.schedule=constant"],
    ):
        for start in ({"version": 1, **OLD}, {"version": 2, **NEW}):
            built = recipe.parse(recipe.with_changes(start, changes))
            assert isinstance(built, TrainRecipe)
            assert built.training.gradient_accumulation_steps == 8
            assert built.training.lr_scheduler_type == "constant_with_warmup"


def test_what_is_written_is_version_2(tmp_path: Path) -> None:
    old = recipe.parse({"version": 1, **OLD})
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml(old))
    written = tomllib.loads(path.read_text())
    assert written["version"] == 2
    assert not {old for old in versions.RENAMED if _at(written, old) is not None}
    assert recipe.read(path) == old


@pytest.mark.parametrize("name", ["full", "generate", "evaluate"])
def test_recipes_of_version_2_are_read_for_ever(name: str) -> None:
    """The files are never changed: what they say means the same, whatever is added later."""
    path = VERSION2 / f"{name}.toml"
    frozen = tomllib.loads(path.read_text())
    read = recipe.to_table(recipe.read(path))
    for key, value in frozen.items():
        if isinstance(value, dict):
            assert {inner: read[key][inner] for inner in value} == value
        else:
            assert read[key] == value
    assert recipe.read(path) == recipe.read(VERSION1 / "recipes" / f"{name}.toml")


def test_runs_of_both_versions_differ_only_in_what_differs() -> None:
    one, other = recipe.parse({"version": 1, **OLD}), recipe.parse({"version": 2, **NEW})
    assert differences(flatten(one), flatten(other)) == []


def _at(table: dict[str, Any], dotted: str) -> object:
    section, _, name = dotted.partition(".")
    return table[section].get(name)
