"""Models that were asked with examples too, as arms of their own."""

from typing import Any

from engine.impact.results.evaluation_results import EvaluationResults
from engine.impact.results.fewshot_arms import add_fewshot_arms
from tests.impact.made_results import measured, results_of, scores_of, suite_of


def asked(count: int, fewshot: int = 0) -> Any:
    return measured(scores_of(count, 30), asked={"fewshot": fewshot})


def results(base: dict[str, Any], prompt: str = "", **more: Any) -> EvaluationResults:
    suites = {
        name: suite_of(30, digest=name)
        for name in ("facts", "french", "facts, 5-shot", "french, 5-shot", "facts, 2-shot")
    }
    for name, suite in suites.items():
        for at, item in enumerate(suite["items"].values()):
            item["digest"] = f"{name} {at}"  # examples are part of what an item asks
    if prompt:
        suites["facts, 5-shot"]["items"]["i3"]["prompt"] = prompt
    return results_of(suites, {"base": base, "lora": {"facts": asked(3), "french": asked(4)}})


WHOLE = {
    "facts": asked(10), "french": asked(12), "facts, 5-shot": asked(20, 5),
    "french, 5-shot": asked(22, 5), "facts, 2-shot": asked(7, 2),
}  # fmt: skip


def test_a_model_that_was_asked_all_its_skills_in_both_ways() -> None:
    found = add_fewshot_arms(results(WHOLE))
    assert [*found.arms] == ["base", "lora", "base 5-shot"]
    arm = found.arms["base 5-shot"]
    assert {name: sum(one.measures["strict"].values()) for name, one in arm.suites.items()} == {
        "facts": 20, "french": 22,
    }  # fmt: skip
    assert arm.suites["facts"].asked["fewshot"] == 5
    # Asked with examples they are that arm's; what is no arm's own stays a skill.
    assert [*found.suites] == ["facts", "french", "facts, 2-shot"]


def test_one_that_was_asked_only_some_with_examples_is_none() -> None:
    part = {name: one for name, one in WHOLE.items() if name != "french, 5-shot"}
    assert [*add_fewshot_arms(results(part)).arms] == ["base", "lora"]


def test_other_items_are_not_the_same_skill() -> None:
    assert [*add_fewshot_arms(results(WHOLE, prompt="Another?")).arms] == ["base", "lora"]
