"""Adapters at a part of their strength: from the base to the adapter, and beyond."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import EngineError
from engine.worker.inference.models import LoadedArm, ModelCache
from tests.worker.inference.arms import ADAPTERS, load_arm, raw_prompts, say
from tests.worker.tiny import save_adapter, save_checkpoint


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def adapters(base: Path) -> dict[str, Path]:
    return {
        name: save_adapter(base.parent / name, base, seed, **ADAPTERS[name])
        for seed, name in enumerate(("lora", "dora", "bias", "saved"), 1)
    }


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    return raw_prompts()


@pytest.fixture
def models() -> ModelCache:
    return ModelCache(torch.device("cpu"))


@pytest.mark.parametrize("name", ["lora", "dora", "bias", "saved"])
def test_no_strength_is_the_base_with_every_method(
    name: str,
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    prompts: list[list[int]],
) -> None:
    plain = load_arm(models, base)
    none = load_arm(models, base, adapters[name], strength=0.0)
    assert none.model is plain.model
    assert say(none, prompts[:2]) == say(plain, prompts[:2])


@pytest.mark.parametrize(
    "settings",
    [
        {"use_dora": True, "target_modules": ["lm_head"]},
        {"modules_to_save": ["lm_head"], "target_modules": ["q_proj"]},
    ],
)
def test_half_of_what_replaces_weights_is_half_of_what_it_changes(
    settings: dict[str, Any],
    models: ModelCache,
    base: Path,
    tmp_path: Path,
    prompts: list[list[int]],
) -> None:
    """Of one linear layer alone, so that the logits are linear in what is changed."""
    path = save_adapter(tmp_path / "head", base, 1, **settings)
    weights = load_file(path / "adapter_model.safetensors")
    still = {key: one * ("q_proj.lora_B" not in key) for key, one in weights.items()}
    save_file(still, path / "adapter_model.safetensors")
    inputs = torch.tensor([prompts[0]])
    with torch.inference_mode():
        none, half, whole, more = (
            load_arm(models, base, path, strength=strength).forward(input_ids=inputs).logits
            for strength in (0.0, 0.5, 1.0, 1.5)
        )
    assert float((whole - none).norm()) > 1
    torch.testing.assert_close(half, (none + whole) / 2, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(more, whole + (whole - none) / 2, rtol=1e-3, atol=1e-3)


def test_strength_goes_from_the_base_to_the_adapter_and_beyond(
    models: ModelCache, base: Path, adapters: dict[str, Path], prompts: list[list[int]]
) -> None:
    before = say(load_arm(models, base, adapters["lora"]), prompts[:2])
    none = load_arm(models, base, adapters["lora"], strength=0.0)
    assert say(none, prompts[:2]) == say(load_arm(models, base), prompts[:2])
    inputs = torch.tensor([prompts[0]])
    with torch.inference_mode():
        logits = [
            load_arm(models, base, adapters["lora"], strength=strength)
            .forward(input_ids=inputs)
            .logits
            for strength in (0.0, 0.5, 1.0, 1.5)
        ]
    moved = [float((one - logits[0]).norm()) for one in logits]
    assert moved[0] == 0
    assert moved[1] > 0
    assert len({round(one, 4) for one in moved}) == 4
    assert say(load_arm(models, base, adapters["lora"]), prompts[:2]) == before


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"bias": "all"}, "it trained biases of the base (bias = all)"),
        (
            {"init_lora_weights": "pissa_niter_4"},
            "its initialisation changes weights of the base (init_lora_weights = pissa_niter_4)",
        ),
        ({"trainable_token_indices": [1]}, "it replaces rows of the embedding"),
        ({"layer_replication": [[0, 2]]}, "it repeats layers of the base"),
        ({"kasa_config": {"beta": 1e-4}}, "it removes a part of the base's weights (kasa_config)"),
        ({"peft_type": "IA3"}, "its method is IA3: only that of LoRA can be scaled"),
        ({"peft_type": None}, "its method is unknown"),
    ],
)
def test_why_a_strength_cannot_be_set_is_told(
    settings: dict[str, Any], reason: str, models: ModelCache, base: Path, tmp_path: Path
) -> None:
    path = change(save_adapter(tmp_path / "adapter", base), **settings)
    with pytest.raises(EngineError, match="strength of this adapter cannot be set") as caught:
        load_arm(models, base, path, strength=0.5)
    assert caught.value.detail.startswith(f"arm: {path}: {reason}")
    assert caught.value.hint == "Remove @0.5."


def test_a_config_that_cannot_be_read_is_an_error_of_its_arm(
    models: ModelCache, base: Path, tmp_path: Path
) -> None:
    path = save_adapter(tmp_path / "adapter", base)
    for text in ("[]", "{", '"LORA"'):
        (path / "adapter_config.json").write_text(text)
        with pytest.raises(EngineError, match=r"adapter_config\.json is not"):
            load_arm(models, base, path, strength=0.5)


@pytest.mark.parametrize("name", ["lora", "dora", "saved"])
def test_what_peft_tells_its_own_layers_does_not_reach_those_of_the_base(
    name: str,
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
) -> None:
    """A pass of aLoRA that fails leaves hooks that hand `alora_offsets` to every LoRA layer."""
    from peft.tuners.lora import LoraLayer

    loaded_arm = load_arm(models, base, adapters[name], strength=0.5)
    before = logits_of(loaded_arm)
    layers: list[Any] = [
        one for one in loaded_arm.model._model.modules() if isinstance(one, LoraLayer)
    ]
    for layer in layers:
        layer.register_forward_pre_hook(hand_offsets, with_kwargs=True)
    torch.testing.assert_close(logits_of(loaded_arm), before)


def hand_offsets(module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return args, kwargs | {"alora_offsets": [None]}


FAILING: dict[str, dict[str, Any]] = {
    "a layer that cannot be adapted": {
        "target_modules": ["k_proj", "o_proj", "input_layernorm"],
        "init_lora_weights": False,
    },
    "a target that is missing": {"target_modules": ["nothing"]},
    "another rank": {"r": 8},
    "aLoRA": {"alora_invocation_tokens": [5, 6]},
    "a classifier": {"task_type": "SEQ_CLS"},
}


@pytest.mark.parametrize("kind", list(FAILING))
@pytest.mark.parametrize("name", ["lora", "dora"])
def test_an_arm_that_failed_leaves_the_strength_of_another_as_it_was(
    name: str,
    kind: str,
    models: ModelCache,
    base: Path,
    adapters: dict[str, Path],
    tmp_path: Path,
) -> None:
    plain, half = load_arm(models, base), load_arm(models, base, adapters[name], strength=0.5)
    before = [logits_of(plain), logits_of(half)]
    bad = change(save_adapter(tmp_path / "bad", base, 9), **FAILING[kind])
    with pytest.raises(EngineError):
        load_arm(models, base, bad, strength=0.5)
    assert torch.equal(logits_of(half), before[1])
    again = load_arm(models, base, adapters[name], strength=0.5)
    assert again.model is half.model
    assert torch.equal(logits_of(again), before[1])
    assert torch.equal(logits_of(plain), before[0])


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_a_pass_that_failed_half_way_leaves_every_strength_as_it_was(
    name: str, models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    arms = [load_arm(models, base, adapters[name], strength=one) for one in (0.5, 1.0, 1.5)]
    before = [logits_of(one) for one in arms]

    def fail(*_: Any) -> None:
        raise RuntimeError("half-way")

    hook = arms[0].model._model.get_base_model().model.layers[1].register_forward_hook(fail)
    for one in arms:
        with pytest.raises(RuntimeError, match="half-way"):
            logits_of(one)
    hook.remove()
    for one, logits in zip(arms, before, strict=True):
        assert torch.equal(logits_of(one), logits)


def logits_of(loaded_arm: LoadedArm) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(loaded_arm.forward(input_ids=torch.arange(5, 25)[None]).logits)


def change(adapter: Path, **settings: Any) -> Path:
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))
    return adapter
