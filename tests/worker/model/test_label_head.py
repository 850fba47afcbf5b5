"""The head on labelled positions alone, whole and in chunks, is the head on all of them: values and
gradients, of every family, with adapters on the head, soft caps, padding, packing, checkpoints."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, Gemma2Config

from engine.estimates.logits import CHUNK
from engine.worker.data.encode import IGNORE_INDEX
from engine.worker.model.label_head import LabelHead
from engine.worker.model.label_head_trial import try_label_head
from engine.worker.training.evaluator import preserve_rng_and_mode
from tests.worker.families import NARROW, SIZE, configs
from tests.worker.whole_nll import nll_by_row

MAKE: Any = AutoModelForCausalLM.from_config
ONES = torch.ones(4)
HEADS = {"gpt2": "lm_head", "phi": "lm_head", "gemma2": "lm_head"}
"""Families whose head gets an adapter here."""


def make_model(family: str, *, lora: bool) -> Any:
    torch.manual_seed(1)
    model = MAKE(configs()[family])
    if lora:
        targets = ["q_proj", "c_attn", "qkv_proj"]
        targets = [one for one in targets if any(n.endswith(one) for n, _ in model.named_modules())]
        targets += [HEADS[family]] if family in HEADS else []
        model = get_peft_model(
            model, LoraConfig(r=2, target_modules=targets, init_lora_weights=False)
        )
    return model.train()


def make_batch(seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """Four rows with padding at the right; one of them has a single label."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, 300, (4, 17), generator=draw)
    labels = ids.masked_fill(torch.rand(ids.shape, generator=draw) < 0.4, IGNORE_INDEX)
    labels[1, :-1] = IGNORE_INDEX
    mask = torch.ones_like(ids)
    mask[2, 9:], labels[2, 9:] = 0, IGNORE_INDEX
    return {"input_ids": ids, "attention_mask": mask}, labels


def measure(
    model: Any,
    way: LabelHead | None,
    batch: tuple[dict[str, Tensor], Tensor],
    weights: Tensor = ONES,
    *,
    alike: bool = True,
) -> dict[str, Tensor]:
    """The sums of rows, and the gradients of their weighted sum; without a way of all logits."""
    inputs, labels = batch
    model.zero_grad()
    torch.manual_seed(3)
    if way is None:
        sums, counts = nll_by_row(model(**inputs, use_cache=False).logits, labels)
    else:
        sums, counts = way.nll_by_row(model, inputs, labels, alike=alike)
    (sums * weights.to(sums.dtype)).sum().backward()  # type: ignore[no-untyped-call]
    made = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return {"sums": sums.detach(), "counts": counts, **made}


def same(found: dict[str, Tensor], whole: dict[str, Tensor]) -> None:
    assert found.keys() == whole.keys()
    for name, value in whole.items():
        most = 2e-5 * float(value.abs().max()) + 1e-9
        torch.testing.assert_close(found[name], value, rtol=0, atol=most, msg=name)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("family", configs())
def test_all_ways_give_the_same_values_and_gradients(family: str, lora: bool) -> None:
    model = make_model(family, lora=lora)
    notes: list[str] = []
    with preserve_rng_and_mode(model), torch.enable_grad():
        head = try_label_head(model, notes.append)
    assert (head.keeps, notes) == (True, [])
    assert head.chunk == CHUNK["cpu"] // 320
    assert bool(head.learned) == (not lora or family in HEADS)
    weights = torch.tensor([0.5, 2.0, -1.0, 0.25])
    for weight, alike in ((ONES, True), (ONES, False), (weights, False)):
        whole = measure(model, None, make_batch(), weight)
        for chunk in (None, 1, 3, 1000):
            way = replace(head, chunk=chunk)
            same(measure(model, way, make_batch(), weight, alike=alike), whole)


def test_a_batch_without_a_label_has_no_loss_and_no_gradient() -> None:
    model = make_model("llama", lora=True)
    inputs, labels = make_batch()
    unlabelled = inputs, torch.full_like(labels, IGNORE_INDEX)
    for way in (LabelHead(), LabelHead(keeps=True), LabelHead(keeps=True, chunk=2)):
        assert not any(value.any() for value in measure(model, way, unlabelled).values())


