"""The top of a report: a line for each verdict, few enough to read in half a minute."""

import re
from typing import Any

import pytest

from engine.impact.results.evaluation_results import read_results
from engine.report.blocks import Bullets
from engine.report.headline import say_headline, show_headline, show_sentences
from engine.report.report_inputs import VERSION, CollectedFacts, ReportInputs
from engine.report.report_values import ReportValues, compute_values
from tests.impact.made_results import measured, results_of, scores_of, suite_of
from tests.tui.impact.evaluated import staged_results


def values_of(suites: dict[str, Any], arms: dict[str, Any]) -> ReportValues:
    facts = CollectedFacts(VERSION, (), tuple(arms), 0.05, (), (), {}, (), (), ())
    return compute_values(ReportInputs(facts, results_of(suites, arms)))


def staged_values() -> ReportValues:
    results = read_results(staged_results())
    facts = CollectedFacts(VERSION, (), tuple(results.arms), 0.05, (), (), {}, (), (), ())
    return compute_values(ReportInputs(facts, results))


def test_each_verdict_has_a_line_with_its_skills() -> None:
    rights = {"facts": (90, 20), "french": (20, 90), "same": (100, 100), "few": (9, 2)}
    suites = {name: suite_of(10 if name == "few" else 100) for name in rights}
    arms = {
        arm: {name: measured(scores_of(pair[at], 10 if name == "few" else 100))
              for name, pair in rights.items()}
        for at, arm in enumerate(("base", "tuned"))
    }  # fmt: skip
    lines = [*say_headline(values_of(suites, arms))]
    starts = [line.partition(":")[0] for line in lines]
    assert starts[-4:] == [
        "Lost beyond 5 points", "Gained beyond 5 points", "The same within 5 points",
        "No verdict, fewer than 20 items",
    ]  # fmt: skip
    assert lines[-4].startswith("Lost beyond 5 points: facts -70.0 points [-")
    assert lines[-2] == "The same within 5 points: same."
    assert lines[-1] == "No verdict, fewer than 20 items: few."


def test_a_story_of_three_arms_is_ten_lines_at_most() -> None:
    lines = [*say_headline(staged_values())]
    assert len(lines) <= 10
    assert lines[0].startswith("The 2 skills that no stage was trained on changed by ")
    assert lines[1].startswith("emotion, trained on at an earlier stage, changed by -32.0 points [")
    assert lines[1].endswith("from the end of its own stage to the last (backward transfer).")
    assert any("Of items lost at a stage between, right again at the last: arithmetic 27 of 39"
               in line for line in lines)  # fmt: skip
    assert any("Other steps, exploratory: emotion against base gained emotion and lost arithmetic"
               in line for line in lines)  # fmt: skip


@pytest.mark.parametrize("count", [3, 40])
def test_many_skills_make_no_more_lines(count: int) -> None:
    suites = {f"skill{at}": suite_of(60) for at in range(count)}
    arms = {
        arm: {name: measured(scores_of(right, 60)) for name in suites}
        for arm, right in (("base", 50), ("tuned", 5))
    }
    lines = [*say_headline(values_of(suites, arms))]
    assert len(lines) == 2
    assert ("and 34 more" in lines[1]) == (count == 40)
    assert lines[1].count("points [") == min(count, 6)


def test_every_point_has_a_sign_and_one_decimal() -> None:
    values = staged_values()
    sections = (show_headline(values), show_sentences(values))
    texts = [text for one in sections if one for block in one.blocks
             if isinstance(block, Bullets) for text in block.texts]  # fmt: skip
    found = [one for text in texts for one in re.findall(r"([^\s(]+) points \[([^\]]*)\]", text)]
    assert len(found) > 8
    for value, ends in found:
        for number in (value, *ends.split(", ")):
            assert re.fullmatch(r"[+-]\d+\.\d|0\.0", number), (value, ends)


def test_diverged_and_unmeasured_skills_are_named() -> None:
    broken = {**scores_of(5, 30), "i0": None}
    values = values_of(
        {"facts": suite_of(30), "half": suite_of(30)},
        {"base": {"facts": measured(scores_of(5, 30)), "half": measured(scores_of(5, 30))},
         "tuned": {"facts": measured(broken)}},
    )  # fmt: skip
    lines = [*say_headline(values)]
    assert "Diverged, not finite under one of the two arms: facts." in lines
    assert "Not measured on both arms: half." in lines


def test_one_arm_alone_is_not_compared() -> None:
    values = values_of({"facts": suite_of(30)}, {"base": {"facts": measured(scores_of(3, 30))}})
    assert "One arm alone: nothing is compared." in str(show_headline(values))
    assert show_sentences(values) is None
