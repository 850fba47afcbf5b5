"""Examples before questions: which ones, how they are written, and where there are too few."""

import pytest

from engine.chat import Message
from engine.compare.items import Item
from engine.errors import EngineError
from engine.impact.suites.fewshot import answer_of, describe_examples, with_examples

SYSTEM = Message("system", "Be short.")


def _item(name: str, group: str = "", answer: str | None = None) -> Item:
    gold = (f"answer {name}" if answer is None else answer,)
    return Item(
        name,
        (SYSTEM, Message("user", f"question {name}")),
        score="exact",
        gold=gold if gold[0] else (),
        group=group,
    )


TWENTY = [_item(str(number)) for number in range(20)]


def test_examples_are_earlier_turns_of_the_conversation() -> None:
    (asked, *_) = with_examples(TWENTY[:3], 2, "own", examples=TWENTY[:3])
    assert asked.messages == (
        SYSTEM,
        Message("user", "question 1"),
        Message("assistant", "answer 1"),
        Message("user", "question 2"),
        Message("assistant", "answer 2"),
        Message("user", "question 0"),
    )
    assert (asked.id, asked.gold) == ("0", ("answer 0",))


def test_raw_examples_are_blocks_of_text() -> None:
    asked = with_examples(TWENTY[:3], 2, "raw", examples=TWENTY[:3])[2]
    # A raw prompt joins its messages with an empty line.
    assert "\n\n".join(one.content for one in asked.messages) == (
        "Be short.\n\nquestion 0 answer 0\n\nquestion 1 answer 1\n\nquestion 2"
    )


def test_an_item_is_drawn_the_same_examples_each_time_and_others_than_the_next() -> None:
    once = with_examples(TWENTY, 4, "own")
    assert once == with_examples(TWENTY, 4, "own")
    assert once != with_examples(TWENTY, 4, "own", seed=2)
    sets = {item.messages[1:-1] for item in once}
    assert len(sets) == 20
    for item in once:
        asked = [one.content for one in item.messages if one.role == "user"]
        assert len(set(asked)) == 5, "no example twice, and not the item itself"


def test_the_draw_is_pinned() -> None:
    """A prompt that changes from version to version would change scores in silence."""
    first = with_examples(TWENTY, 3, "own")[0]
    assert [one.content for one in first.messages if one.role == "assistant"] == [
        "answer 14",
        "answer 13",
        "answer 7",
    ]


def test_no_example_is_of_the_items_group_or_asks_the_same() -> None:
    twin = Item("twin", TWENTY[0].messages, score="exact", gold=("another",))
    items = [_item("a", "g"), _item("b", "g"), _item("c", "h"), TWENTY[0], twin]
    for item in with_examples(items, 2, "own"):
        shown = {one.content for one in item.messages if one.role == "assistant"}
        assert not (item.id in "ab" and shown & {"answer a", "answer b"})
        assert not (item.id in ("0", "twin") and shown & {"answer 0", "another"})


def test_too_few_examples_are_refused_with_their_number() -> None:
    items = [_item("a", "g"), _item("b", "g"), _item("c"), _item("d", answer="")]
    with pytest.raises(EngineError, match="Too few examples: 2") as raised:
        with_examples(items, 2, "own")
    assert raised.value.detail.startswith("a: of the other items 1 have a right answer")
    assert "fewshot=1" in raised.value.hint
    assert len(with_examples(items, 1, "own")) == 4


def test_items_without_a_right_answer_are_counted() -> None:
    items = [
        *TWENTY[:3],
        _item("open", answer=""),
        Item("t", score="perplexity", text="It rained."),
    ]
    assert describe_examples(items) == [
        "1 of 4 items have no right answer: they are asked, and are no examples",
        "1 texts are read without examples",
    ]
    *asked, text = with_examples(items, 2, "own")
    assert all("open" not in one.content for item in asked[:3] for one in item.messages)
    assert text == items[-1], "a text that is read has no examples before it"
    assert describe_examples(TWENTY) == []
    assert describe_examples([text])[0].startswith("these are texts")


def test_a_reference_solves_an_item_and_a_gold_answer_outweighs_it() -> None:
    asked = (Message("user", "q"),)
    assert answer_of(Item("a", asked, reference="long")) == "long"
    assert answer_of(Item("a", asked, reference="long", score="exact", gold=("x", "y"))) == "x"
    assert answer_of(Item("a", text="text", score="perplexity")) == ""


def test_zero_examples_change_nothing() -> None:
    assert with_examples(TWENTY, 0, "raw") == tuple(TWENTY)
