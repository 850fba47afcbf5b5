"""Exports that are spoiled in one way each: the proof of weights and answers names what differs."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.compare.arms import Arm
from engine.release.proof import Check
from engine.release.source import ExportSource
from engine.worker.model import loading
from engine.worker.release.proving import weight_checks
from engine.worker.release.proving.adapter_checks import check_adapter
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.release.proving.proof_steps import prove_weights
from engine.worker.release.proving.weight_checks import check_weights
from tests.worker.families import save_family
from tests.worker.release.made_exports import full_source, lora_source, spec_of, write_held_out

Tensors = dict[str, torch.Tensor]
Q = "model.layers.1.self_attn.q_proj.weight"
DOWN = "model.layers.0.mlp.down_proj.weight"
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


@dataclasses.dataclass(frozen=True)
class Made:
    """A run, and a correct merged folder of it."""

    source: ExportSource
    merged: Path
    reference: Path

    def spec(self, shipped: Path, target: str = "merged", **changes: Any) -> ProofSpec:
        small: dict[str, Any] = {"prompts": 2, "rows": 4, "reference": self.reference}
        return spec_of(self.source, shipped, target, **(small | changes))


def merge(base: Path, adapter: Path) -> Any:
    """The plain model with the adapter added, in float32."""
    model = loading.load_base(base, torch.device("cpu"), torch.float32)
    return loading.attach_adapter(model, adapter).merge_and_unload()


def make(source: ExportSource, folder: Path, dtype: torch.dtype = torch.float32) -> Made:
    assert source.adapter is not None
    merged = folder / "merged"
    merge(source.base, source.adapter).to(dtype).save_pretrained(merged)
    reference = folder / "reference"
    reference.mkdir()
    return Made(source, merged, reference)


def family_on(base: Path, folder: Path, modules: list[str]) -> ExportSource:
    """A LoRA run of these modules on a base."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=modules)
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(str(folder / "adapter"))
    arm = Arm("tuned", str(base), str(folder / "adapter"))
    held_out = write_held_out(folder / "held_out.jsonl")
    return ExportSource(
        arm, base, folder / "adapter", base, base, None, base, None, (), held_out, "none"
    )


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("lora")
    return make(lora_source(folder, modules_to_save=["lm_head"]), folder)


def look(spec: ProofSpec, scratch: Path) -> list[Check]:
    tokenizer = loading.load_tokenizer(spec.tokenizer)
    return prove_weights(spec, tokenizer, scratch, lambda activity, done, total: None)


def complaints(checks: list[Check]) -> str:
    return "\n".join(f"{one.name}: {line}" for one in checks for line in one.differences)


