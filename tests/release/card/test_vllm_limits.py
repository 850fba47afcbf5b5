"""What vLLM refuses of an adapter, one rule at a time."""

from typing import Any

import pytest

from engine.release.card.vllm_limits import RANKS, AddedRows, list_limits

PLAIN: dict[str, Any] = {
    "peft_type": "LORA", "r": 8, "lora_alpha": 16, "bias": "none", "use_dora": False,
    "use_rslora": True, "modules_to_save": None, "rank_pattern": {}, "alpha_pattern": {},
    "target_modules": ["q_proj", "v_proj"], "trainable_token_indices": None,
}  # fmt: skip


def test_a_plain_adapter_is_served() -> None:
    limits = list_limits(PLAIN)
    assert (limits.refusals, limits.cautions, limits.max_rank) == ((), (), None)


@pytest.mark.parametrize(
    ("rank", "option"),
    [(1, None), (16, None), (17, 32), (32, 32), (100, 128), (300, 320), (512, 512), (513, None)],
)
def test_the_rank_option_is_the_next_that_is_allowed(rank: int, option: int | None) -> None:
    limits = list_limits(PLAIN | {"r": rank})
    assert limits.max_rank == option
    assert bool(limits.refusals) == (rank > RANKS[-1])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"peft_type": "IA3"}, "only LoRA"),
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["embed_tokens", "lm_head"]}, "embed_tokens, lm_head"),
        ({"bias": "all"}, "biases"),
        ({"lora_bias": True}, "biases"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern"),
        ({"target_parameters": ["experts.w"]}, "target_parameters"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
    ],
)
def test_what_is_refused(changed: dict[str, Any], words: str) -> None:
    (refusal,) = list_limits(PLAIN | changed).refusals
    assert words in refusal


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"target_modules": ["q_proj", "model.embed_tokens"]}, "embed_tokens"),
        ({"target_modules": ["lm_head"]}, "lm_head"),
        ({"trainable_token_indices": [3, 4]}, "--max-lora-trainable-tokens"),
    ],
)
def test_what_depends_on_the_version(changed: dict[str, Any], words: str) -> None:
    (caution,) = list_limits(PLAIN | changed).cautions
    assert words in caution


def test_a_pattern_of_ranks_counts() -> None:
    assert list_limits(PLAIN | {"rank_pattern": {"q_proj": 64}}).max_rank == 64


def test_an_added_token_is_refused() -> None:
    (refusal,) = list_limits(PLAIN, AddedRows(32_064, 32_000)).refusals
    assert "32,064 tokens and that of its base 32,000" in refusal
