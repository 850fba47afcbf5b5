"""Real or only format: each word by hand, its error rates by simulation, and what is compared."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from engine.impact.changes.real_or_format import (
    LIKELIHOOD_BOUND,
    FormatVerdict,
    compare_format,
    has_likelihood,
)
from engine.impact.results.evaluation_results import EvaluationResults, SuiteItem
from engine.statistics import wilson
from tests.impact.measured import Values, measured

N = 400


def _scores(right: int, items: int = N) -> list[float]:
    """So many right ones, the first."""
    return [1.0] * right + [0.0] * (items - right)


def _nll(mean: float, items: int = N) -> list[float]:
    """Spread by a tenth of a nat around the mean, without any chance."""
    return [mean + 0.1 * ((at * 7 % 11) - 5) / 5 for at in range(items)]


def _only(before: Values, after: Values, choices: Sequence[str] = ()) -> FormatVerdict:
    results = measured({"facts": {"base": before, "tuned": after}}, choices=choices)
    (verdict,) = compare_format(results, "facts", "tuned").asked
    return verdict


BEFORE = {"strict": _scores(300), "gold_nll": _nll(0.4)}


@pytest.mark.parametrize(
    ("strict", "nll", "word"),
    [
        (150, 0.4, "format shift"),
        (150, 0.8, "knowledge shift"),
        (300, 0.8, "knowledge shift"),
        (300, 0.4, "no change"),
        (298, 0.42, "no change"),
        (380, 0.4, "format gained"),
        (380, 0.2, "knowledge gained"),
        (300, 0.2, "measures disagree"),
        (150, 0.2, "measures disagree"),
        (380, 0.8, "measures disagree"),
    ],
)
def test_the_word_by_strict_and_likelihood(strict: int, nll: float, word: str) -> None:
    verdict = _only(BEFORE, {"strict": _scores(strict), "gold_nll": _nll(nll)})
    assert (verdict.word, verdict.items) == (word, N)
    assert bool(verdict.reason) == (word == "measures disagree")


def test_log_probability_has_the_sign_of_more_is_better() -> None:
    verdict = _only(BEFORE, {"strict": _scores(300), "gold_nll": _nll(0.8)})
    change = verdict.changes["gold_nll"]
    assert (change.before, change.after) == pytest.approx((-0.4, -0.8), abs=1e-3)
    assert change.verdict.test.difference == pytest.approx(-0.4)
    assert (change.state, change.verdict.delta) == ("falls", LIKELIHOOD_BOUND)


def test_another_delta_is_that_of_scores_alone() -> None:
    (verdict, _) = compare_format(_both_ways(), "facts", "tuned", delta=0.1).asked
    deltas = {name: one.verdict.delta for name, one in verdict.changes.items()}
    assert deltas == {"strict": 0.1, "gold_nll": LIKELIHOOD_BOUND}


CHOICES = ("right", "wrong")


def test_choices_that_are_decided_otherwise_disagree() -> None:
    """The right answer is less likely by itself, and ranks among the choices as before."""
    before = BEFORE | {"likelihood": _scores(300)}
    after = {"strict": _scores(150), "gold_nll": _nll(0.8), "likelihood": _scores(301)}
    verdict = _only(before, after, CHOICES)
    assert verdict.word == "measures disagree"
    assert verdict.reason == "gold log-prob falls, likeliest choice holds"
    assert [one.state for one in verdict.changes.values()] == ["falls", "falls", "holds"]
    assert _only(before, after | {"likelihood": _scores(200)}, CHOICES).word == "knowledge shift"


def test_a_flexible_score_that_does_not_go_along_disagrees() -> None:
    """The right answer is still given in another form, or was given in one before."""
    before = BEFORE | {"flexible": _scores(380)}
    lost = {"strict": _scores(150), "gold_nll": _nll(0.8), "flexible": _scores(380)}
    verdict = _only(before, lost)
    assert verdict.word == "measures disagree"
    assert verdict.reason == "gold log-prob falls, flexible score holds"
    assert _only(before, lost | {"flexible": _scores(150)}).word == "knowledge shift"
    gained = {"strict": _scores(380), "gold_nll": _nll(0.2), "flexible": _scores(380)}
    assert _only(before, gained).reason == "gold log-prob rises, flexible score holds"
    few = BEFORE | {"flexible": _scores(300)}
    assert _only(few, gained).word == "knowledge gained"
    shifted = {"strict": _scores(150), "gold_nll": _nll(0.4), "flexible": _scores(150)}
    assert _only(before, shifted).word == "format shift"


def test_choices_decide_where_no_log_probability_was_measured() -> None:
    before = {"strict": _scores(300), "likelihood": _scores(300)}
    after = {"strict": _scores(150), "likelihood": _scores(298)}
    assert _only(before, after, CHOICES).word == "format shift"


@pytest.mark.parametrize(("right", "word"), [(300, "format shift"), (200, "not enough evidence"),
                                             (120, "not enough evidence")])  # fmt: skip
def test_a_likelihood_at_chance_shows_no_shift(right: int, word: str) -> None:
    """As of `eight` where the model writes "A spider has eight legs.": right, and never likely."""
    before = BEFORE | {"likelihood": _scores(right)}
    after = {"strict": _scores(150), "gold_nll": _nll(0.4), "likelihood": _scores(right)}
    verdict = _only(before, after, CHOICES)
    assert verdict.word == word
    blind = "by likelihood the base chooses no better than chance"
    assert verdict.reason == (blind if word == "not enough evidence" else "")
    same = _only(before, before, CHOICES)
    assert same.word == "no change"


@pytest.mark.parametrize(("nll", "word"), [(0.6, "format shift"), (0.7, "not enough evidence"),
                                           (9.0, "not enough evidence")])  # fmt: skip
def test_right_answers_that_the_base_would_not_write_show_no_shift(nll: float, word: str) -> None:
    """Of those that it gives, a token has to be likelier than not: -log(0.5) is 0.69."""
    verdict = _only(
        {"strict": _scores(300), "gold_nll": _nll(nll)},
        {"strict": _scores(150), "gold_nll": _nll(nll)},
    )
    assert verdict.word == word
    if word != "format shift":
        assert verdict.reason == "the base would not write the right answers as they are scored"


def test_what_does_not_suffice() -> None:
    spread = [1.0 + 2 * (-1) ** at for at in range(N)]
    turned = [one if at % 4 < 2 else 2 - one for at, one in enumerate(spread)]
    verdict = _only(
        {"strict": _scores(300), "gold_nll": spread}, {"strict": _scores(150), "gold_nll": turned}
    )
    assert verdict.word == "not enough evidence"
    assert verdict.changes["gold_nll"].state == "undecided"
    needed = verdict.changes["gold_nll"].verdict.items_needed
    assert verdict.reason == f"gold log-prob undecided; about {needed:,} items would do"
    assert needed == 27_473  # (1.64485 + 1.28155)² · 8 · 400 / 399 / 0.05²
    without = _only({"strict": _scores(300)}, {"strict": _scores(150)})
    assert without.word == "not enough evidence"
    assert without.reason == "strict score and likelihood are needed"
    few = _only(
        {"strict": _scores(19, 19), "gold_nll": _nll(1.0, 19)},
        {"strict": _scores(0, 19), "gold_nll": _nll(1.0, 19)},
    )
    assert (few.word, few.items, few.reason) == ("items only", 19, "a verdict needs 20 items")


def test_a_diverged_model_has_no_likelihood() -> None:
    nll = _nll(0.4)
    nll[3] = math.inf
    before, after = BEFORE | {"likelihood": _scores(300)}, {"strict": _scores(150), "gold_nll": nll}
    verdict = _only(before, after | {"likelihood": _scores(300)})
    assert verdict.word == "not enough evidence"
    assert "gold_nll" not in verdict.changes
    assert verdict.notes == ("gold_nll of 1 of 400 items is not finite.",)


def test_items_of_a_group_are_no_independent_ones() -> None:
    """A hundred items of four groups: as sure as four numbers are."""
    groups = [str(at % 4) for at in range(100)]
    results = measured(
        {
            "facts": {
                "base": {"strict": _scores(60, 100), "gold_nll": _nll(0.4, 100)},
                "tuned": {
                    "strict": _scores(60, 100),
                    "gold_nll": [0.3 + at % 4 / 20 for at in range(100)],
                },
            }
        },
        groups=groups,
    )
    (verdict,) = compare_format(results, "facts", "tuned").asked
    assert verdict.changes["gold_nll"].verdict.test.degrees == 3
    assert verdict.word == "not enough evidence"


def _both_ways() -> EvaluationResults:
    after = {"strict": _scores(150), "gold_nll": _nll(0.4)}
    return measured(
        {
            "facts, 5-shot": {"base": BEFORE, "tuned": BEFORE},
            "french": {"base": BEFORE, "tuned": after},
            "facts": {"base": BEFORE, "tuned": after},
        },
        {"facts, 5-shot": 5},
    )


@pytest.mark.parametrize("suite", ["facts", "facts, 5-shot"])
def test_zero_shot_and_few_shot_stand_side_by_side(suite: str) -> None:
    compared = compare_format(_both_ways(), suite, "tuned")
    assert (compared.skill, compared.base, compared.arm) == ("facts", "base", "tuned")
    assert [(one.suite, one.fewshot, one.word) for one in compared.asked] == [
        ("facts", 0, "format shift"),
        ("facts, 5-shot", 5, "no change"),
    ]
    assert compared.notes == ()


def test_only_equal_items_are_compared() -> None:
    results = _both_ways()
    few = results.suites["facts, 5-shot"]
    kept = {name: item for name, item in few.items.items() if int(name[1:]) < 250}
    shorter = dataclasses.replace(few, items=kept)
    fewer = EvaluationResults(results.arms, {**results.suites, few.name: shorter})
    assert [one.items for one in compare_format(fewer, "facts", "tuned").asked] == [250, 250]
    edited = dataclasses.replace(few, items={**few.items, "i7": SuiteItem("another?", ("7",))})
    other = EvaluationResults(results.arms, {**results.suites, few.name: edited})
    compared = compare_format(other, "facts", "tuned")
    assert [one.suite for one in compared.asked] == ["facts"]
    assert compared.notes == ("facts, 5-shot: its items are others, so it is not compared.",)


def test_arms_asked_in_different_ways_are_said() -> None:
    results = _both_ways()
    tuned = results.arms["tuned"]
    changed = dataclasses.replace(tuned.suites["facts"], asked={"fewshot": 0, "template": "raw"})
    arms = {
        **results.arms,
        "tuned": dataclasses.replace(tuned, suites={**tuned.suites, "facts": changed}),
    }
    (verdict, _) = compare_format(EvaluationResults(arms, results.suites), "facts", "tuned").asked
    assert verdict.notes == ("The arms were asked in different ways: template.",)


def test_an_arm_without_the_suite_and_a_suite_without_likelihood() -> None:
    results = measured({"facts": {"base": BEFORE}, "french": {"base": BEFORE, "tuned": BEFORE}})
    compared = compare_format(results, "facts", "tuned")
    assert (compared.asked, compared.notes) == ((), ("facts: not measured of both arms.",))
    assert has_likelihood(results, "facts")
    assert not has_likelihood(measured({"a": {"base": {"strict": [1.0]}}}), "a")


@pytest.mark.parametrize(("suite", "arm"), [("x", "tuned"), ("facts", "other"), ("facts", "base")])
def test_what_is_not_there_is_refused(suite: str, arm: str) -> None:
    with pytest.raises(ValueError, match="suite"):
        compare_format(_both_ways(), suite, arm)


Spread = Callable[[np.random.Generator, int], np.ndarray]


def _normal(random: np.random.Generator, items: int) -> np.ndarray:
    return random.normal(0, 0.2, items)


def _skewed(random: np.random.Generator, items: int) -> np.ndarray:
    return 0.2 * (random.exponential(1, items) - 1)


def _words(
    lost: float,
    gained: float,
    shift: float,
    spread: Spread,
    items: int,
    trials: int,
    *,
    choices: bool = False,
) -> Counter[str]:
    """The words on simulated arms: shares of items lost and gained, and the rise of mean NLL."""
    random = np.random.default_rng(12)
    words: Counter[str] = Counter()
    for _ in range(trials):
        nll = random.exponential(0.3, items) + 0.1
        before, after = _flip(random, items, lost, gained)
        first = {"strict": before, "gold_nll": nll.tolist()}
        second = {"strict": after, "gold_nll": (nll + shift + spread(random, items)).tolist()}
        if choices:
            first["likelihood"], second["likelihood"] = _flip(random, items, 0.05, 0.05)
        words[_only(first, second).word] += 1
    return words


def _flip(
    random: np.random.Generator, items: int, lost: float, gained: float
) -> tuple[list[float], list[float]]:
    drawn = random.random(items)
    before = np.where(drawn < lost, 1.0, random.random(items) < 0.6)
    before[(drawn >= lost) & (drawn < lost + gained)] = 0.0
    after = np.where(drawn < lost, 0.0, np.where(drawn < lost + gained, 1.0, before))
    return before.tolist(), after.tolist()


@pytest.mark.parametrize(
    ("items", "spread", "choices", "least"),
    [
        (100, _skewed, False, 0.0),
        (200, _normal, False, 0.3),
        (200, _skewed, True, 0.3),
        (400, _normal, True, 0.8),
    ],
)
def test_arms_that_do_not_differ_get_few_false_words(
    items: int, spread: Spread, choices: bool, least: float
) -> None:
    """10% of items flip, as many up as down; `least` is the share that is known not to differ."""
    trials = 1500
    words = _words(0.05, 0.05, 0.0, spread, items, trials, choices=choices)
    false = trials - words["no change"] - words["not enough evidence"]
    assert wilson(false, trials)[1] <= 0.07
    assert words["no change"] >= least * trials


@pytest.mark.parametrize("spread", [_normal, _skewed])
def test_planted_shifts_are_named(spread: Spread) -> None:
    trials = 200
    formats = _words(0.3, 0.03, 0.0, spread, 400, trials)
    knowledge = _words(0.2, 0.03, 0.3, spread, 400, trials)
    gained = _words(0.03, 0.3, 0.0, spread, 400, trials)
    assert formats["format shift"] >= 0.95 * trials
    assert knowledge["knowledge shift"] >= 0.95 * trials
    assert gained["format gained"] >= 0.95 * trials


@pytest.mark.parametrize("items", [100, 400])
@pytest.mark.parametrize(("spread", "most"), [(_normal, 0.09), (_skewed, 0.11)])
def test_a_loss_of_likelihood_is_seldom_a_format_shift(
    items: int, spread: Spread, most: float
) -> None:
    """The worst case: the likelihood falls by just the bound, so that it does not hold.

    Two one-sided tests at 5%; of skewed differences Student's t keeps 8% at 100 items.
    """
    trials = 1000
    words = _words(0.3, 0.03, LIKELIHOOD_BOUND, spread, items, trials)
    assert wilson(words["format shift"], trials)[1] <= most
    assert words["no change"] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("arms", ["base", "both"])
def test_a_base_that_diverged_has_no_likelihood_to_see_by(value: float, arms: str) -> None:
    broken: Values = dict.fromkeys(("strict", "likelihood"), [value] * N)
    whole: Values = dict.fromkeys(("strict", "likelihood"), _scores(300))
    verdict = _only(broken, whole if arms == "base" else broken, choices=CHOICES)
    assert verdict.word == "not enough evidence"
    assert any("not finite" in note for note in verdict.notes)
