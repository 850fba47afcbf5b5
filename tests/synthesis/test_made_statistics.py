"""Diversity, lengths and labels of rows made, each with what it rests on."""

import random
from collections.abc import Sequence

import pytest

from engine.compare.text_metrics import distinct_over
from engine.statistics import wilson
from engine.synthesis.accepted_rows import AcceptedRow, accepted
from engine.synthesis.made_statistics import MOST, MadeStatistics, mean_self_bleu, measure_rows
from engine.synthesis.outcomes import Outcome
from engine.synthesis.shares import Share, count_share
from tests.synthesis.made_job import make_outcome, make_source, read_recipe


def make_rows(texts: Sequence[str], per_source: int = 1) -> list[AcceptedRow]:
    sources = [
        make_source(number, group=f"g{number // per_source}") for number in range(len(texts))
    ]
    opinions = ("agree", "disagree")
    outcomes = {
        source.id: make_outcome(number, completion=text, opinion=opinions[number % 4 == 3])
        for number, (source, text) in enumerate(zip(sources, texts, strict=True))
    }
    return list(accepted(sources, outcomes, {}, accept_all=True))


def write_texts(count: int, words: int, seed: int) -> list[str]:
    """Words as frequent as Zipf has them: the n-th 1 / n as often as the first."""
    chance = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(400)]
    weights = [1 / number for number in range(1, 401)]
    return [" ".join(chance.choices(vocabulary, weights, k=words)) for _ in range(count)]


def measure(rows: Sequence[AcceptedRow]) -> MadeStatistics:
    return measure_rows(read_recipe(), rows)


def test_the_values_are_those_of_the_texts_that_were_asked_for() -> None:
    texts = write_texts(40, 12, 1)
    (field,) = measure(make_rows(texts)).texts
    assert (field.field, field.texts, field.measured) == ("completion", 40, 40)
    assert field.distinct_1.value == distinct_over(texts, 1)
    assert field.distinct_2.value == distinct_over(texts, 2)
    assert field.self_bleu is not None
    assert field.self_bleu.value == pytest.approx(mean_self_bleu(texts))
    assert field.words == (12, 12, 12, 12, 12)


def test_the_same_text_again_and_again_is_not_diverse() -> None:
    (alike,) = measure(make_rows(["it is good that they came"] * 30)).texts
    assert alike.self_bleu is not None
    assert alike.self_bleu.value == 1.0
    assert alike.distinct_1.value == 6 / 180
    (diverse,) = measure(make_rows([f"a{n} b{n} c{n} d{n} e{n} f{n}" for n in range(30)])).texts
    assert diverse.distinct_1.value == 1.0
    assert diverse.self_bleu is not None
    assert diverse.self_bleu.value < 0.1


def test_intervals_hold_what_such_texts_have_on_average() -> None:
    """40 draws of 40 texts: the mean over draws lies in at least 35 of the intervals."""
    fields = [measure(make_rows(write_texts(40, 10, seed), 2)).texts[0] for seed in range(40)]
    for pick in ("distinct_1", "distinct_2", "self_bleu"):
        estimates = [getattr(field, pick) for field in fields]
        mean = sum(one.value for one in estimates) / len(estimates)
        assert sum(one.low <= mean <= one.high for one in estimates) >= 35, pick
        widths = sorted(one.high - one.low for one in estimates)
        assert widths[20] < mean / 2, "and they are not so wide that they say nothing"


def test_many_sources_are_drawn_from_and_few_have_no_interval() -> None:
    (field,) = measure(make_rows([f"word{n} and more" for n in range(MOST + 50)])).texts
    assert (field.texts, field.measured) == (MOST + 50, MOST)
    (alone,) = measure(make_rows(["one text", "another text"], per_source=2)).texts
    assert (alone.distinct_1.low, alone.distinct_1.high) == (None, None)


def test_labels_are_shares_with_intervals_that_know_of_sources() -> None:
    found = measure(make_rows(["text"] * 40))
    share = found.labels["opinion"]["disagree"]
    assert (share.count, share.of) == (10, 40)
    assert share.interval == pytest.approx(wilson(10, 40))
    groups = [name for name in "abcd" for _ in range(5)]
    together = count_share([True] * 10 + [False] * 10, groups)
    low, high = together.interval
    assert low < wilson(10, 20)[0]
    assert high > wilson(10, 20)[1]
    assert Share(9, 50).words == "9 of 50: 18% [10, 31]"
    assert Share(0, 0).words == "0"


def test_of_pairs_it_is_said_whether_the_chosen_answer_is_longer() -> None:
    recipe = read_recipe(mode="pairs", fields={}, pairs={"prompt": "{text}"})
    pairs = [("a b c", "a"), ("a b", "a"), ("a", "a b"), ("a", "b")]
    sources = [make_source(number) for number in range(4)]
    outcomes = {
        source.id: Outcome(source.id, "passed", {"prompt": "p", "chosen": one, "rejected": two})
        for source, (one, two) in zip(sources, pairs, strict=True)
    }
    found = measure_rows(recipe, list(accepted(sources, outcomes, {}, accept_all=True)))
    assert found.chosen_longer == Share(2, 3)
    assert [one.field for one in found.texts] == ["chosen", "rejected"]
    assert measure(make_rows(["a"])).chosen_longer is None


def test_no_rows_have_no_numbers() -> None:
    found = measure([])
    assert (found.rows, found.sources, found.texts) == (0, 0, ())
    assert found.to_table()["labels"]["opinion"]["agree"]["value"] is None