@pytest.mark.parametrize("chunk", [None, 2])
def test_checkpointing_dropout_and_packing_change_nothing(chunk: int | None) -> None:
    torch.manual_seed(1)
    model = get_peft_model(
        MAKE(configs()["qwen2"]),
        LoraConfig(r=2, target_modules=["q_proj"], lora_dropout=0.3, init_lora_weights=False),
    ).train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    model.enable_input_require_grads()
    inputs, labels = make_batch()
    places = torch.tensor([[*range(9), *range(8)]] * 4)
    packed = {"input_ids": inputs["input_ids"], "position_ids": places}
    for given in (inputs, packed):
        whole = measure(model, None, (given, labels))
        same(measure(model, LabelHead(keeps=True, chunk=chunk), (given, labels)), whole)


def test_products_in_bfloat16_are_the_same_ones() -> None:
    model = make_model("gemma2", lora=True)
    with torch.autocast("cpu", torch.bfloat16):
        whole = measure(model, None, make_batch())
        for way in (LabelHead(keeps=True), LabelHead(keeps=True, chunk=3)):
            found = measure(model, way, make_batch())
            torch.testing.assert_close(found["sums"], whole["sums"], rtol=1e-2, atol=1e-2)


def test_the_soft_cap_of_the_logits_counts_in_chunks_too() -> None:
    torch.manual_seed(1)
    model = MAKE(Gemma2Config(**SIZE, head_dim=8, **NARROW, final_logit_softcapping=0.5)).eval()
    same(
        measure(model, LabelHead(keeps=True, chunk=2, learned=tuple(model.lm_head.parameters())),
                make_batch()),
        measure(model, None, make_batch()),
    )  # fmt: skip


class _Positions(torch.nn.Module):
    """A model around another one, whose forward does something of its own with the positions."""

    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, spoil: Callable[[Any, dict[str, Any]], Any]) -> None:
        super().__init__()
        self.inner = make_model("llama", lora=False).eval()
        self.spoil = spoil

    @property
    def base_model(self) -> Any:
        return self.inner.base_model

    def get_input_embeddings(self) -> Any:
        return self.inner.get_input_embeddings()

    def forward(self, **inputs: Any) -> Any:
        return self.spoil(self.inner, inputs)


def _ignores(model: Any, inputs: dict[str, Any]) -> Any:
    inputs.pop("logits_to_keep", None)
    return model(**inputs)


def _shifts(model: Any, inputs: dict[str, Any]) -> Any:
    if "logits_to_keep" in inputs:
        inputs["logits_to_keep"] = inputs["logits_to_keep"].roll(1, 1)
    return model(**inputs)


def _refuses(model: Any, inputs: dict[str, Any]) -> Any:
    if "logits_to_keep" in inputs:
        raise TypeError("forward() got an unexpected keyword argument 'logits_to_keep'")
    return model(**inputs)


@pytest.mark.parametrize("spoil", [_ignores, _shifts, _refuses])
def test_a_model_that_keeps_other_positions_makes_all_logits(spoil: Any) -> None:
    model, notes = _Positions(spoil), list[str]()
    head = try_label_head(model, notes.append)
    assert (head.keeps, head.chunk) == (False, None)
    assert len(notes) == 1
    assert notes[0].startswith("all logits are made")
    inputs, labels = make_batch()
    whole, _ = nll_by_row(model.inner(**inputs, use_cache=False).logits, labels)
    torch.testing.assert_close(head.nll_by_row(model, inputs, labels)[0], whole)


def _looks_back(model: Any, inputs: dict[str, Any]) -> Any:
    """Its logits depend on how many positions its body was given."""
    out = model(**inputs)
    out.logits = out.logits * (1 + inputs["input_ids"].shape[1])
    return out


def test_a_head_that_depends_on_other_positions_is_not_asked_in_chunks() -> None:
    model, notes = _Positions(_looks_back), list[str]()
    head = try_label_head(model, notes.append)
    assert (head.keeps, head.chunk) == (True, None)
    assert notes[0].startswith("logits are not made in chunks: likelihoods differ")


def test_scaled_losses_are_not_made_in_chunks() -> None:
    model = make_model("llama", lora=False).eval()
    assert try_label_head(model, scaled=True).chunk is None


def test_the_trial_leaves_the_model_as_it_was() -> None:
    model = make_model("gemma3", lora=True)
    before = {name: vars(module).keys() for name, module in model.named_modules()}
    state = torch.get_rng_state()
    with preserve_rng_and_mode(model), torch.enable_grad():
        try_label_head(model)
    assert {name: vars(module).keys() for name, module in model.named_modules()} == before
    assert all(one.grad is None for one in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
