"""An exported adapter names no path, and several stages are one that says the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import get_peft_config
from safetensors.torch import load_file, save_file

from engine.errors import EngineError
from engine.release.source import ExportSource
from engine.worker.model.saving import save_merged
from engine.worker.release.writing.adapter_folder import join_stages, write_adapter
from tests.worker.release.sources import LOAD, logits_with, make_source
from tests.worker.release.writing.test_merged_folder import LINEAR, save_method
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint

HUB = "someone/model"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With weights as small as those of real models: larger ones magnify what float32 rounds."""
    path = save_checkpoint(tmp_path_factory.mktemp("root") / "base")
    model = LOAD(path)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.3 if weight.dim() > 1 else 1)
    model.save_pretrained(path)
    return path


def silent(line: str) -> None:
    pass


def make_stages(root: Path, folder: Path, *stages: dict[str, Any]) -> ExportSource:
    """The source of the last of runs, each of which merged the one before and began anew."""
    base, jobs = root, list[Path]()
    for number, settings in enumerate(stages):
        run = folder / f"stage-{number}-ab12"
        run.mkdir(parents=True)
        (run / "job.json").write_text(json.dumps({"id": run.name, "name": run.name}))
        before = str(root) if not jobs else f"run:{jobs[-1].name}"
        (run / "recipe.toml").write_text(f'[model]\ncheckpoint = "{before}"\n')
        if jobs:
            save_merged(base, jobs[-1] / "adapter", make_tokenizer(), run / "base")
            base = run / "base"
        chosen: dict[str, Any] = {"peft_type": "LORA", "task_type": "CAUSAL_LM"}
        chosen |= {"target_modules": LINEAR} | settings
        save_method(run / "adapter", base, get_peft_config(chosen), 0.03)
        config = run / "adapter" / "adapter_config.json"
        body = json.loads(config.read_text())
        config.write_text(json.dumps(body | {"base_model_name_or_path": str(base)}))
        jobs.append(run)
    return make_source(base, jobs[-1] / "adapter", root=root, run=jobs[-1], stages=tuple(jobs))


def test_an_adapter_is_copied_and_names_no_path(root: Path, tmp_path: Path) -> None:
    trained = save_adapter(tmp_path / "given", root, eva_config={"rho": 2.0})
    config = trained / "adapter_config.json"
    body = json.loads(config.read_text()) | {"inference_mode": False, "revision": "0123"}
    body |= {"base_model_name_or_path": str(root), "corda_config": {"cache_file": "/home/me/c"}}
    config.write_text(json.dumps(body))
    for name in (HUB, ""):
        kind = write_adapter(make_source(root, trained), tmp_path / f"out{name}", silent, name)
        assert kind is torch.float32
        text = (tmp_path / f"out{name}" / "adapter_config.json").read_text()
        written = json.loads(text)
        assert str(tmp_path) not in text
        assert "/home/me" not in text
        assert (written["base_model_name_or_path"], written["revision"]) == (name, None)
        assert written["inference_mode"] is True
        assert written["eva_config"]["rho"] == 2.0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    mine, theirs = (
        load_file(at / "adapter_model.safetensors") for at in (tmp_path / "out", trained)
    )
    assert set(mine) == set(theirs)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(root: Path, tmp_path: Path, value: float) -> None:
    trained = save_adapter(tmp_path / "given", root)
    source, out = make_source(root, trained), tmp_path / "out"
    config = trained / "adapter_config.json"
    right = config.read_text()
    config.write_text(json.dumps(json.loads(right) | {"lora_alpha": value}))
    with pytest.raises(EngineError, match="setting of the adapter is not finite"):
        write_adapter(source, out, silent)
    config.write_text(right)
    tensors = load_file(trained / "adapter_model.safetensors")
    name = next(name for name in tensors if "lora_B" in name)
    tensors[name][0, 0] = value
    save_file(tensors, trained / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="values that are not finite") as caught:
        write_adapter(source, out, silent)
    assert caught.value.detail == name
    assert list(tmp_path.iterdir()) == [trained], "nothing is left"


