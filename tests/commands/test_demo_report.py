"""The demo's table: what it says of made-up results, whose numbers are known by hand."""

import re
from pathlib import Path
from typing import Any

import pytest

from engine.chat import Message
from engine.compare.samples import Sample, Timings
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.jobs.directory import JobDirectory, create
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Decode
from tui.commands.demo_report import as_ending, as_text, summarise


def arm(name: str, scores: list[float], nll: float | None) -> dict[str, Any]:
    labels = {f"row-{at}": float(at % 2) for at in range(600)}
    measures: dict[str, Any] = {
        "facts": {"strict": {f"facts-{at}": score for at, score in enumerate(scores)}},
        "prose": {"nll": {"prose-1": nll}},
        "labels": {"likelihood": labels, "strict": dict.fromkeys(labels, 0.0)},
    }
    suites = {suite: {"measures": one} for suite, one in measures.items()}
    suites["prose"]["tokens"] = {"prose-1": 1234}
    return {"arm": f"{name}=x", "suites": suites}


def sample(arm_name: str, prompt: str, text: str) -> Sample:
    return Sample(
        prompt, (Message("user", f"asked {prompt}"),), f"{arm_name}=x", 7, "", (), (1,), text,
        "stop", (), Decode(), Timings(0.0, 0.0),
    )  # fmt: skip


def made(
    tmp_path: Path, *names: str, nll: float | None = 1234.0
) -> tuple[EvaluationResults, list[Sample], dict[str, JobDirectory]]:
    arms = {
        "base": arm("base", [1, 1, 1, 0], 500.0),
        "tuned": arm("tuned", [0, 0, 1, 1], nll),
        "replay": arm("replay", [1, 1, 1, 1], 690.5839),
    }
    suites: dict[str, Any] = {
        name: {"measure": "strict", "items": {}} for name in ("facts", "prose")
    }
    golds = ["joy", "fear", "fear", "anger"]
    suites["labels"] = {
        "measure": "likelihood",
        "items": {f"row-{at}": {"prompt": "?", "gold": [golds[at % 4]]} for at in range(600)},
    }
    results = read_results({"schema": 2, "suites": suites, "arms": arms})
    said = {"base": "before", "tuned": "after \x1b[31m", "replay": "mixed"}
    samples = [
        sample(name, prompt, f"{text} {prompt}")
        for name, text in said.items()
        for prompt in ("facts/facts-1", "labels/row-1", "labels/row-9", "prompts/song")
    ]
    return results, samples, {name: create(tmp_path, TrainRecipe(name=name)) for name in names}


def test_flips_are_counted_for_each_arm(tmp_path: Path) -> None:
    results, samples, jobs = made(tmp_path, "tuned", "replay")
    table = summarise(results, samples, jobs, "labels", 90.0, 200.0)
    facts = table["skills"]["facts"]
    assert facts["lost"] == {"tuned": 2, "replay": 0}
    assert facts["gained"] == {"tuned": 1, "replay": 1}
    assert facts["base"]["right"] == 3
    assert table["prose"]["replay"]["perplexity"] == pytest.approx(1.75, abs=1e-4)
    labels = table["labels"]
    assert (labels["items"], labels["majority"]) == (600, 0.5)
    assert (labels["likelihood"]["base"]["right"], labels["generated"]["base"]["right"]) == (300, 0)
    assert set(table["runs"]) == {"tuned", "replay"}


def test_the_text_has_a_column_for_each_arm_and_no_control_characters(tmp_path: Path) -> None:
    results, samples, jobs = made(tmp_path, "tuned", "replay")
    text = as_text(summarise(results, samples, jobs, "labels", 90.0, 200.0))
    lines = text.splitlines()
    assert lines[0].split()[-3:] == ["base", "tuned", "replay"]
    assert "-/+ tuned" in text
    assert "-/+ replay" in text
    facts = next(line for line in lines if line.startswith("  facts"))
    assert facts.split()[-2:] == ["2/1", "0/1"]
    assert "\x1b" not in text
    assert "> asked labels/row-1" in text
    assert "before prompts/song" in text


def test_two_arms_fit_a_hundred_columns(tmp_path: Path) -> None:
    results, samples, jobs = made(tmp_path, "tuned", nll=None)
    text = as_text(summarise(results, samples, jobs, "labels", 90.0, 200.0))
    assert max(map(len, text.splitlines()[:8])) <= 100
    assert "replay" not in text
    prose = next(line for line in text.splitlines() if "plain prose" in line)
    assert re.search(r"perplexity of plain prose +1\.500 +not finite +over 1,234 tokens", prose)


def test_below_a_table_of_all_arms_stand_answers_runs_and_the_report(tmp_path: Path) -> None:
    results, samples, jobs = made(tmp_path, "tuned", "replay")
    table = summarise(results, samples, jobs, "labels", 90.0, 200.0)
    lines = as_ending(table | {"report": "/there/\x1b[31mit"}).splitlines()
    assert "> asked labels/row-1" in lines
    assert [line.split()[0] for line in lines if line.startswith(("tuned ", "replay"))] == [*jobs]
    assert "Training took 1:30, in total 3:20." in lines
    assert lines[-1].startswith("The report of all this: /there/")
    assert not any("\x1b" in line for line in lines)
