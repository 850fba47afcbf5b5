"""The points of a sweep: which there are, what they are called, and what is no sweep."""

import tomllib
from typing import Any

import pytest

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.launching.sweep import make_evaluation
from engine.recipes import recipe as recipes
from engine.recipes.recipe import SweepRecipe, TrainRecipe
from engine.recipes.settings import Replay, Training
from engine.sweeps.grid import count_points, list_points, name_bases, parse_over, write_value

REPLAY = TrainRecipe(replay=Replay(data="bundled:counsel"))


def sweep(over: dict[str, list[object]], **settings: Any) -> SweepRecipe:
    return SweepRecipe(over=over, **settings)


def test_every_combination_is_a_point_of_every_seed() -> None:
    points = list_points(
        sweep(
            {"training.learning_rate": [1e-4, 3e-4], "replay.share": [0.0, 0.1]},
            seeds=[7, 8],
            name="grid",
            base=REPLAY,
        )
    )
    assert [point.name for point in points] == [
        "lr1e-4-replay0-s7", "lr1e-4-replay0-s8", "lr1e-4-replay0.1-s7", "lr1e-4-replay0.1-s8",
        "lr3e-4-replay0-s7", "lr3e-4-replay0-s8", "lr3e-4-replay0.1-s7", "lr3e-4-replay0.1-s8",
    ]  # fmt: skip
    last = points[-1]
    assert last.recipe.name == "grid-lr3e-4-replay0.1-s8"
    assert (last.recipe.training.learning_rate, last.recipe.replay.share) == (3e-4, 0.1)
    assert (last.recipe.training.seed, last.seed) == (8, 8)
    assert last.settings == {"training.learning_rate": 3e-4, "replay.share": 0.1}
    assert last.recipe.replay.data == "bundled:counsel", "all else is that of the base"


def test_without_seeds_a_point_has_that_of_the_base() -> None:
    base = TrainRecipe(training=Training(seed=31))
    (first, second) = list_points(sweep({"method.rank": [4, 8]}, base=base))
    assert (first.name, second.name) == ("rank4", "rank8")
    assert first.seed == first.recipe.training.seed == 31


def test_the_command_line_types_values_like_settings() -> None:
    assert parse_over(
        [
            "training.learning_rate=1e-4, 3e-4",
            "method.rank=4,8",
            "training.packing=true,false",
            'data.system="Be kind, be brief.",plain',
            'method.target_modules=[["q_proj"], ["all-linear"]]',
            "training.schedule=constant",
        ]
    ) == {
        "training.learning_rate": [1e-4, 3e-4],
        "method.rank": [4, 8],
        "training.packing": [True, False],
        "data.system": ["Be kind, be brief.", "plain"],
        "method.target_modules": [["q_proj"], ["all-linear"]],
        "training.lr_scheduler_type": ["constant_with_warmup"],  # as version 1 called it
    }


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["method.rank"], "Invalid --over"),
        (["=4"], "Invalid --over"),
        (["method.rank=4", "method.rank=8"], "Duplicate --over"),
        (["method.rank=[4, 8"], "Invalid list"),
        (["method.rank=[4]\nx = 8"], "more than a list"),
        (["data.system=a\nb"], "Invalid list"),
        (['data.system="a'], "Invalid list"),
        (["data.system=" + "a" * 200_000], "Invalid list"),
    ],
)
def test_what_is_no_list_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        parse_over(texts)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (sweep({}), "Nothing to sweep over"),
        (sweep({"method.rank": []}), "No values"),
        (sweep({"method.rnk": [4]}), "method.rnk: unknown setting; did you mean method.rank"),
        (sweep({"method.rank": [4, 0]}), "method.rank: must be at least 1"),
        (sweep({"method.rank": ["four"]}), "method.rank: must be an integer"),
        (sweep({"training": [1]}), "training: must be a table"),
        (sweep({"name": ["a", "b"]}), "cannot be over 'name'"),
        (sweep({"method.rank": [4, 4]}), "rank4 and rank4"),
        (sweep({"training.learning_rate": [1, 1.0]}), "equal"),
        (sweep({"replay.share": [0.1, 0.2]}), "has no effect without replay.data"),
        (sweep({"training.seed": [1, 2]}, seeds=[1, 2]), "Duplicate seeds"),
        (sweep({}, seeds=[3, 3]), "s3 and s3"),
        (sweep({"training.max_steps": list(range(10_001))}), "10,001 points"),
    ],
)
def test_what_is_no_sweep_is_refused(wrong: SweepRecipe, words: str) -> None:
    with pytest.raises(EngineError) as caught:
        list_points(wrong)
    assert words in str(caught.value)


