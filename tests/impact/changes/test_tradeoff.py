"""Gained against retained: fronts worked out by hand, intervals, and who is named when."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from engine.errors import EngineError
from engine.impact.changes.forgetting import ALIKE, general_change
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import build_matrix
from engine.impact.changes.tradeoff import ArmPair, Tradeoff, find_front, measure_tradeoff
from engine.impact.changes.tradeoff_json import tradeoff_to_json
from engine.impact.changes.tradeoff_words import list_notes, say_alike, say_front, say_pairs
from tests.impact.made_results import measured, results_of, scores_of, suite_of

Right = Mapping[str, Sequence[float]]
"""By skill, an item each."""


def table_of_arms(
    arms: Mapping[str, Right], trained: Sequence[str] = ("emotion",), **more: Any
) -> SkillTable:
    """Arms from their scores, the base first; all others were trained on `trained`."""
    suites = {
        name: suite_of(len(scores))
        for of_arm in [*arms.values()][::-1]
        for name, scores in of_arm.items()
    }
    base = next(iter(arms))
    made = {
        arm: {
            "suites": {
                name: measured(
                    {f"i{at}": score for at, score in enumerate(scores)}, seen={}, **more
                )
                for name, scores in of_arm.items()
            },
            "parent": "" if arm == base else base,
            "trained": () if arm == base else trained,
        }
        for arm, of_arm in arms.items()
    }
    return build_table(results_of(suites, made))


def right(count: int, items: int) -> list[float]:
    """So many of the items are right, the first ones."""
    return [*scores_of(count, items).values()]


def pair_of(tradeoff: Tradeoff, one: str, other: str) -> ArmPair:
    return next(pair for pair in tradeoff.pairs if {pair.kept_more, pair.kept_less} == {one, other})


def test_a_front_by_hand() -> None:
    points = {
        "a": (1.0, 9.0), "b": (3.0, 7.0), "c": (3.0, 6.0), "d": (5.0, 7.0), "e": (5.0, 7.0),
        "f": (8.0, 2.0), "g": (8.0, 1.0), "h": (7.0, 2.0), "i": (0.0, 9.0), "j": (9.0, 0.0),
    }  # fmt: skip
    front = find_front([*points.values()])
    # d and e are one point twice; c and b fall to them, g and h to f, i to a.
    assert [name for name, is_on in zip(points, front, strict=True) if is_on] == [*"adefj"]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([(3.0, -1.0)], [True]),
        ([(2.0, 2.0)] * 4, [True] * 4),
        ([(0.0, 3.0), (1.0, 2.0), (2.0, 1.0), (3.0, 0.0)], [True] * 4),
        ([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)], [False, False, True]),
        ([(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)], [False, False, True]),
        ([(5.0, 0.0), (5.0, 1.0), (5.0, 2.0)], [False, False, True]),
    ],
)
def test_fronts_of_few_points_and_of_points_on_a_line(
    points: list[tuple[float, float]], expected: list[bool]
) -> None:
    assert find_front(points) == expected


def sweep_front(points: Sequence[tuple[float, float]]) -> set[tuple[float, float]]:
    """The front by another algorithm: from the largest gain on, what exceeds all that was kept."""
    front, best = set(), -math.inf
    for x in sorted({x for x, _ in points}, reverse=True):
        y = max(y for other, y in points if other == x)
        if y > best:
            front.add((x, y))
            best = y
    return front


def test_the_front_equals_another_algorithms_on_many_clouds() -> None:
    drawn = random.Random(15)
    for _ in range(2000):
        side = drawn.randint(1, 6)  # of a small grid, so that points tie
        points = [
            (float(drawn.randint(0, side)), float(drawn.randint(0, side)))
            for _ in range(drawn.randint(1, 12))
        ]
        front = {point for point, on in zip(points, find_front(points), strict=True) if on}
        assert front == sweep_front(points)


def three_arms() -> SkillTable:
    """Two arms that gain alike, of which one keeps more, and one that gains little."""
    return table_of_arms(
        {
            "base": {"emotion": right(30, 300), "facts": right(240, 300), "french": right(80, 100)},
            "lora": {
                "emotion": right(270, 300), "facts": right(120, 300), "french": right(50, 100),
            },
            "replay": {
                "emotion": right(267, 300), "facts": right(210, 300), "french": right(75, 100),
            },
            "weak": {"emotion": right(60, 300), "facts": right(240, 300), "french": right(80, 100)},
        }
    )  # fmt: skip


def test_changes_by_hand_and_the_front() -> None:
    tradeoff = measure_tradeoff(three_arms())
    assert (tradeoff.base, tradeoff.targets, tradeoff.others) == (
        "base", ("emotion",), ("facts", "french"),
    )  # fmt: skip
    expected = {
        "lora": (pytest.approx(0.8), pytest.approx((-0.4 - 0.3) / 2)),
        "replay": (pytest.approx(0.79), pytest.approx((-0.1 - 0.05) / 2)),
        "weak": (pytest.approx(0.1), pytest.approx(0.0)),
    }
    for point in tradeoff.points:
        gained, retained = expected[point.arm]
        assert point.gained.value == gained
        assert point.retained.value == retained
    assert [point.arm for point in tradeoff.front] == ["weak", "replay", "lora"]
    weak = tradeoff.points[2]
    assert weak.retained.low is None
    assert weak.retained.reason == ALIKE
    assert tradeoff.items == 100


def test_one_arm_has_the_change_of_general_skills_with_its_interval() -> None:
    drawn = random.Random(3)
    arms = {
        arm: {name: [float(drawn.random() < p) for _ in range(count)]
              for name, count in (("emotion", 80), ("facts", 120), ("french", 40))}
        for arm, p in (("base", 0.7), ("lora", 0.5))
    }  # fmt: skip
    table = table_of_arms(arms)
    general = general_change(build_matrix(table))
    (point,) = measure_tradeoff(table).points
    assert (point.retained.value, point.retained.low, point.retained.high) == (
        general.value, general.low, general.high,
    )  # fmt: skip


def test_who_forgot_less_is_named_at_equal_gain_with_its_interval() -> None:
    tradeoff = measure_tradeoff(three_arms())
    pair = pair_of(tradeoff, "lora", "replay")
    assert (pair.kept_more, pair.is_equal_gain, pair.is_less_forgotten) == ("replay", True, True)
    # Paired: of 300 facts 90 differ, of 100 French ones 25.
    facts, french = (0.3 * 0.7) / 300, (0.25 * 0.75) / 100
    error = math.sqrt(facts + french) / 2
    assert pair.retained.value == pytest.approx(0.275)
    assert pair.retained.confidence == pytest.approx(1 - 0.05 / 2)
    reach = 2.276 * error  # t of 99 degrees at 0.9875
    assert pair.retained.low == pytest.approx(0.275 - reach, rel=0.02)
    (sentence,) = say_pairs(tradeoff)
    assert sentence.startswith(
        "replay forgot less than lora at equal gain (within 5 points): +27.5 points [+2"
    )
    assert say_front(tradeoff).endswith("not by their intervals: weak, replay, lora.")
    assert say_alike(tradeoff) == ""


def test_nobody_is_named_where_gains_are_not_equal() -> None:
    arms = {
        "base": {"emotion": right(30, 300), "facts": right(240, 300)},
        "lora": {"emotion": right(270, 300), "facts": right(120, 300)},
        "weak": {"emotion": right(60, 300), "facts": right(240, 300)},
    }
    tradeoff = measure_tradeoff(table_of_arms(arms))
    assert not any(pair.is_less_forgotten for pair in tradeoff.pairs)
    (sentence,) = say_pairs(tradeoff)
    assert "no two arms are shown to have gained equally within 5 points" in sentence
    assert "Nearest are weak and lora" in sentence


def test_nobody_is_named_where_what_was_retained_is_not_told_apart() -> None:
    arms = {
        "base": {"emotion": right(30, 300), "facts": right(240, 300)},
        "lora": {"emotion": right(270, 300), "facts": right(200, 300)},
        "full": {"emotion": right(270, 300), "facts": right(202, 300)},
    }
    tradeoff = measure_tradeoff(table_of_arms(arms))
    pair = pair_of(tradeoff, "lora", "full")
    assert (pair.is_equal_gain, pair.is_less_forgotten, pair.is_told_apart) == (True, False, False)
    # No item of the target differs: not 0, but the bound of 300 items.
    assert pair.gain.high == pytest.approx(-math.log(0.1) / 300)
    assert pair.gain.low == -pair.gain.high
    (sentence,) = say_pairs(tradeoff)
    assert "1 pair of arms gained equally within 5 points" in sentence
    assert "Nearest to it: full less lora, +0.7 points [" in sentence
    assert "full and lora" in say_alike(tradeoff)
    assert [point.same_as for point in tradeoff.points] == [("full",), ("lora",)]


def test_equal_gain_of_few_items_is_not_shown() -> None:
    arms = {
        "base": {"emotion": right(2, 20), "facts": right(240, 300)},
        "lora": {"emotion": right(18, 20), "facts": right(100, 300)},
        "replay": {"emotion": right(18, 20), "facts": right(230, 300)},
    }
    pair = pair_of(measure_tradeoff(table_of_arms(arms)), "lora", "replay")
    assert pair.gain.value == 0
    assert pair.gain.high > 0.05  # 20 items without a difference bound it by 12 points
    assert not pair.is_less_forgotten


def test_equal_arms_are_seldom_named() -> None:
    """Three arms that truly retain the same at equal gain: one is named in at most 5% of draws."""
    drawn = np.random.default_rng(15)
    named = 0
    for _ in range(200):
        skills = {"emotion": 400, "facts": 100, "french": 60}
        arms = {
            arm: {
                name: (drawn.random(count) < (p if name == "emotion" else 0.7)).astype(float)
                for name, count in skills.items()
            }
            for arm, p in (("base", 0.1), ("a", 0.98), ("b", 0.98), ("c", 0.98))
        }
        listed = {
            arm: {name: one.tolist() for name, one in scores.items()}
            for arm, scores in arms.items()
        }
        tradeoff = measure_tradeoff(table_of_arms(listed))
        named += any(pair.is_less_forgotten for pair in tradeoff.pairs)
    assert 0 < named <= 0.05 * 200 + 2 * math.sqrt(200 * 0.05 * 0.95)


def test_gains_that_differ_by_delta_are_seldom_called_equal_and_intervals_cover() -> None:
    """Two one-sided tests at 5% each; 95% of the intervals of a point hold its true change."""
    drawn = np.random.default_rng(7)
    equal, gained, retained, count = 0, 0, 0, 150
    for _ in range(count):
        skills = {"emotion": 300, "facts": 100, "french": 60}
        true = {"base": (0.2, 0.8), "a": (0.9, 0.6), "b": (0.85, 0.6)}
        arms = {
            arm: {
                name: (drawn.random(size) < (target if name == "emotion" else other)).astype(float)
                for name, size in skills.items()
            }
            for arm, (target, other) in true.items()
        }
        listed = {
            arm: {name: one.tolist() for name, one in scores.items()}
            for arm, scores in arms.items()
        }
        tradeoff = measure_tradeoff(table_of_arms(listed))
        equal += tradeoff.pairs[0].is_equal_gain
        point = tradeoff.points[0]
        gained += bool(point.gained.low and point.gained.low <= 0.7 <= (point.gained.high or 0))
        retained += bool(
            point.retained.low and point.retained.low <= -0.2 <= (point.retained.high or 0)
        )
    assert equal <= 0.05 * count + 2 * math.sqrt(count * 0.05 * 0.95)
    assert min(gained, retained) >= 0.95 * count - 3 * math.sqrt(count * 0.05 * 0.95)


def test_what_does_not_count_is_said() -> None:
    table = table_of_arms(
        {
            "base": {"emotion": right(30, 300), "facts": right(240, 300), "song": right(9, 10),
                     "counsel": right(9, 90), "french": right(9, 90)},
            "lora": {"emotion": right(270, 300), "facts": right(120, 300), "song": right(0, 10),
                     "counsel": right(70, 90)},
            "broken": {"emotion": [math.nan] * 300, "facts": right(120, 300)},
        },
        trained=("emotion", "counsel"),
    )  # fmt: skip
    tradeoff = measure_tradeoff(table, ["emotion"])
    assert tradeoff.others == ("facts",)
    assert dict(tradeoff.left_out) == {
        "broken": "not finite on emotion",
        "song": "10 items that all arms have, fewer than 20",
        "french": "not measured of lora",
        "counsel": "trained on, and not among the targets",
    }
    notes = list_notes(tradeoff, table)
    assert "Left out: french: not measured of lora." in notes
    assert "Scope: these checkpoints, not their recipes; one seed." in notes


def test_arms_that_were_not_asked_alike_and_items_that_were_seen_are_said() -> None:
    suites = {"emotion": suite_of(40), "facts": suite_of(40)}

    def arm(count: int, fewshot: int, seen: Any, trained: Sequence[str] = ()) -> dict[str, Any]:
        more = {"asked": {"fewshot": fewshot, "template": "own"}, "seen": seen}
        return {
            "suites": {name: measured(scores_of(count, 40), **more) for name in suites},
            "trained": trained,
        }

    made = {"base": arm(10, 0, None), "lora": arm(30, 5, {"i3": "question"}, ["emotion"])}
    table = build_table(results_of(suites, made))
    notes = " ".join(list_notes(measure_tradeoff(table), table))
    assert "emotion, facts: The arms were not asked alike (solved items before each" in notes
    assert "Items seen in training, which count as all others: 2 by lora." in notes
    assert "Whether base saw these items in training is unknown." in notes


@pytest.mark.parametrize(
    ("gain", "trained", "words"),
    [
        (["nothing"], ["emotion"], "Unknown skill 'nothing'"),
        ([], [], "not known what was to be gained"),
        (["song"], ["emotion"], "song cannot be counted as gained"),
        (["emotion", "facts"], ["emotion"], "No skill is left to be retained"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_reason(
    gain: list[str], trained: list[str], words: str
) -> None:
    table = table_of_arms(
        {
            "base": {"emotion": right(3, 30), "facts": right(24, 30), "song": right(2, 3)},
            "lora": {"emotion": right(27, 30), "facts": right(12, 30), "song": right(0, 3)},
        },
        trained=trained,
    )
    with pytest.raises(EngineError, match=words):
        measure_tradeoff(table, gain)


def test_a_base_alone_is_refused() -> None:
    table = table_of_arms({"base": {"emotion": right(3, 30), "facts": right(24, 30)}})
    with pytest.raises(EngineError, match="no arm to set against the base"):
        measure_tradeoff(table)


def test_weights_leave_no_bound_where_nothing_differs() -> None:
    suites = {"emotion": suite_of(40), "facts": suite_of(40)}
    suites["facts"]["items"]["i0"]["weight"] = 5.0
    arms = {
        name: {
            "suites": {
                "emotion": measured(scores_of(count, 40)),
                "facts": measured(scores_of(30, 40)),
            },
            "trained": trained,
        }
        for name, count, trained in (("base", 4, []), ("a", 36, ["emotion"]), ("b", 36, []))
    }
    tradeoff = measure_tradeoff(build_table(results_of(suites, arms)))
    (pair,) = tradeoff.pairs
    assert math.isinf(pair.retained.high)
    assert not pair.is_less_forgotten
    as_json = tradeoff_to_json(tradeoff, build_table(results_of(suites, arms)))
    assert as_json["pairs"][0]["retained"]["interval"] == [None, None]


def test_json_has_points_pairs_and_sentences() -> None:
    table = three_arms()
    as_json = tradeoff_to_json(measure_tradeoff(table), table)
    assert as_json["front"] == ["weak", "replay", "lora"]
    assert [point["front"] for point in as_json["points"]] == [True, True, True]
    assert as_json["points"][0]["gained"]["value"] == pytest.approx(0.8)
    assert len(as_json["pairs"]) == 3
    assert sum(pair["less_forgotten"] for pair in as_json["pairs"]) == 1
    assert any("forgot less than lora" in one for one in as_json["sentences"])
    assert measure_tradeoff(table) == measure_tradeoff(table)  # the same draws each time
