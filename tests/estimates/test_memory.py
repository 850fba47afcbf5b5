"""The memory estimate: parameters and kept tensors against torch itself, and what must hold."""

import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.estimates import fit, memory
from engine.estimates.activations import Passes, Precision, block_bytes
from engine.estimates.architectures import FAMILIES, ModelDims, read_dims
from engine.estimates.parameters import adapted, count_adapter, count_model
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Method

torch = pytest.importorskip("torch")

HIDDEN, MIDDLE, HEADS, KEYS, VOCABULARY = 64, 160, 4, 2, 500
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": MIDDLE,
    "num_attention_heads": HEADS, "num_key_value_heads": KEYS, "max_position_embeddings": 256,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "gpt2": {"vocab_size": VOCABULARY, "n_embd": HIDDEN, "n_head": HEADS, "n_positions": 256},
    "gemma": SIZES | {"head_dim": 16},
    "gemma2": SIZES | {"head_dim": 16},
    "gemma3_text": SIZES | {"head_dim": 16},
    "qwen3": SIZES | {"head_dim": 16},
    "phi": SIZES | {"num_key_value_heads": HEADS},
    "phi3": SIZES | {"pad_token_id": 0},
}
LLAMA: dict[str, Any] = SIZES | {"model_type": "llama", "num_hidden_layers": 3}
SMALLEST: dict[str, Any] = LLAMA | {"num_hidden_layers": 1}


def config_of(family: str, layers: int = 2) -> Any:
    from transformers import AutoConfig

    settings = dict(OWN.get(family, SIZES))
    settings["n_layer" if family == "gpt2" else "num_hidden_layers"] = layers
    return AutoConfig.for_model(family, **settings)


def make(config: Any, dtype: Any = None) -> Any:
    from transformers import AutoModelForCausalLM

    build: Any = AutoModelForCausalLM.from_config
    return build(config, dtype=dtype or torch.float32)


def adapt(model: Any, method: Method) -> Any:
    from peft import LoraConfig, get_peft_model

    from engine.worker.model.lora_targets import adapter_targets, is_transposed

    return get_peft_model(
        model,
        LoraConfig(
            r=method.rank, lora_dropout=method.dropout, use_dora=method.variant == "dora",
            target_modules=adapter_targets(model, method.target_modules),
            fan_in_fan_out=is_transposed(model), task_type="CAUSAL_LM",
        ),
    )  # fmt: skip


def dims_of(config: Any) -> ModelDims:
    dims = read_dims(config.to_dict())
    assert dims is not None
    return dims


def recipe(*changes: str) -> TrainRecipe:
    built = recipes.parse(recipes.with_changes({}, changes))
    assert isinstance(built, TrainRecipe)
    return built


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_those_of_torch(family: str) -> None:
    config = config_of(family)
    with torch.device("meta"):
        model = make(config)
        exact = sum(one.numel() for one in model.parameters())
        adapter = adapt(model, Method(variant="dora"))
    learned = sum(one.numel() for one in adapter.parameters() if one.requires_grad)
    dims = dims_of(config)
    assert dims.known
    assert count_model(dims) == exact
    assert count_adapter(dims, Method(variant="dora")) == learned
    stored = read_dims(config.to_diff_dict())
    assert stored is not None, "what save_pretrained leaves out"
    assert count_model(stored) == exact


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], ["self_attn.o_proj"], ["down_proj"]])
def test_an_adapter_on_some_layers_is_counted(targets: list[str]) -> None:
    config = config_of("llama")
    method = Method(target_modules=targets, rank=5)
    with torch.device("meta"):
        model = adapt(make(config), method)
    learned = sum(one.numel() for one in model.parameters() if one.requires_grad)
    assert count_adapter(dims_of(config), method) == learned


