"""An answer that is the source again, by the longest run of words that both share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.synthesis.gates.candidate import NotJudged
from engine.synthesis.gates.copy_gate import check_copy, longest_shared_run
from tests.synthesis.gates.made_rows import candidate

SOURCE = "The kettle leaked on the second day and the shop did not answer my letter."
WORDS = st.lists(st.sampled_from("abc"), max_size=12)


@given(WORDS, WORDS)
def test_the_run_is_the_longest_and_the_first(words: list[str], others: list[str]) -> None:
    begin, length = longest_shared_run(words, others)

    def stands(run: list[str]) -> bool:
        return any(others[at : at + len(run)] == run for at in range(len(others) - len(run) + 1))

    runs = [
        (end - start, -start)
        for start in range(len(words))
        for end in range(start + 1, len(words) + 1)
        if stands(words[start:end])
    ]
    assert (length, -begin) == max(runs, default=(0, 0))


def test_a_whole_copy_is_held_back_whatever_its_layout() -> None:
    detail = check_copy(candidate(SOURCE.upper().replace(" ", "\n"), text=SOURCE), 0.9)
    assert detail == (
        "15 of 15 words of reply stand in the source in one run: "
        '"the kettle leaked on the second day and the shop did not …"'
    )


@pytest.mark.parametrize(("own", "is_held"), [(1, True), (2, False), (5, False)])
def test_the_share_is_of_the_answers_words(own: int, is_held: bool) -> None:
    """15 words of the source, and so many before them: 15 of 16 are more than .9, 15 of 17 not."""
    reply = " ".join(["well"] * own) + " " + SOURCE
    assert bool(check_copy(candidate(reply, text=SOURCE), 0.9)) == is_held


def test_half_an_answer_from_the_source_passes_at_a_half_and_not_below() -> None:
    reply = "We are sorry: the kettle leaked on the second day, so we send another."
    assert check_copy(candidate(reply, text=SOURCE), 0.5) == ""
    assert check_copy(candidate(reply, text=SOURCE), 0.4).startswith("7 of 14 words of reply")


def test_words_of_chinese_are_compared_one_by_one() -> None:
    text = "包裹晚到了两天，不过里面的东西都完好无损。"
    assert check_copy(candidate(text, text=f"你好。{text}"), 0.9).startswith("19 of 19")
    assert check_copy(candidate("请告诉我怎样退回订购的水壶。", text=text), 0.9) == ""


def test_a_short_answer_is_not_judged() -> None:
    with pytest.raises(NotJudged, match="fewer than 8 words"):
        check_copy(candidate("The kettle leaked.", text=SOURCE), 0.9)


@pytest.mark.timeout(60)
def test_long_texts_of_one_word_take_no_time() -> None:
    assert longest_shared_run(["a"] * 3_000, ["a"] * 20_000) == (0, 3_000)
