"""Items among training rows: exact, by runs of 13 words, question and answer apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.compare.items import Item
from engine.impact.suites.contamination import (
    ContaminationCheck,
    ItemContamination,
)
from engine.impact.suites.word_runs import TEMPLATE_ITEMS, TEMPLATE_SHARE, TextTemplates

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


def _many(template: str, *own: str) -> list[Item]:
    return [_item(template.format(text), name=str(at)) for at, text in enumerate(own)]


OWN = ("i woke up and felt well for once", "i woke up late and missed the early bus home",
       "nobody came to see the play that we wrote",
       "the sea was calm and grey all day long", "too few words to tell")  # fmt: skip
ASKED = "What emotion is in the text that now follows? Answer with one word: {}"


def _flagged(items: list[Item], *questions: str) -> dict[str, str]:
    check = ContaminationCheck(items)
    check.read([_row(one, "joy") for one in questions])
    return {name: one.question for name, one in check.found.items() if one.question}


def test_an_instruction_and_a_few_words_are_no_run_of_the_items_own() -> None:
    """Its 13 words and the first of a text are a run of 14, which is found in every row."""
    asked = ASKED.format("i woke up and felt sad all day, as ever")
    assert _flagged(_many(ASKED, *OWN), asked) == {}
    alone = _many(ASKED, OWN[0])
    assert _flagged(alone, asked) == {"0": "13-gram"}, "of one item no template is known"


def test_an_items_own_text_is_found_under_another_template() -> None:
    items = _many(ASKED, *OWN)
    assert _flagged(items, ASKED.format(OWN[2])) == {"2": "exact"}
    assert _flagged(items, OWN[3]) == {"3": "exact"}
    assert _flagged(items, f"Which label fits this? {OWN[0]}") == {"0": "exact"}
    assert _flagged(items, f"{OWN[2]}\n\nIs that sad?") == {"2": "exact"}
    assert _flagged(items, f"He said: {OWN[2]}, and left") == {}, "a part of another text"
    assert _flagged(items, f"As he said: {OWN[4]}") == {}, "other texts end so too"
    assert _flagged(items, ASKED.format(OWN[4])) == {"4": "exact"}


def test_an_instruction_may_stand_after_the_text() -> None:
    ending = "{} | Which of all these emotions is it that this text shows to you? joy or fear"
    items = _many(ending, *OWN)
    assert _flagged(items, ending.format("we felt very well for once")) == {}
    assert _flagged(items, ending.format(OWN[0])) == {"0": "exact"}


def test_long_texts_keep_their_runs_and_several_instructions_are_known() -> None:
    words = LONG.split()
    own = [" ".join(words[at:] + words[:at]) for at in range(8)]  # each begins and ends elsewhere
    rows = [
        f"{'Please' if at % 2 else 'Now'} tell me at once, in a single word, which emotion is "
        f"shown by this text: {text}"
        for at, text in enumerate(own)
    ]
    items = [_item(one, name=str(at)) for at, one in enumerate(rows)]
    assert _flagged(items, rows[0].replace(own[0], " ".join(words[:9]))) == {}
    # Turned by at most 4 of its 17 words a text has a run in common with another.
    found = _flagged(items, f"He wrote: {own[5]}, and left")
    assert found == dict.fromkeys("1234567", "13-gram")


def test_two_suites_do_not_share_a_template() -> None:
    check = ContaminationCheck(_many(ASKED, *OWN))
    check.add([_item(ASKED.format("a text of another suite altogether"), name="other")])
    check.read([_row(ASKED.format("a text of another suite, unlike"), "joy")])
    assert [name for name, one in check.found.items() if one.question] == ["other"]


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=6).map(tuple), max_size=40))
def test_a_template_is_what_so_many_texts_share(texts: list[tuple[str, ...]]) -> None:
    distinct, least = set(texts), max(TEMPLATE_ITEMS, TEMPLATE_SHARE * len(texts))

    def count(words: tuple[str, ...], way: int) -> int:
        sizes = range(1, len(words) + 1)
        alike = [
            size
            for size in sizes
            if sum(one[::way][:size] == words[::way][:size] for one in distinct) >= least
        ]
        return max(alike, default=0)

    templates = TextTemplates(texts)
    for words in texts:
        own = words[count(words, 1) : len(words) - count(words, -1)]
        assert templates.strip(words) == (own or words)


@pytest.mark.timeout(60)
def test_questions_on_one_long_document_take_no_time() -> None:
    """Every beginning of 40,000 words would be 6 GB, and minutes."""
    document = " ".join(f"w{at}" for at in range(40_000))
    items = [_item(f"{document} and what of {at}, then?", name=str(at)) for at in range(5)]
    assert set(_flagged(items, f"{document} and what of 3, then?")) == {"3"}