def spoil(made: Made, folder: Path, change: Callable[[Tensors], None]) -> Path:
    shutil.copytree(made.merged, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def base_tensor(made: Made, name: str) -> torch.Tensor:
    return load_file(made.source.base / "model.safetensors")[name]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_merged_model_passes_in_each_type(lora: Made, tmp_path: Path, dtype: str) -> None:
    assert lora.source.adapter is not None
    shipped = tmp_path / dtype
    merged = merge(lora.source.base, lora.source.adapter)
    merged.to(getattr(torch, dtype)).save_pretrained(shipped)

    checks = look(lora.spec(shipped, dtype=dtype), tmp_path)

    assert [one.status for one in checks] == ["passed"] * 7, complaints(checks)
    differ, same = checks[0].facts, checks[1].facts
    assert (differ["changed"], differ["trained"], differ["tensors"]) == (7, 7, 21)
    assert (same["tensors"], same["exact"]) == (21, 21)
    read = next(one.facts for one in checks if "divergence" in one.facts)
    assert (read["rows"], read["bundled rows"]) == (4, 0)
    assert (read["divergence"] < 1e-9) == (dtype == "float32")
    assert read["divergence interval"][0] <= read["divergence"] <= read["divergence interval"][1]


def test_an_adapter_and_a_full_run_pass(lora: Made, tmp_path: Path) -> None:
    assert lora.source.adapter is not None
    for dtype in ("float32", "bfloat16"):
        checks = look(lora.spec(lora.source.adapter, "adapter", dtype=dtype), tmp_path)
        assert {one.status for one in checks} == {"passed"}, complaints(checks)
        greedy = next(one for one in checks if one.name == "greedy answers in float32")
        assert greedy.facts["tolerance"] == 0.001

    full = full_source(tmp_path)
    checks = look(spec_of(full, full.base, prompts=2, rows=4), tmp_path)
    assert {one.status for one in checks} == {"passed"}, complaints(checks)


@pytest.mark.parametrize(
    "settings",
    [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"target_modules": ["embed_tokens"]}],
    ids=["DoRA's norms", "a copied head", "a frozen embedding"],
)
def test_an_adapter_that_learned_nothing_is_caught(
    lora: Made, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """What such an adapter holds is not zero, and yet the base."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(lora.source.base)
    config = LoraConfig(**{"task_type": "CAUSAL_LM", "target_modules": ["q_proj"]} | settings)
    untrained: Any = get_peft_model(base, config)
    untrained.save_pretrained(str(tmp_path / "adapter"))
    source = dataclasses.replace(lora.source, adapter=tmp_path / "adapter")

    changed = check_adapter(spec_of(source, tmp_path / "adapter", "adapter"))[0]

    assert changed.differences == ("the adapter changes nothing",)
    assert changed.facts["not zero"] > changed.facts["change the base"] == 0


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("LOHA", {"r": 2}),
        ("LOKR", {"r": 2}),
        ("OFT", {"oft_block_size": 4, "r": 0}),
        ("VERA", {}),
        ("HRA", {"r": 4}),
        ("ADAPTION_PROMPT", {"adapter_len": 2, "adapter_layers": 1, "target_modules": None}),
    ],
)
def test_other_methods_are_judged_by_what_peft_merges(
    lora: Made, tmp_path: Path, method: str, settings: dict[str, Any]
) -> None:
    """Their tensors are not zero before training either."""
    from peft import get_peft_config, get_peft_model
    from transformers import AutoModelForCausalLM

    config = get_peft_config(
        {"peft_type": method, "task_type": "CAUSAL_LM", "target_modules": ["q_proj", "o_proj"]}
        | settings
    )
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(lora.source.base), config)
    changed = []
    for name in ("untrained", "trained"):
        model.save_pretrained(str(tmp_path / name))
        source = dataclasses.replace(lora.source, adapter=tmp_path / name)
        changed.append(check_adapter(spec_of(source, tmp_path / name, "adapter"))[0])
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight) * 0.1)
    if method == "ADAPTION_PROMPT":
        assert changed[1].status == "not proven"
        assert "PEFT merges no ADAPTION_PROMPT" in changed[1].summary
        return
    assert changed[0].differences == ("the adapter changes nothing",)
    assert changed[0].facts["change the base"] == 0
    assert changed[1].status == "passed"
    assert changed[1].facts["change the base"] == 4


def test_tensors_that_the_base_has_no_names_for_prove_no_change(lora: Made, tmp_path: Path) -> None:
    """Nothing was compared with the base: that is not the same as a change."""
    other = tmp_path / "before"
    shutil.copytree(lora.source.base, other)
    tensors = load_file(other / "model.safetensors")
    renamed = {f"other.{at}": one for at, one in enumerate(tensors.values())}
    save_file(renamed, other / "model.safetensors", {"format": "pt"})
    assert lora.source.adapter is not None
    merged = merge(lora.source.base, lora.source.adapter)

    spec = lora.spec(lora.merged, before=other)
    differ = check_weights(spec, merged, lambda done, total: None)[0]

    assert differ.status == "not proven"
    assert (differ.facts["changed"], differ.facts["without a counterpart"]) == (0, 21)


def test_an_adapted_head_that_was_tied_is_a_weight_of_its_own(tmp_path: Path) -> None:
    """PEFT's sum alone would change the embedding too; what is shipped must not."""
    base = save_family("qwen2", tmp_path / "base")
    made = Made(family_on(base, tmp_path, ["down_proj", "lm_head"]), tmp_path / "merged", tmp_path)
    assert made.source.adapter is not None
    model = merge(base, made.source.adapter)
    head = model.lm_head.weight.detach().clone()
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(base_tensor(made, EMBEDDING))
    model.save_pretrained(made.merged)

    found = complaints(look(made.spec(made.merged), tmp_path))
    assert f"{HEAD} is missing" in found

    config = json.loads((made.merged / "config.json").read_text())
    right = spoil(made, tmp_path / "right", lambda tensors: tensors.update({HEAD: head}))
    (right / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    checks = look(made.spec(right), tmp_path)
    assert {one.status for one in checks} == {"passed"}, complaints(checks)


def test_a_change_below_a_rounding_step_is_told(tmp_path: Path) -> None:
    """Nine tensors of ten keep the base's values in bfloat16: told where some differ, and failed
    where nothing is left of the training."""
    source = lora_source(tmp_path)
    assert source.adapter is not None
    file = source.adapter / "adapter_model.safetensors"
    weights = load_file(file)
    light = {n: one * (1e-9 if "lora_B" in n else 1) for n, one in weights.items()}
    first = next(name for name in light if "lora_B" in name)
    base = loading.load_base(source.base, torch.device("cpu"), torch.float32).bfloat16()
    base.save_pretrained(source.base)

    def proof(name: str) -> Check:
        save_file(light, file, {"format": "pt"})
        made = make(source, tmp_path / name, torch.bfloat16)
        return look(made.spec(made.merged, dtype="bfloat16"), tmp_path)[0]

    nothing = proof("nothing")
    assert (nothing.status, nothing.facts["rounded away"]) == ("failed", 6)
    assert "no value differs" in nothing.differences[0]

    light[first] = weights[first]
    some = proof("some")
    assert (some.status, some.facts["rounded away"]) == ("passed", 5)
    assert "in 5 tensors it is smaller than a rounding step" in some.summary
    assert 0 < some.facts["share of values moved"] < 1


def test_values_too_small_for_float16_are_counted(lora: Made) -> None:
    """bfloat16 holds them: that they become zero is said, and fails where answers change."""
    assert lora.source.adapter is not None
    merged = merge(lora.source.base, lora.source.adapter)
    with torch.no_grad():
        merged.get_parameter(DOWN)[0, :5] = 1e-8
    shipped = lora.reference.parent / "small"
    merged.half().save_pretrained(shipped)
    with torch.no_grad():
        merged.float().get_parameter(DOWN)[0, :5] = 1e-8
    same = check_weights(lora.spec(shipped, dtype="float16"), merged, lambda done, total: None)[1]
    assert same.facts["too small for float16"] == 5
    assert "5 values (" in same.summary
    assert "too small for float16 and became zero" in same.summary


@pytest.mark.parametrize("quantized", ["4bit", "8bit"])
def test_a_run_on_a_quantised_base_states_its_distance(
    lora: Made, tmp_path: Path, quantized: str
) -> None:
    """It is proven against its adapter on the unquantised base, which is what is shipped."""
    pytest.importorskip("bitsandbytes")
    checks = look(lora.spec(lora.merged, quantized=quantized), tmp_path)
    assert {one.status for one in checks[:-1]} == {"passed"}, complaints(checks)
    distance = checks[-1]
    assert (distance.name, distance.status) == ("distance to the quantised run", "stated")
    assert distance.facts["divergence"] > 1e-4
    assert f"the run had its base in {quantized}" in distance.summary


def test_a_light_tune_is_not_called_lost_by_chance() -> None:
    """What four bits round of a whole tensor is far more than a light tune, and goes along with it
    or against it by chance; its standard error says how far."""
    kind = gguf.GGMLQuantizationType.Q4_0
    shares, errors = [], []
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        base, tune = (torch.randn(64, 64, generator=generator) for _ in range(2))
        run = base + 0.001 * tune
        stored = torch.from_numpy(gguf.dequantize(gguf.quantize(run.numpy(), kind), kind))
        one = weight_checks._Tensor("light", base.numel())
        weight_checks._add(one, stored, run, base, "q4_0", None, 5.0)
        assert not one.left
        shares.append(one.kept)
        errors.append(one.kept_error)
    assert min(shares) < weight_checks.LEAST_KEPT
    spread = torch.tensor(shares).std().item()
    assert spread == pytest.approx(sum(errors) / len(errors), rel=0.3)


def test_a_block_type_that_rounds_away_what_was_trained_is_named() -> None:
    """Weights that were trained for four bits lie on their values: a light tune falls back there,
    though the file is no further from the run than that of any other model."""
    kind = gguf.GGMLQuantizationType.Q4_0

    def store(weights: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(gguf.dequantize(gguf.quantize(weights.numpy(), kind), kind))

    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(256, 512, generator=generator)
    tune = 0.01 * torch.randn(256, 512, generator=generator)
    shares = {}
    for name, base in (("any", weights), ("for four bits", store(store(weights)))):
        one = weight_checks._Tensor(name, base.numel())
        weight_checks._add(one, store(base + tune), base + tune, base, "q4_0", None, 5.0)
        assert not one.wrong
        shares[name] = one.kept
        assert one.left is (name != "any")
    assert shares["any"] == pytest.approx(1, abs=0.1)
    assert shares["for four bits"] < 0.2
    line = weight_checks._describe_left(one)
    assert line.startswith("for four bits keeps ")
    assert line.endswith("of what training changed: use a type with more bits")
