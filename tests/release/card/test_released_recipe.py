"""A recipe leaves without a path, and is a recipe still."""

import tomllib

from engine.recipes.recipe import TrainRecipe, parse
from engine.recipes.settings import (
    Data,
    Forgetting,
    Model,
    Replay,
    Samples,
    SkillEvaluation,
)
from engine.release.card.released_recipe import write_recipe
from engine.report.short_names import ShortNames

HOME = "/home/marguerite"
RECIPE = TrainRecipe(
    name="kind",
    model=Model(f"{HOME}/models/gemma"),
    data=Data(
        f"{HOME}/train.jsonl", eval=f"{HOME}/eval.jsonl", template=f"{HOME}/chat.jinja",
        system="See /home/of/kindness/always.",
    ),
    replay=Replay(data=f"{HOME}/old.jsonl"),
    samples=Samples(prompts=f"{HOME}/prompts.txt"),
    forgetting=Forgetting(probe=f"{HOME}/probe.txt"),
    evaluation=SkillEvaluation(
        suites=[f"mine={HOME}/suites/items.jsonl?limit=20", "bundled:facts"]
    ),
)  # fmt: skip


def test_no_path_is_left_and_every_setting_is() -> None:
    text = write_recipe(RECIPE, ShortNames(), "google/gemma-3-270m", ["train.jsonl: SHA-256 ab"])
    assert HOME not in text
    assert text.startswith("# train.jsonl: SHA-256 ab\n")
    read = parse(tomllib.loads(text))
    assert isinstance(read, TrainRecipe)
    assert read.model.checkpoint == "google/gemma-3-270m"
    assert (read.data.train, read.data.eval, read.data.template) == (
        "train.jsonl", "eval.jsonl", "chat.jinja",
    )  # fmt: skip
    assert (read.replay.data, read.samples.prompts, read.forgetting.probe) == (
        "old.jsonl", "prompts.txt", "probe.txt",
    )  # fmt: skip
    assert read.evaluation.suites == ["mine=items.jsonl?limit=20", "bundled:facts"]
    assert read.training == RECIPE.training
    assert read.method == RECIPE.method


def test_a_text_that_was_trained_with_is_kept() -> None:
    read = parse(tomllib.loads(write_recipe(RECIPE, ShortNames(), "", [])))
    assert isinstance(read, TrainRecipe)
    assert read.data.system == RECIPE.data.system
    assert read.model.checkpoint == "gemma"


def test_a_comment_stays_one_line() -> None:
    text = write_recipe(RECIPE, ShortNames(), "", ["a\nkind = 'judge'\x1b]0;x\x07"])
    assert "\nkind = 'judge" not in text
    assert parse(tomllib.loads(text)).kind == "train"
    assert "\x1b" not in text
