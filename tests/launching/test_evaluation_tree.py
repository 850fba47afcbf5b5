"""The stages that led to a run, as arms: their order, their names, and what cannot be followed."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs.store import Store
from engine.launching.evaluation_tree import list_tree_arms
from engine.recipes.recipe import GenerateRecipe, to_toml
from tests.jobs.made_checkpoints import write_checkpoints
from tests.tui.building import write_run

BASE = "bundled:demo-base"


@pytest.fixture
def store(root: Path) -> Store:
    write_run(root, "emotion", checkpoint=BASE)
    write_run(root, "counsel", checkpoint="run:emotion")
    write_run(root, "poems", checkpoint="run:counsel")
    write_run(root, "beside", checkpoint="run:emotion")
    return Store(root)


def test_base_and_stages_oldest_first(store: Store) -> None:
    assert list_tree_arms("poems", (), store) == [
        f"base={BASE}", "emotion=run:emotion", "counsel=run:counsel", "poems=run:poems"
    ]  # fmt: skip
    assert list_tree_arms("run:emotion", (), store) == [f"base={BASE}", "emotion=run:emotion"]


def test_named_arms_name_stages_and_others_stand_between(store: Store) -> None:
    given = ["B=run:counsel", "half=run:poems@0.5", "other=./model"]
    assert list_tree_arms("poems", given, store) == [
        f"base={BASE}", "half=run:poems@0.5", "other=./model", "emotion=run:emotion",
        "B=run:counsel", "poems=run:poems",
    ]  # fmt: skip


def test_a_stage_that_began_with_a_checkpoint_of_a_run(root: Path, store: Store) -> None:
    job = write_run(root, "long", checkpoint="run:emotion")
    write_checkpoints(job, (20, 40))
    used = job.checkpoints / "checkpoint-20"
    write_run(root, "after", checkpoint=str(used))
    assert list_tree_arms("after", (), store) == [
        f"base={BASE}", "emotion=run:emotion", f"long checkpoint-20={used}", "after=run:after"
    ]  # fmt: skip


def test_names_are_apart(root: Path, store: Store) -> None:
    write_run(root, "base", checkpoint="run:emotion")
    arms = list_tree_arms("base", ["emotion=./model"], store)
    assert [one.partition("=")[0] for one in arms] == [
        "base", "emotion", "emotion (2)", "base (2)"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("nothing", "No run 'nothing'"),
        ("orphan", "An earlier stage is missing"),
        ("snake", "begin with each other"),
        ("answers", "Only a training run has stages"),
    ],
)
def test_what_cannot_be_followed(root: Path, store: Store, run: str, words: str) -> None:
    write_run(root, "orphan", checkpoint="run:deleted")
    write_run(root, "snake", checkpoint="run:tail")
    write_run(root, "tail", checkpoint="run:snake")
    write_run(root, "answers").recipe_file.write_text(to_toml(GenerateRecipe()))
    with pytest.raises(EngineError, match=words):
        list_tree_arms(run, (), store)
