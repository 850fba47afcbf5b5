"""Controls in a report: they survive from the jobs to the page, and the simulation is the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.impact.changes.control_json import controls_to_json
from engine.impact.changes.controls import read_controls
from engine.impact.changes.planted_loss import measure_power
from engine.impact.changes.skill_table import build_table
from engine.impact.results.evaluation_results import read_results
from engine.report.collect import collect_inputs
from engine.report.control_section import say_power
from engine.report.json_values import round_numbers
from engine.report.report_folder import verify_report, write_report
from engine.report.report_inputs import (
    VERSION,
    CollectedFacts,
    ReportInputs,
    decode_inputs,
    encode_inputs,
)
from engine.report.report_values import DRAWS, ReportValues, compute_values
from engine.report.sections import list_sections
from tests.impact.made_results import measured, results_of, scores_of, suite_of
from tests.report.reported import read_folder
from tests.tui.impact.evaluated import scored, suite_facts, write_evaluation

BASE, TUNED = "http://gpu.lan:8000/v1?model=small", "tuned=run:x"


def controlled_results() -> dict[str, Any]:
    """A base that is called by its host, a tuned arm, a second pass, two null adapters."""

    def facts(right: int) -> dict[str, Any]:
        return {"facts": scored("facts", 60, range(right))}

    nulls = {
        f"tuned, null {at}": {"arm": TUNED, "control": "null", "of": "tuned", "suites": facts(one)}
        for at, one in ((1, 49), (2, 51))
    }
    return {
        "schema": 2,
        "suites": {"facts": suite_facts("facts", 60)},
        "arms": {
            "gpu.lan:8000": {"arm": BASE, "suites": facts(50)},
            "tuned": {"arm": TUNED, "suites": facts(20)},
            "gpu.lan:8000, again": {"arm": "gpu.lan:8000, again=" + BASE, "control": "identity",
                                    "of": "gpu.lan:8000", "suites": facts(50)},
            **nulls,
        },
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    job = write_evaluation(
        tmp_path / "runs", results=json.dumps(controlled_results()), arms=(BASE, TUNED)
    )
    return write_report([job], tmp_path / "report")


def test_controls_come_through_with_the_names_of_their_arms(tmp_path: Path) -> None:
    job = write_evaluation(
        tmp_path / "runs", results=json.dumps(controlled_results()), arms=(BASE, TUNED)
    )
    inputs = collect_inputs([job], (), 0.05)
    assert list(inputs.results.arms) == ["small", "tuned"]
    assert {name: (one.control, one.of) for name, one in inputs.results.controls.items()} == {
        "small, again": ("identity", "small"),
        "tuned, null 1": ("null", "tuned"),
        "tuned, null 2": ("null", "tuned"),
    }
    files = encode_inputs(inputs)
    assert encode_inputs(decode_inputs(files)) == files
    assert decode_inputs(files).results.controls == inputs.results.controls
    assert not any(b"gpu.lan" in content for content in files.values())
    alone = collect_inputs([job], ("small",), 0.05)
    assert list(alone.results.controls) == ["small, again"]


def test_the_page_and_json_say_what_the_controls_say(folder: Path) -> None:
    files = read_folder(folder)
    table = build_table(read_results(json.loads(files["data/results.json"])))
    controls, power = read_controls(table), measure_power(table, draws=DRAWS)
    found = json.loads(files["report.json"])["controls"]
    assert found == round_numbers(controls_to_json(controls, power))
    text = files["report.md"].decode()
    assert "small measured a second time, in another order and smaller batches: 0 of 60" in text
    assert "| facts | small | 60 | 0 | 0 |" in text
    # Right under base 50, under tuned 20, under the null adapters 49 and 51, of 60.
    assert "| facts | tuned | 60 | -50.0 | 0.0 | 2.4 | -21.2 | 1 |" in text
    assert verify_report(folder, {}).differences == ()


def values_of(right: int) -> ReportValues:
    results = results_of(
        {"facts": suite_of(150), "few": suite_of(5)},
        {"base": {"facts": measured(scores_of(right, 150)), "few": measured(scores_of(5, 5))},
         "tuned": {"facts": measured(scores_of(100, 150)), "few": measured(scores_of(5, 5))}},
    )  # fmt: skip
    facts = CollectedFacts(VERSION, (), ("base", "tuned"), 0.05, (), (), {}, (), (), ())
    return compute_values(ReportInputs(facts, results))


def test_a_planted_loss_is_said_with_its_share_and_its_items() -> None:
    values = values_of(110)
    share = values.power.skill("facts").planted[0.05]
    assert share is not None
    low, high = share.interval
    assert [*say_power(values)] == [
        f"A loss of 5 points of facts would be found in {share.share:.0%} [{low:.0%}, {high:.0%}] "
        "of cases with these 150 items."
    ]
    assert share.draws == DRAWS


def test_where_nothing_can_be_planted_nothing_is_said_of_it() -> None:
    values = values_of(3)
    assert [*say_power(values)] == []
    sections = {one.key: one for one in list_sections(values)}
    assert "3 of 150 items are right: too few to lose that many" in str(sections["controls"])
    assert "fewer than 20 items never give a verdict" in str(sections["controls"])
    assert "Neither an arm's second pass nor null adapters" in str(sections["controls"])
