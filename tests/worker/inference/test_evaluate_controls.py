"""The controls of an evaluate job: measured anew, apart from the arms, and taken over by none."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.impact.changes.controls import ControlRow, read_controls
from engine.impact.changes.skill_table import build_table
from engine.impact.results.evaluation_results import EvaluationResults
from engine.impact.results.job_results import read_job_results
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode
from engine.worker import evaluate
from engine.worker.inference.score_log import _crc
from tests.worker.here import begin_here
from tests.worker.tiny import save_adapter, save_checkpoint

ITEMS = 9


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> EvaluateRecipe:
    folder = tmp_path_factory.mktemp("measured")
    base = save_checkpoint(folder / "base")
    adapter = save_adapter(folder / "adapter", base)
    suite = folder / "labels.jsonl"
    suite.write_text(
        "".join(
            json.dumps({"instruction": "Which?", "input": "a b " * at, "output": label}) + "\n"
            for at, label in enumerate(["joy", "fear", "joy"] * (ITEMS // 3), 1)
        )
    )
    texts = folder / "texts.jsonl"
    texts.write_text(
        "".join(
            json.dumps({"id": f"t{at}", "score": "perplexity", "text": "i miss my dog " * at})
            + "\n"
            for at in range(1, 5)
        )
    )
    return EvaluateRecipe(
        device="cpu",
        arms=[f"base={base}", f"tuned={base}+{adapter}"],
        suites=[str(suite), str(texts)],
        decode=Decode(max_new_tokens=4),
        samples=2,
    )


def measure(recipe: EvaluateRecipe, root: Path) -> JobDirectory:
    root.mkdir(exist_ok=True)
    job = directory.create(root, recipe)
    run(job)
    return job


def run(job: JobDirectory) -> EvaluationResults:
    attempt = begin_here(job)
    attempt.finish(State.DONE, message=evaluate.run(attempt))
    return read_job_results(job)


def rows_of(job: JobDirectory) -> dict[str, ControlRow]:
    controls = read_controls(build_table(read_job_results(job)))
    return {one.row.name: one for one in controls if one.row.is_primary}


@pytest.fixture(scope="module")
def plain(recipe: EvaluateRecipe, tmp_path_factory: pytest.TempPathFactory) -> JobDirectory:
    return measure(recipe, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def controlled(recipe: EvaluateRecipe, tmp_path_factory: pytest.TempPathFactory) -> JobDirectory:
    asked = replace(recipe, controls=True, null_adapters=3, null_items=6)
    return measure(asked, tmp_path_factory.mktemp("controlled"))


def test_arms_are_measured_as_without_controls(
    plain: JobDirectory, controlled: JobDirectory
) -> None:
    without, beside = read_job_results(plain), read_job_results(controlled)
    assert beside.arms == without.arms
    assert beside.suites == without.suites
    assert [(one.name, one.control, one.of) for one in beside.controls.values()] == [
        ("base, again", "identity", "base"),
        *((f"tuned, null {seed}", "null", "tuned") for seed in (1, 2, 3)),
    ]
    own = [json.loads(line)["arm"] for line in controlled.samples.read_text().splitlines()]
    assert len(own) == 2 * 2 * ITEMS, "two arms, two answers to each item"
    others = controlled.control_samples.read_text().splitlines()
    assert len(others) == ITEMS + 3 * 6, "the first answers alone"
    assert not set(own) & {json.loads(line)["arm"] for line in others}


def test_the_second_pass_gives_the_same_and_null_adapters_do_not(controlled: JobDirectory) -> None:
    rows = rows_of(controlled)
    for name, items in (("labels", ITEMS), ("texts", 4)):
        (identity,) = rows[name].identity
        assert (identity.of, identity.items) == ("base", items)
        assert identity.largest < 1e-5, "float32, other batches"
        (null,) = rows[name].nulls
        assert (null.of, null.items, len(null.changes)) == ("tuned", min(items, 6), 3)
    assert rows["labels"].identity[0].changed == ()
    texts = rows["texts"].nulls[0]
    assert len(set(texts.changes)) == 3
    assert texts.value not in texts.changes
    assert texts.z is not None


def test_a_job_that_goes_on_measures_nothing_twice(controlled: JobDirectory) -> None:
    files = (controlled.scores, controlled.samples, controlled.control_samples)
    before, results = [one.read_bytes() for one in files], read_job_results(controlled)
    controlled.results.unlink()
    assert run(controlled) == results
    assert [one.read_bytes() for one in files] == before


def _falsify(job: JobDirectory, arm: str) -> None:
    """What the file knows of an arm is turned round, and is whole."""
    lines = []
    for line in job.scores.read_text().splitlines():
        row: dict[str, Any] = json.loads(line)
        if row["arm"] == arm and row["measure"] == "labels, result":
            values = row["value"]["measures"]["likelihood"]
            values |= {item: 1 - value for item, value in values.items()}
            row["crc"] = _crc(row["value"])
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    job.scores.write_text("".join(lines))


def test_arms_of_a_finished_job_are_taken_over_and_the_second_pass_is_not(
    recipe: EvaluateRecipe, plain: JobDirectory, tmp_path: Path
) -> None:
    """What the finished job measured of the base is falsified: the base is answered from there, and
    measured again it is what it was."""
    source = measure(recipe, tmp_path / "runs")
    _falsify(source, "base")
    asked = replace(recipe, controls=True, controls_of=str(source.path))
    job = measure(asked, source.path.parent)
    base = read_job_results(job).arms["base"].suites["labels"].measures["likelihood"]
    true = read_job_results(plain).arms["base"].suites["labels"].measures["likelihood"]
    assert base == {item: 1 - value for item, value in true.items()}
    (identity,) = rows_of(job)["labels"].identity
    assert len(identity.changed) == ITEMS
    again = read_job_results(job).controls["base, again"].suites["labels"]
    assert dict(again.measures["likelihood"]) == dict(true)
    assert job.samples.read_bytes() == source.samples.read_bytes(), "its answers can be read here"


def test_a_finished_job_that_is_gone_is_measured_again(
    recipe: EvaluateRecipe, plain: JobDirectory, tmp_path: Path
) -> None:
    asked = replace(recipe, controls=True, controls_of=str(tmp_path / "gone"))
    job = measure(asked, tmp_path / "runs")
    assert read_job_results(job).arms == read_job_results(plain).arms
    assert "is missing" in job.attempt(1).log.read_text()
