"""Rows that repeat the evaluation side, by runs of words and as a whole."""

import pytest

from engine.synthesis.gates.candidate import HeldOutText
from engine.synthesis.gates.overlap_gate import OverlapCheck
from tests.synthesis.gates.made_rows import candidate

TEXT = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
WORDS = TEXT.split()
HELD_OUT = [
    HeldOutText("e.jsonl:4", "It came late, yet " + " ".join(WORDS[:13]) + " was what it had."),
    HeldOutText("e.jsonl:5", "A short question?"),
    HeldOutText("e.jsonl:5", "agree", is_answer=True),
    HeldOutText("e.jsonl:6", "Something else altogether?"),
    HeldOutText("e.jsonl:6", " ".join(reversed(WORDS)), is_answer=True),
]
CHECK = OverlapCheck(HELD_OUT, 13)


def test_a_run_of_thirteen_words_is_found_and_shown() -> None:
    detail = CHECK.check(candidate("Fine.", text="I say " + " ".join(WORDS[:13])))
    assert detail == (
        f'review shares 13 words in a row with a held-out text, e.jsonl:4: "{" ".join(WORDS[:13])}"'
    )


@pytest.mark.parametrize("text", [" ".join(WORDS[:12]), " ".join([*WORDS[:8], "x", *WORDS[8:13]])])
def test_fewer_words_in_a_row_are_not(text: str) -> None:
    assert CHECK.check(candidate("Fine.", text=text)) == ""


def test_an_answer_is_looked_at_as_well() -> None:
    detail = CHECK.check(candidate(" ".join(reversed(WORDS))))
    assert detail.startswith("reply has all of a held-out answer, e.jsonl:6:")


def test_a_whole_text_is_found_however_short() -> None:
    detail = CHECK.check(candidate("a SHORT question"))
    assert detail == 'reply has all of a held-out text, e.jsonl:5: "a short question"'


def test_short_answers_stand_in_many_rows() -> None:
    assert CHECK.check(candidate("agree")) == ""


def test_the_length_of_a_run_is_the_recipes() -> None:
    text = " ".join(WORDS[:6])
    assert (
        OverlapCheck(HELD_OUT, 6).check(candidate("Fine.", text=text)).startswith("review shares")
    )
    assert OverlapCheck(HELD_OUT, 7).check(candidate("Fine.", text=text)) == ""


def test_what_many_held_out_rows_begin_with_is_no_overlap() -> None:
    ask = "Read what was written and say in one word whether you agree with it or not:"
    held_out = [HeldOutText(f"e:{at}", f"{ask} text number {at} of all") for at in range(5)]
    assert OverlapCheck(held_out, 13).check(candidate("Fine.", text=f"{ask} mine")) == ""


def test_what_the_recipe_writes_into_every_row_is_no_overlap() -> None:
    """One held-out text alone begins as the recipe does: that makes it no template there."""
    held_out = [HeldOutText("e:1", "Read this review:\nAll was well.\nThen reply.")]
    assert OverlapCheck(held_out, 3).check(candidate("Fine.", text="It broke.")) == ""
    assert (
        OverlapCheck(held_out, 3)
        .check(candidate("Fine.", text="All was well."))
        .endswith('e:1: "all was well"')
    )
    whole = OverlapCheck(held_out, 13).check(candidate("Fine.", text="All was well."))
    assert whole.startswith("review has all of a held-out text, e:1:")


def test_the_first_row_by_name_is_shown_whatever_the_order() -> None:
    same = [HeldOutText(name, " ".join(WORDS)) for name in ("e:3", "e:1", "e:2")]
    for held_out in (same, same[::-1]):
        assert "e:1" in OverlapCheck(held_out, 13).check(candidate(" ".join(WORDS)))
