"""Adapters at a part of their strength: from the base to the adapter, and beyond."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import EngineError
from engine.worker.inference.models import ModelCache
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


def test_what_took_the_place_of_the_bases_own_has_no_strength(
    models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    with pytest.raises(EngineError, match="no strength"):
        load_arm(models, base, adapters["bias"], strength=0.5)
