"""A merged model says what its adapter says on the base, whatever the method and the head."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_config, get_peft_model

from engine.worker.release.merged_folder import SHARD_BYTES, write_merged
from tests.worker.families import save_family
from tests.worker.release.sources import LOAD, logits_of, logits_with, make_source
from tests.worker.tiny import save_adapter, save_checkpoint

LINEAR = ["q_proj", "v_proj", "down_proj"]


def no_tick(done: int, total: int) -> None:
    pass


def export(base: Path, adapter: Path | None, folder: Path, dtype: torch.dtype | None = None) -> Any:
    """Write the merged model, and return its config.json."""
    shutil.rmtree(folder, ignore_errors=True)
    write_merged(make_source(base, adapter), folder, dtype, SHARD_BYTES, no_tick)
    return json.loads((folder / "config.json").read_text())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its head is a weight of its own."""
    return save_checkpoint(tmp_path_factory.mktemp("base") / "untied")


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its head is the embedding; its layers have biases."""
    return save_family("qwen2", tmp_path_factory.mktemp("base") / "tied")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tmp_path_factory.mktemp("adapter"), base)


def save_method(path: Path, base: Path, config: Any) -> Path:
    """An adapter whose trained weights are all moved, however its method begins."""
    torch.manual_seed(1)
    model = get_peft_model(LOAD(base, dtype=torch.float32), config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(str(path))
    return path


METHODS: dict[str, dict[str, Any]] = {
    "LORA": {}, "ADALORA": {"total_step": 10}, "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 16}, "DELORA": {}, "FOURIERFT": {"n_frequency": 20}, "FROD": {},
    "GRALORA": {}, "HIRA": {}, "HRA": {"r": 4}, "IA3": {"feedforward_modules": ["down_proj"]},
    "LN_TUNING": {"target_modules": ["input_layernorm"]}, "LOHA": {"r": 2}, "LOKR": {"r": 2},
    "MISS": {"r": 4}, "OFT": {"oft_block_size": 4, "r": 0}, "SHIRA": {"r": 2}, "OSF": {},
    "PVERA": {}, "RANDLORA": {"r": 4}, "ROAD": {"group_size": 8},
    "TINYLORA": {}, "TRAINABLE_TOKENS": {"target_modules": ["embed_tokens"],
    "token_indices": [5, 9, 20]}, "UNILORA": {}, "VBLORA": {"vector_length": 8, "num_vectors": 4},
    "VERA": {}, "WAVEFT": {"n_frequency": 20}, "DEFT": {}, "GLORA": {},
    "PEANUT": {}, "PSOFT": {"r": 4}, "SUPERTUNING": {},
}  # fmt: skip


@pytest.mark.parametrize("method", sorted(METHODS))
def test_methods(method: str, base: Path, tmp_path: Path) -> None:
    config = get_peft_config(
        {"peft_type": method, "task_type": "CAUSAL_LM", "target_modules": LINEAR} | METHODS[method]
    )
    trained = save_method(tmp_path / "adapter", base, config)
    export(base, trained, tmp_path / "merged")
    wanted = logits_with(base, trained)
    torch.testing.assert_close(logits_of(tmp_path / "merged"), wanted, atol=1e-4, rtol=1e-4)
    assert (wanted - logits_of(base)).abs().max() > 1e-3
