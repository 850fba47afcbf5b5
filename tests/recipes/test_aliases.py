"""Names of other trainers: each has an answer, and what is to be written instead can be written."""

import re
import tomllib
from typing import Any

import pytest

from engine.errors import EngineError
from engine.recipes import aliases, recipe, validation
from engine.recipes.recipe import TrainRecipe

_NAMES = """
per_device_train_batch_size per_device_eval_batch_size micro_batch_size batch_size num_train_epochs
num_epochs epochs max_steps lr learning_rate lr_scheduler warmup_steps warmup_ratio weight_decay
optim optimizer max_grad_norm bf16 fp16 tf32 seed logging_steps eval_steps save_steps
save_total_limit load_best_model_at_end metric_for_best_model early_stopping_patience
gradient_checkpointing packing sample_packing group_by_length max_seq_length max_length cutoff_len
sequence_len lora_r r lora_alpha lora_dropout lora_target_modules use_dora use_rslora load_in_4bit
load_in_8bit adapter val_set_size test_size train_on_inputs dataset datasets base_model
model_name_or_path output_dir beta
"""
KNOWN = _NAMES.split()
NONE_HERE = {
    "per_device_eval_batch_size", "optim", "optimizer", "tf32", "logging_steps", "train_on_inputs",
    "output_dir",
}  # fmt: skip
VALUES: tuple[Any, ...] = (
    True, False, 1, 8, 0.1, -1, "cosine", "all", "q_proj,v_proj", ["q_proj"], "lora", "qlora",
    "eval_loss", "rows.jsonl", [{"path": "rows.jsonl"}], {"path": "rows.jsonl"}, [], {}, "1e-4",
)  # fmt: skip
UNLIKELY = "zz"
"""A table that no recipe has."""


def refusal(table: dict[str, Any]) -> str:
    with pytest.raises(EngineError) as caught:
        recipe.parse({"version": 2, **table}, "mine.toml")
    return caught.value.detail


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_name_is_answered_wherever_it_stands(name: str) -> None:
    for table, dotted in (
        ({name: UNLIKELY}, name),
        ({"samples": {name: UNLIKELY}}, f"samples.{name}"),
        ({"peft": {name: UNLIKELY}}, f"peft.{name}"),
        ({"trainer": {"args": {name: UNLIKELY}}}, f"trainer.args.{name}"),
    ):
        told = refusal(table)
        assert told.startswith(f"mine.toml: {dotted}: unknown setting")
        if name in NONE_HERE:
            assert re.search(r"unknown setting: \w", told), told
        else:
            key = re.search(r"; write ([a-z_.0-9]+)", told)
            assert key, told
            assert validation.exists(TrainRecipe, key[1]), told


@pytest.mark.parametrize("name", sorted({*KNOWN, *aliases.ALIASES}))
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_to_be_written_is_a_recipe(name: str, value: object) -> None:
    """Whatever the value was: a hint that is refused in its turn would be none."""
    told = refusal({"peft": {name: value}})
    assignments = told.partition("; write ")[2]
    if " = " in assignments:
        recipe.parse(tomllib.loads(assignments.replace(" and ", "\n")))


