"""Choices against the same sums computed one row at a time, by a template and raw."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.chat import Message
from engine.compare.items import Item
from engine.errors import EngineError
from engine.worker.data.encode import choose_template, collate, encode_messages
from engine.worker.inference import shared_prefix
from engine.worker.inference.choice_scores import ChoiceScores, choice_scores
from engine.worker.inference.models import LoadedArm, ModelCache
from tests.worker.inference.arms import load_arm
from tests.worker.tiny import save_adapter, save_checkpoint
from tests.worker.whole_nll import nll


def _item(name: str, question: str, *choices: str) -> Item:
    asked = (Message("user", question),)
    return Item(name, asked, score="choices", gold=choices[:1], choices=choices)


ITEMS = [
    _item("two", "i miss my dog", "joy", "joyful"),
    _item("five", "What emotion is in this text?", "a", "anger and fear", "é", "東京", "x"),
    _item("one", "no", "surprise"),
    _item("spaces", "Two and two make: ", "four", "make"),
]  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(torch.device("cpu"))


def _sum_of(loaded_arm: LoadedArm, context: list[int], tail: list[int]) -> float:
    with torch.inference_mode():
        logits = loaded_arm.forward(input_ids=torch.tensor([context + tail])).logits[0]
    logs = logits.double().log_softmax(-1)
    return sum(float(logs[len(context) + at - 1, one]) for at, one in enumerate(tail))


@pytest.mark.parametrize("tuned", [False, True])
def test_by_a_template_as_training_encodes(
    models: ModelCache, base: Path, tmp_path: Path, tuned: bool
) -> None:
    arm = load_arm(models, base, save_adapter(tmp_path / "adapter", base) if tuned else None)
    for item, found in zip(ITEMS, choice_scores(arm, ITEMS), strict=True):
        for at, choice in enumerate(item.choices):
            answered = [*item.messages, Message("assistant", choice)]
            template = choose_template(arm.tokenizer)
            (row,) = encode_messages(answered, arm.tokenizer, template, 500)
            with torch.inference_mode(), arm.model.with_adapter(arm.adapter) as model:
                total, tokens = nll(model, collate([row]))
            assert found.sums[at] == pytest.approx(-float(total), abs=1e-4)
            assert (found.tokens[at], found.characters[at]) == (tokens, len(choice))


def test_raw_is_question_space_choice_without_an_end(models: ModelCache, base: Path) -> None:
    arm = load_arm(models, base, form="raw", prefix="Think:")
    scores = choice_scores(arm, ITEMS)
    assert [len(each.sums) for each in scores] == [2, 5, 1, 2]
    for item, found in zip(ITEMS, scores, strict=True):
        text = "Think:\n" + item.messages[0].content
        context = arm.tokenizer(text.rstrip())["input_ids"]
        for at, choice in enumerate(item.choices):
            tail = arm.tokenizer(f"{text} {choice}")["input_ids"][len(context) :]
            assert found.sums[at] == pytest.approx(_sum_of(arm, context, tail), abs=1e-4)
            assert found.tokens[at] == len(tail)


def test_an_item_scores_the_same_alone_and_beside_others(models: ModelCache, base: Path) -> None:
    for form in ("raw", "chat"):
        arm = load_arm(models, base, form=form)
        together = choice_scores(arm, ITEMS)
        for item, found in zip(ITEMS, together, strict=True):
            (alone,) = choice_scores(arm, [item])
            assert found.sums == pytest.approx(alone.sums, abs=1e-4)
    done: list[int] = []
    choice_scores(arm, ITEMS, done.append)
    assert done[-1] == 4


def test_many_choices_are_several_batches(models: ModelCache, base: Path) -> None:
    """Rows of a batch are those of the choices, and one item is never divided."""
    arm = load_arm(models, base, form="raw")
    items = [_item(str(at), f"question {at}", *map(str, range(60))) for at in range(5)]
    done: list[int] = []
    choice_scores(arm, items, done.append)
    assert done == [2, 4, 5]
    done.clear()
    choice_scores(arm, [_item("many", "q", *map(str, range(300)))], done.append)
    assert done == [1]


@pytest.mark.parametrize("form", ["raw", "chat"])
@pytest.mark.parametrize("rows", [1, 2])
def test_tails_that_do_not_fit_at_once_are_run_in_parts(
    models: ModelCache, base: Path, monkeypatch: pytest.MonkeyPatch, form: str, rows: int
) -> None:
    arm = load_arm(models, base, form=form)
    item = ITEMS[1]
    (whole,) = choice_scores(arm, [item])
    sizes: list[int] = []
    forward = LoadedArm.forward

    def count(self: LoadedArm, **inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        return forward(self, **inputs)

    longest = max(
        len(arm.prompt(item.messages)) + len(arm.tokenizer(choice)["input_ids"]) + 2
        for choice in item.choices
    )
    monkeypatch.setattr(LoadedArm, "forward", count)
    monkeypatch.setattr(shared_prefix, "CACHE", rows * arm.model.answer_size(longest))
    (parts,) = choice_scores(arm, [item])
    assert sizes == ([1] * 6 if rows == 1 else [1, 2, 2, 1]), "the context, then five tails"
    assert whole.sums == pytest.approx(parts.sums, abs=1e-4)


def test_what_does_not_fit_names_the_item(models: ModelCache, base: Path) -> None:
    long = _item("long", "word " * 300, "yes", "no")
    for form in ("raw", "chat"):
        with pytest.raises(EngineError, match="longer than the model's context") as raised:
            choice_scores(load_arm(models, base, form=form), [*ITEMS, long])
        assert raised.value.detail.startswith("long: ")
    with pytest.raises(EngineError, match="empty"):
        choice_scores(load_arm(models, base, form="raw"), [_item("blank", " \n", "yes", "no")])


def test_which_choice_is_picked() -> None:
    scores = ChoiceScores((-3.0, -4.0, -9.0), (3, 2, 3), (3, 8, 9))
    assert (scores.likeliest, scores.likeliest_by_length) == (0, 1)
    assert scores.nll_per_token([0]) == 1
    assert scores.nll_per_token([1, 2]) == 2, "the likelier one of two right answers"
    diverged = ChoiceScores((math.nan, -1.0), (1, 1), (1, 1))
    assert (diverged.likeliest, diverged.likeliest_by_length) == (None, None)
    assert diverged.nll_per_token([1]) == math.inf
