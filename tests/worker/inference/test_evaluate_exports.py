"""What leaves the box as arms of an evaluation: a model and its GGUF files."""

import json
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from engine.compare import samples
from engine.impact.changes.skill_table import build_table
from engine.impact.results.evaluation_results import EvaluationResults, read_results
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes.recipe import EvaluateRecipe
from engine.worker import evaluate
from tests.worker.gguf_files import write_gguf_file
from tests.worker.here import begin_here
from tests.worker.tiny import make_tokenizer, save_checkpoint

TEXT = "The capital of France is Paris. i miss my dog "


Measured = tuple[EvaluationResults, JobDirectory]


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory,
) -> Measured:
    folder = tmp_path_factory.mktemp("exports")
    base = save_checkpoint(folder / "base")
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    files = [
        write_gguf_file(model, make_tokenizer(), folder / f"m-{kind}.gguf", kind)
        for kind in ("f32", "q8_0")
    ]
    suite = folder / "mixed.jsonl"
    sums = [
        {
            "id": f"sum-{at}",
            "skill": "sums",
            "score": "number",
            "answer": 2 * at,
            "messages": [{"role": "user", "content": f"{at} + {at}"}],
        }
        for at in (1, 2, 3, 4)
    ]
    texts = [{"id": f"text-{at}", "skill": "prose", "score": "perplexity", "text": TEXT * at}
             for at in (1, 2, 3)]  # fmt: skip
    suite.write_text("".join(json.dumps(one) + "\n" for one in [*sums, *texts]))
    recipe = EvaluateRecipe(
        device="cpu",
        arms=[f"run={base}", f"f32={files[0]}", f"q8={files[1]}"],
        suites=[str(suite)],
    )
    job = directory.create(folder / "runs", recipe)
    attempt = begin_here(job)
    evaluate.run(attempt)
    attempt.finish(State.DONE)
    return read_results(json.loads(job.results.read_text())), job


def test_a_file_measures_as_its_model_and_quantising_as_what_it_costs(
    measured: Measured,
) -> None:
    results, job = measured
    run, f32, q8 = (one.suites["mixed"] for one in results.arms.values())
    for at, nats in run.measures["nll"].items():
        assert f32.measures["nll"][at] == pytest.approx(nats, rel=1e-5)
        assert q8.measures["nll"][at] != f32.measures["nll"][at]
        assert q8.measures["nll"][at] == pytest.approx(nats, rel=0.02)
    assert f32.measures["strict"] == run.measures["strict"]
    of_arm: dict[str, list[tuple[str, str]]] = {}
    for one in samples.read(job.samples):
        of_arm.setdefault(one.arm, []).append((one.prompt_id, one.text))
    first, second, _ = of_arm.values()
    assert len(first) == 4
    assert sorted(first) == sorted(second)


def test_what_quantising_costs_is_a_column_with_its_interval(measured: Measured) -> None:
    table = build_table(measured[0])
    assert table.arms == ("run", "f32", "q8")
    row = next(row for row in (*table.skills, *table.secondary) if row.is_perplexity)
    assert row.changes["f32"].test.difference == pytest.approx(0, abs=1e-4)
    change = row.changes["q8"]
    low, high = change.test.interval()
    assert low <= change.test.difference <= high
    assert change.test.difference != 0
    assert change.test.items == 3
