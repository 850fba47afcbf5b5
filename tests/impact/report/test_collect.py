"""What is taken from the jobs: arms, runs and their curves, answers, votes, several jobs."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.compare.paired_stats import compare
from engine.compare.samples import read
from engine.compare.votes import Book, Vote, book_of
from engine.errors import EngineError
from engine.impact.report import job_answers
from engine.impact.report.collect import collect_inputs
from engine.impact.report.report_inputs import decode_inputs, encode_inputs
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import EvaluateRecipe, to_toml
from tests.impact.report.reported import write_jobs
from tests.tui.impact.evaluated import (
    BASE,
    COUNSEL,
    EMOTION,
    add_samples,
    staged_results,
    write_evaluation,
)


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return write_jobs(tmp_path / "runs")


def test_inputs_come_back_from_their_files(job: JobDirectory) -> None:
    files = encode_inputs(collect_inputs([job], (), 0.05))
    assert encode_inputs(decode_inputs(files)) == files


def test_runs_are_those_behind_the_arms_each_after_its_parent(job: JobDirectory) -> None:
    facts = collect_inputs([job], (), 0.05).facts
    assert [run.id for run in facts.runs] == ["emotion-lora", "child"]
    assert [run.parent for run in facts.runs] == ["", "emotion-lora"]
    assert facts.arm_runs == {"emotion": "emotion-lora", "counsel": "child"}
    assert facts.runs[0].settings["data.train"] == "rows.jsonl"
    assert facts.missing_runs == ()


def test_curves_have_their_ends_their_best_and_every_extreme(job: JobDirectory) -> None:
    run = collect_inputs([job], (), 0.05).facts.runs[0]
    curves = {curve.tag: curve for curve in run.curves}
    loss = curves["train/loss"]
    assert (loss.points, loss.first[0], loss.last[0]) == (30, 1, 30)
    assert loss.best == (min(zip(loss.values, loss.steps, strict=True))[::-1][0],
                         min(loss.values))  # fmt: skip
    assert curves["eval/loss"].points == 3
    assert run.gap is not None
    assert run.gap[0] == 30
    since = [value for step, value in zip(loss.steps, loss.values, strict=True) if 20 < step <= 30]
    assert run.gap[1] == pytest.approx(math.fsum(since) / 10)
    assert not any(tag.startswith(("machine/", "train/tokens")) for tag in curves)


def test_a_run_that_is_gone_is_named(job: JobDirectory) -> None:
    (job.path.parent / "emotion-lora" / "job.json").unlink()
    facts = collect_inputs([job], (), 0.05).facts
    assert [run.id for run in facts.runs] == ["child"]
    assert facts.missing_runs == ("emotion-lora",)


def test_chosen_arms_alone_are_kept_with_the_names_of_their_ancestors(job: JobDirectory) -> None:
    inputs = collect_inputs([job], ("base", "counsel"), 0.05)
    assert inputs.facts.arms == ("base", "counsel")
    assert [*inputs.results.arms] == ["base", "counsel", "emotion"]
    assert inputs.results.arms["emotion"].suites == {}
    assert {answer.arm for answer in inputs.facts.answers} <= {"base", "counsel"}


def test_unknown_and_repeated_arms_and_no_job_are_refused(job: JobDirectory) -> None:
    for arms in (("nobody",), ("base", "base")):
        with pytest.raises(EngineError, match=r"Unknown arm|named twice"):
            collect_inputs([job], arms, 0.05)
    with pytest.raises(EngineError, match="No evaluation"):
        collect_inputs([], (), 0.05)


def test_answers_are_shown_to_a_length_that_is_named(job: JobDirectory) -> None:
    long = "word " * 1000
    add_samples(job, [(spec, "arithmetic", "arithmetic-0", long) for spec in (BASE, COUNSEL)])
    answers = collect_inputs([job], (), 0.05).facts.answers
    shown = [one for one in answers if one.item == "arithmetic-0" and one.arm == "counsel"]
    assert [(len(one.text), one.length) for one in shown] == [(job_answers.LONGEST, len(long))]


def test_aspects_are_those_of_the_paired_comparison(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_answers, "MOST_COMPARED", 10_000)
    found = collect_inputs([job], (), 0.05).facts.aspects
    samples = read(job.samples)
    assert [one.arm for one in found] == ["emotion", "counsel"]
    for aspects, spec in zip(found, (EMOTION, COUNSEL), strict=True):
        expected = compare([one for one in samples if one.arm == BASE],
                           [one for one in samples if one.arm == spec])  # fmt: skip
        assert [(row.name, row.before, row.after, row.low, row.items) for row in aspects.rows] == [
            (row.name, row.left, row.right, row.low, row.prompts) for row in expected.rows
        ]
        assert aspects.items == 6


def test_no_more_answers_are_compared_than_there_is_time_for(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_samples(job, [(spec, "french", f"french-{at}", "Oui.")
                      for at in range(300) for spec in (BASE, COUNSEL)])  # fmt: skip
    monkeypatch.setattr(job_answers, "MOST_COMPARED", 40)
    first, again = (collect_inputs([job], ("base", "counsel"), 0.05).facts for _ in range(2))
    assert first == again
    aspects = first.aspects[0]
    assert aspects.items <= 40
    assert aspects.answered == 300 + 600 + 300 + 3


def test_votes_are_counted_without_the_voters_names(job: JobDirectory) -> None:
    book = Book(book_of(job.path, "ana"))
    for at, choice in enumerate(("right", "right", "tie", "left", "both bad")):
        book.cast(Vote(f"p{at}", f"p{at}", BASE, COUNSEL, choice, judge="ana"))  # type: ignore[arg-type]
    inputs = collect_inputs([job], (), 0.05)
    (votes,) = inputs.facts.votes
    assert (votes.arm, votes.other, votes.voters) == ("counsel", "base", 1)
    assert (votes.wins, votes.losses, votes.ties, votes.both_bad) == (2, 1, 1, 1)
    assert not any(b'"ana' in content for content in encode_inputs(inputs).values())


def test_several_jobs_are_one_report(job: JobDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_answers, "MOST_COMPARED", 10_000)
    table = staged_results()
    other = "full=/home/somebody/models/full"
    table["arms"] = {"base": table["arms"]["base"],
                     "full": {**table["arms"]["counsel"], "arm": other, "parent": ""}}  # fmt: skip
    second = write_evaluation(job.path.parent, "second", table, arms=(BASE, other))
    add_samples(second, [(other, "arithmetic", f"arithmetic-{at}", "Full.") for at in range(3)])
    facts = collect_inputs([job, second], (), 0.05).facts
    assert [one.id for one in facts.jobs] == ["impact-child", "second"]
    assert facts.arms == ("base", "emotion", "counsel", "full")
    assert [(one.arm, one.items) for one in facts.aspects if one.arm == "full"] == [("full", 3)]


def test_paths_in_arms_suites_and_notes_are_names_and_two_stay_two(tmp_path: Path) -> None:
    table: dict[str, Any] = staged_results()
    specs = ("base=/srv/a/model", "emotion=/srv/b/model", "counsel=http://gpu.lan:1/v1?model=m")
    for (name, arm), spec in zip(table["arms"].items(), specs, strict=True):
        arm |= {"arm": spec, "notes": [f"/srv/lost/{name} is gone"]}
    job = write_evaluation(tmp_path / "runs", results=json.dumps(table), arms=specs)
    suites = ["song=/srv/story/song.jsonl?fewshot=2", "bundled:facts"]
    job.recipe_file.write_text(to_toml(EvaluateRecipe(arms=[*specs], suites=suites)))
    inputs = collect_inputs([job], (), 0.05)
    assert [arm.spec for arm in inputs.results.arms.values()] == [
        "base=model", "emotion=model (2)", "counsel=endpoint?model=m",
    ]  # fmt: skip
    assert inputs.results.arms["base"].notes == ("base is gone",)
    assert inputs.facts.jobs[0].suites == ("song=song.jsonl?fewshot=2", "bundled:facts")
