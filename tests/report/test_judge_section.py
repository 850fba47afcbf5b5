"""Judges in a report: the numbers of `finetop judge show`, from the report's own folder."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from engine.jobs.directory import JobDirectory
from engine.judge.judge_report import read_report, result_to_json
from engine.judge.judgements import read_judgements
from engine.report.blocks import Grid, Section
from engine.report.collect import collect_inputs
from engine.report.json_values import round_numbers
from engine.report.report_folder import verify_report, write_report
from engine.report.report_inputs import decode_inputs, encode_inputs
from engine.report.report_values import compute_values
from engine.report.sections import list_sections
from tests.report.reported import read_folder, write_judged


@pytest.fixture
def judge(tmp_path: Path) -> JobDirectory:
    return write_judged(tmp_path / "runs")


def job_of(judge: JobDirectory) -> JobDirectory:
    return JobDirectory(judge.path.parent / "impact-child")


def section_of(job: JobDirectory) -> Section:
    values = compute_values(collect_inputs([job], (), 0.05))
    return {one.key: one for one in list_sections(values)}["judges"]


@pytest.mark.parametrize("by_likelihood", [False, True])
def test_the_numbers_are_those_of_the_judge_from_the_folder_alone(
    tmp_path: Path, by_likelihood: bool
) -> None:
    judge = write_judged(tmp_path / "runs", by_likelihood=by_likelihood)
    expected = result_to_json(read_report(judge).result)
    out = write_report([job_of(judge)], tmp_path / "report")
    shutil.rmtree(tmp_path / "runs")
    assert verify_report(out, {}).differences == ()
    (found,) = json.loads((out / "report.json").read_text())["judges"]
    for rubric in expected["rubrics"]:
        assert rubric["pairs"] + rubric["incomplete"] == 36
        rubric["examples"] = []  # texts of a model, which the report leaves out
    own = {key: found[key] for key in expected}
    assert own == json.loads(json.dumps(round_numbers(expected)))
    assert own["voters"] == 2
    assert own["among_voters"]["alpha"] is not None
    assert own["rubrics"][0]["votes"]["pairs"] > 20
    assert (found["id"], found["judged"]) == ("judge-1", "impact-child")
    assert found["arms"] == ["base", "counsel"]


def test_neither_host_nor_voter_stands_in_any_file(judge: JobDirectory, tmp_path: Path) -> None:
    out = write_report([job_of(judge)], tmp_path / "report")
    for name, content in read_folder(out).items():
        for part in (b"gpu.lan", b"Zoe", b'ana"', b":8000", str(tmp_path).encode()):
            assert part not in content, (name, part)
    assert "small-judge" in (out / "report.md").read_text()


def test_a_judge_by_a_path_is_named_by_its_last_part(tmp_path: Path) -> None:
    judge = write_judged(tmp_path / "runs", judge="/home/somebody/models/gemma")
    (facts,) = collect_inputs([job_of(judge)], (), 0.05).facts.judges
    assert (facts.name, facts.model) == ("gemma", "gemma")


def test_people_stand_beside_the_judge_and_are_not_counted_with_it(judge: JobDirectory) -> None:
    grids = [one for one in section_of(job_of(judge)).blocks if isinstance(one, Grid)]
    who = [[cell.text for cell in row] for row in grids[0].rows]
    assert [row[0] for row in who] == ["small-judge", "small-judge", "people (2)"]
    (helpful, _) = read_report(judge).result.rubrics
    assert [int(one) for one in who[0][3:7]] == [
        helpful.pairs, helpful.wins, helpful.losses, helpful.pairs - helpful.wins - helpful.losses
    ]  # fmt: skip
    assert re.fullmatch(r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]", who[0][7])
    assert int(who[2][3]) == 72
    text = str(section_of(job_of(judge)).blocks)
    assert "A judge is a model and makes errors" in text


def test_limits_say_that_models_judged(judge: JobDirectory, tmp_path: Path) -> None:
    text = (write_report([job_of(judge)], tmp_path / "report") / "report.md").read_text()
    limits = text.partition("## What these numbers cannot say")[2]
    assert "Judged by models: small-judge. No score uses it." in limits
    assert "No judge" not in limits


def test_inputs_come_back_and_every_verdict_is_in_a_table(
    judge: JobDirectory, tmp_path: Path
) -> None:
    files = encode_inputs(collect_inputs([job_of(judge)], (), 0.05))
    assert encode_inputs(decode_inputs(files)) == files
    out = write_report([job_of(judge)], tmp_path / "report")
    rows = [*csv.DictReader(io.StringIO((out / "tables/judgements.csv").read_text()))]
    pairs = read_judgements(judge).pairs
    assert len(rows) == sum(map(len, pairs.values())) == 72
    first = pairs["helpful"][0]
    assert (rows[0]["pair"], rows[0]["left_first"]) == (first.pair, first.readings[0].verdict or "")


def test_a_judge_of_arms_that_are_not_shown_is_left_out(judge: JobDirectory) -> None:
    job = job_of(judge)
    assert collect_inputs([job], ("base", "emotion"), 0.05).facts.judges == ()


def test_a_judge_that_cannot_be_read_is_named(judge: JobDirectory, tmp_path: Path) -> None:
    judge.questions.write_text("{broken\n")
    (facts,) = collect_inputs([job_of(judge)], (), 0.05).facts.judges
    assert facts.rubrics == ()
    assert "it is left out" in str(section_of(job_of(judge)))


def test_a_judge_that_is_gone_keeps_the_jobs_from_being_collected_again(
    judge: JobDirectory, tmp_path: Path
) -> None:
    out = write_report([job_of(judge)], tmp_path / "report")
    known = {path.name: JobDirectory(path) for path in judge.path.parent.iterdir()}
    assert verify_report(out, known).jobs == ("impact-child",)
    assert verify_report(out, known).differences == ()
    del known["judge-1"]
    assert "judge-1" in verify_report(out, known).not_collected


def test_what_voters_prefer_stands_in_no_order_of_voters(judge: JobDirectory) -> None:
    (facts,) = collect_inputs([job_of(judge)], (), 0.05).facts.judges
    assert facts.voters == 2
    assert all(list(labels) == sorted(labels) for labels in facts.votes.values())
    assert {one for labels in facts.votes.values() for one in labels} == {"left", "right"}
