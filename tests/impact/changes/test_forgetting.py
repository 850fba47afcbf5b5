"""Forgetting over stages: a matrix worked out by hand, and intervals that cover."""

import numpy as np
import pytest

from engine.impact.changes.forgetting import (
    ALIKE,
    Floats,
    SkillMatrix,
    SkillScores,
    average_score,
    backward_transfer,
    general_change,
    peak_forgetting,
    relative_forgetting,
    trained_change,
)

STAGES = ("base", "A", "B", "C")


def _skill(means: list[float], items: int = 10, **more: int | None) -> SkillScores:
    """So many tenths of ten items are right at each stage."""
    scores = np.array([[float(at < round(m * items)) for at in range(items)] for m in means])
    return SkillScores(tuple(map(str, range(items))), scores, **more)  # type: ignore[arg-type]


def _matrix() -> SkillMatrix:
    return SkillMatrix(
        STAGES,
        {
            "a": _skill([0.1, 0.9, 0.6, 0.5], trained_at=1),
            "b": _skill([0.2, 0.2, 0.8, 0.7], trained_at=2),
            "c": _skill([0.0, 0.1, 0.1, 0.9], trained_at=3),
            "facts": _skill([0.8, 0.7, 0.4, 0.6]),
        },
    )


def test_a_matrix_of_four_by_four_by_hand() -> None:
    matrix = _matrix()
    assert backward_transfer(matrix).value == pytest.approx(((0.5 - 0.9) + (0.7 - 0.8)) / 2)
    assert average_score(matrix).value == pytest.approx((0.5 + 0.7 + 0.9 + 0.6) / 4)
    assert peak_forgetting(matrix).value == pytest.approx(
        ((0.9 - 0.5) + (0.8 - 0.7) + (0.1 - 0.9) + (0.8 - 0.6)) / 4
    )
    assert general_change(matrix).value == pytest.approx(0.6 - 0.8)
    assert general_change(matrix).skills == ("facts",)
    gained = trained_change(matrix)
    assert gained.skills == ("a", "b", "c")
    assert gained.value == pytest.approx(((0.5 - 0.1) + (0.7 - 0.2) + (0.9 - 0.0)) / 3)
    assert gained.low is not None
    relative = relative_forgetting(matrix)  # the base of c is no better than chance
    assert relative.skills == ("a", "b", "facts")
    assert relative.value == pytest.approx(((0.1 - 0.5) / 0.1 + (0.2 - 0.7) / 0.2 + 0.2 / 0.8) / 3)


def test_chance_is_left_out_of_relative_forgetting() -> None:
    guessed = _skill([0.3, 0.2], items=100, choices=4)
    known = _skill([0.9, 0.6], items=100, choices=4)
    matrix = SkillMatrix(("base", "A"), {"guessed": guessed, "known": known})
    assert relative_forgetting(matrix).skills == ("known",)


def test_with_one_stage_there_is_no_backward_transfer() -> None:
    matrix = SkillMatrix(("base", "A"), {"a": _skill([0.1, 0.9], trained_at=1)})
    measure = backward_transfer(matrix)
    assert (measure.value, measure.low, measure.reason) == (None, None, "there is one stage")
    assert general_change(matrix).reason == "every skill was trained on"


def test_a_stage_without_a_skill_leaves_it_out() -> None:
    scores = _skill([0.8, 0.7, 0.4, 0.6]).scores
    scores[2] = np.nan
    holed = SkillScores(tuple(map(str, range(10))), scores)
    matrix = SkillMatrix(STAGES, {"holed": holed, "facts": _skill([0.8, 0.7, 0.4, 0.6])})
    assert peak_forgetting(matrix).skills == ("facts",)
    assert general_change(matrix).skills == ("holed", "facts")  # both its ends were measured
    scores[0] = np.nan
    assert general_change(matrix).skills == ("facts",)


