"""The word diff: it tells both texts whole, and what differs."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.word_diff import MOST_PIECES, align, common_length, compare
from engine.words import unify, words_of

AT_ONCE = pytest.mark.timeout(30)
"""For what takes hundredths of a second, and minutes where it is done wrongly."""
TEXTS = st.text(alphabet="ab c\n.,'é日本\u0301", max_size=60) | st.text(max_size=40)


@given(TEXTS, TEXTS)
def test_both_texts_come_back_whole(left: str, right: str) -> None:
    changes = compare(left, right).changes
    assert "".join(change.left for change in changes) == left
    assert "".join(change.right for change in changes) == right
    assert all(change.left or change.right for change in changes)


@given(TEXTS)
def test_equal_texts_have_one_change_at_most(text: str) -> None:
    found = compare(text, text)
    assert [change.kind for change in found.changes] == (["same"] if text else [])
    assert found.share == 1.0


def test_words_that_differ_are_told_apart() -> None:
    found = compare("The cat sat on the mat.", "The dog sat on a mat.")
    assert [(change.kind, change.left or change.right) for change in found.changes] == [
        ("same", "The "), ("only_left", "cat"), ("only_right", "dog"), ("same", " sat on "),
        ("only_left", "the"), ("only_right", "a"), ("same", " mat."),
    ]  # fmt: skip
    assert (found.same_words, found.left_words, found.right_words) == (4, 6, 6)


def test_white_space_between_two_changes_belongs_to_them() -> None:
    found = compare("one two three", "uno dos three")
    kinds = [(change.kind, change.left or change.right) for change in found.changes]
    assert kinds == [("only_left", "one two"), ("only_right", "uno dos"), ("same", " three")]


def test_words_are_aligned_before_what_stands_between_them() -> None:
    found = compare("moon bright", "the moon")
    assert found.share == 0.5
    assert [change.left for change in found.changes if change.kind == "same"] == ["moon"]
    assert compare("moon . , ;", ". , ; moon").share == 1.0


@given(TEXTS, TEXTS)
def test_the_words_in_common_are_those_of_the_longest_subsequence(left: str, right: str) -> None:
    found = compare(left, right)
    kept = [change.left for change in found.changes if change.kind == "same"]
    ours, theirs = ([unify(word) for word in words_of(text)] for text in (left, right))
    lengths = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for at, word in enumerate(ours):
        for other, theirs_word in enumerate(theirs):
            lengths[at + 1][other + 1] = (
                lengths[at][other] + 1
                if word == theirs_word
                else max(lengths[at][other + 1], lengths[at + 1][other])
            )
    assert found.same_words == lengths[-1][-1]
    assert sum(len(words_of(text)) for text in kept) == found.same_words


def test_scripts_without_spaces_are_compared_by_character() -> None:
    found = compare("猫が好き", "犬が好き")
    assert [change.kind for change in found.changes] == ["only_left", "only_right", "same"]


def test_a_book_does_not_take_for_ever() -> None:
    long = "word " * MOST_PIECES
    found = compare(long, long + "more")
    assert "".join(change.right for change in found.changes) == long + "more"


WORDS = st.lists(st.sampled_from(list("abcdefghij")) | st.integers(0, 400).map(str))


@given(WORDS, WORDS, st.integers(0, 300))
def test_long_texts_come_back_whole_too(left: list[str], right: list[str], common: int) -> None:
    shared = " ".join(f"w{at}" for at in range(common))
    one, other = (f"{' '.join(side)} {shared} {' '.join(side)}" for side in (left, right))
    found = compare(one, other)
    assert "".join(change.left for change in found.changes) == one
    assert "".join(change.right for change in found.changes) == other
    assert found.same_words >= common
    kinds = [change.kind for change in found.changes]
    assert ("same", "same") not in list(pairwise(kinds))
    for change in found.changes:
        if change.kind == "same":
            assert change.left.split() == change.right.split()


@AT_ONCE
def test_long_answers_are_compared_at_once() -> None:
    """A minute where matching is cubic."""
    words = [f"w{at % 997}" for at in range(1500)]
    changed = [word if at % 5 else "x" for at, word in enumerate(words)]
    found = compare(" ".join(words), " ".join(changed))
    assert found.same_words == 1200


@AT_ONCE
def test_texts_that_repeat_themselves_are_no_harder() -> None:
    """Minutes where each repeat is matched with each."""
    left, right = ("the cat sat " * (MOST_PIECES // 6), "on the dog the " * (MOST_PIECES // 8))
    found = compare(left, right)
    assert found.same_words == MOST_PIECES // 6


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_most_is_kept(ours: list[str], theirs: list[str]) -> None:
    lengths = [0] * (len(theirs) + 1)
    for one in ours:
        before = list(lengths)
        for at, other in enumerate(theirs):
            lengths[at + 1] = max(before[at + 1], lengths[at], before[at] + (one == other))
    steps = list(align(ours, theirs))
    assert sum(stop - start for both, start, stop, _, _ in steps if both) == lengths[-1]
    assert common_length(ours, theirs) == lengths[-1]
    assert all(both != again for (both, *_), (again, *_) in pairwise(steps))
    for both, start, stop, begin, end in steps:
        assert not both or ours[start:stop] == theirs[begin:end]


def test_what_one_has_alone_is_cut_out_in_one() -> None:
    assert list(align(["a", "b", "c"], ["a", "x", "a", "b", "c"])) == [
        (False, 0, 0, 0, 2), (True, 0, 3, 2, 5),
    ]  # fmt: skip
