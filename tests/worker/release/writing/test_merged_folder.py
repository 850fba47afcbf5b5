"""A merged model says what its adapter says on the base, whatever the method and the head."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_config, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.errors import EngineError
from engine.worker.release.writing.merged_folder import SHARD_BYTES, write_merged
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


def save_method(path: Path, base: Path, config: Any, strength: float = 0.1) -> Path:
    """An adapter whose trained weights are all moved, however its method begins."""
    torch.manual_seed(1)
    model = get_peft_model(LOAD(base, dtype=torch.float32), config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * strength)
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


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("SHADOW", {}),
        ("LILY", {"target_modules": LINEAR}),
        ("ADAPTION_PROMPT", {"adapter_len": 2, "adapter_layers": 1}),
        ("BEFT", {"target_modules": LINEAR}),
    ],
)
def test_a_method_that_has_no_merging_is_refused_by_name(
    method: str, settings: dict[str, Any], base: Path, tmp_path: Path
) -> None:
    config = get_peft_config({"peft_type": method, "task_type": "CAUSAL_LM"} | settings)
    trained = save_method(tmp_path / "adapter", base, config)
    with pytest.raises(EngineError, match="cannot be merged") as caught:
        export(base, trained, tmp_path / "merged")
    assert method in caught.value.detail
    assert "--as adapter" in caught.value.hint
    assert list(tmp_path.iterdir()) == [trained], "nothing is left"


def test_a_base_that_asks_for_code_is_written_without(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    asking = tmp_path / "asking"
    shutil.copytree(base, asking)
    config = json.loads((asking / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "modeling_evil.Evil"}
    (asking / "config.json").write_text(json.dumps(config))
    (asking / "modeling_evil.py").write_text("raise SystemExit")
    assert "auto_map" not in export(asking, adapter, tmp_path / "merged")
    names = sorted(path.name for path in (tmp_path / "merged").iterdir())
    assert names == ["config.json", "model.safetensors"]


def test_a_value_that_is_not_finite_is_refused_by_name(base: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    tensors = load_file(broken / "model.safetensors")
    tensors["model.layers.0.mlp.gate_proj.weight"][0, 0] = float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="values that are not finite") as caught:
        export(broken, None, tmp_path / "merged")
    assert caught.value.detail == "model.layers.0.mlp.gate_proj.weight"
    assert list(tmp_path.iterdir()) == [broken], "nothing is left"


VARIANTS: dict[str, dict[str, Any]] = {
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.self_attn.v_proj": 3}},
    "biases of layers": {"bias": "lora_only"},
    "biases": {"bias": "all"},
    "pissa": {"init_lora_weights": "pissa"},
    "embedding and head": {"target_modules": ["q_proj", "embed_tokens", "lm_head"]},
    "embedding": {"target_modules": ["q_proj", "embed_tokens"]},
    "dora on the embedding": {"target_modules": ["embed_tokens"], "use_dora": True},
    "head": {"target_modules": ["v_proj", "lm_head"]},
    "whole head": {"modules_to_save": ["lm_head"]},
    "whole embedding": {"modules_to_save": ["embed_tokens"]},
    "both whole": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "both whole and tied": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    "norms": {"modules_to_save": ["input_layernorm", "norm"]},
    "tokens": {"trainable_token_indices": [5, 9, 20]},
}
STAYS_TIED = {"rslora", "dora", "patterns", "biases of layers", "biases", "pissa",
              "both whole and tied", "norms", "tokens"}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(VARIANTS))
def test_every_kind_of_lora_is_merged_as_it_answers(kind: str, tied: Path, tmp_path: Path) -> None:
    """On a model whose head is its embedding: it is another one afterwards where it answers so."""
    chosen: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": LINEAR}
    config = LoraConfig(task_type="CAUSAL_LM", **(chosen | VARIANTS[kind]))
    trained = save_method(tmp_path / "a", tied, config)
    wanted = logits_with(tied, trained)
    whole: dict[str, torch.Tensor] = {}
    for dtype in (torch.float32, torch.bfloat16):
        written = export(tied, trained, tmp_path / "merged", dtype)
        assert written["tie_word_embeddings"] is (kind in STAYS_TIED)
        assert written["dtype"] == str(dtype).removeprefix("torch.")
        stored = load_file(tmp_path / "merged" / "model.safetensors")
        assert {one.dtype for one in stored.values()} == {dtype}
        assert ("lm_head.weight" in stored) is (kind not in STAYS_TIED)
        if dtype is torch.float32:
            whole = stored
            answered = logits_of(tmp_path / "merged")
            torch.testing.assert_close(answered, wanted, atol=1e-4, rtol=1e-4)
    assert all(torch.equal(one, whole[name].to(one.dtype)) for name, one in stored.items())
    assert (wanted - logits_of(tied)).abs().max() > 1e-3


def test_a_scaled_embedding_gets_its_change_unscaled(tmp_path: Path) -> None:
    """Gemma multiplies what it looks up by the root of its width."""
    gemma = save_family("gemma3", tmp_path / "gemma")
    config = LoraConfig(r=4, target_modules=["embed_tokens", "o_proj"], task_type="CAUSAL_LM")
    trained = save_method(tmp_path / "a", gemma, config)
    export(gemma, trained, tmp_path / "merged")
    wanted = logits_with(gemma, trained)
    torch.testing.assert_close(logits_of(tmp_path / "merged"), wanted, atol=1e-4, rtol=1e-4)


def test_each_weight_is_rounded_once_and_the_base_stays_as_it_was(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    """The base in float16, as it is stored: its file is mapped, and must not take the changes."""
    half = tmp_path / "half"
    LOAD(base, dtype=torch.float16).save_pretrained(half)
    before = hashlib.sha256((half / "model.safetensors").read_bytes()).digest()
    export(half, adapter, tmp_path / "merged")
    assert hashlib.sha256((half / "model.safetensors").read_bytes()).digest() == before
    export(half, adapter, tmp_path / "whole", torch.float32)
    got = load_file(tmp_path / "merged" / "model.safetensors")
    wanted = load_file(tmp_path / "whole" / "model.safetensors")
    stored = load_file(half / "model.safetensors")
    assert set(got) == set(stored)
    changed = {name for name, one in got.items() if not torch.equal(one, stored[name])}
    assert {name.split(".")[-2] for name in changed} == set(LINEAR)
    for name, one in got.items():
        assert torch.equal(one, wanted[name].to(torch.float16)), name


def test_a_config_that_names_another_type_rounds_nothing(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    """Weights in float32 whose config.json says bfloat16: their own type is what they have."""
    other = shutil.copytree(base, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    assert export(other, adapter, tmp_path / "merged")["dtype"] == "float32"
    export(base, adapter, tmp_path / "wanted")
    got, wanted = (
        load_file(tmp_path / name / "model.safetensors") for name in ("merged", "wanted")
    )
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


def test_a_sum_that_float16_cannot_hold_is_named(base: Path, tmp_path: Path) -> None:
    big = save_adapter(tmp_path / "adapter", base)
    file = big / "adapter_model.safetensors"
    name = "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"
    tensors = load_file(file)
    save_file(tensors | {name: tensors[name] * 1e6}, file)
    with pytest.raises(EngineError, match="too large for float16") as caught:
        export(base, big, tmp_path / "merged", torch.float16)
    assert "model.layers.1.mlp.down_proj.weight" in caught.value.detail
    assert "bfloat16 or float32" in caught.value.hint
    assert not (tmp_path / "merged").exists()
    export(base, big, tmp_path / "merged", torch.bfloat16)
    model = LOAD(base, dtype=torch.float32)
    with torch.no_grad():
        model.model.norm.weight[0] = 7e4
    model.save_pretrained(tmp_path / "full")
    with pytest.raises(EngineError, match="too large for float16") as caught:
        export(tmp_path / "full", None, tmp_path / "half", torch.float16)
    assert "model.norm.weight" in caught.value.detail


def test_shards_and_their_index_hold_the_same_weights(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    sharded = tmp_path / "sharded"
    write_merged(
        make_source(base, adapter), sharded, None, 30_000, lambda *bytes_: seen.append(bytes_)
    )
    export(base, adapter, tmp_path / "one")
    whole = load_file(tmp_path / "one" / "model.safetensors")
    index = json.loads((sharded / "model.safetensors.index.json").read_text())
    files = sorted(sharded.glob("*.safetensors"))
    assert len(files) > 2
    found: dict[str, torch.Tensor] = {}
    for file in files:
        size = sum(one.nbytes for one in load_file(file).values())
        assert size <= 30_000 or len(load_file(file)) == 1
        found |= load_file(file)
    assert set(found) == set(whole) == set(index["weight_map"])
    assert all(torch.equal(found[name], whole[name]) for name in whole)
    assert all(name in load_file(sharded / at) for name, at in index["weight_map"].items())
    total = sum(one.nbytes for one in whole.values())
    assert index["metadata"]["total_size"] == total
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
    torch.testing.assert_close(logits_of(sharded), logits_of(tmp_path / "one"))
    with safe_open(files[0], "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_stopped_export_leaves_nothing_and_none_overwrites(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_merged(make_source(base, adapter), tmp_path / "merged", None, SHARD_BYTES, stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged" / "kept").touch()
    with pytest.raises(FileExistsError):
        write_merged(make_source(base, adapter), tmp_path / "merged", None, SHARD_BYTES, no_tick)
    assert [path.name for path in tmp_path.rglob("*")] == ["merged", "kept"]


def test_no_path_and_no_quantised_base(base: Path, adapter: Path, tmp_path: Path) -> None:
    named = Path(shutil.copytree(base, tmp_path / "named"))
    body = json.loads((base / "config.json").read_text())
    (named / "config.json").write_text(json.dumps(body | {"_name_or_path": "/home/me/base"}))
    config = export(named, None, tmp_path / "merged", torch.bfloat16)
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["dtype"] == "bfloat16"
    assert str(tmp_path) not in (text := (tmp_path / "merged" / "config.json").read_text())
    assert "/home/me" not in text
    body |= {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (named / "config.json").write_text(json.dumps(body))
    for on, way_out in ((adapter, "unquantised base"), (None, "quantised from")):
        with pytest.raises(EngineError, match="stored quantised") as caught:
            export(named, on, tmp_path / "none")
        assert way_out in caught.value.hint