def test_a_share_without_replay_and_one_of_nothing_are_equal_too() -> None:
    """0 of some data is no replay, whatever data it is none of."""
    over: dict[str, list[object]] = {"replay.data": ["", "bundled:counsel"], "replay.share": [0.0]}
    with pytest.raises(EngineError, match="equal"):
        list_points(sweep(over))


def test_points_that_would_be_called_the_same_have_numbers() -> None:
    points = list_points(sweep({"data.train": ["/a/rows.jsonl", "/b/rows.jsonl", "/c/rows.jsonl"]}))
    assert [point.name for point in points] == ["rows.jsonl", "rows.jsonl.2", "rows.jsonl.3"]
    assert len({point.recipe.name for point in points}) == 3


def test_settings_that_end_alike_are_told_apart() -> None:
    (point,) = list_points(sweep({"data.limit": [5], "evaluation.limit": [6]}))
    assert point.name == "data.limit5-evaluation.limit6"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3e-4, "3e-4"), (1e-5, "1e-5"), (1.25e-4, "1.25e-4"), (0.1, "0.1"), (0.01, "0.01"),
        (0.001, "1e-3"),
        (0.0, "0"), (3.0, "3"), (True, "true"), (["q_proj", "v_proj"], "q_proj+v_proj"),
        ("bundled:emotion", "emotion"), ("", "none"), ([], "none"),
    ],
)  # fmt: skip
def test_values_are_short(value: object, text: str) -> None:
    assert write_value(value) == text


def test_the_first_base_is_called_base() -> None:
    points = list_points(sweep({"model.checkpoint": ["/m/one", "/m/two"]}))
    assert name_bases(points) == {"/m/one": "base", "/m/two": "base two"}


def test_many_points_are_counted_without_being_made() -> None:
    over: dict[str, list[object]] = {f"key{at}": list(range(1000)) for at in range(20)}
    assert count_points(sweep(over)) == 1000**20


def test_a_recipe_survives_its_file() -> None:
    made = sweep(
        {"training.learning_rate": [1e-4, 1], "method.target_modules": [["q_proj"], []]},
        seeds=[1, 2],
        suites=["bundled:facts"],
        limit=5,
        base=REPLAY,
    )
    assert recipes.parse(tomllib.loads(recipes.to_toml(made))) == made


def test_a_setting_of_the_base_is_validated_like_that_of_a_run() -> None:
    table = recipes.to_table(sweep({"method.rank": [1, 2]}))
    table["base"]["training"]["learning_rate"] = "fast"
    with pytest.raises(EngineError, match=r"base\.training\.learning_rate: must be a number"):
        recipes.parse(table)
    changed = recipes.changed(sweep({"method.rank": [1, 2]}), ["base.training.epochs=2", "limit=3"])
    assert isinstance(changed, SweepRecipe)
    assert (changed.base.training.epochs, changed.limit) == (2.0, 3)


def test_no_point_is_called_as_a_base_is() -> None:
    """The evaluation at the end has them all as arms: it was refused once all had been trained."""
    over: dict[str, list[object]] = {
        "data.train": ["/x/base", "/x/base m"],
        "model.checkpoint": ["/a/m", "/b/m", "/c/m"],
    }
    points = list_points(sweep(over))
    bases = list(name_bases(points).values())
    assert bases == ["base", "base m", "base m.2"]
    alone = list_points(sweep({"data.train": ["/x/base", "/y/base", "/x/base.2"]}))
    assert [one.name for one in alone] == ["base.3", "base.4", "base.2"]
    for each in (points, alone):
        runs = {one.name: f"r{at}" for at, one in enumerate(each)}
        arms = [parse_arm(text).name for text in make_evaluation(SweepRecipe(), each, runs).arms]
        assert len(set(arms)) == len(arms) == len(each) + len(name_bases(each))
