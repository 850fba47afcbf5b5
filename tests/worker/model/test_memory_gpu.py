"""The memory estimate beside torch's own peak on a CUDA device; skipped where there is none."""

import json
from pathlib import Path

import pytest

from engine.estimates import memory
from engine.jobs import launch
from engine.jobs.status import State
from engine.recipes.recipe import TrainRecipe
from tests.benchmarks import bench_memory
from tests.benchmarks.bench_memory import Trial
from tests.conftest import Eventually
from tests.worker.training.test_train import curves, wait_for_end

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.worker,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
TRIALS = (
    Trial("llama 134 M", ("kind=lora", "batch=16", "length=512", "device=cuda")),
    Trial("llama 134 M", ("kind=full", "batch=8", "length=512", "device=cuda")),
    Trial("gpt2 124 M", ("kind=full", "batch=8", "length=512", "device=cuda")),
    Trial("qwen2 123 M, vocabulary 152 k", ("kind=lora", "batch=8", "length=256", "device=cuda")),
    Trial("llama 163 M, grouped queries",
          ("kind=full", "batch=16", "length=512", "checkpointing=true", "device=cuda")),
    Trial("mistral 178 M", ("kind=lora", "batch=8", "length=512", "method.variant=dora",
                            "device=cuda")),
)  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_the_peak_is_within_15_per_cent(
    trial: Trial, tmp_path: Path, root: Path, eventually: Eventually
) -> None:
    checkpoint = bench_memory.make_checkpoint(trial, tmp_path)
    wanted: TrainRecipe = bench_memory.make_recipe(
        trial, checkpoint, bench_memory.make_rows(tmp_path, trial.rows)
    )
    job = launch.launch(wanted, root)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(1).log)
    peak = float(curves(job)["machine/device_memory_bytes"][1].max())
    config = json.loads((checkpoint / "config.json").read_bytes())
    found = memory.estimate(config, wanted, device_kind="cuda")
    # What torch counts is its own tensors: the context is not among them.
    assert found.total - memory.RUNTIME["cuda"] == pytest.approx(peak, rel=0.15)
