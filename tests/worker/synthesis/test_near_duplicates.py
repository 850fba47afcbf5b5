"""Rows that are nearly the same: on a made set with known truth, by fields, in any order."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField
from engine.statistics import wilson
from engine.synthesis.gates.candidate import HeldOutText, NotJudged, RowCandidate, make_candidate
from engine.synthesis.gates.likeness import jaccard, normalise, shingles_of
from engine.synthesis.source_rows import SourceRow
from engine.worker.synthesis.near_duplicates import (
    MOST_MISSED,
    PERMUTATIONS,
    NearDuplicates,
    NearTexts,
    choose_bands,
)
from tests.worker.synthesis.made_duplicates import KINDS, draw_pairs, measure

EACH = 20
"""Pairs of a kind; the benchmark makes 100."""
LONG = "The quiet kettle leaked after a week, and the narrow window of the house broke at once."
OTHER = "A teacher of mine keeps a heavy blanket beside the river, where nobody ever looks for it."
RECIPE = SynthesizeRecipe(
    fields={
        "text": RowField(take="{text}"),
        "reply": RowField(ask="?"),
        "label": RowField(ask="?", type="label", choices=["a", "b"]),
    }
)


def row(name: str, text: str, reply: str | None = "Fine.", label: str = "a") -> RowCandidate:
    values = {"text": text, "label": label} | ({"reply": reply} if reply is not None else {})
    return make_candidate(RECIPE, SourceRow(name, name, "f", 1, text, {"text": text}), values)


def gate_of(*rows: RowCandidate, held_out: tuple[HeldOutText, ...] = ()) -> NearDuplicates:
    gate = NearDuplicates(0.8, held_out)
    for each in rows:
        gate.add(each)
    return gate


def test_precision_and_recall_on_the_made_set() -> None:
    """Loose, of 200 pairs; `make bench duplicates` states both of 1,000."""
    found = measure(KINDS, EACH)
    right = sum(found[kind.name] for kind in KINDS if kind.is_same)
    wrong = sum(found[kind.name] for kind in KINDS if not kind.is_same)
    same = EACH * sum(kind.is_same for kind in KINDS)
    assert wilson(right, same)[0] >= 0.9, found
    assert wilson(right, right + wrong)[0] >= 0.9, found
    for name in ("layout and letter case", "1 word of 70 replaced", "short, other layout"):
        assert found[name] == EACH
    for name in ("the same vocabulary", "the same frame", "short, 1 character apart"):
        assert found[name] == 0


def test_hashing_proposes_what_brute_force_finds() -> None:
    texts = [
        one for kind in KINDS for pair in draw_pairs(kind, 4) for one in (pair.first, pair.second)
    ]
    long = [text for text in texts if len(text) > 100]
    index = NearTexts(0.8)
    for at, text in enumerate(long):
        index.add(str(at), text)
    sets = [shingles_of(normalise(text)) for text in long]
    found = [index.find(text) for text in long]
    near = 0
    for first, second in combinations(range(len(long)), 2):
        similarity = jaccard(sets[first], sets[second])
        assert found[first].get(str(second), 0.0) == (similarity if similarity >= 0.8 else 0.0)
        near += similarity >= 0.8
    assert near >= 10


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8, 0.9, 1.0])
def test_bands_miss_few_at_the_threshold(threshold: float) -> None:
    bands, rows = choose_bands(threshold)
    assert bands * rows <= PERMUTATIONS
    assert (1 - threshold**rows) ** bands <= MOST_MISSED
    more = rows + 1
    assert rows == 16 or (1 - threshold**more) ** (PERMUTATIONS // more) > MOST_MISSED


def test_a_reviewer_reads_which_row_is_near_and_how_near() -> None:
    gate = gate_of(row("r:1", OTHER), row("r:2", LONG))
    assert gate.check(row("new", LONG.upper())) == "the same as the row of r:2"
    detail = gate.check(row("new", LONG.replace("quiet", "old")))
    assert detail == "0.82 alike to the row of r:2"
    assert gate.check(row("new", LONG, label="b")) == (
        "the same as the row of r:2, where label is a, here b"
    )
    assert gate.check(row("new", f"{LONG} {OTHER}")) == ""


def test_each_text_of_a_row_has_to_be_near() -> None:
    gate = gate_of(row("r:1", LONG, OTHER))
    assert gate.check(row("new", LONG, OTHER)) != ""
    assert gate.check(row("new", LONG, "Another reply.")) == ""  # two answers to one question
    assert gate.check(row("new", "Another.", OTHER)) == ""  # one answer to two questions
    assert gate.check(row("new", LONG, None)) == ""  # an optional field that it lacks
    assert gate_of(row("r:1", LONG, None)).check(row("new", LONG, OTHER)) == ""


def test_two_texts_of_different_rows_make_no_near_row() -> None:
    gate = gate_of(row("r:1", LONG, "One."), row("r:2", OTHER, "Two."))
    assert gate.check(row("new", LONG, "Two.")) == ""


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("It is good.", "it  IS good", True),
        ("Is it good?", "It is good.", False),
        ("What is 5 + 3?", "What is 5 - 3?", False),
        ("Good", "Goods", False),
        ("很好。", "很好", True),
        ("خوب است؟", "خوب است", True),
        ("Caf\u00e9", "Cafe\u0301", True),
        ("\ud800", "\ud800", True),
        ("", "   ", True),
    ],
)
def test_short_texts_are_compared_exactly(first: str, second: str, is_same: bool) -> None:
    assert bool(gate_of(row("r:1", first)).check(row("new", second))) == is_same


def test_short_texts_are_compared_exactly_at_any_threshold() -> None:
    gate = NearDuplicates(0.2)
    gate.add(row("r:1", "What is 12 + 34?"))
    assert gate.check(row("new", "What is 12 - 34?")) == ""
    gate.add(row("r:2", LONG))
    assert gate.check(row("new", LONG[:50])) != ""


def test_what_the_recipe_writes_into_every_row_does_not_count() -> None:
    ask = "You read what a buyer wrote and say in one word whether they agree with the seller: "
    recipe = SynthesizeRecipe(fields={"text": RowField(take=ask + "{text}")})
    gate = NearDuplicates(0.8)
    for name, text in (("r:1", "It broke."), ("r:2", "It is well.")):
        made = make_candidate(
            recipe, SourceRow(name, name, "f", 1, text, {"text": text}), {"text": ask + text}
        )
        assert gate.check(made) == ""
        gate.add(made)


def test_a_row_is_no_duplicate_of_what_it_was() -> None:
    gate = gate_of(row("r:1", LONG))
    assert gate.check(row("r:1", LONG)) == ""
    gate.add(row("r:1", OTHER))
    assert gate.check(row("new", LONG)) == ""
    assert gate.check(row("new", OTHER)) != ""
    gate.remove("r:1")
    gate.remove("r:1")
    assert gate.check(row("new", OTHER)) == ""


HELD_OUT = (
    HeldOutText("e:1", LONG),
    HeldOutText("e:2", "Is it good?"),
    HeldOutText("e:2", "Fine.", is_answer=True),
    HeldOutText("e:3", OTHER, is_answer=True),
)


@pytest.mark.parametrize(
    ("text", "reply", "detail"),
    [
        (LONG.replace("quiet", "old"), "Fine.", "text is 0.82 alike to a held-out text, e:1"),
        ("is it GOOD", "Fine.", "text is the same as a held-out text, e:2"),
        ("It broke.", OTHER, "reply is the same as a held-out text, e:3"),
        ("It broke.", "Fine.", ""),  # a short answer stands in many rows
    ],
)
def test_any_text_near_the_evaluation_side(text: str, reply: str, detail: str) -> None:
    assert gate_of(held_out=HELD_OUT).check(row("new", text, reply)) == detail


def test_held_out_texts_are_compared_without_their_template() -> None:
    ask = "You read what a buyer wrote and say in one word whether they agree with the seller:"
    texts = ["it broke on the first day", "it is well so far", LONG, OTHER]
    held_out = tuple(HeldOutText(f"e:{at}", f"{ask} {text}") for at, text in enumerate(texts))
    gate = gate_of(held_out=held_out)
    assert gate.check(row("new", "It is well so far.")).endswith("held-out text, e:1")
    assert gate.check(row("new", f"{ask} nothing of that")) == ""


def test_a_row_without_texts_is_not_judged() -> None:
    recipe = SynthesizeRecipe(fields={"stars": RowField(ask="?", type="integer")})
    made = make_candidate(recipe, SourceRow("r:1", "r:1", "f", 1, "x", {}), {"stars": 3})
    with pytest.raises(NotJudged):
        NearDuplicates(0.8).check(made)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(8)), st.integers(0, 7))
def test_what_is_said_does_not_depend_on_the_order_of_rows(order: list[int], asked: int) -> None:
    texts = [LONG, LONG.replace("quiet", "old"), LONG.replace("week", "year"), OTHER] * 2
    rows = [row(f"r:{at}", text) for at, text in enumerate(texts)]
    new = row("new", texts[asked])
    assert gate_of(*(rows[at] for at in order)).check(new) == gate_of(*rows).check(new)


def test_a_text_of_any_size_takes_bounded_time() -> None:
    gate = gate_of(row("r:1", "a long text of words " * 100_000))
    assert gate.check(row("new", "a long text of words " * 100_001)) != ""
