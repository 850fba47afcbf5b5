"""Two arms in numbers, against differences worked out by hand."""

import math

import pytest

from engine.chat import Message
from engine.compare.items import Item
from engine.compare.metrics import Numbers, numbers_of
from engine.compare.paired_stats import (
    LEAST_PROMPTS,
    Comparison,
    PairedDifference,
    compare,
    interval,
)
from engine.compare.samples import Finish, Sample, Timings
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.statistics import paired_proportions


def sample(prompt: str, text: str, arm: str = "base", finish: Finish = "stop") -> Sample:
    said = (Message("user", prompt),)
    return Sample(prompt, said, arm, 7, "", (1,), (2,), text, finish, (-0.1,), Decode(),
                  Timings(0.1, 0.2))  # fmt: skip


def row(found: Comparison, name: str) -> PairedDifference:
    return next(one for one in found.rows if one.name == name)


def test_the_interval_is_the_papers() -> None:
    # d = 1, 2, 3, 1, 2, 3: mean 2, variance 4/5, so 2 ± t · sqrt(4/30), t of 5 degrees.
    reach = 2.570582 * math.sqrt(4 / 30)
    assert interval([1, 2, 3, 1, 2, 3]) == pytest.approx((2 - reach, 2 + reach))


def test_too_few_prompts_have_no_interval_however_alike_they_are() -> None:
    assert interval([4]) == interval([1] * (LEAST_PROMPTS - 1)) == (-math.inf, math.inf)
    low, high = interval([1] * LEAST_PROMPTS)
    assert 0 < low < 0.5
    assert high == 1
    assert interval([2] * LEAST_PROMPTS) == (2, 2)


def test_right_or_wrong_is_a_proportion_and_no_change_has_a_bound() -> None:
    assert interval([1, 0, 0, -1, 0, 0, 1, 0]) == paired_proportions(2, 1, 8)
    low, high = interval([0.0] * 300)
    assert (low, high) == pytest.approx((-0.00994, 0.00994), abs=1e-5)


def test_a_similarity_of_two_answers_is_no_evidence() -> None:
    base = [sample("a", "one two three"), sample("b", "one two four")]
    tuned = [sample("a", "one two", "t"), sample("b", "three two one", "t")]
    found = row(compare(base, tuned), "self-BLEU")
    assert found.difference
    assert not found.differs
    assert math.isinf(found.detectable)


def test_pairs_are_by_prompt_and_the_rest_is_left_out() -> None:
    base = [sample("a", "one two"), sample("b", "one"), sample("only-base", "x " * 50)]
    tuned = [
        sample("b", "one two three four", "tuned", "length"),
        sample("a", "one two", "tuned"),
        sample("only-tuned", "y", "tuned"),
    ]
    found = compare(base, tuned)
    assert (found.left, found.right, found.prompts) == ("base", "tuned", 2)
    words = row(found, "words")
    assert (words.left, words.right, words.difference) == (1.5, 3.0, 1.5)
    assert words.drivers == ("b",)
    assert not words.differs
    assert row(found, "complete").difference == -0.5


def test_a_sure_difference_is_one() -> None:
    base = [sample(str(at), "a word") for at in range(20)]
    tuned = [sample(str(at), f"# head\n- item {at}\n- other", "tuned") for at in range(20)]
    found = compare(base, tuned)
    items = row(found, "list items")
    assert items.differs
    assert (items.low, items.high) == (2.0, 2.0)
    assert items.drivers == tuple(str(at) for at in range(20))
    assert items.detectable == 0
    begins = next(one for one in found.kinds if one.name == "begins with")
    assert begins.left == {"a word": 20}
    assert len(begins.drivers) == 20
    assert row(found, "self-BLEU").left == pytest.approx(1.0)
    assert found.same == 0


def test_what_does_not_apply_is_left_out_and_has_an_n_of_its_own() -> None:
    asked = {
        "a": Item("a", (Message("user", "a"),), reference="Oslo", checks={"words": 1}),
        "b": Item("b", (Message("user", "b"),), checks={"capitals": True, "words": 2}),
    }

    def numbers(one: Sample) -> Numbers:
        return numbers_of(one, asked.get(one.prompt_id))

    base = [sample("a", "It is Oslo."), sample("b", "TWO WORDS"), sample("c", "x")]
    tuned = [sample("a", "oslo", "t"), sample("b", "two", "t"), sample("c", "y", "t")]
    found = compare(base, tuned, numbers)
    met = row(found, "checks met")
    assert (met.prompts, met.left, met.right) == (2, 0.5, 0.5)
    assert met.drivers == ("a", "b")
    assert (row(found, "contains reference").prompts, row(found, "words").prompts) == (1, 3)
    assert row(found, "reference F1").left == pytest.approx(0.5)
    assert math.isinf(row(found, "reference F1").detectable)
    names = [one.name for one in compare(base, tuned).rows]
    assert "checks met" not in names
    assert names[0] == "complete"


def test_the_least_difference_that_would_show() -> None:
    # d = 0 or 2 by turns, n = 20: standard error sqrt(20/19)/sqrt(20).
    base = [sample(str(at), "one") for at in range(20)]
    tuned = [sample(str(at), "one" + " more" * (at % 2 * 2), "t") for at in range(20)]
    expected = 2.093024 * (1.959964 + 0.841621) / 1.959964 * math.sqrt(1 / 19)
    assert row(compare(base, tuned), "words").detectable == pytest.approx(expected, rel=1e-5)


def test_no_prompt_in_common_is_said() -> None:
    with pytest.raises(EngineError, match="no prompt in common"):
        compare([sample("a", "x")], [sample("b", "x")])