def test_nothing_measured_has_a_reason() -> None:
    empty = SkillMatrix(STAGES, {})
    for measure in (
        general_change,
        trained_change,
        backward_transfer,
        average_score,
        peak_forgetting,
    ):
        assert measure(empty).value is None
        assert measure(empty).reason
    with pytest.raises(ValueError, match="shape"):
        SkillScores((), np.zeros((2, 0)))
    with pytest.raises(ValueError, match="2 of 4 stages"):
        SkillMatrix(STAGES, {"a": _skill([0.1, 0.9])})


def test_the_same_scores_have_the_same_interval() -> None:
    one, other = general_change(_matrix()), general_change(_matrix())
    assert (one.low, one.high) == (other.low, other.high)
    assert one.low is not None
    assert one.value is not None
    assert one.high is not None
    assert one.low < one.value < one.high


def test_groups_are_resampled_whole() -> None:
    """Twenty groups of ten equal items are as uncertain as twenty items."""
    few = _skill([0.8, 0.4], items=20)
    scores: Floats = np.repeat(few.scores, 10, axis=1)
    groups = tuple(str(at // 10) for at in range(200))
    many = SkillScores(tuple(map(str, range(200))), scores, groups)
    alone = SkillScores(tuple(map(str, range(200))), scores)
    widths = []
    for skill in (few, many, alone):
        measure = general_change(SkillMatrix(("base", "A"), {"s": skill}))
        assert measure.low is not None
        assert measure.high is not None
        widths.append(measure.high - measure.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < widths[0] / 2.5


def test_the_interval_of_the_general_change_covers_it() -> None:
    """Three skills of 100 items, 12% lost and 4% gained: 95% of intervals hold −8 points."""
    random = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        skills = {}
        for name in "abc":
            before = random.random(100) < 0.7
            draw = random.random(100)
            after = np.where(before, draw >= 0.12 / 0.7, draw < 0.04 / 0.3)
            scores = np.stack([before, after]).astype(float)
            skills[name] = SkillScores(tuple(map(str, range(100))), scores)
        measure = general_change(SkillMatrix(("base", "A"), skills))
        assert measure.low is not None
        assert measure.high is not None
        covered += measure.low <= -0.08 <= measure.high
    assert 0.91 <= covered / 300 <= 0.98


def test_where_no_item_changed_there_is_a_value_and_no_interval() -> None:
    matrix = SkillMatrix(("base", "A"), {"a": _skill([0.7, 0.7], 40)})
    change = general_change(matrix)
    assert (change.value, change.low, change.high, change.reason) == (0.0, None, None, ALIKE)
    average = average_score(matrix)
    assert average.value == pytest.approx(0.7)
    assert average.low is not None
    assert not average.reason


@pytest.mark.timeout(120)
def test_very_many_items_are_drawn_by_how_many_score_alike() -> None:
    random = np.random.default_rng(3)
    scores = (random.random((3, 400_000)) < 0.7).astype(float)
    items = tuple(map(str, range(scores.shape[1])))
    matrix = SkillMatrix(("base", "a", "b"), {"big": SkillScores(items, scores)})
    measure = general_change(matrix)
    assert measure.low is not None
    assert measure.high is not None
    error = float(np.std(scores[2] - scores[0])) / np.sqrt(scores.shape[1])
    assert measure.high - measure.low == pytest.approx(2 * 1.96 * error, rel=0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("stages", [(0,), (1,), (0, 1)])
def test_an_arm_that_diverged_has_no_number_and_warns_nobody(
    value: float, stages: tuple[int, ...]
) -> None:
    """A warning of numpy would stand among the numbers on a terminal."""
    skills = {"facts": _skill([0.9, 0.5]), "emotion": _skill([0.1, 0.8], trained_at=1)}
    for skill in skills.values():
        skill.scores[list(stages), ::2] = value
    matrix = SkillMatrix(("base", "tuned"), skills)
    for measure in (general_change, trained_change, average_score, peak_forgetting,
                    relative_forgetting, backward_transfer):  # fmt: skip
        found = measure(matrix)
        assert found.value is None or np.isfinite(found.value)
        assert found.value is not None or found.reason
