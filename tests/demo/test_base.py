"""The committed weights: what the card says of them is true."""

import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from engine.bundled import BASE, SUITES
from engine.checkpoints.checkpoint_list import inspect
from engine.compare.item_reader import read_items
from engine.demo.making.corpus.stream import CHECKED, TRAINING_SEED
from engine.demo.making.pretrain.card import as_text, count_right, load_base, read_prose
from engine.statistics import wilson
from tests.demo.test_corpus import FIRST_20_000

SAMPLE = 40
MEGABYTES = 8


@pytest.fixture(scope="module")
def scores() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BASE / "scores.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def base() -> Iterator[tuple[Any, Any]]:
    # The threads of so small a model mostly wait for each other where cores are busy.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_base(BASE)
    torch.set_num_threads(threads)


def test_the_weights_are_small_and_in_half_precision() -> None:
    found = inspect(BASE)
    assert found.reason is None
    assert found.dtype == "fp16"
    assert found.size_bytes <= MEGABYTES * 1_000_000
    assert found.chat_template


@pytest.mark.parametrize("skill", CHECKED)
def test_the_card_keeps_the_bar(scores: dict[str, Any], skill: str) -> None:
    found = scores["skills"][skill]
    assert found["n"] == len(read_items(SUITES / f"{skill}.jsonl")) >= 300
    low, high = wilson(found["right"], found["n"])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-4)
    assert low >= 0.85


def test_the_card_in_words_is_the_card_in_numbers(scores: dict[str, Any]) -> None:
    assert (BASE / "README.md").read_text("utf-8") == as_text(scores)
    assert scores["run"]["corpus_sha256"] == FIRST_20_000
    assert scores["run"]["seed"] == TRAINING_SEED


@pytest.mark.parametrize("skill", CHECKED)
def test_a_sample_scores_as_the_card_says(
    scores: dict[str, Any], base: tuple[Any, Any], skill: str
) -> None:
    items = read_items(SUITES / f"{skill}.jsonl")
    sample = Random(skill).sample(items, SAMPLE)
    right = count_right(*base, sample)
    share = scores["skills"][skill]["accuracy"]
    # Four standard deviations of a sample drawn without putting back, and one item for rounding.
    spread = math.sqrt(share * (1 - share) / SAMPLE * (1 - SAMPLE / len(items)))
    assert abs(right / SAMPLE - share) <= 4 * spread + 1 / SAMPLE


def test_prose_is_as_perplexing_as_the_card_says(
    scores: dict[str, Any], base: tuple[Any, Any]
) -> None:
    nll, tokens = read_prose(*base, read_items(SUITES / "prose.jsonl")[:80])
    assert math.exp(nll / tokens) == pytest.approx(scores["prose"]["perplexity"], rel=0.1)
    assert scores["prose"]["tokens"] >= 20_000


def test_any_text_comes_back_from_its_tokens() -> None:
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    text = "Ünïcode ☃ 𝕏 سلام 你好\n\tTabs, 12345 \x01 and <b>tags</b>  "
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:]) == text
    digits = tokenizer.convert_ids_to_tokens(tokenizer("12345", add_special_tokens=False).input_ids)
    assert digits == ["1", "2", "3", "4", "5"]


def test_special_tokens_are_each_their_own() -> None:
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    specials = ("<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
    assert tokenizer.convert_tokens_to_ids(list(specials)) == [0, 1, 2, 3, 4, 5]
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)


def test_the_template_begins_once_and_ends_each_answer() -> None:
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Bye"},
    ]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|begin|><|system|>Be brief.<|user|>Hi<|assistant|>Hello!<|end|><|user|>Bye<|assistant|>"
    )
    with pytest.raises(Exception, match="unknown role"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


def test_the_model_knows_when_to_stop(base: tuple[Any, Any]) -> None:
    model, tokenizer = base
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of Norway?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=False,
    )
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False)
    assert tokenizer.decode(out[0, ids.shape[1] :]) == "The capital of Norway is Oslo.<|end|>"
