"""The same model twice is no change: with the same batches, and with others in float32."""

from pathlib import Path

import pytest
import torch

from engine.bundled import BASE
from engine.compare.arm_weights import ArmWeights
from engine.compare.arms import Arm
from engine.impact.suites.evaluation_plan import make_plan
from engine.recipes.recipe import EvaluateRecipe
from engine.recipes.settings import Decode
from engine.worker.inference import shared_prefix, suite_measures
from engine.worker.inference.models import ModelCache
from engine.worker.inference.sample_log import SampleLog
from engine.worker.inference.score_log import ScoreLog, ScoreMemory
from engine.worker.inference.suite_measures import SuiteMeasurer, SuiteResult

SUITES = ["bundled:facts?limit=48", "bundled:formats?limit=48", "bundled:emotion?limit=48"]


def _measure(folder: Path, models: ModelCache) -> list[SuiteResult]:
    folder.mkdir()
    recipe = EvaluateRecipe(
        arms=["base=bundled:demo-base"], suites=SUITES, decode=Decode(max_new_tokens=32)
    )
    loaded_arm = models.load_arm(Arm("base", "bundled:demo-base"), ArmWeights(BASE), lambda _: None)
    assert loaded_arm is not None
    memory = ScoreMemory(ScoreLog(folder / "scores.jsonl"), "base", "base")
    samples = SampleLog(folder / "samples.jsonl")
    measurer = SuiteMeasurer(loaded_arm.arm, loaded_arm, memory, samples)
    return [measurer.measure(suite, lambda done: None) for suite in make_plan(recipe, ()).suites]


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(torch.device("cpu"))


@pytest.fixture(scope="module")
def before(models: ModelCache, tmp_path_factory: pytest.TempPathFactory) -> list[SuiteResult]:
    return _measure(tmp_path_factory.mktemp("measured") / "before", models)


@pytest.mark.parametrize("rows", [None, 7, 1])
def test_the_same_model_changes_nothing(
    rows: int | None,
    models: ModelCache,
    before: list[SuiteResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if rows is not None:
        monkeypatch.setattr(suite_measures, "ROWS", rows)
        monkeypatch.setattr(shared_prefix, "ROWS", rows)
    after = _measure(tmp_path / "after", models)
    for one, other in zip(before, after, strict=True):
        assert one.finish == other.finish
        assert one.picked == other.picked
        for measure, values in one.measures.items():
            assert other.measures[measure] == pytest.approx(values, abs=1e-4), measure
