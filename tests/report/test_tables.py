"""The numbers in a report are those of the skill table, in every file; no page holds all items."""

import csv
import io
import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.changes.table_json import table_to_json
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.report.json_values import round_numbers
from engine.report.number_words import write_p
from engine.report.report_folder import write_report
from engine.report.report_inputs import (
    INPUTS,
    RESULTS,
    VERSION,
    CollectedFacts,
    ReportInputs,
    decode_inputs,
)
from engine.report.report_values import compute_values
from engine.report.sections import SECTIONS, list_sections
from tests.impact.labelled import labelled
from tests.report.reported import read_folder, write_jobs
from tests.tui.impact.evaluated import scored, staged_results, suite_facts, write_evaluation

Rows = list[dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_report([write_jobs(tmp_path / "runs")], tmp_path / "report")


@pytest.fixture
def table() -> SkillTable:
    return build_table(read_results(staged_results()))


def rows_of(folder: Path, name: str) -> Rows:
    return [*csv.DictReader(io.StringIO((folder / f"tables/{name}.csv").read_text()))]


def inputs_of(results: EvaluationResults) -> ReportInputs:
    facts = CollectedFacts(VERSION, (), tuple(results.arms), 0.05, (), (), {}, (), (), ())
    return ReportInputs(facts, results)


def test_scores_and_their_intervals(folder: Path, table: SkillTable) -> None:
    rows = {(row["skill"], row["measure"], row["arm"]): row for row in rows_of(folder, "skills")}
    every = (*table.skills, *table.secondary)
    assert len(rows) == sum(len(row.results) for row in every)
    for row in every:
        for arm, result in row.results.items():
            found = rows[row.name, row.measure, arm]
            low, high = result.interval or (math.nan, math.nan)
            assert float(found["score"]) == pytest.approx(result.score, rel=1e-9)
            assert (float(found["low"]), float(found["high"])) == pytest.approx((low, high))
            assert int(found["n"]) == len(result.scores)


def test_changes_their_tests_and_their_verdicts(folder: Path, table: SkillTable) -> None:
    rows = {
        (row["skill"], row["measure"], row["before"], row["after"]): row
        for row in rows_of(folder, "changes")
    }
    changes = [
        (row, change)
        for row in (*table.skills, *table.secondary)
        for change in (*row.changes.values(), *row.stage_changes.values())
    ]
    assert len(rows) == len(changes) == 27
    for row, change in changes:
        found = rows[row.name, row.measure, change.before, change.after]
        assert float(found["difference"]) == pytest.approx(change.difference, abs=1e-9)
        assert float(found["low"]) == pytest.approx(change.low)
        assert (found["test"], found["family"]) == (change.test.name, change.family)
        assert change.verdict is not None
        assert found["verdict"] == change.verdict.words
        if change.flips is not None:
            assert int(found["lost"]) == len(change.lost)


def test_items_with_their_scores_and_flips(folder: Path, table: SkillTable) -> None:
    rows = rows_of(folder, "items")
    assert len(rows) == 300 + 600 + 300 + 3 + 24
    for row in table.skills[:4]:
        flips = Counter(one["flip counsel"] for one in rows if one["skill"] == row.name)
        found = row.changes["counsel"].flips
        assert found is not None
        assert [flips[name] for name in ("kept", "lost", "gained", "never")] == [
            len(found.kept), len(found.lost), len(found.gained), len(found.never),
        ]  # fmt: skip
    assert {one["flip counsel"] for one in rows if one["skill"] == "prose"} == {""}


def test_json_holds_the_table_of_finetop_impact(folder: Path, table: SkillTable) -> None:
    found = json.loads((folder / "report.json").read_text())
    assert found["table"] == round_numbers(table_to_json(table, summarize(table)))
    assert [one["id"] for one in found["runs"]] == ["emotion-lora", "child"]


def test_pages_show_scores_verdicts_means_and_perplexity(folder: Path, table: SkillTable) -> None:
    text = (folder / "report.md").read_text()
    assert "| arithmetic | 300 | 1.00 [0.99, 1.00] | 0.87 [0.83, 0.90] | 0.96 " in text
    change = table.row("emotion").changes["counsel"]
    ends = f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}] at {100 * change.confidence:.3g}%"
    # Right under base 78, under counsel 366, and none under both.
    assert f"| emotion | 600 | gained beyond 5 points | +48.0 points {ends} | 78 | 366 |" in text
    # 558 of 600 right at the stage that was trained on it, 366 at the last.
    transfer = next(one for one in summarize(table).others if one.name == "backward transfer")
    assert transfer.low is not None
    assert transfer.high is not None
    ends = f"[{100 * transfer.low:+.1f}, {100 * transfer.high:+.1f}]"
    assert f"| backward transfer | -32.0 points | {ends} | 1 |" in text
    # 24 texts of 100 tokens and 400 bytes, of 150 to 154 nats
    nats = sum(150.0 + at % 5 for at in range(24))
    perplexity, bits = math.exp(nats / 2400), nats / math.log(2) / 9600
    assert f"| prose | base | 24 | 2,400 | {perplexity:.2f} [" in text
    assert f"{bits:.4f} |" in text
    assert "Contamination: 0 items stand in rows that counsel was trained on." in text
    assert "A change up to 5 points is of no interest (delta)." in text


