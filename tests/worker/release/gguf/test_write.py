"""How a GGUF file is written: types, bytes, names, and that it is whole or not there."""

import hashlib
import json
import weakref
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints.gguf_header import GgufHeader, read_gguf_header
from engine.errors import EngineError
from engine.worker.release.gguf import write
from engine.worker.release.gguf.encode import encode
from engine.worker.release.gguf.families import TensorPlan
from engine.worker.release.gguf.metadata_check import check_metadata
from engine.worker.release.gguf.write import name_gguf, name_model, own_type, write_gguf
from tests.worker.release.gguf.tiny_models import ENDS, configs, save_model, write_file

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gemma 3 in bfloat16."""
    folder = tmp_path_factory.mktemp("gemma") / "model"
    return save_model(configs()["gemma3"], folder, torch.bfloat16)


def values(file: Path, name: str) -> np.ndarray[Any, Any]:
    tensor = next(one for one in gguf.GGUFReader(file).tensors if one.name == name)
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def kinds(header: GgufHeader, part: str) -> set[str]:
    return {tensor.type_name for tensor in header.tensors if part in tensor.name}


def test_the_own_type_keeps_every_bit(gemma: Path) -> None:
    file = write_file(gemma)
    assert file.name == "model-BF16.gguf"
    header = read_gguf_header(file)
    assert header.values["general.file_type"] == gguf.LlamaFileType.MOSTLY_BF16
    assert kinds(header, "norm") == {"f32"}
    assert kinds(header, "ffn_") - {"f32"} == {"bf16"}
    stored = load_file(gemma / WEIGHTS)
    embedding = stored["model.embed_tokens.weight"].float().numpy()
    assert np.array_equal(values(file, "token_embd.weight"), embedding)
    norm = stored["model.norm.weight"].float().numpy() + 1
    assert np.array_equal(values(file, "output_norm.weight"), norm)
    assert check_metadata(gemma, file).status == "passed"


def test_q8_0_is_the_quantisers_own(gemma: Path) -> None:
    file = write_file(gemma, "q8_0")
    header = read_gguf_header(file)
    assert kinds(header, "token_embd") == {"q8_0"}
    assert header.values["general.file_type"] == gguf.LlamaFileType.MOSTLY_Q8_0
    weight = load_file(gemma / WEIGHTS)["model.layers.3.mlp.up_proj.weight"].float().numpy()
    whole = gguf.quants.quantize(weight, gguf.GGMLQuantizationType.Q8_0)
    expected = gguf.quants.dequantize(whole, gguf.GGMLQuantizationType.Q8_0)
    assert np.array_equal(values(file, "blk.3.ffn_up.weight"), expected)
    assert check_metadata(gemma, file).status == "passed"


def test_quantising_in_pieces_changes_nothing(gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_file(gemma, "q8_0").read_bytes()
    monkeypatch.setattr("engine.worker.release.gguf.encode._PIECE", 1000)
    assert write_file(gemma, "q8_0").read_bytes() == whole


def test_rows_that_do_not_fit_a_block_stay_float16(tmp_path: Path) -> None:
    config: Any = configs()["llama"]
    config.intermediate_size = 80
    checkpoint = save_model(config, tmp_path / "model")
    header = read_gguf_header(write_file(checkpoint, "q8_0"))
    assert kinds(header, "ffn_down") == {"f16"}
    assert kinds(header, "ffn_up") == {"q8_0"}


def test_the_same_checkpoint_gives_the_same_bytes(gemma: Path, tmp_path: Path) -> None:
    """Also from shards, and under any name of its folder."""
    first = hashlib.sha256(write_file(gemma).read_bytes()).hexdigest()
    assert hashlib.sha256(write_file(gemma).read_bytes()).hexdigest() == first
    from transformers import AutoModelForCausalLM, AutoTokenizer

    shards = tmp_path / "other"
    model: Any = AutoModelForCausalLM.from_pretrained(gemma)
    model.save_pretrained(shards, max_shard_size="100KB")
    AutoTokenizer.from_pretrained(gemma).save_pretrained(shards)
    assert len(list(shards.glob("*.safetensors"))) > 1
    assert hashlib.sha256(write_file(shards).read_bytes()).hexdigest() == first


def test_weights_beyond_float16_are_refused(gemma: Path, tmp_path: Path) -> None:
    config: Any = configs()["qwen3"]
    checkpoint = save_model(config, tmp_path / "model", torch.bfloat16)
    weights = load_file(checkpoint / WEIGHTS)
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = 70000.0
    save_file(weights, checkpoint / WEIGHTS, {"format": "pt"})
    with pytest.raises(
        EngineError, match=r"1 weights of model\.layers\.1\.mlp\.up_proj"
    ) as refused:
        write_file(checkpoint, "f16")
    assert "gguf:bf16" in refused.value.hint
    assert sorted(tmp_path.iterdir()) == [checkpoint]
    assert write_file(checkpoint, "bf16").is_file()


def test_progress_ends_with_all_bytes(gemma: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_gguf(gemma, tmp_path / "a.gguf", "", ENDS, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] > 0
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_one_tensor_is_held_at_a_time(
    gemma: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When one is read, those before it are gone, and what became of them too."""
    held: list[weakref.ref[Any]] = []

    def watch(tensor: torch.Tensor, plan: TensorPlan, kind: Any) -> np.ndarray[Any, Any]:
        assert not [one for one in held if one() is not None]
        encoded = encode(tensor, plan, kind)
        held.extend([weakref.ref(tensor), weakref.ref(encoded)])
        return encoded

    monkeypatch.setattr(write, "encode", watch)
    for quantization in ("", "q8_0"):
        write_gguf(gemma, tmp_path / "a.gguf", quantization, ENDS, lambda done, total: None)
    assert len(held) > 100