@pytest.mark.parametrize("key", [alias.key for alias in aliases.ALIASES.values() if alias.key])
def test_each_alias_names_a_setting_that_there_is(key: str) -> None:
    assert key in set(validation.names(TrainRecipe))


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("cutoff_len = 2048", "data.max_length = 2048"),
        ("load_in_4bit = true", 'method.quantize = "4bit"'),
        ("load_in_4bit = false", 'method.quantize = "none"'),
        ("load_in_8bit = true", 'method.quantize = "8bit"'),
        ("val_set_size = 0.1", "data.eval_fraction = 0.1"),
        ("val_set_size = 500", "data.eval_fraction (a fraction of the rows; data.eval takes"),
        ("lr = 1e-4", "training.learning_rate = 0.0001"),
        ('lr = "1e-4"', "training.learning_rate = 0.0001"),
        ("max_steps = -1", "training.max_steps = 0"),
        ("warmup_steps = 100", "training.warmup_ratio (a fraction of all steps)"),
        ("warmup_steps = 0.03", "training.warmup_ratio = 0.03"),
        ('lr_scheduler = "cosine"', 'training.lr_scheduler_type = "cosine"'),
        ('lr_scheduler = "wsd"', "training.lr_scheduler_type (linear, cosine, constant, "),
        ("bf16 = true", 'training.dtype = "bfloat16"'),
        ("fp16 = true", 'training.dtype = "float16"'),
        ("bf16 = false", "training.dtype (auto, float32, bfloat16, float16)"),
        ("load_best_model_at_end = true", 'stopping.result = "best"'),
        ('metric_for_best_model = "eval_loss"', 'stopping.metric = "eval/loss"'),
        ('metric_for_best_model = "loss"', 'stopping.metric = "eval/loss"'),
        ('lora_target_modules = "all"', 'method.target_modules = ["all-linear"]'),
        ('lora_target_modules = ["q_proj"]', 'method.target_modules = ["q_proj"]'),
        ("use_dora = true", 'method.variant = "dora"'),
        ("use_rslora = true", 'method.variant = "rslora"'),
        ('adapter = "qlora"', 'method.kind = "lora" and method.quantize = "4bit"'),
        ('datasets = [{path = "a.jsonl", type = "alpaca"}]', 'data.train = "a.jsonl"'),
        ('datasets = [{path = "a"}, {path = "b"}]', "data.train (one dataset a run"),
        ('base_model = "/models/x"', 'model.checkpoint = "/models/x"'),
        ("eval_steps = 50", "training.evaluations (how many"),
        ("accumulation = 4", "training.gradient_accumulation_steps = 4"),
        ('schedule = "constant"', 'training.lr_scheduler_type = "constant_with_warmup"'),
        ("rank = 8", "method.rank = 8"),
    ],
)
def test_the_value_is_translated_where_it_can_be(foreign: str, ours: str) -> None:
    name = foreign.partition(" ")[0]
    assert refusal(tomllib.loads(foreign)).startswith(
        f"mine.toml: {name}: unknown setting; write {ours}"
    )


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('method.target_modules = "all-linear"', 'write method.target_modules = ["all-linear"]'),
        ("training.max_steps = -1", "must be at least 0; write training.max_steps = 0"),
        ('model = "/models/x"', 'must be a table; write model.checkpoint = "/models/x"'),
        ('data = "rows.jsonl"', 'must be a table; write data.train = "rows.jsonl"'),
        ('model.adapter = "qlora"', "not 'qlora'; write method.kind = \"lora\" and method.qu"),
    ],
)
def test_a_setting_of_ours_with_the_value_of_another_trainer(toml: str, words: str) -> None:
    assert words in refusal(tomllib.loads(toml))


@pytest.mark.parametrize(
    "toml", ["replay.data = 5", "training.learning_rate = -1.0", "training = 3", "peft.x = 1"]
)
def test_nothing_is_added_where_nothing_is_known(toml: str) -> None:
    assert "write" not in refusal(tomllib.loads(toml))


def test_what_is_near_a_setting_is_still_guessed() -> None:
    assert refusal({"method": {"rnk": 8}}).endswith("did you mean method.rank?")


def test_changes_on_a_command_line_are_answered_too() -> None:
    for change in ("lr=1e-4", "training.lr=1e-4"):
        with pytest.raises(EngineError) as caught:
            recipe.parse(recipe.with_changes({"kind": "train"}, [change]))
        assert "write training.learning_rate = 0.0001" in caught.value.detail


def test_jobs_of_other_kinds_are_not_told_of_training() -> None:
    assert refusal({"kind": "generate", "lr": 1.0}).endswith("lr: unknown setting")
    told = refusal({"kind": "generate", "max_new_tokens": 5})
    assert told.endswith("write decode.max_new_tokens = 5")
