"""The summary of stages from a table: a 4×4 matrix by hand, and what does not go into it."""

from dataclasses import replace
from typing import Any

import pytest

from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import StageSummary, build_matrix, summarize
from tests.impact.made_results import measured, results_of, suite_of

STAGES = ("base", "A", "B", "C")
ITEMS = 40
R = {
    "a": [0.25, 0.90, 0.60, 0.50],
    "b": [0.20, 0.20, 0.80, 0.70],
    "c": [0.10, 0.10, 0.10, 0.90],
    "facts": [0.80, 0.70, 0.40, 0.60],
}
TRAINED = {"A": ["a"], "B": ["b"], "C": ["c"]}


def _table(**more: Any) -> SkillTable:
    """R as items: the first of 40 are right. Suites in `more` are measured by all stages."""
    suites = {skill: suite_of(ITEMS) for skill in R} | {
        skill: suite for skill, (suite, _) in more.items()
    }
    arms = {}
    for at, stage in enumerate(STAGES):
        found = {
            skill: measured(
                {f"i{item}": float(item < round(row[at] * ITEMS)) for item in range(ITEMS)}
            )
            for skill, row in R.items()
        }
        found |= {skill: one for skill, (_, one) in more.items()}
        parent = STAGES[at - 1] if at else ""
        arms[stage] = {"parent": parent, "trained": TRAINED.get(stage, []), "suites": found}
    return build_table(results_of(suites, arms))


def _values(summary: StageSummary) -> dict[str, float | None]:
    return {one.name: one.value for one in summary.measures}


def test_a_matrix_of_four_by_four_by_hand() -> None:
    """measures.md: BWT = 1/(T−1) Σ_{i<T} (R[T,i] − R[i,i]); peak = max_{l<T} R[l,j] − R[T,j];
    relative over the skills whose base interval lies above chance (here 0: all)."""
    summary = summarize(_table())
    assert summary.stages == STAGES
    assert _values(summary) == pytest.approx(
        {
            "change of skills not trained on": 0.6 - 0.8,
            "backward transfer": ((0.5 - 0.9) + (0.7 - 0.8)) / 2,
            "average": (0.5 + 0.7 + 0.9 + 0.6) / 4,
            "peak forgetting": (0.4 + 0.1 - 0.8 + 0.2) / 4,
            "relative forgetting": (
                (0.25 - 0.5) / 0.25 + (0.2 - 0.7) / 0.2 + (0.1 - 0.9) / 0.1 + (0.8 - 0.6) / 0.8
            ) / 4,
        }
    )  # fmt: skip
    assert summary.general.skills == ("facts",)
    for measure in summary.measures:
        assert _lies_inside(measure), measure
    assert summary.notes == ()


def _lies_inside(measure: StageMeasure) -> bool:
    assert measure.value is not None
    assert measure.low is not None
    assert measure.high is not None
    return measure.low <= measure.value <= measure.high


def test_chance_is_where_all_items_have_as_many_choices() -> None:
    """At five choices the bases of a, b and c are not above chance."""
    suites = {skill: suite_of(ITEMS, choices=list("vwxyz")) for skill in R}
    table = _table()
    arms = {
        name: {
            "parent": arm.parent,
            "suites": {s: {"measures": one.measures} for s, one in arm.suites.items()},
        }
        for name, arm in table.results.arms.items()
    }
    summary = summarize(build_table(results_of(suites, arms)))
    relative = summary.others[-1]
    assert relative.skills == ("facts",)
    assert relative.value == pytest.approx(0.25)
    assert summary.notes == ("No stage is known to have been trained on one of these skills.",)


def test_few_items_and_texts_are_not_averaged() -> None:
    song = (suite_of(3), measured({"i0": 1.0, "i1": 0.0, "i2": 0.0}))
    texts = {f"i{at}": 20.0 for at in range(30)}
    prose = (suite_of(30, measure="nll"), measured(texts, "nll", tokens=dict.fromkeys(texts, 9)))
    table = _table(song=song, prose=prose)
    assert set(build_matrix(table).skills) == set(R)
    assert summarize(table).notes == ("Not in these means, with fewer than 20 paired items: song.",)


def test_a_skill_that_a_stage_lacks_is_in_what_does_not_need_it() -> None:
    results = _table().results
    suites = {skill: one for skill, one in results.arms["B"].suites.items() if skill != "facts"}
    without = replace(results.arms["B"], suites=suites)
    results = replace(results, arms={**results.arms, "B": without})
    summary = summarize(build_table(results))
    assert summary.general.value == pytest.approx(-0.2)  # from base to C, both of which have it
    assert "facts" not in summary.others[2].skills  # peak forgetting needs all stages


def test_weights_are_those_of_the_scores() -> None:
    suite = suite_of(ITEMS)
    for at, item in enumerate(suite["items"].values()):
        item["weight"] = 3.0 if at < 10 else 1.0
    arms = {
        name: {"s": measured({f"i{item}": float(item < right) for item in range(ITEMS)})}
        for name, right in (("base", 20), ("tuned", 10))
    }
    table = build_table(results_of({"s": suite}, arms))
    summary = summarize(table)
    assert table.row("s").results["tuned"].score == pytest.approx(0.5)
    assert table.row("s").changes["tuned"].difference == pytest.approx(-10 / 60)
    assert summary.general.value == pytest.approx(-10 / 60)


def test_one_stage_alone_has_an_average_and_no_more() -> None:
    summary = summarize(build_table(_table().results, ["C"]))
    values = _values(summary)
    assert values.pop("average") == pytest.approx(0.675)
    assert set(values.values()) == {None}
    assert summary.general.reason == "no stage comes after the base"
    assert summary.words == {}
