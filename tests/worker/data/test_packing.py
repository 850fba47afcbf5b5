"""Packed rows: the same losses as unpacked ones, and no family in which they see each other."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    Lfm2Config,
    MambaConfig,
    OPTConfig,
    PreTrainedConfig,
)

from engine.errors import EngineError
from engine.worker.data.encode import IGNORE_INDEX, Encoded, collate
from engine.worker.data.packing import collate_packed, packed_inputs, plan_bins
from engine.worker.model.attention import attention_for, check_packing
from tests.worker.families import configs
from tests.worker.whole_nll import nll_by_row

MAKE: Any = AutoModelForCausalLM.from_config


def make_rows(count: int, longest: int = 24, seed: int = 0) -> list[Encoded]:
    """Rows of random tokens, the first third of each a prompt."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        ids = [draw.randrange(5, 300) for _ in range(draw.randint(3, longest))]
        prompt = len(ids) // 3
        labels = [IGNORE_INDEX] * prompt + ids[prompt:]
        rows.append(Encoded(ids, labels, 0, kept=True, reason=""))
    return rows


def token_losses(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """NLL of each trained token, in order."""
    targets = labels[:, 1:]
    counted = targets != IGNORE_INDEX
    logs = torch.log_softmax(logits[:, :-1][counted], dim=-1)
    return -logs.gather(-1, targets[counted].unsqueeze(-1)).squeeze(-1)


@pytest.mark.parametrize("attention", [None, "eager"])
@pytest.mark.parametrize("family", list(configs()))
def test_every_token_has_the_loss_it_has_alone(family: str, attention: str | None) -> None:
    """With the attention that the library chooses, mostly sdpa, and with its plainest."""
    torch.manual_seed(0)
    model = MAKE(configs()[family], attn_implementation=attention).eval()
    check_packing(model)
    rows = make_rows(7)
    packed = packed_inputs(collate_packed([rows[:3], rows[3:]], pad_id=2))
    labels = packed.pop("labels")
    with torch.no_grad():
        together = token_losses(model(**packed).logits, labels)
        alone = []
        for row in rows:
            batch = collate([row])
            theirs = batch.pop("labels")
            alone.append(token_losses(model(**batch, use_cache=False).logits, theirs))
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_the_loss_of_a_pass_is_that_of_its_rows_and_so_are_the_gradients() -> None:
    model = MAKE(configs()["llama"]).train()
    rows = make_rows(8, seed=2)
    grads, sums = [], []
    for batch in (collate(rows), collate_packed([rows[:5], rows[5:]])):
        inputs = packed_inputs(batch)
        labels = inputs.pop("labels")
        nll, tokens = nll_by_row(model(**inputs).logits, labels)
        assert int(tokens.sum()) == sum(row.target_tokens for row in rows)
        model.zero_grad()
        nll.sum().backward()  # type: ignore[no-untyped-call]
        sums.append(float(nll.sum().detach()))
        grads.append(torch.cat([one.grad.flatten() for one in model.parameters()]))
    assert sums[0] == pytest.approx(sums[1], rel=1e-6)
    torch.testing.assert_close(grads[0], grads[1], atol=1e-3, rtol=1e-4)


def test_an_attention_mask_would_have_let_rows_see_each_other() -> None:
    """The trap itself: what `packed_inputs` takes out matters."""
    torch.manual_seed(0)
    model = MAKE(configs()["llama"]).eval()
    batch = collate_packed([make_rows(4)])
    labels = batch.pop("labels")
    with torch.no_grad():
        leaked = token_losses(model(**batch).logits, labels)
        right = token_losses(model(**packed_inputs(batch)).logits, labels)
    assert (leaked - right).abs().max() > 0.1


def test_padding_belongs_to_no_row_and_first_tokens_are_not_learned() -> None:
    row = Encoded([7, 8, 9], [7, 8, 9], 0, kept=True, reason="")
    short = Encoded([5, 6], [5, 6], 0, kept=True, reason="")
    made = {name: one.tolist() for name, one in collate_packed([[row, short], [short]], 1).items()}
    assert made == {
        "input_ids": [[7, 8, 9, 5, 6], [5, 6, 1, 1, 1]],
        "position_ids": [[0, 1, 2, 0, 1], [0, 1, 0, 0, 0]],
        "labels": [
            [IGNORE_INDEX, 8, 9, IGNORE_INDEX, 6],
            [IGNORE_INDEX, 6, IGNORE_INDEX, IGNORE_INDEX, IGNORE_INDEX],
        ],
        "attention_mask": [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]],
    }
    flat = collate_packed([[row, short], [short]], 1, flat=True)
    assert flat["input_ids"].tolist() == [[7, 8, 9, 5, 6, 5, 6]]
    assert flat["attention_mask"].all()


LEAKY: dict[str, Callable[[], PreTrainedConfig]] = {
    "opt": lambda: OPTConfig(vocab_size=300, hidden_size=32, ffn_dim=64, num_hidden_layers=2,
                             num_attention_heads=4, word_embed_proj_dim=32),
    "falcon": lambda: FalconConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2,
                                   num_attention_heads=4),
    "bloom": lambda: BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4),
    "mamba": lambda: MambaConfig(vocab_size=300, hidden_size=32, num_hidden_layers=2),
    "lfm2": lambda: Lfm2Config(vocab_size=300, hidden_size=32, intermediate_size=64,
                               num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                               layer_types=["conv", "full_attention"]),
}  # fmt: skip


@pytest.mark.parametrize("family", list(LEAKY))
def test_a_family_whose_rows_see_each_other_is_refused_by_name(family: str) -> None:
    torch.manual_seed(0)
    model = MAKE(LEAKY[family]()).train()
    with pytest.raises(EngineError, match="Rows cannot be packed for") as caught:
        check_packing(model)
    assert type(model).__name__ in caught.value.title
    assert "group_by_length" in caught.value.hint
    assert model.training, "its mode is as it was"


def test_half_precision_is_not_taken_for_a_leak() -> None:
    check_packing(MAKE(configs()["llama"]).to(torch.bfloat16))


@given(some.lists(some.integers(1, 40), min_size=1, max_size=60), some.integers(20, 64))
def test_bins_hold_every_length_once_and_no_more_than_they_can(
    lengths: list[int], capacity: int
) -> None:
    bins = plan_bins(lengths, capacity)
    assert sorted(one for each in bins for one in each) == sorted(lengths)
    assert all(sum(each) <= capacity or len(each) == 1 for each in bins)
    # Best fit leaves at most one bin half empty.
    assert sum(2 * sum(each) <= capacity for each in bins) <= 1


def test_variable_length_attention_is_only_asked_for_where_it_can_be() -> None:
    assert attention_for(torch.device("cpu"), torch.bfloat16) is None
    assert attention_for(torch.device("cuda"), torch.float32) is None
