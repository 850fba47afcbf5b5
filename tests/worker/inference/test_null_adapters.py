"""Null adapters: norms as those of the adapter, nothing of its direction, nothing left behind."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints.adapter_config import explain_no_null
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.errors import EngineError
from engine.worker.inference.models import MOST_ADAPTERS, ModelCache
from tests.worker.inference.arms import ADAPTERS, load_arm, raw_prompts, say
from tests.worker.tiny import save_adapter, save_checkpoint

KINDS: dict[str, dict[str, Any]] = {
    **{name: ADAPTERS[name] for name in ("lora", "other", "rslora", "dora", "saved")},
    "embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "lora bias": {"lora_bias": True, "target_modules": ["q_proj"]},
    "ranks": {"rank_pattern": {"q_proj": 5}, "target_modules": ["q_proj", "v_proj"]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def adapters(base: Path) -> dict[str, Path]:
    return {
        name: save_adapter(base.parent / name, base, seed, **settings)
        for seed, (name, settings) in enumerate(KINDS.items(), 1)
    }


@pytest.fixture
def models() -> ModelCache:
    return ModelCache(torch.device("cpu"))


def changes(models: ModelCache, base: Path, adapter: Path, null: int | None) -> dict[str, Any]:
    """By layer, the whole weight that it has for this arm, minus that of the base: by the merge of
    PEFT, which is not what is tested."""
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    one = load_arm(models, base, adapter, null=null)
    assert one.adapter is not None
    found: dict[str, Any] = {}
    with one.model.with_adapter(one.adapter) as model:
        modules: dict[str, Any] = dict(model.named_modules())
        for name, module in modules.items():
            if isinstance(module, LoraLayer):
                layer: Any = module.get_base_layer()
                plain = layer.weight.detach().clone()
                module.merge(adapter_names=[one.adapter])
                found[name] = layer.weight.detach().clone() - plain
                module.unmerge()
                layer.weight.data.copy_(plain)
            elif isinstance(module, ModulesToSaveWrapper):
                tuned = module.modules_to_save[one.adapter].weight
                found[name] = (tuned - module.original_module.weight).detach().clone()
    assert found
    return found


@pytest.mark.parametrize("name", [one for one in KINDS if one not in ("dora", "lora bias")])
def test_each_layer_changes_by_as_much_in_another_direction(
    name: str, models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    """With `dora`, and with a bias, the whole change is no product: the parts are tested below."""
    own = changes(models, base, adapters[name], None)
    null = changes(models, base, adapters[name], 7)
    other = changes(models, base, adapters[name], 8)
    for layer, change in own.items():
        assert change.norm() > 0
        assert null[layer].shape == change.shape
        assert float(null[layer].norm() / change.norm()) == pytest.approx(1, abs=1e-5)
        for first, second in ((null, own), (null, other)):
            cosine = torch.cosine_similarity(first[layer].flatten(), second[layer].flatten(), 0)
            assert abs(float(cosine)) < 0.35, "no more alike than chance makes two"
        if name != "saved":
            rank = torch.linalg.matrix_rank(null[layer], atol=1e-5 * float(change.norm()))
            assert rank == torch.linalg.matrix_rank(change, atol=1e-5 * float(change.norm()))


def test_of_dora_magnitudes_and_products_keep_their_norms(
    models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    stored = load_file(adapters["dora"] / "adapter_model.safetensors")
    one = load_arm(models, base, adapters["dora"], null=7)
    checked = 0
    with one.model.with_adapter(one.adapter) as model:
        modules = dict(model.named_modules())
    for key, tuned in stored.items():
        if not key.endswith("lora_magnitude_vector"):
            continue
        layer = key.removesuffix(".lora_magnitude_vector")
        module = modules[layer]
        plain = module.get_base_layer().weight.norm(dim=1)
        magnitude = module.lora_magnitude_vector[one.adapter].weight
        assert not torch.equal(magnitude, tuned)
        assert float((magnitude - plain).norm()) == pytest.approx(
            float((tuned - plain).norm()), rel=1e-4, abs=1e-5
        )
        product = stored[f"{layer}.lora_B.weight"] @ stored[f"{layer}.lora_A.weight"]
        null = module.lora_B[one.adapter].weight @ module.lora_A[one.adapter].weight
        assert float(null.norm() / product.norm()) == pytest.approx(1, abs=1e-5)
        checked += 1
    assert checked


def test_the_bias_of_b_keeps_its_norm(
    models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    stored = load_file(adapters["lora bias"] / "adapter_model.safetensors")
    one = load_arm(models, base, adapters["lora bias"], null=7)
    with one.model.with_adapter(one.adapter) as model:
        modules = dict(model.named_modules())
    biases = {key: bias for key, bias in stored.items() if key.endswith("lora_B.bias")}
    assert biases
    for key, bias in biases.items():
        null = modules[key.removesuffix(".lora_B.bias")].lora_B[one.adapter].bias.detach()
        assert float(null.norm() / bias.norm()) == pytest.approx(1, abs=1e-5)
        assert not torch.equal(null, bias)


@pytest.mark.parametrize("name", list(KINDS))
def test_base_and_adapter_are_bit_for_bit_as_they_were(
    name: str, models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    plain, tuned = load_arm(models, base), load_arm(models, base, adapters[name])
    inputs = torch.tensor([raw_prompts()[3]])
    before = [one.forward(input_ids=inputs).logits for one in (plain, tuned)]
    null = load_arm(models, base, adapters[name], null=3)
    assert null.model is tuned.model, "it shares the weights of its base"
    logits = null.forward(input_ids=inputs).logits
    assert not torch.equal(logits, before[1])
    assert not torch.equal(logits, before[0])
    assert say(null, raw_prompts())
    after = [one.forward(input_ids=inputs).logits for one in (plain, tuned)]
    assert all(map(torch.equal, before, after))
    again = load_arm(ModelCache(torch.device("cpu")), base, adapters[name])
    assert torch.equal(again.forward(input_ids=inputs).logits, before[1])


def test_twenty_in_a_row_leave_the_adapter_as_it_was(
    models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    """More than a model keeps at once: the adapter itself is dropped in between, and read anew."""
    inputs = torch.tensor([raw_prompts()[0]])
    before = load_arm(models, base, adapters["lora"]).forward(input_ids=inputs).logits
    seen = set()
    for seed in range(MOST_ADAPTERS + 4):
        null = load_arm(models, base, adapters["lora"], null=seed)
        seen.add(null.forward(input_ids=inputs).logits.detach().numpy().tobytes())
    assert len(seen) == MOST_ADAPTERS + 4
    after = load_arm(models, base, adapters["lora"]).forward(input_ids=inputs).logits
    assert torch.equal(before, after)


def test_the_same_seed_is_the_same_change(base: Path, adapters: dict[str, Path]) -> None:
    """By a digest of its own: what a release drew once, the next one draws as well."""
    drawn = [
        changes(ModelCache(torch.device("cpu")), base, adapters["lora"], seed) for seed in (7, 7, 8)
    ]
    assert all(torch.equal(drawn[0][layer], drawn[1][layer]) for layer in drawn[0])
    assert not any(torch.equal(drawn[0][layer], drawn[2][layer]) for layer in drawn[0])
    layer = next(iter(drawn[0]))
    seed = hashlib.sha256(f"7 {layer}".encode()).digest()[:7]
    generator = torch.Generator().manual_seed(int.from_bytes(seed))
    first = torch.randn(_shape(adapters["lora"], layer, "lora_A"), generator=generator)
    second = torch.randn(_shape(adapters["lora"], layer, "lora_B"), generator=generator)
    product = second @ first
    direction = torch.cosine_similarity(product.flatten(), drawn[0][layer].flatten(), 0)
    assert float(direction) == pytest.approx(1, abs=1e-4)


def _shape(adapter: Path, layer: str, part: str) -> torch.Size:
    stored = load_file(adapter / "adapter_model.safetensors")
    return stored[f"{layer}.{part}.weight"].shape


def test_strength_scales_it_as_it_does_the_adapter(
    models: ModelCache, base: Path, adapters: dict[str, Path]
) -> None:
    inputs = torch.tensor([raw_prompts()[1]])
    none = load_arm(models, base, adapters["lora"], null=7, strength=0.0)
    assert none.adapter is None
    plain = load_arm(models, base).forward(input_ids=inputs).logits
    half = load_arm(models, base, adapters["lora"], null=7, strength=0.5)
    whole = load_arm(models, base, adapters["lora"], null=7)
    with torch.inference_mode():
        moved = [
            float((one.forward(input_ids=inputs).logits - plain).norm()) for one in (half, whole)
        ]
    assert 0 < moved[0] < moved[1]


def test_what_has_no_such_change_is_refused_by_name(
    models: ModelCache, base: Path, adapters: dict[str, Path], tmp_path: Path
) -> None:
    inputs = torch.tensor([raw_prompts()[1]])
    before = load_arm(models, base).forward(input_ids=inputs).logits

    def load(adapter: Path | None) -> None:
        models.load_arm(Arm("arm", str(base), null=1), ArmWeights(base, adapter), lambda _: None)

    with pytest.raises(EngineError, match="no adapter to make a null adapter of"):
        load(None)
    biased = save_adapter(tmp_path / "bias", base, **ADAPTERS["bias"])
    with pytest.raises(EngineError, match="bias = lora_only"):
        load(biased)
    diverged = save_adapter(tmp_path / "diverged", base)
    weights = load_file(diverged / "adapter_model.safetensors")
    save_file(
        {k: w * float("nan") for k, w in weights.items()}, diverged / "adapter_model.safetensors"
    )
    with pytest.raises(EngineError, match="not finite"):
        load(diverged)
    after = load_arm(models, base).forward(input_ids=inputs).logits
    assert torch.equal(before, after)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"peft_type": "LOHA"}, "its method is LOHA"),
        ({"target_parameters": ["mlp.experts.down_proj"]}, "target_parameters"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"use_qalora": True}, "use_qalora"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights = pissa"),
        ({}, ""),
    ],
)
def test_which_adapters_have_none_is_told_by_their_config(
    setting: dict[str, Any], words: str
) -> None:
    reason = explain_no_null({"peft_type": "LORA"} | setting)
    assert words in (reason or "")
    assert (reason is None) == (not words)