def test_no_page_holds_all_items(tmp_path: Path) -> None:
    """Ten times the items make a page no longer; the table of items has them all."""
    sizes = []
    for count in (300, 3000):
        suites = {"s": suite_facts("s", count)}
        arms = {
            "base": {"arm": "base=bundled:demo-base",
                     "suites": {"s": scored("s", count, range(count // 2, count))}},
            "tuned": {"arm": "tuned=run:x", "suites": {"s": scored("s", count, range(count // 3))}},
        }  # fmt: skip
        results = {"schema": 2, "suites": suites, "arms": arms}
        job = write_evaluation(tmp_path / f"runs{count}", results=results)
        out = write_report([job], tmp_path / f"report{count}")
        sizes.append([len((out / name).read_bytes()) for name in ("report.html", "report.md")])
        assert len(rows_of(out, "items")) == count
    (few_html, few_md), (many_html, many_md) = sizes
    assert many_html < 1.1 * few_html
    assert many_md < 1.1 * few_md


def test_classes_are_counted_one_by_one() -> None:
    truth = ["joy", "fear"] * 40
    picks = {"base": (["joy"] * 80, None), "tuned": (truth, None)}
    inputs = inputs_of(labelled(truth, picks, ("joy", "fear")))
    sections = {one.key: one for one in list_sections(compute_values(inputs))}
    texts = str(sections["classes"].blocks)
    assert "80 items of 2 labels" in texts
    assert "0.500 [0.39, 0.61]" in texts
    assert "1.000 [0.95, 1.00]" in texts


def test_sections_have_keys_and_files_of_their_own(folder: Path) -> None:
    files = read_folder(folder)
    inputs = decode_inputs({name: files[name] for name in (INPUTS, RESULTS)})
    sections = [*list_sections(compute_values(inputs))]
    keys = [one.key for one in sections]
    assert len(set(keys)) == len(keys) <= len(SECTIONS)
    assert all(re.fullmatch("[a-z0-9-]+", key) for key in keys)
    assert (keys[0], keys[-1]) == ("headline", "limits")
    page = files["report.html"].decode()
    assert re.findall(r'href="#([^"]+)"', page) == keys
    assert set(re.findall(r"\(figures/([^)]+)\)", files["report.md"].decode())) == {
        name.removeprefix("figures/") for name in files if name.startswith("figures/")
    }


def test_a_choice_that_is_there_twice_makes_no_class() -> None:
    """The suite is measured, and is no classification."""
    truth = ["joy", "fear"] * 20
    results = labelled(truth, {"base": (truth, None)}, ("joy", "fear", "joy"))
    assert results.suites["emotion"].labels == ()
    keys = [one.key for one in list_sections(compute_values(inputs_of(results)))]
    assert "classes" not in keys
    assert "skills" in keys


def test_what_was_not_measured_is_reported_as_that() -> None:
    """A suite without items, one that an arm lacks, and one arm alone."""
    suites = {"none": suite_facts("none", 0), "half": suite_facts("half", 30)}
    arms = {
        "base": {"arm": "base=bundled:demo-base", "suites": {"half": scored("half", 30, range(9))}},
        "tuned": {"arm": "tuned=run:x", "suites": {"none": scored("none", 0, ())}},
    }
    results = read_results({"schema": 2, "suites": suites, "arms": arms})
    values = compute_values(inputs_of(results))
    texts = str([*list_sections(values)])
    assert "half was not measured on both base and tuned." in texts
    assert "The suite has no items: nothing was measured." in texts
    alone = replace(results, arms={"base": results.arms["base"]})
    keys = [one.key for one in list_sections(compute_values(inputs_of(alone)))]
    assert keys == ["headline", "question", "skills", "measures", "controls", "limits"]


def test_no_p_value_is_written_as_nothing() -> None:
    assert [write_p(one) for one in (0.0, 1e-16, 1e-9, 0.04)] == [
        "<1.0e-15", "<1.0e-15", "1.0e-9", "0.040",
    ]  # fmt: skip


def test_aspects_that_are_nothing_in_both_arms_are_left_out(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    aspects = text.partition("## How the answers are worded")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in aspects.splitlines() if line.startswith("| ")]
    assert len(rows) > 10
    assert not [row for row in rows if row[3:5] == ["0.00", "0.00"]]
    assert "| refusals |" not in aspects