def test_a_config_of_transformers_4_gives_the_same_file(tmp_path: Path) -> None:
    checkpoint = save_model(configs()["llama"], tmp_path / "model")
    file = write_file(checkpoint)
    expected = file.read_bytes()
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    scaling = config.pop("rope_parameters")
    config |= {"rope_theta": scaling.pop("rope_theta"), "rope_scaling": scaling}
    path.write_text(json.dumps(config))
    assert write_file(checkpoint).read_bytes() == expected
    assert check_metadata(checkpoint, file).status == "passed"


def test_what_stops_it_leaves_nothing(gemma: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gguf(gemma, tmp_path / "a.gguf", "", ENDS, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_a_tensor_is_refused(tmp_path: Path) -> None:
    checkpoint = save_model(configs()["qwen3"], tmp_path / "model")
    weights = load_file(checkpoint / WEIGHTS)
    lost = weights.pop("model.layers.1.self_attn.k_norm.weight")
    save_file(weights, checkpoint / WEIGHTS, {"format": "pt"})
    with pytest.raises(EngineError, match="lacks tensors") as refused:
        write_file(checkpoint)
    assert refused.value.detail == "blk.1.attn_k_norm.weight"
    weights["model.layers.1.self_attn.k_norm.weight"] = lost
    weights["model.layers.1.self_attn.q_proj.bias"] = torch.zeros(128)
    save_file(weights, checkpoint / WEIGHTS, {"format": "pt"})
    with pytest.raises(EngineError, match=r"no place for the tensor .*q_proj\.bias"):
        write_file(checkpoint)


def test_a_head_that_is_stored_though_it_is_tied_is_not_written(tmp_path: Path) -> None:
    """transformers ties it whatever stands in the file."""
    checkpoint = save_model(configs()["qwen2"], tmp_path / "model")
    weights = load_file(checkpoint / WEIGHTS)
    weights["lm_head.weight"] = torch.zeros(320, 64)
    save_file(weights, checkpoint / WEIGHTS, {"format": "pt"})
    file = write_file(checkpoint)
    assert read_gguf_header(file).tensor("output.weight") is None
    assert check_metadata(checkpoint, file).status == "passed"


def test_the_own_type_is_that_of_the_weights(gemma: Path, tmp_path: Path) -> None:
    assert own_type(gemma) == "bf16"
    weights = load_file(gemma / WEIGHTS)
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"].float()
    save_file(weights, tmp_path / WEIGHTS)
    assert own_type(tmp_path) == "f32"
    save_file({"a": torch.zeros(2, 2, dtype=torch.int8)}, tmp_path / WEIGHTS)
    with pytest.raises(EngineError, match="type i8"):
        own_type(tmp_path)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("run-BF16.gguf", "run"),
        ("my-run-Q4_K_M.gguf", "my-run"),
        ("my-run.gguf", "my-run"),
    ],
)
def test_the_models_name_is_that_of_its_file(file: str, name: str) -> None:
    assert name_model(Path("folder", file)) == name


def test_names_of_files(gemma: Path) -> None:
    assert name_gguf("run", "", gemma) == "run-BF16.gguf"
    assert name_gguf("run", "q4_k_m", gemma) == "run-Q4_K_M.gguf"


def test_a_name_does_not_turn_a_model_into_phi_3(gemma: Path) -> None:
    """llama.cpp fails on files of that name which lack Phi-3's tokens."""
    file = gemma.parent / "my-Phi-3-run-BF16.gguf"
    write_gguf(gemma, file, "", ENDS, lambda done, total: None)
    assert read_gguf_header(file).text("general.name") == "my-Phi 3-run"
    assert write._safe_name("run", _Strips()) == "Phi-3 run"  # type: ignore[arg-type]
    assert write._safe_name("phi3-run", _Strips()) == "phi3-run"  # type: ignore[arg-type]


class _Strips:
    strips_right = True