def test_stages_of_lora_are_one_adapter_on_the_root(root: Path, tmp_path: Path) -> None:
    """Other layers, ranks, scales and patterns in each, on layers, the embedding and the head."""
    source = make_stages(
        root,
        tmp_path / "runs",
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "embed_tokens"]},
        {"r": 4, "use_rslora": True, "lora_alpha": 3, "alpha_pattern": {"v_proj": 5},
         "rank_pattern": {"layers.0.self_attn.v_proj": 2}, "lora_dropout": 0.1},
        {"r": 2, "layers_to_transform": [1], "target_modules": ["k_proj", "q_proj"]},
        {"r": 3, "target_modules": ["lm_head", "up_proj", "embed_tokens"]},
    )  # fmt: skip
    said: list[str] = []
    write_adapter(source, tmp_path / "out", said.append, HUB)
    assert source.adapter is not None
    wanted = logits_with(source.base, source.adapter)
    got = logits_with(root, tmp_path / "out")
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    first = logits_with(root, source.stages[0] / "adapter")
    assert (first - wanted).abs().max() > 1e-2, "the later stages count"
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["r"], config["base_model_name_or_path"]) == (10, HUB)
    assert config["rank_pattern"] == config["alpha_pattern"]
    assert config["rank_pattern"]["model.layers.0.self_attn.v_proj"] == 2
    assert config["rank_pattern"]["model.embed_tokens"] == 7
    assert "4 stages are one adapter of rank 10" in said[0]
    tensors = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert not any("base_layer" in name for name in tensors), "the root's embedding is its own"


def test_scales_of_stages_round_nothing() -> None:
    """Of factors in bfloat16, and a scale of 3 / 2 that it could not keep."""
    generator = torch.Generator().manual_seed(0)
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    stages, total = [], torch.zeros(8, 6, dtype=torch.float64)
    for alpha in (3, 5):
        inner, outer = (
            torch.randn(shape, generator=generator).bfloat16() for shape in ((2, 6), (8, 2))
        )
        config = {"peft_type": "LORA", "r": 2, "lora_alpha": alpha, "target_modules": ["q_proj"]}
        tensors = {f"{layer}.lora_A.weight": inner, f"{layer}.lora_B.weight": outer}
        stages.append((config, tensors))
        total += alpha / 2 * outer.double() @ inner.double()

    config, joined = join_stages(stages)

    first, second = (joined[f"{layer}.lora_{part}.weight"].double() for part in "AB")
    assert config["lora_alpha"] == config["r"] == 4
    torch.testing.assert_close(second @ first, total, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "lora_only"}, "bias = lora_only"),
        ({"trainable_token_indices": [5]}, "trainable_token_indices"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"peft_type": "IA3", "feedforward_modules": ["down_proj"]}, "IA3"),
    ],
)
def test_stages_that_are_no_sum_are_refused_with_the_way_out(
    stage: dict[str, Any], reason: str, root: Path, tmp_path: Path
) -> None:
    """The one that is not is an earlier one: the last alone would look like any other."""
    source = make_stages(root, tmp_path / "runs", stage, {})
    with pytest.raises(EngineError, match="not one adapter") as caught:
        write_adapter(source, tmp_path / "out", silent)
    assert reason in caught.value.detail
    assert "--as merged" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_what_was_trained_whole_has_no_adapter_on_the_root(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="trained all weights") as caught:
        write_adapter(make_source(root), tmp_path / "out", silent)
    assert "--as merged" in caught.value.hint
    whole = save_checkpoint(tmp_path / "full" / "model", seed=3)
    trained = save_adapter(tmp_path / "given", whole)
    with pytest.raises(EngineError, match="not one adapter") as caught:
        write_adapter(make_source(whole, trained, root=root), tmp_path / "out", silent)
    assert "trained whole" in caught.value.detail
    source = make_stages(root, tmp_path / "runs", {}, {})
    (tmp_path / "runs" / "stage-0-ab12").rename(tmp_path / "gone")
    with pytest.raises(EngineError, match="not one adapter") as caught:
        write_adapter(source, tmp_path / "out", silent)
    assert "stage-1-ab12 merged is not found: run:stage-0-ab12" in caught.value.detail
