"""Which items of a suite are counted, for which arms, and what changed between them."""

import dataclasses
from typing import Any

import pytest

from engine.impact.changes.classified_suite import classify_suite
from engine.impact.results.evaluation_results import EvaluationResults, SuiteItem, read_results
from tests.impact.labelled import labelled

TRUTH = ["joy", "joy", "fear", "fear"] * 25
BASE = ["joy"] * 100
TUNED = ["joy", "joy", "fear", "joy"] * 25
CUT = ["joy", "", "fear", "fear"] * 25


def _results() -> EvaluationResults:
    return labelled(TRUTH, {"base": (BASE, None), "tuned": (TUNED, CUT)})


def test_both_ways_apart() -> None:
    likely = classify_suite(_results(), "emotion", "likelihood")
    assert (likely.labels, likely.items, likely.majority) == (("fear", "joy"), 100, ("fear", 0.5))
    assert {arm: one.accuracy for arm, one in likely.arms.items()} == {"base": 0.5, "tuned": 0.75}
    assert likely.arms["tuned"].confusion.tolist() == [[25, 25, 0], [0, 50, 0]]
    assert not likely.notes
    generated = classify_suite(_results(), "emotion", "generated")
    assert list(generated.arms) == ["tuned"]
    assert generated.arms["tuned"].no_label == 25
    assert generated.notes == ("base: not measured by generated answer.",)
    assert not generated.changes


def test_the_change_is_paired_with_a_verdict() -> None:
    change = classify_suite(_results(), "emotion", "likelihood").changes["tuned"]
    assert change.accuracy.word == "gained"
    assert change.accuracy.test.difference == 0.25
    assert not change.accuracy.is_primary
    low, high = change.macro_f1_interval
    assert 0 < low < change.macro_f1 < high
    assert not change.is_same
    turned = classify_suite(_results(), "emotion", "likelihood", ["tuned", "base"])
    assert turned.changes["base"].accuracy.word == "lost"
    same = labelled(TRUTH, {"base": (BASE, None), "tuned": (BASE, None)})
    assert classify_suite(same, "emotion", "likelihood").changes["tuned"].is_same


def test_only_items_of_every_arm_with_one_right_label() -> None:
    results = _results()
    facts = results.suites["emotion"]
    items = dict(facts.items)
    items["r0"] = dataclasses.replace(items["r0"], gold=("joy", "fear"))
    items["r1"] = dataclasses.replace(items["r1"], gold=())
    items["r2"] = dataclasses.replace(items["r2"], gold=())
    items["r3"] = dataclasses.replace(items["r3"], gold=("Joy",))
    picked = results.arms["base"].suites["emotion"].picked["likelihood"]
    del picked["r4"]  # type: ignore[attr-defined]
    suites = {"emotion": dataclasses.replace(facts, items=items)}
    counted = classify_suite(EvaluationResults(results.arms, suites), "emotion", "likelihood")
    assert counted.items == 95
    assert counted.notes == (
        "1 item with several right labels: left out.",
        "2 items with no right label: left out.",
        "1 item with a right answer that is no label: left out.",
        "1 item not measured of every arm: left out.",
    )


def test_labels_without_items_and_groups_are_said() -> None:
    groups = [str(at // 4) for at in range(100)]
    results = labelled(
        TRUTH,
        {"base": (BASE, None), "tuned": (TUNED, None)},
        ["fear", "joy", "love"],
        groups=groups,
    )
    counted = classify_suite(results, "emotion", "likelihood")
    assert counted.labels == ("fear", "joy", "love")
    assert "come in groups" in counted.notes[0]
    assert counted.notes[1].startswith("1 label has no items here")
    assert counted.arms["tuned"].macro_f1 == pytest.approx((2 / 3 + 0.8) / 3)
    assert counted.changes["tuned"].accuracy.test.name == "clustered proportions"


def test_version_1_has_no_right_labels() -> None:
    table: dict[str, Any] = {
        "schema": 1,
        "arms": {
            "base": {
                "arm": "base=bundled:demo-base",
                "suites": {},
                "choices": {
                    "labels": ["joy", "fear"],
                    "likelihood": {"scores": {"x": 0.0}, "answers": {"x": "joy"}},
                    "generated": {"scores": {"x": 0.0}},
                },
            }
        },
    }
    counted = classify_suite(read_results(table), "labels", "likelihood")
    assert (counted.arms, counted.items) == ({}, 0)
    assert counted.notes == ("1 item with no right label: left out.",)


def test_one_item_is_counted_and_not_judged() -> None:
    results = labelled(["joy"], {"a": (["joy"], None), "b": (["fear"], None)}, ["joy", "fear"])
    counted = classify_suite(results, "emotion", "likelihood")
    assert counted.changes["b"].accuracy.word == "items only"


def test_what_is_no_classification_is_refused() -> None:
    results = _results()
    items = {"a": SuiteItem("?", ("x",)), "b": SuiteItem("!", ("y",))}
    open_suite = dataclasses.replace(results.suites["emotion"], items=items)
    with pytest.raises(ValueError, match="no classification"):
        classify_suite(results, "facts", "likelihood")
    with pytest.raises(ValueError, match="no classification"):
        classify_suite(
            EvaluationResults(results.arms, {"emotion": open_suite}), "emotion", "likelihood"
        )
    with pytest.raises(ValueError, match="'other'"):
        classify_suite(results, "emotion", "likelihood", ["base", "other"])
