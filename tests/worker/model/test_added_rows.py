"""Adapters whose vocabulary was enlarged: they answer as they did where they were trained, and what
nobody saved of them is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints.adapter_rows import (
    WEIGHTS,
    count_rows,
    explain_replaced,
    read_rows,
    shares_base,
)
from engine.checkpoints.config_json import read_json
from engine.errors import EngineError
from engine.worker.model import loading
from engine.worker.model.merging import merge
from tests.worker.added_tokens import ATTENTION, KINDS, TIED_KINDS, save_base, save_enlarged

CPU = torch.device("cpu")
UNTIED, TIED = "llama", "qwen2"


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {name: save_base(name, folder / name) for name in (UNTIED, TIED)}


def attach(base: Path, adapter: Path) -> Any:
    return loading.attach_adapter(loading.load_base(base, CPU, torch.float32), adapter)


def say(model: Any, rows: int) -> torch.Tensor:
    """Logits of a text that has every token from the last of the base's on."""
    ids = torch.tensor([[5, 9, *range(rows - 3, rows), 40, 41, 77]])
    with torch.no_grad():
        return torch.as_tensor(model(input_ids=ids, use_cache=False).logits)


def judge(base: Path, folder: Path, **settings: Any) -> int:
    """Rows of an adapter that answers, attached and merged, as where it was trained."""
    adapter, trained = save_enlarged(folder, base, **settings)
    rows = loading.count_embeddings(trained)
    expected = say(trained, rows)
    assert not torch.isnan(expected).any()
    assert torch.equal(say(attach(base, adapter), rows), expected)
    merged = merge(base, adapter)
    assert torch.allclose(say(merged, rows), expected, atol=1e-4)
    assert merged.config.vocab_size == rows
    rounded = merge(base, adapter, torch.bfloat16)
    for weight in (rounded.get_input_embeddings().weight, rounded.get_output_embeddings().weight):
        assert weight.dtype is torch.bfloat16
    assert count_rows(read_json(base / "config.json"), adapter) == rows
    assert not shares_base(base, adapter)
    assert f"{rows:,} tokens" in str(explain_replaced(base, adapter))
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_to_train_added_tokens(bases: dict[str, Path], kind: str, tmp_path: Path) -> None:
    rows = judge(bases[UNTIED], tmp_path, **KINDS[kind])
    assert rows == (320 if "padded" in kind else 303)


@pytest.mark.parametrize("kind", TIED_KINDS)
def test_each_way_on_a_tied_head(bases: dict[str, Path], kind: str, tmp_path: Path) -> None:
    judge(bases[TIED], tmp_path, **TIED_KINDS[kind])


@pytest.mark.parametrize("family", ["mistral", "qwen3", "gemma", "gemma2", "gemma3", "phi3"])
def test_every_family(family: str, tmp_path: Path) -> None:
    targets = ["qkv_proj"] if family == "phi3" else ["q_proj"]
    judge(save_base(family, tmp_path / "base"), tmp_path / "adapter", target_modules=targets)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({**ATTENTION, "modules_to_save": ["embed_tokens"], "save": False}, "head"),
        ({**ATTENTION, "modules_to_save": ["lm_head"], "save": False}, "embedding"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "head"),
        ({"target_modules": ["q_proj", "embed_tokens"], "save": False}, "embedding"),
        ({**ATTENTION, "indices": "embed_tokens", "save": False}, "head"),
    ],
)
def test_rows_that_nobody_saved_are_named(
    bases: dict[str, Path], settings: dict[str, Any], part: str, tmp_path: Path
) -> None:
    adapter, _ = save_enlarged(tmp_path, bases[UNTIED], **settings)
    with pytest.raises(EngineError, match="lacks weights of added tokens") as raised:
        attach(bases[UNTIED], adapter)
    assert f"the {part} has no row for 3 tokens" in raised.value.detail
    assert "300, 301, 302" in raised.value.detail


def test_a_single_row_that_is_not_trained_is_named(bases: dict[str, Path], tmp_path: Path) -> None:
    settings = {**ATTENTION, "indices": "embed_tokens lm_head", "save": False}
    adapter, _ = save_enlarged(tmp_path, bases[UNTIED], **settings)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["trainable_token_indices"] = {
        name: [300, 302] for name in config["trainable_token_indices"]
    }
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    tensors = load_file(adapter / WEIGHTS)
    save_file(
        {
            name: one[[0, 2]].contiguous() if name.endswith("delta") else one
            for name, one in tensors.items()
        },
        adapter / WEIGHTS,
    )
    with pytest.raises(EngineError, match="lacks weights") as raised:
        attach(bases[UNTIED], adapter)
    assert raised.value.detail.endswith("no row for 1 token that the base does not have: 301")


def test_fewer_rows_than_the_base_are_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    larger = merge(bases[UNTIED], save_enlarged(tmp_path / "one", bases[UNTIED], **ATTENTION)[0])
    shutil.copytree(bases[UNTIED], tmp_path / "base")
    larger.save_pretrained(tmp_path / "base")
    adapter, _ = save_enlarged(
        tmp_path / "two", bases[UNTIED], **ATTENTION, modules_to_save=["embed_tokens"]
    )
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    assert config["vocab_size"] == 303
    tensors = load_file(adapter / WEIGHTS)
    save_file(
        {name: one[:301].clone() if len(one) == 303 else one for name, one in tensors.items()},
        adapter / WEIGHTS,
    )
    with pytest.raises(EngineError, match="does not match this base") as raised:
        attach(tmp_path / "base", adapter)
    assert "trained with 301 tokens, and the base has 303" in raised.value.detail


def test_an_embedding_of_another_model_is_refused(bases: dict[str, Path], tmp_path: Path) -> None:
    adapter, _ = save_enlarged(tmp_path / "adapter", bases[UNTIED], **ATTENTION)
    tensors = load_file(adapter / WEIGHTS)
    name = next(name for name in tensors if name.endswith("embed_tokens.weight"))
    save_file({**tensors, name: tensors[name].flip(0).contiguous()}, adapter / WEIGHTS)
    with pytest.raises(EngineError, match="does not match this base") as raised:
        attach(bases[UNTIED], adapter)
    assert "its embedding is that of another model" in raised.value.detail


def test_rows_in_place_of_the_bases_own_make_it_another_model(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    """As of an adapter that gave reserved tokens new rows: nothing was enlarged."""
    adapter, _ = save_enlarged(tmp_path, bases[UNTIED], **ATTENTION)
    tensors = {
        name: one[:300].clone() if len(one) == 303 else one
        for name, one in load_file(adapter / WEIGHTS).items()
    }
    save_file(tensors, adapter / WEIGHTS)
    assert read_rows(adapter).count(300) == 300
    assert "in place of the base's" in str(explain_replaced(bases[UNTIED], adapter))
    assert not shares_base(bases[UNTIED], adapter)
    attach(bases[UNTIED], adapter)
