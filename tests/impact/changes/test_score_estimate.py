"""One arm's score and its interval, against scipy and statsmodels; their numbers are pinned."""

import math

import pytest

from engine.impact.changes.score_estimate import estimate_perplexity, estimate_score
from engine.statistics import mean_test, paired_test

MEANS = [0.12, 0.4, 0.33, 0.9, 0.05, 0.61, 0.27, 0.48]
CHANGES = [0.1, -0.2, 0.05, 0.3, -0.15, 0.0, 0.22, 0.18, -0.04, 0.09]


def test_right_or_wrong_is_wilsons() -> None:
    """statsmodels 0.15.0: proportion_confint(17, 60, method="wilson")."""
    found = estimate_score([1.0] * 17 + [0.0] * 43)
    assert found.value == pytest.approx(17 / 60)
    assert found.interval == pytest.approx((0.18506828428432712, 0.40767285164391187))
    assert (found.method, found.items) == ("Wilson", 60)


def test_other_scores_are_students() -> None:
    """scipy 1.17.1: t.interval(0.95, 7, mean, sem)."""
    found = estimate_score(MEANS)
    assert found.interval == pytest.approx((0.1664827598646454, 0.6235172401353546))
    assert found.method == "Student's t"


def test_the_paired_t_is_scipys() -> None:
    """scipy 1.17.1: ttest_1samp(differences, 0)."""
    test = paired_test(CHANGES)
    assert test.p_value() == pytest.approx(0.30013504365621724)
    assert test.interval() == pytest.approx((-0.05817067839365092, 0.16817067839365094))


def test_a_weighted_mean_is_that_of_weighted_least_squares() -> None:
    """statsmodels 0.15.0: WLS on a constant, HC3 (the jackknife), times sqrt((n - 1) / n)."""
    test = mean_test(CHANGES, (), [3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    assert test.difference == pytest.approx(0.03692308, abs=1e-8)
    assert test.error == pytest.approx(0.04153869, abs=1e-8)
    assert (test.name, test.degrees) == ("weighted t", 6)  # 39² / 207 items are left
    assert mean_test(CHANGES, (), [2.0] * 10) == mean_test(CHANGES)


def test_a_clustered_mean_is_that_of_least_squares_with_clusters() -> None:
    """statsmodels 0.15.0: OLS on a constant with groups; its correction is ours."""
    groups = [0, 0, 1, 1, 1, 2, 3, 3, 4, 4]
    test = paired_test(CHANGES, groups)
    assert test.error == pytest.approx(0.04123863, abs=1e-8)
    assert (test.name, test.degrees) == ("clustered t", 4)


def test_perplexity_is_of_documents_on_the_log_scale() -> None:
    """Of the same weighted least squares, tokens as weights; Kish leaves 4 of 6 documents."""
    nats, tokens = [120.0, 80, 210, 33, 95, 140], [50, 30, 90, 12, 40, 52]
    found = estimate_perplexity(nats, tokens)
    assert found.value == pytest.approx(math.exp(sum(nats) / sum(tokens)))
    assert found.interval == pytest.approx((9.063299048073034, 15.55950836814049))
    assert "documents" in found.method
    split = estimate_perplexity([one / 2 for one in nats] * 2, [one // 2 for one in tokens] * 2)
    assert split.interval is not None
    assert found.interval is not None
    assert split.interval[1] < found.interval[1]  # more documents, not more tokens, say more


def test_items_that_go_together_widen_the_interval() -> None:
    scores = [1.0] * 150 + [0.0] * 50
    groups = [at // 10 for at in range(200)]
    alone, grouped = estimate_score(scores), estimate_score(scores, groups)
    assert grouped.method == "Wilson, clustered"
    assert alone.interval is not None
    assert grouped.interval is not None
    assert grouped.interval[0] < alone.interval[0] - 0.05
    as_groups = estimate_score([1.0] * 15 + [0.0] * 5)  # 20 items, each of them ten times
    assert grouped.interval == pytest.approx(as_groups.interval, abs=0.01)


def test_where_all_are_right_groups_are_what_counts() -> None:
    groups = [at // 10 for at in range(200)]
    assert estimate_score([1.0] * 200, groups).interval == estimate_score([1.0] * 20).interval


def test_weights_that_differ_leave_fewer_items() -> None:
    scores, weights = [1.0, 0.0] * 50, [3.0, 1.0] * 50
    found = estimate_score(scores, (), weights)
    assert found.value == pytest.approx(0.75)
    assert found.method == "Wilson, weighted"
    assert found.interval is not None
    low, high = found.interval
    assert low < 0.75 < high
    even = estimate_score([1.0] * 75 + [0.0] * 25)
    assert even.interval is not None
    assert high - low > even.interval[1] - even.interval[0]


def test_what_cannot_be_estimated_has_no_interval() -> None:
    assert estimate_score([0.5]).interval is None
    assert estimate_score([0.5, 0.7], ["a", "a"]).interval is None
    assert estimate_score([1.0]).interval == pytest.approx((0.2065493, 1.0))
    diverged = estimate_score([0.5, math.inf])
    assert (diverged.value, diverged.interval) == (math.inf, None)
    assert estimate_perplexity([math.inf, 3.0], [4, 4]).value == math.inf
    assert estimate_perplexity([1e6, 2e6], [1, 1]).value == math.inf
    with pytest.raises(ValueError, match="weight"):
        estimate_score([0.5, 0.7], (), [1.0, 0.0])


def test_a_mean_of_bounded_scores_does_not_leave_0_to_1() -> None:
    scores = [1.0] * 18 + [0.5, 0.2]
    free, bounded = estimate_score(scores), estimate_score(scores, is_bounded=True)
    assert free.interval is not None
    assert bounded.interval is not None
    assert free.interval[1] > 1
    assert bounded.interval == (free.interval[0], 1.0)
