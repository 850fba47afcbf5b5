"""Several evaluations as one: the same arm, arms of one name, suites that were edited."""

from typing import Any

import pytest

from engine.errors import EngineError
from engine.impact.changes.skill_table import build_table
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.impact.results.merged_results import choose_arms, merge_results
from tests.impact.made_results import measured, results_of, scores_of, suite_of, table_of


def _one(digest: str = "d", prompt: str = "", **arms: Any) -> EvaluationResults:
    suite = suite_of(30, digest=digest)
    if prompt:
        suite["items"]["i7"]["prompt"] = prompt
    return results_of({"facts": suite}, arms)


BASE = {"facts": measured(scores_of(20, 30))}


def test_arms_of_both_in_order() -> None:
    merged = merge_results(
        [_one(base=BASE, A=BASE), _one(base=BASE, B={"parent": "base", "suites": BASE})]
    )
    assert list(merged.arms) == ["base", "A", "B"]
    assert merged.arms["B"].parent == "base"
    assert build_table(merged).row("facts").unpaired == 0


def test_an_arm_in_other_words_is_another_arm() -> None:
    other = table_of(
        {"facts": suite_of(30)}, {"base": BASE, "B": {"parent": "base", "suites": BASE}}
    )
    other["arms"]["base"]["arm"] = "base=run:another"
    merged = merge_results([_one(base=BASE), read_results(other)])
    assert list(merged.arms) == ["base", "base (2)", "B"]
    assert merged.arms["B"].parent == "base (2)"


def test_an_edited_item_is_compared_with_nothing() -> None:
    second = _one("edited", "Another question?", B={"facts": measured(scores_of(20, 30))})
    row = build_table(merge_results([_one(base=BASE), second])).row("facts")
    assert row.unpaired == 1
    assert row.changes["B"].test.items == 29
    assert any(
        "edited between two evaluations: 1 item was another then" in one for one in row.notes
    )


def test_an_edit_that_the_prompt_does_not_show_is_one_too() -> None:
    """Such as a system message, tools, earlier turns, or the examples before the question."""
    tables = [table_of({"facts": suite_of(30, digest=digest)}, {digest: BASE}) for digest in "xy"]
    for table in tables:
        for name, item in table["suites"]["facts"]["items"].items():
            item["digest"] = "same" if name != "i3" else table["suites"]["facts"]["digest"]
    row = build_table(merge_results(list(map(read_results, tables)))).row("facts")
    assert (row.unpaired, row.changes["y"].test.items) == (1, 29)


def test_items_that_were_added_are_in_one_evaluation_alone() -> None:
    second = results_of(
        {"facts": suite_of(40, digest="longer")}, {"B": {"facts": measured(scores_of(20, 40))}}
    )
    row = build_table(merge_results([_one(base=BASE), second])).row("facts")
    assert (row.unpaired, row.items, row.changes["B"].test.items) == (10, 40, 30)


def test_an_arm_that_was_measured_twice_keeps_the_first_and_gains_suites() -> None:
    again = results_of(
        {"facts": suite_of(30), "more": suite_of(20)},
        {"base": {"facts": measured(scores_of(1, 30)), "more": measured(scores_of(9, 20))}},
    )
    merged = merge_results([_one(base=BASE), again])
    assert sum(merged.arms["base"].suites["facts"].measures["strict"].values()) == 20
    assert sum(merged.arms["base"].suites["more"].measures["strict"].values()) == 9


def test_version_1_is_known_by_its_prompts() -> None:
    scores = scores_of(20, 30)
    prompts = {item: f"Question {item}?" for item in scores} | {"i0": "Another?"}
    first = read_results(
        {"schema": 1, "arms": {"old": {"arm": "old=run:old", "suites": {
            "facts": {"scores": scores, "prompts": prompts}}}}}
    )  # fmt: skip
    row = build_table(merge_results([first, _one(B=BASE)])).row("facts")
    assert row.unpaired == 1


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no evaluations"):
        merge_results([])


def test_arms_are_chosen_in_the_order_in_which_they_are_named() -> None:
    results = _one(base=BASE, tuned=BASE)
    assert choose_arms(results, ()) == ("base", "tuned")
    assert choose_arms(results, ("tuned", "base")) == ("tuned", "base")
    with pytest.raises(EngineError, match="Unknown arm 'other'"):
        choose_arms(results, ("base", "other"))
    with pytest.raises(EngineError, match="named twice"):
        choose_arms(results, ("base", "base"))
    with pytest.raises(EngineError, match="no arms"):
        choose_arms(EvaluationResults({}, {}), ())
