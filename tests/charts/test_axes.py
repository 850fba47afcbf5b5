"""Axes, the cursor, and what is derived."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.charts.axes import Axis, along, cut, nearest
from engine.charts.derived import alerts, perplexities, perplexity_tag
from engine.events.series import Branch
from tests.charts.curves import series

NAN, INF = math.nan, math.inf


def test_steps_and_times() -> None:
    loss = series("train/loss", [3, 2, 1], [10, 20, 30], [105, 115, 125])
    later = series("eval/loss", [5], [20], [116])
    run = {"train/loss": loss, "eval/loss": later, "empty": series("empty", [])}
    assert along(Axis.STEP, later, run).x.tolist() == [20]
    assert along(Axis.RELATIVE_STEP, later, run).x.tolist() == [10]
    assert along(Axis.RELATIVE_TIME, later, run).x.tolist() == [11]
    assert along(Axis.WALL_TIME, later, run).x.tolist() == [116]
    assert along(Axis.STEP, run["empty"], run).x.tolist() == []


def test_a_log_without_times_says_so() -> None:
    loss = series("train/loss", [3, 2], times=[NAN, NAN])
    for axis in (Axis.RELATIVE_TIME, Axis.WALL_TIME):
        found = along(axis, loss, {"train/loss": loss})
        assert found.missing == "this log has no wall times"
        assert not len(found.x)


@pytest.mark.parametrize(
    ("axis", "tag"), [(Axis.TOKENS, "train/num_tokens"), (Axis.EPOCH, "train/epoch")]
)
def test_tokens_and_epochs_are_joined_by_step(axis: Axis, tag: str) -> None:
    clock = series(tag, [100, 200, 400, NAN], [10, 20, 40, 45])
    found = along(axis, series("eval/loss", [1] * 6, [0, 5, 10, 30, 40, 50]), {tag: clock})
    np.testing.assert_array_equal(found.x, [0, 50, 100, 300, 400, NAN])


def test_a_step_that_came_twice_counts_as_it_was_written_last() -> None:
    clock = series("train/epoch", [0.5, 9.0, 1.0, 1.5], [10, 20, 20, 30])
    found = along(Axis.EPOCH, series("a", [1, 1], [20, 25]), {"train/epoch": clock})
    assert found.x.tolist() == [1.0, 1.25]


def test_what_was_not_logged_is_not_guessed() -> None:
    loss = series("train/loss", [1])
    assert "no tokens" in along(Axis.TOKENS, loss, {"train/loss": loss}).missing
    assert "no epochs" in along(Axis.EPOCH, loss, {"train/loss": loss}).missing
    broken = along(Axis.TOKENS, loss, {"tokens": series("tokens", [NAN])})
    assert np.isnan(broken.x).all()


def test_the_cursor_reads_the_nearest_point() -> None:
    steps = np.array([0.0, 10.0, 20.0])
    assert [nearest(steps, at) for at in (-5, 12, 15, 17, 400)] == [0, 1, 2, 2, 2]
    assert nearest(np.array([100.0]), 12) == 0
    assert nearest(np.empty(0), 12) is None


def test_the_newest_of_equally_near_points() -> None:
    assert nearest(np.array([5.0, 0.0, 5.0, NAN]), 5) == 2
    assert nearest(np.array([NAN]), 1) is None
    assert nearest(np.array([3.0]), -INF) in (None, 0)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("loss", "perplexity"),
        ("train/loss", "train/perplexity"),
        ("eval/nll_loss", "eval/perplexity"),
        ("val_loss", "val_perplexity"),
        ("validation/lm_loss", "validation/perplexity"),
        ("train/policy_loss", None),
        ("Losses/Value Loss", None),
        ("box/loss", None),
        ("eval/accuracy", None),
        ("train/loss_scale", None),
        ("grad_norm", None),
    ],
)
def test_which_tags_are_a_token_level_nll(tag: str, expected: str | None) -> None:
    assert perplexity_tag(tag) == expected


def test_perplexity_is_derived_where_only_a_loss_is_logged() -> None:
    run = {
        "train/loss": series("train/loss", [0, 1, NAN, 2000]),
        "eval/loss": series("eval/loss", [1]),
        "eval/perplexity": series("eval/perplexity", [2.7]),
        "forget/kl_to_base": series("forget/kl_to_base", [0.1]),
    }
    found = perplexities(run)
    assert set(found) == {"train/perplexity"}
    derived = found["train/perplexity"]
    assert derived.formula == "exp(train/loss)"
    np.testing.assert_allclose(derived.series.values, [1, math.e, NAN, INF])
    assert derived.series.steps is run["train/loss"].steps


OTHERS = ("rewards/chosen", "objective/kl", "value_loss", "Policy/Rate", "logps/x", "val/box_loss")


def test_a_derived_curve_keeps_its_branches_and_restarts() -> None:
    gone = Branch(np.array([3, 4]), np.array([1.0, 2.0]), np.array([0.0, np.inf]), 3)
    loss = dataclasses.replace(series("loss", [1, 2], abandoned=(gone,)), restarts=(1,))
    curve = perplexities({"loss": loss})["perplexity"].series
    assert curve.restarts == (1,)
    assert curve.abandoned[0].values.tolist() == [1.0, np.inf]
    assert curve.abandoned[0].steps is gone.steps


@pytest.mark.parametrize("other", OTHERS)
def test_the_loss_of_another_objective_is_no_nll(other: str) -> None:
    assert not perplexities({"train/loss": series("train/loss", [1]), other: series(other, [1])})


@pytest.mark.parametrize(
    ("settings", "derived"),
    [
        ({"model_config.id2label.0": "World"}, False),
        ({"model_config.architectures": '["BertForSequenceClassification"]'}, False),
        ({"model_config.architectures": '["LlamaForCausalLM"]', "lr": 0.1}, True),
    ],
)
def test_the_loss_of_a_classifier_is_over_classes(
    settings: dict[str, object], derived: bool
) -> None:
    run = {"train/loss": series("train/loss", [1])}
    assert bool(perplexities(run, settings)) is derived


def test_a_negative_loss_is_no_nll() -> None:
    assert not perplexities({"loss": series("loss", [1, -0.1])})


def test_alerts_name_the_first_value_that_is_no_number() -> None:
    run = {
        "fine": series("fine", [1, 2]),
        "late": series("late", [1, INF, NAN], [1, 7, 8]),
        "early": series("early", [1, NAN, 3, NAN, 4], [1, 2, 3, 4, 5]),
    }
    early, late = alerts(run)
    assert (early.tag, early.step, early.count, early.recovered) == ("early", 2, 2, True)
    assert (late.tag, late.step, late.value, late.recovered) == ("late", 7, INF, False)
    assert late.wall_time == 1001.0


def test_a_zoomed_line_goes_on_to_the_edges() -> None:
    x, y = np.array([0.0, 10, 20, 30]), np.array([0.0, 10, 20, 0])
    assert [one.tolist() for one in cut(x, y, (5, 25))] == [[5, 10, 20, 25], [5, 10, 20, 10]]
    assert [one.tolist() for one in cut(x, y, (12, 14))] == [[12, 14], [12, 14]], "between points"
    assert [one.tolist() for one in cut(x, y, (-5, 10))] == [[0, 10], [0, 10]]
    assert [one.tolist() for one in cut(x[::-1], y[::-1], (5, 10))] == [[5, 10], [5, 10]]
    for outside in [(-9, -1), (31, 40)]:
        assert not len(cut(x, y, outside)[0])
    steep = cut(np.array([0.0, 2]), np.array([1.0, 100]), (1, 2), log=True)
    np.testing.assert_allclose(steep, [[1, 2], [10, 100]])
    assert not len(cut(np.empty(0), np.empty(0), (0, 1))[0])


def test_a_zoomed_line_invents_nothing_beside_a_gap() -> None:
    x, y = np.array([0.0, 10, 20]), np.array([1.0, np.nan, 3])
    assert cut(x, y, (5, 15))[0].tolist() == [10]
    np.testing.assert_array_equal(cut(x, y, (5, 20))[1], [np.nan, 3])


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.floats(-9, 9)), max_size=30),
    st.integers(-60, 60),
    st.integers(1, 40),
)
def test_what_is_cut_lies_in_the_span_and_holds_every_point_there(
    points: list[tuple[int, float]], low: int, size: int
) -> None:
    x = np.array([place for place, _ in points], float)
    y = np.array([height for _, height in points], float)
    part, heights = cut(x, y, (low, low + size))
    assert ((part >= low) & (part <= low + size)).all()
    assert (np.diff(part) >= 0).all()
    inside = [(a, b) for a, b in zip(x, y, strict=True) if low <= a <= low + size]
    assert set(inside) <= set(zip(part.tolist(), heights.tolist(), strict=True))
    if len(heights):
        assert y.min() - 1e-9 <= heights.min()
        assert heights.max() <= y.max() + 1e-9
