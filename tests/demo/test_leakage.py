"""No held-out item stands in the text that the base model has read."""

import json
from typing import Any

import pytest

from engine.demo import BASE, SUITES
from engine.demo.corpus.document import Document
from engine.demo.corpus.stream import TRAINING_SEED, read_in_phases
from engine.demo.leakage import Phrases, leaked, phrases

ITEM = {
    "id": "one",
    "score": "number",
    "key": "arithmetic:+:38:47",
    "messages": [{"role": "user", "content": "Hi! What is 47 plus 38?"}],
}


def chat(asked: str, said: str = "No.", keys: tuple[str, ...] = ()) -> Document:
    return Document("any", (("user", asked), ("assistant", said)), "", 0, keys)


def committed() -> list[dict[str, Any]]:
    paths = sorted(SUITES.glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]


def test_nothing_held_out_was_read() -> None:
    read = json.loads((BASE / "scores.json").read_text("utf-8"))["run"]["documents"]
    rows = committed()
    assert len(rows) == 1920
    assert leaked(rows, read_in_phases(TRAINING_SEED, read)) == set()


@pytest.mark.parametrize(
    "document",
    [
        chat("hi what is 47 plus 38"),
        chat("Well. Hi! What is 47 plus 38? Thanks!"),
        chat("Calculate.", "47 + 38: that is 85."),
        chat("Calculate.", "38 + 47 = 85"),
        chat("Calculate.", keys=("arithmetic:+:38:47",)),
        Document("prose", (), "He wrote 47 + 38 on the wall.", 0, ()),
    ],
)
def test_a_leak_is_found(document: Document) -> None:
    assert leaked([ITEM], [chat("Hello"), document]) == {"one"}


@pytest.mark.parametrize("text", ["147 + 38", "47 + 381", "47 - 38", "What is 47 plus 39?"])
def test_what_only_looks_alike_is_no_leak(text: str) -> None:
    assert leaked([ITEM], [chat(text)]) == set()


def test_phrases_are_whole_words_in_a_row() -> None:
    wanted = Phrases(["the black cat", "moon", "a dog"])
    assert wanted.within("The BLACK cat, and A dog!") == {"the black cat", "a dog"}
    assert wanted.within("the black catfish under the moonlight; a big dog") == set()


def test_the_combination_is_searched_as_well() -> None:
    row = {
        "score": "exact",
        "key": "french:the cat sleeps now",
        "messages": [{"role": "user", "content": "In French: The cat sleeps now."}],
    }
    assert list(phrases(row)) == ["In French: The cat sleeps now.", "the cat sleeps now"]
