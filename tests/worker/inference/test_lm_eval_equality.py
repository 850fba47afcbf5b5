"""The bundled model, measured by lm-evaluation-harness and by finetop: the same numbers.

Its numbers are in `lm_eval_numbers.json`; `lm_eval_reference` says how they were made.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.bundled import BASE
from engine.impact.suites.fewshot import with_examples
from engine.worker.inference.choice_scores import choice_scores
from engine.worker.inference.models import LoadedArm, ModelCache
from engine.worker.inference.text_likelihood import read_texts
from tests.worker.inference.arms import load_arm
from tests.worker.inference.lm_eval_reference import SHOTS, SUITES_OF, hash_text, list_texts

NUMBERS: dict[str, Any] = json.loads(
    Path(__file__).with_name("lm_eval_numbers.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def raw() -> LoadedArm:
    return load_arm(ModelCache(torch.device("cpu")), BASE, form="raw")


TASKS = [name for name, task in NUMBERS.items() if "acc" in task]


@pytest.mark.parametrize("task", TASKS)
def test_choices_are_equal_to_the_item(raw: LoadedArm, task: str) -> None:
    name, shots = task.split()
    items, examples = SUITES_OF[name]
    expected = NUMBERS[task]
    asked = with_examples(items, int(shots), "raw", examples=examples)
    scores = choice_scores(raw, asked)
    assert len(scores) == len(expected["items"])
    right, right_by_length = [], []
    for item, found in zip(asked, scores, strict=True):
        one = expected["items"][item.id]
        assert found.sums == pytest.approx(one["sums"], abs=1e-4, rel=0)
        gold = item.choices.index(item.gold[0])
        right.append(float(found.likeliest == gold))
        right_by_length.append(float(found.likeliest_by_length == gold))
        assert (right[-1], right_by_length[-1]) == (one["acc"], one["acc_norm"])
    assert sum(right) / len(right) == pytest.approx(expected["acc"])
    assert sum(right_by_length) / len(right) == pytest.approx(expected["acc_norm"])


def test_the_tasks_are_those_of_the_issue() -> None:
    """0 and 5 examples, and no two choices so near that another processor might order them."""
    assert {f"{name} {shots}" for name in ("emotion", "facts") for shots in (0, SHOTS)} < set(
        NUMBERS
    )
    sums = [one["sums"] for task in NUMBERS.values() for one in task["items"].values()
            if isinstance(one, dict)]  # fmt: skip
    assert min(sorted(each)[-1] - sorted(each)[-2] for each in sums) > 0.01
    outcomes = [task["acc"] for task in NUMBERS.values() if "acc" in task]
    assert 0 < min(outcomes) < max(outcomes) < 1


def test_examples_as_earlier_turns_make_the_same_prompt() -> None:
    arm = load_arm(ModelCache(torch.device("cpu")), BASE)
    items, examples = SUITES_OF["emotion"]
    expected = NUMBERS["prompts by the chat template"]["items"]
    assert len(expected) == len(items)
    for item in with_examples(items, SHOTS, "own", examples=examples):
        assert arm.template is not None
        text = arm.template.render(item.messages, arm.tokenizer, answer_next=True)
        assert hash_text(text) == expected[item.id]


def test_another_prompt_has_other_sums(raw: LoadedArm) -> None:
    """What the equality stands on: the delimiter, and no end token."""
    items, _ = SUITES_OF["emotion"]
    shifted = [replace(one, choices=tuple(f" {each}" for each in one.choices)) for one in items]
    expected = NUMBERS["emotion 0"]["items"][items[0].id]["sums"]
    assert choice_scores(raw, shifted[:1])[0].sums != pytest.approx(expected, abs=0.1)


def test_texts_read_by_rolling_windows_are_equal(raw: LoadedArm) -> None:
    texts = list_texts()
    read = read_texts(raw, texts, rolling=True)
    expected = NUMBERS["texts"]
    for name, text in texts.items():
        # The harness sums in float32: half a unit in the last place of a sum of thousands.
        assert -read.nll[name] == pytest.approx(expected["items"][name], abs=1e-4, rel=2e-7)
        assert read.tokens[name] == len(raw.tokenizer(text)["input_ids"]), "BOS is predicted too"
    total, size = sum(read.nll.values()), sum(len(text.encode()) for text in texts.values())
    assert math.exp(total / size) == pytest.approx(expected["byte_perplexity"], rel=1e-6)
    assert total / size / math.log(2) == pytest.approx(expected["bits_per_byte"], rel=1e-6)


def test_our_own_windows_are_equal_in_the_first_window_without_a_second_bos(
    raw: LoadedArm,
) -> None:
    texts = list_texts()
    read = read_texts(raw, texts)
    expected = NUMBERS["texts without bos"]["items"]
    for name in ("short", "letter", "scripts"):
        assert -read.nll[name] == pytest.approx(expected[name], abs=1e-4, rel=0)
    # Longer texts are divided at other places, with other contexts.
    assert -read.nll["two windows"] != pytest.approx(expected["two windows"], abs=1)
