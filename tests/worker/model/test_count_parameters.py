"""Parameters counted on the meta device, as the companion answers it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.checkpoints import config_json
from engine.checkpoints.describe import inspect
from engine.errors import EngineError
from engine.estimates import memory
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Method
from engine.worker.companion.handlers import Handlers
from engine.worker.model import count_parameters


def asked(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return Handlers().by_type["count"](request, lambda: False)  # type: ignore[return-value]


def test_the_companion_counts_the_bundled_model() -> None:
    (done,) = asked({"checkpoint": "bundled:demo-base", "method": {"rank": 8}})
    stored = inspect(BASE)
    reckoned = memory.estimate(config_json.read_json(BASE / "config.json"), TrainRecipe())
    assert done["parameters"] == stored.parameters == reckoned.parameters
    assert done["trained"] == reckoned.trained
    assert done["linear"] < done["parameters"]


def test_all_is_learned_in_full() -> None:
    (done,) = asked({"checkpoint": "bundled:demo-base", "method": {"kind": "full"}})
    assert done["trained"] == done["parameters"]


def test_a_model_of_seven_billion_is_counted_without_its_memory(tmp_path: Path) -> None:
    sizes = {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11_008,
        "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32_000,
    }  # fmt: skip
    assert count_parameters.count(sizes, Method()).parameters == 6_738_415_616
    assert memory.estimate(sizes, TrainRecipe()).parameters == 6_738_415_616


@pytest.mark.parametrize("method", [Method(), Method(kind="full")])
def test_a_mixture_of_experts_is_counted_and_then_reckoned(method: Method) -> None:
    sizes = {
        "model_type": "mixtral", "hidden_size": 64, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "vocab_size": 100, "num_local_experts": 4, "num_experts_per_tok": 2,
    }  # fmt: skip
    number, recipe = count_parameters.count(sizes, method), TrainRecipe(method=method)
    known = memory.estimate(sizes, recipe, counted=number)
    assert (known.parameters, known.trained) == (number.parameters, number.trained)
    assert number.parameters > number.linear * 4, "most of it is experts"
    assert known.counted
    assert known.rough
    more = TrainRecipe(method=replace(method, kind="lora", rank=99))
    with pytest.raises(EngineError, match="cannot be estimated") as caught:
        memory.estimate(sizes, more, counted=number, parameters=number.parameters)
    assert "--measure" in caught.value.hint, "a higher rank learns more than was counted"
    with pytest.raises(EngineError, match="cannot be attached"):
        count_parameters.count(sizes, Method(variant="dora"))


@pytest.mark.parametrize(
    ("method", "why"),
    [({"kind": "other"}, "kind"), ({"nonsense": 1}, "nonsense"), ([1], "no table")],
)
def test_a_wrong_method_is_named(method: object, why: str) -> None:
    with pytest.raises(EngineError) as caught:
        list(asked({"checkpoint": "bundled:demo-base", "method": method}))
    assert why in str(caught.value)


def test_targets_that_the_model_lacks_are_named() -> None:
    with pytest.raises(EngineError, match="adapter cannot be attached"):
        list(asked({"checkpoint": "bundled:demo-base", "method": {"target_modules": ["c_attn"]}}))


@pytest.mark.parametrize("config", [{}, {"model_type": "nobody"}, {"model_type": "vit"}])
def test_a_config_that_no_model_can_be_built_from_is_refused(
    config: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match="does not describe a model"):
        count_parameters.answer(tmp_path, None)