class Kept:
    """A tensor for as long as the graph that saved it lives."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor


def kept_bytes(config: Any, method: Method, *, mixed: bool) -> int:
    """Bytes that torch itself holds for the backward pass, weights apart."""
    gc.freeze()  # what was there before is no garbage of this pass, and takes long to look through
    lora = method.kind == "lora"
    model = make(config, torch.bfloat16 if mixed and lora else None)
    model = (adapt(model, method) if lora else model).train()
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    alive: Any = weakref.WeakSet()

    def pack(tensor: Any) -> Kept:
        kept = Kept(tensor)
        alive.add(kept)
        return kept

    ids = torch.randint(0, VOCABULARY, (ROWS, LENGTH))
    mask = torch.ones_like(ids)
    mask[0, -10:] = 0
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    gc.collect()
    gc.unfreeze()
    # Copies of weights in 16 bits are counted with the weights.
    shapes = {tuple(one.shape) for one in model.parameters()}
    sizes = {}
    for kept in alive:
        storage, shape = kept.tensor.untyped_storage(), tuple(kept.tensor.shape)
        if storage.data_ptr() not in weights and not {shape, shape[::-1]} & shapes:
            sizes[storage.data_ptr()] = storage.nbytes()
    del logits
    return sum(sizes.values())


ROWS, LENGTH = 3, 70
METHODS = {
    "full": (Method(kind="full"), False),
    "full in mixed precision": (Method(kind="full"), True),
    "lora": (Method(), False),
    "lora in mixed precision": (Method(), True),
    "lora with dropout": (Method(dropout=0.1), False),
    "dora": (Method(variant="dora"), False),
}


@pytest.mark.parametrize(
    ("family", "how"),
    [
        (family, how)
        for family in FAMILIES
        for how in METHODS
        if family in ("llama", "gpt2", "phi") or how in ("full", "lora in mixed precision")
    ],
)
def test_what_a_block_keeps_is_what_torch_keeps(family: str, how: str) -> None:
    method, mixed = METHODS[how]
    torch.manual_seed(0)
    # The difference of two depths is one block, whatever lies before and after.
    two, one = (kept_bytes(config_of(family, layers), method, mixed=mixed) for layers in (2, 1))
    weights = 2 if mixed and method.kind == "lora" else 4
    reckoned = block_bytes(
        dims_of(config_of(family)), method, Precision(weights, 2 if mixed else 4),
        Passes(ROWS, LENGTH), "cpu",
    )  # fmt: skip
    assert reckoned == pytest.approx(two - one, rel=0.08)


def test_a_run_by_hand() -> None:
    """Full fine-tuning of 1 block of LLAMA's sizes, 2 rows of 8 tokens, all learned."""
    wanted = recipe(
        "method.kind=full", "training.batch_size=2", "data.max_length=8", "forgetting.tokens=0"
    )
    found = memory.estimate(SMALLEST, wanted)
    block = 2 * HIDDEN * HIDDEN + 2 * HIDDEN * HIDDEN // 2 + 3 * HIDDEN * MIDDLE + 2 * HIDDEN
    assert found.parameters == found.trained == block + 2 * VOCABULARY * HIDDEN + HIDDEN
    assert found.weights == found.gradients == 4 * found.parameters
    assert found.optimiser == 8 * found.parameters
    each = 6 * HIDDEN + 4 * MIDDLE + 4 * HIDDEN + HEADS + 8
    assert found.activations == 2 * 8 * 4 * each
    assert found.logits == 3 * 2 * 8 * VOCABULARY * 4
    parts = found.weights + found.gradients + found.optimiser + found.activations + found.logits
    assert found.total <= parts + found.overhead


@pytest.mark.parametrize(("quantize", "bits"), [("4bit", 4.127), ("8bit", 8.0)])
def test_a_quantised_base_takes_its_bits(quantize: str, bits: float) -> None:
    plain = memory.estimate(LLAMA, recipe())
    packed = memory.estimate(LLAMA, recipe(f"method.quantize={quantize}"))
    dims = read_dims(LLAMA)
    assert dims is not None
    scales = 4 * sum(one.outputs for one in dims.linears) * dims.layers
    scales = scales if quantize == "8bit" else 0
    saved = dims.linear_parameters * (32 - bits) / 8 - scales
    assert plain.weights - packed.weights == pytest.approx(saved, rel=1e-3)
    short = recipe(f"method.quantize={quantize}", "training.batch_size=1", "data.max_length=8")
    least = memory.estimate(LLAMA, short)
    assert least.total > 4 * least.parameters + least.weights, "both while it is read"


def test_a_gpu_computes_in_16_bits_by_itself() -> None:
    on_cpu, on_gpu = (
        memory.estimate(LLAMA, recipe(), device_kind=kind) for kind in ("cpu", "cuda")
    )
    assert on_gpu.weights < 0.7 * on_cpu.weights
    assert on_gpu.activations < on_cpu.activations
    full = memory.estimate(LLAMA, recipe("method.kind=full"), device_kind="cuda")
    assert full.weights == 6 * full.parameters, "float32, and a copy in 16 bits"


def test_gpt2_drops_out_without_a_kernel_on_the_cpu_alone() -> None:
    gpt2 = {"model_type": "gpt2", **OWN["gpt2"], "n_layer": 2}
    on_cpu = memory.estimate(gpt2, recipe("training.dtype=float32"))
    on_gpu = memory.estimate(gpt2, recipe("training.dtype=float32"), device_kind="cuda")
    without = memory.estimate(
        gpt2 | {"attn_pdrop": 0.0, "resid_pdrop": 0.0}, recipe("training.dtype=float32")
    )
    assert without.activations < on_gpu.activations < on_cpu.activations


