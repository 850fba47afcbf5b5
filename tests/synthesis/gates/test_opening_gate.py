"""The same first words again and again."""

from engine.synthesis.gates.opening_gate import (
    FEWEST,
    OpeningShare,
    OpeningWatch,
    commonest_openings,
)
from tests.synthesis.gates.made_rows import candidate


def _watch(*replies: str, most: float = 0.2) -> OpeningWatch:
    watch = OpeningWatch(most)
    for number, reply in enumerate(replies):
        watch.add(candidate(reply, name=f"r:{number}"))
    return watch


def test_a_few_rows_may_begin_alike() -> None:
    replies = [f"Thank you for letter {at}." for at in range(FEWEST)]
    assert _watch(*replies[:-1]).check(candidate(replies[-1], name="new")) == ""
    detail = _watch(*replies).check(candidate("thank YOU for this", name="new"))
    assert detail == (
        'reply begins with "thank you for", as 5 of 5 rows that passed; at most 20% may'
    )


def test_of_many_rows_a_share_may() -> None:
    others = [f"Number {at} is well." for at in range(30)]
    alike = ["Thank you for all."] * 7
    new = candidate("Thank you for this.", name="new")
    assert _watch(*others, *alike[:6]).check(new) == ""  # the 7th of 37: .189
    assert _watch(*others, *alike).check(new) == (
        'reply begins with "thank you for", as 7 of 37 rows that passed; at most 20% may'
    )  # the 8th of 38: .211


def test_a_row_of_the_same_source_does_not_count() -> None:
    watch = _watch(*["Thank you for all."] * FEWEST)
    assert watch.check(candidate("Thank you for this.", name="r:0")) == ""
    watch.add(candidate("Another beginning of it.", name="r:0"))
    assert watch.check(candidate("Thank you for this.", name="new")) == ""
    watch.add(candidate("Thank you for this.", name="r:0"))
    watch.remove("r:1")
    assert watch.check(candidate("Thank you for this.", name="new")) == ""


def test_a_row_of_the_same_source_is_none_of_the_others() -> None:
    """The 8th of 39 rows is too much, of 40 it would not be."""
    others = [f"Number {at} is well." for at in range(31)]
    watch = _watch(*["Thank you for all."] * 7, *others)
    watch.add(candidate("Another beginning of it.", name="own"))
    assert watch.check(candidate("Thank you for this.", name="own")).endswith(
        "as 7 of 38 rows that passed; at most 20% may"
    )
    assert watch.check(candidate("Thank you for this.", name="new")) == ""


def test_texts_of_fewer_words_have_no_opening() -> None:
    assert _watch(*["Thank you."] * 20).check(candidate("Thank you.", name="new")) == ""


def test_the_commonest_openings_with_their_share() -> None:
    replies = ["A b c d.", "Once upon a time.", "a b c!", "Thank you all.", "Short."]
    rows = [candidate(reply, name=f"r:{at}") for at, reply in enumerate(replies)]
    assert commonest_openings(rows) == [OpeningShare("reply", "a b c", 2, 4)]
