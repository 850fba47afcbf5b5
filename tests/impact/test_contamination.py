"""Items among training rows: exact, by runs of 13 words, question and answer apart."""

import pytest

from engine.chat import Message
from engine.compare.items import Item
from engine.impact.contamination import ContaminationCheck, ItemContamination

LONG = "the quick brown fox jumps over the lazy dog while nobody in the house looks outside today"


def _item(question: str, answer: str = "", name: str = "i") -> Item:
    return Item(name, (Message("user", question),), score="exact", gold=(answer,) if answer else ())


def _row(question: str, answer: str, source: str = "f:1") -> tuple[str, tuple[Message, ...]]:
    return source, (Message("user", question), Message("assistant", answer))


def _find(item: Item, *rows: tuple[str, tuple[Message, ...]]) -> ItemContamination:
    check = ContaminationCheck([item])
    check.read(rows)
    return check.found[item.id]


@pytest.mark.parametrize(
    ("item", "row", "found", "is_flagged"),
    [
        (_item("Who wrote it?", "Ana"), _row("who wrote  it", "ana."), ("exact", "exact"), True),
        (_item("Who wrote it?", "Ana"), _row("Who read it?", "Ana"), ("", "exact"), False),
        (_item("Who wrote it?", "Ana"), _row("Who read it?", "Ben"), ("", ""), False),
        (_item(f"A: {LONG}"), _row(f"Once {LONG}, he said", "x"), ("13-gram", ""), True),
        (_item(LONG[:40]), _row(f"Once {LONG}, he said", "x"), ("", ""), False),  # a short question
        (_item("Say it.", LONG), _row("Tell me.", f"Well: {LONG}"), ("", "13-gram"), True),
        (_item("Say it.", LONG), _row("Tell me.", LONG), ("", "exact"), True),
        (_item(LONG), _row("Tell me.", f"Well: {LONG}"), ("13-gram", ""), True),  # in an answer
        (_item("", "Ana"), _row("", ""), ("", ""), False),
    ],
)
def test_what_is_found(
    item: Item,
    row: tuple[str, tuple[Message, ...]],
    found: tuple[str, str],
    is_flagged: bool,
) -> None:
    one = _find(item, row)
    assert (one.question, one.answer) == found
    assert one.is_flagged == is_flagged


def test_exact_outweighs_a_run_and_names_its_row() -> None:
    one = _find(_item(LONG), _row(f"So {LONG}", "x", "f:1"), _row(LONG, "x", "f:2"))
    assert (one.question, one.row) == ("exact", "f:1")


def test_the_row_is_that_of_the_question() -> None:
    item = _item("Who wrote it?", "Ana")
    one = _find(item, _row("Who read it?", "Ana", "f:1"), _row("Who wrote it?", "Ben", "f:2"))
    assert one.row == "f:2"


def test_a_text_that_is_read_is_a_question() -> None:
    assert _find(Item("t", text=LONG, score="perplexity"), _row("x", LONG)).question == "13-gram"


def test_an_item_of_two_turns_is_found_as_a_whole_only() -> None:
    asked = (Message("user", "One?"), Message("assistant", "1"), Message("user", "And two?"))
    item = Item("i", asked)
    assert _find(item, ("f:1", asked)).question == "exact"
    assert _find(item, _row("And two?", "2")).question == ""
