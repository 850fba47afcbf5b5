"""Sentences follow from the numbers, and never claim more than the verdict does."""

from typing import Any

from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.stage_summary import StageSummary
from engine.impact.results.evaluation_results import read_results
from engine.report.report_inputs import VERSION, CollectedFacts, ReportInputs
from engine.report.report_values import ReportValues, compute_values
from engine.report.sentences import list_sentences, say_others, say_primary, say_summary
from engine.statistics import paired_proportions
from tests.impact.made_results import measured, results_of, scores_of, suite_of
from tests.tui.impact.evaluated import staged_results


def values_of(suites: dict[str, Any], arms: dict[str, Any]) -> ReportValues:
    results = results_of(suites, arms)
    facts = CollectedFacts(VERSION, (), tuple(arms), 0.05, (), (), {}, (), (), ())
    return compute_values(ReportInputs(facts, results))


def two_arms(before: dict[str, float], after: dict[str, float]) -> ReportValues:
    count = len(before)
    return values_of(
        {"facts": suite_of(count)},
        {"base": {"facts": measured(before)}, "tuned": {"facts": measured(after)}},
    )


def test_a_loss_names_amount_interval_n_and_items() -> None:
    values = two_arms(scores_of(90, 100), scores_of(40, 100))
    low, high = (100 * one for one in paired_proportions(0, 50, 100))
    assert [*say_primary(values)][-1] == (
        f"facts lost (-50.0 points [{low:+.1f}, {high:+.1f}] on 100 items, 0.90 to 0.40): 50 of "
        "the 90 items that base had right are lost, 0 of the other 10 are gained."
    )


def test_a_gain_names_the_items_that_are_new() -> None:
    values = two_arms(scores_of(20, 100), scores_of(100, 100))
    assert "facts gained (+80.0 points [" in [*say_primary(values)][-1]
    assert (
        "0 of the 20 items that base had right are lost, 80 of the other 80 are gained"
        in ([*say_primary(values)][-1])
    )


def test_without_evidence_no_change_is_claimed_and_the_n_that_would_do_is_named() -> None:
    values = two_arms(scores_of(50, 60), scores_of(46, 60))
    sentence = [*say_primary(values)][-1]
    assert sentence.startswith("facts gives not enough evidence of a change: -6.7 points [")
    assert f"and about {_needed(values):,} would do" in sentence
    assert " lost 6" not in sentence


def _needed(values: ReportValues) -> int:
    verdict = values.table.skills[0].changes["tuned"].verdict
    assert verdict is not None
    assert verdict.items_needed is not None
    return verdict.items_needed


def test_few_items_give_no_verdict() -> None:
    values = two_arms(scores_of(10, 10), scores_of(2, 10))
    assert [*say_primary(values)][-1].startswith(
        "facts has 10 items: fewer than 20 give no verdict; 10 right under base, 2 under tuned"
    )


def staged_values() -> ReportValues:
    results = read_results(staged_results())
    facts = CollectedFacts(VERSION, (), tuple(results.arms), 0.05, (), (), {}, (), (), ())
    return compute_values(ReportInputs(facts, results))


def test_what_came_back_and_each_step_on_the_way_are_named() -> None:
    values = staged_values()
    primary = [*say_primary(values)]
    assert any(
        one.startswith("arithmetic ") and "of 39 lost at a stage between, 27 are right again" in one
        for one in primary
    )
    others = [*say_others(values)]
    assert [one.split(" gained")[0].split(" lost")[0] for one in others] == [
        "emotion against base", "counsel against emotion",
    ]  # fmt: skip
    assert "lost arithmetic -13.0 points [-16.8, -9.0] (n 300)" in others[0]
    assert any("2 skills that no stage was trained on changed by" in one for one in primary)


def test_one_arm_alone_is_not_compared() -> None:
    values = values_of({"facts": suite_of(30)}, {"base": {"facts": measured(scores_of(3, 30))}})
    assert [*list_sentences(values)] == ["One arm alone: nothing is compared."]


def test_a_diverged_arm_has_no_verdict() -> None:
    broken = {**scores_of(5, 30), "i0": None}
    values = values_of(
        {"facts": suite_of(30)},
        {"base": {"facts": measured(scores_of(5, 30))}, "tuned": {"facts": measured(broken)}},
    )
    assert [*say_primary(values)][-1] == (
        "facts is not finite under one of the two arms: it diverged."
    )


def test_means_over_one_skill_and_over_several_name_what_they_are_of() -> None:
    def measure(name: str, *skills: str) -> StageMeasure:
        return StageMeasure(name, -0.1, -0.2, 0.05, skills)

    def say(*skills: str) -> list[str]:
        general, transfer = measure("general", *skills), measure("backward transfer", *skills)
        return [*say_summary(StageSummary(("base", "a", "b"), general, (transfer,), {}, None))]

    assert say("facts") == [
        "facts, which no stage was trained on, changed by -10.0 points [-20.0, +5.0].",
        "facts, trained on at an earlier stage, changed by -10.0 points [-20.0, +5.0] from the end "
        "of its own stage to the last (backward transfer).",
    ]
    assert say("facts", "song") == [
        "The 2 skills that no stage was trained on changed by -10.0 points [-20.0, +5.0] on "
        "average.",
        "What earlier stages were trained on (facts, song) changed by -10.0 points [-20.0, +5.0] "
        "on average from the end of its own stage to the last (backward transfer).",
    ]
