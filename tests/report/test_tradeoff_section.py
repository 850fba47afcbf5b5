"""Gained against retained in a report: the table, and what is said where there is none."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from engine.impact.changes.skill_table import build_table
from engine.impact.changes.tradeoff import measure_tradeoff
from engine.impact.changes.tradeoff_json import tradeoff_to_json
from engine.impact.changes.tradeoff_words import say_front
from engine.impact.results.evaluation_results import read_results
from engine.report.blocks import Grid, Section
from engine.report.json_values import round_numbers
from engine.report.report_folder import verify_report, write_report
from engine.report.report_inputs import VERSION, CollectedFacts, ReportInputs
from engine.report.report_values import compute_values
from engine.report.sections import list_sections
from tests.impact.made_results import measured, results_of, scores_of, suite_of
from tests.report.reported import read_folder, write_jobs

SUITES = {name: suite_of(100) for name in ("emotion", "facts", "french")}


def arm(emotion: int, facts: int, french: int, **more: Any) -> dict[str, Any]:
    rights = {"emotion": emotion, "facts": facts, "french": french}
    return {
        "suites": {name: measured(scores_of(right, 100)) for name, right in rights.items()},
        **more,
    }


ARMS = {
    "base": arm(10, 90, 90),
    "lora": arm(60, 50, 80, parent="base", trained=["emotion"]),
    "replay": arm(55, 85, 90, parent="base", trained=["emotion"]),
    "worse": arm(30, 40, 50, parent="base", trained=["emotion"]),
}


def sections_of(arms: dict[str, Any]) -> dict[str, Section]:
    results = results_of(SUITES, arms)
    facts = CollectedFacts(VERSION, (), tuple(arms), 0.05, (), (), {}, (), (), ())
    return {one.key: one for one in list_sections(compute_values(ReportInputs(facts, results)))}


def test_a_row_an_arm_with_its_means_in_points_and_the_front() -> None:
    (table,) = [one for one in sections_of(ARMS)["tradeoff"].blocks if isinstance(one, Grid)]
    rows = [[cell.text for cell in row] for row in table.rows]
    assert [(row[0], row[1].split()[0], row[2].split()[0], row[3]) for row in rows] == [
        ("lora", "+50.0", "-25.0", "yes"),
        ("replay", "+45.0", "-2.5", "yes"),
        ("worse", "+20.0", "-45.0", ""),
    ]
    assert all("[" in row[1] and "[" in row[2] for row in rows)


def test_sentences_notes_and_json_are_those_of_the_tradeoff(tmp_path: Path) -> None:
    out = write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")
    files = read_folder(out)
    table = build_table(read_results(json.loads(files["data/results.json"])))
    tradeoff = measure_tradeoff(table)
    found = json.loads(files["report.json"])["tradeoff"]
    assert found == round_numbers(tradeoff_to_json(tradeoff, table))
    assert say_front(tradeoff) in files["report.md"].decode()
    rows = [*csv.DictReader(io.StringIO(files["tables/tradeoff.csv"].decode()))]
    assert [row["arm"] for row in rows] == [point.arm for point in tradeoff.points]
    for row, point in zip(rows, tradeoff.points, strict=True):
        assert float(row["gained"]) == pytest.approx(point.gained.value)
        assert float(row["retained_low"]) == pytest.approx(point.retained.low)
        assert row["front"] == ("yes" if point.is_on_front else "no")
    assert verify_report(out, {}).differences == ()


def test_without_known_targets_one_line_says_what_is_missing() -> None:
    arms = {name: {**one, "trained": []} for name, one in ARMS.items()}
    (line,) = sections_of(arms)["tradeoff"].blocks
    assert "It is not known what was to be gained" in str(line)
    few = {name: arms[name] for name in ("base", "lora")}
    assert "tradeoff" not in sections_of(few)


def test_one_arm_alone_has_no_tradeoff() -> None:
    assert "tradeoff" not in sections_of({"base": ARMS["base"]})


def test_a_model_asked_with_examples_too_is_an_arm_of_the_plot() -> None:
    """Its scores are those of the suites with examples, on the same items."""
    suites = {**SUITES, **{f"{name}, 5-shot": suite_of(100) for name in SUITES}}
    shots = {
        f"{name}, 5-shot": measured(scores_of(right, 100), asked={"fewshot": 5})
        for name, right in (("emotion", 40), ("facts", 90), ("french", 90))
    }
    arms = {name: dict(one) for name, one in ARMS.items()}
    arms["base"] = {"suites": {**ARMS["base"]["suites"], **shots}}
    results = results_of(suites, arms)
    facts = CollectedFacts(VERSION, (), tuple(arms), 0.05, (), (), {}, (), (), ())
    values = compute_values(ReportInputs(facts, results))
    assert values.tradeoff is not None
    points = {point.arm: point for point in values.tradeoff.tradeoff.points}
    assert points["base 5-shot"].gained.value == pytest.approx(0.3)
    assert values.table.arms == tuple(arms)
