"""Which suites a stage was trained on, by the recipes of the runs."""

from pathlib import Path

import pytest

from engine.compare.arms import parse_arms
from engine.impact.suite_specs import parse_suites
from engine.impact.trained_suites import find_trained
from engine.recipes.recipe import TrainRecipe, to_toml
from engine.recipes.settings import Data, Model, Replay
from tests.jobs.made_checkpoints import write_checkpoints
from tests.tui.building import write_run


def _write(root: Path, name: str, data: Data, replay: str = "") -> Path:
    job = write_run(root, name)
    job.recipe_file.write_text(
        to_toml(TrainRecipe(name=name, data=data, replay=Replay(data=replay)))
    )
    return job.path


@pytest.fixture
def runs(root: Path, tmp_path: Path) -> list[Path]:
    (tmp_path / "poems").mkdir()
    return [
        _write(root, "A", Data(train="bundled:emotion")),
        _write(root, "B", Data(train=str(tmp_path / "poems"), eval=str(tmp_path / "e.jsonl"))),
        _write(root, "again", Data(train="bundled:emotion"), replay=str(tmp_path / "poems")),
    ]


def _trained(runs: list[Path], arm: str, *suites: str) -> tuple[str, ...]:
    return find_trained(parse_arms([f"x={arm}"]), parse_suites(suites), runs)["x"]


def test_what_a_run_held_out_and_what_others_of_the_same_data_held_out(runs: list[Path]) -> None:
    suites = ("a=run:A", "b=run:B", "facts=bundled:facts", "lost=run:nothing")
    assert _trained(runs, "run:A", *suites) == ("a",)
    assert _trained(runs, "run:B", *suites) == ("b",)
    assert _trained(runs, "run:again", *suites) == ("a", "b")  # poems were replayed
    assert _trained(runs, "bundled:demo-base", *suites) == ()


def test_data_sets_and_their_files(runs: list[Path], tmp_path: Path) -> None:
    suites = (
        "emotion=bundled:emotion",
        f"poems={tmp_path}/poems",
        f"file={tmp_path}/poems/eval.jsonl",
        f"eval={tmp_path}/e.jsonl",
        f"other={tmp_path}/poems2",
        f"imported=lm-eval:{tmp_path}/poems/samples.jsonl",
    )
    assert _trained(runs, "run:A", *suites) == ("emotion",)
    assert _trained(runs, "run:B", *suites) == ("poems", "file", "eval")


def test_a_checkpoint_is_of_its_run(root: Path, runs: list[Path]) -> None:
    job = write_run(root, "long")
    job.recipe_file.write_text(to_toml(TrainRecipe(data=Data(train="bundled:emotion"))))
    write_checkpoints(job, (20,))
    arm = str(job.checkpoints / "checkpoint-20")
    assert _trained([*runs, job.path], arm, "a=run:A", "own=run:long") == ("a", "own")
    assert _trained([*runs, job.path], f"bundled:demo-base+{arm}", "a=run:A") == ("a",)


def test_a_recipe_that_cannot_be_read_says_nothing(runs: list[Path]) -> None:
    (runs[0] / "recipe.toml").write_text("kind = 3 =")
    assert _trained(runs, "run:A", "b=run:B") == ()
    assert _trained(runs, "run:A", "a=run:A") == ("a",)


def test_stages_that_are_no_arms_count_for_the_next_arm(root: Path, runs: list[Path]) -> None:
    job = write_run(root, "C", checkpoint="run:B")
    job.recipe_file.write_text(
        to_toml(TrainRecipe(model=Model(checkpoint="run:B"), data=Data(train="bundled:counsel")))
    )
    specs = parse_suites(["b=run:B", "c=run:C"])
    alone = find_trained(
        parse_arms(["base=bundled:demo-base", "C=run:C"]), specs, [*runs, job.path]
    )
    assert alone == {"base": (), "C": ("b", "c")}
    both = find_trained(parse_arms(["B=run:B", "C=run:C"]), specs, [*runs, job.path])
    assert both == {"B": ("b",), "C": ("c",)}