def test_preferences_pass_two_answers_for_each_row() -> None:
    pairs = recipe("training.objective=dpo", "training.batch_size=4")
    assert (
        memory.estimate(LLAMA, pairs).activations
        == memory.estimate(LLAMA, recipe("training.batch_size=8")).activations
    )


def test_a_family_that_is_not_known_is_reckoned_roughly() -> None:
    other = memory.estimate(LLAMA | {"model_type": "brand_new"}, recipe(), parameters=10**6)
    assert other.rough
    assert other.parameters == 10**6
    assert not memory.estimate(LLAMA, recipe()).rough


@pytest.mark.parametrize(
    "config",
    [{}, {"model_type": "llama"}, LLAMA | {"num_experts": 8}, LLAMA | {"hidden_size": "64"}],
    ids=["nothing", "no dimensions", "experts", "text for a size"],
)
def test_a_config_without_sizes_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="cannot be estimated"):
        memory.estimate(config, recipe())


def test_a_text_part_is_found() -> None:
    inside = memory.estimate({"model_type": "gemma3", "text_config": LLAMA}, recipe())
    assert inside.parameters == memory.estimate(LLAMA, recipe()).parameters


def test_targets_choose_their_layers() -> None:
    dims = read_dims({"model_type": "gpt2", **OWN["gpt2"], "n_layer": 1})
    assert dims is not None
    assert [one.name for one in adapted(dims, ["c_proj"])] == ["attn.c_proj", "mlp.c_proj"]
    assert [one.name for one in adapted(dims, ["mlp.c_proj"])] == ["mlp.c_proj"]


METHOD_CHANGES = st.sampled_from([
    ["method.kind=full"], ["method.kind=lora"], ["method.variant=dora"], ["method.dropout=0.1"],
    ["method.quantize=4bit"], ["training.dtype=bfloat16"], ["training.gradient_checkpointing=true"],
    ["training.gradient_accumulation_steps=4", "method.kind=full"], ["training.packing=true"],
])  # fmt: skip


@given(
    METHOD_CHANGES,
    st.sampled_from(sorted(FAMILIES)),
    st.sampled_from(["cpu", "cuda", "mps"]),
    st.integers(1, 64),
    st.integers(8, 2048),
)
def test_more_never_takes_less(
    changes: list[str], family: str, kind: str, batch: int, length: int
) -> None:
    config = {"model_type": family, **OWN.get(family, SIZES)}
    config["n_layer" if family == "gpt2" else "num_hidden_layers"] = 2
    wanted = recipe(*changes, f"training.batch_size={batch}", f"data.max_length={length}")
    found = memory.estimate(config, wanted, device_kind=kind)
    assert 0 < found.trained <= found.parameters
    parts = (
        found.weights, found.gradients, found.optimiser, found.activations, found.logits,
        found.overhead,
    )  # fmt: skip
    assert found.weights + found.optimiser < found.total <= sum(parts)
    for more in (
        replace(wanted, training=replace(wanted.training, batch_size=batch + 1)),
        replace(wanted, data=replace(wanted.data, max_length=length + 1)),
        replace(wanted, method=replace(wanted.method, rank=wanted.method.rank + 1)),
    ):
        assert memory.estimate(config, more, device_kind=kind).total >= found.total
    if not wanted.training.gradient_checkpointing:
        again = replace(wanted, training=replace(wanted.training, gradient_checkpointing=True))
        assert memory.estimate(config, again, device_kind=kind).activations < found.activations
    shorter = memory.estimate(config, wanted, device_kind=kind, length=length // 2 or 1)
    assert shorter.total <= found.total
    assert memory.estimate(config, wanted, device_kind=kind, target_share=0.1).total <= found.total


@given(
    st.sampled_from(["lora", "full"]),
    st.sampled_from(["cpu", "cuda"]),
    st.integers(1, 64),
    st.integers(1, 8),
    st.sampled_from([64, 1024, 8192]),
    st.booleans(),
)
def test_what_lies_in_memory_at_the_peak_adds_up(
    kind: str, device: str, batch: int, accumulation: int, length: int, checkpointing: bool
) -> None:
    wanted = recipe(
        f"method.kind={kind}", f"training.batch_size={batch}", f"data.max_length={length}",
        f"training.gradient_accumulation_steps={accumulation}",
        f"training.gradient_checkpointing={str(checkpointing).lower()}",
    )  # fmt: skip
    found = memory.estimate(LLAMA, wanted, device_kind=device)
    assert sum(found.at_peak.values()) == found.total
    assert min(found.at_peak.values()) >= 0
    assert found.moment
    sizes, total = fit.part_sizes(found.at_peak)
    numbers = [float(one.split()[0].replace(",", "")) for one in sizes.values() if one[0] != "<"]
    assert sum(numbers) == pytest.approx(float(total.split()[0].replace(",", "")))
