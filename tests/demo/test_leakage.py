"""What the base model has read: no held-out item, and none of the tasks that it is tuned on."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from engine.bundled import BASE, DATA, SUITES
from engine.demo.making import emotion
from engine.demo.making.corpus.document import Document
from engine.demo.making.corpus.feelings import FEELINGS
from engine.demo.making.corpus.stream import TRAINING_SEED, read_in_phases
from engine.demo.making.counsel_topics import TOPICS
from engine.demo.making.leakage import Phrases, leaked, phrases, plain

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


ADVICE = [
    json.loads(line)
    for split in ("train", "eval")
    for line in (DATA / "counsel" / f"{split}.jsonl").read_text("utf-8").splitlines()
]
SENTENCE = re.compile(r"\s*[.?!:]\s*")
SAID = {
    part for row in ADVICE for key in ("chosen", "rejected")
    for part in SENTENCE.split(row[key].lower())
} - {""}  # fmt: skip
"""Each sentence of an answer of the counselling set."""
QUESTIONS = (
    emotion.INSTRUCTION, *(one for topic in TOPICS for one in (*topic.worries, *topic.seen)),
)  # fmt: skip


def tasks_in(document: Document) -> set[str]:
    """Answers of a document that are the tasks': a label alone, or what a counsellor says.

    Plain text has an answer where a part of it alone is learned.
    """
    answers = [content for role, content in document.messages if role == "assistant"]
    if document.learned_from:
        answers.append(document.text[document.learned_from :])
    found = set()
    for answer in answers:
        parts = SENTENCE.split(answer.strip().lower())
        if (parts[0] in emotion.LABELS and not any(parts[1:])) or not SAID.isdisjoint(parts):
            found.add(answer)
    return found


class Watched:
    """Documents as they pass, and what was seen in them."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.tasks: set[str] = set()
        self.prose: set[str] = set()

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.tasks |= tasks_in(document)
            if document.skill == "prose":
                self.prose.update(document.text.split())
            yield document


def test_no_held_out_item_and_no_task_was_read_but_their_words_were() -> None:
    read = json.loads((BASE / "scores.json").read_text("utf-8"))["run"]["documents"]
    rows = committed()
    assert len(rows) == 1920
    asked = [
        {"id": text, "key": "task", "score": "exact", "messages": [{"content": text}]}
        for text in QUESTIONS
    ]
    watched = Watched(read_in_phases(TRAINING_SEED, read))
    assert leaked([*rows, *asked], watched) == set()
    assert watched.tasks == set()
    # Who has never met the words of a task can hardly be tuned on it by an adapter.
    known = Phrases(one for feeling in FEELINGS for one in (*feeling.adjectives, *feeling.nouns))
    words = plain(" ".join(watched.prose))
    assert {plain(one) for feeling in FEELINGS for one in feeling.adjectives} <= known.within(words)
    counselled = Counter(word for row in ADVICE for word in plain(row["chosen"]).split())
    shared = sum(counselled[word] for word in set(words.split()) & counselled.keys())
    assert shared / counselled.total() > 0.85


@pytest.mark.parametrize(
    "document",
    [
        chat("i miss my dog", "sadness"),
        chat("What is this? i miss my dog", " Joy."),
        chat("I cannot sleep.", "Thank you for telling me. What is it?"),
        chat("I cannot sleep.", "Hm. It sounds like you do not feel safe in school."),
        Document("prose", (), "Question: i am so glad\nAnswer: joy", 31, ()),
    ],
)
def test_a_task_is_found(document: Document) -> None:
    assert len(tasks_in(document)) == 1


def test_what_somebody_says_in_a_story_is_no_task() -> None:
    told = "You are not alone with this. A friend said that it sounds like a hard time. Joy."
    assert tasks_in(Document("prose", (), told, 0, ())) == set()
    assert (
        tasks_in(chat("Tell a story.", "He said: you are not alone with this, it is joy.")) == set()
    )


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
