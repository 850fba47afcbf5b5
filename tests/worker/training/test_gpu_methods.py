"""Methods on a CUDA device: 4 and 8 bits, packing, preferences; skipped where torch sees none."""

import importlib.util
import json
from pathlib import Path

import pytest

from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from tests.conftest import Eventually
from tests.worker.training.test_train import curves, wait_for_end

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.worker,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def run(root: Path, eventually: Eventually, *changes: str) -> JobDirectory:
    """A run on the GPU, at its end."""
    table = {
        "name": "gpu",
        "device": "cuda",
        "data": {"limit": 400, "max_length": 128},
        "training": {"learning_rate": 2e-3, "epochs": 2, "evaluations": 2},
        "samples": {"count": 1},
    }
    wanted = recipe.parse(recipe.with_changes(table, changes))
    assert isinstance(wanted, TrainRecipe)
    job = launch.launch(wanted, root)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(1).log)
    return job


@pytest.mark.usefixtures("bitsandbytes")
@pytest.mark.parametrize("kind", ["4bit", "8bit"])
def test_a_quantised_run_learns(kind: str, root: Path, eventually: Eventually) -> None:
    seen = curves(run(root, eventually, f"method.quantize={kind}"))
    assert seen["eval/loss"][1][-1] < seen["eval/loss"][1][0] - 0.5


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_packed_run_learns_as_a_plain_one(dtype: str, root: Path, eventually: Eventually) -> None:
    """With variable-length attention where flash-attn is there and the format has 16 bits."""
    common = (f"training.dtype={dtype}", "training.max_steps=1", "training.warmup_ratio=0",
              "data.limit=64", "training.batch_size=64", "training.evaluations=0")  # fmt: skip
    plain = curves(run(root, eventually, *common))
    packed = curves(run(root, eventually, *common, "training.packing=true"))
    within = 1e-4 if dtype == "float32" else 2e-2
    assert packed["train/loss"][1][0] == pytest.approx(plain["train/loss"][1][0], rel=within)


@pytest.mark.skipif(not importlib.util.find_spec("trl"), reason="no trl")
def test_preferences_are_learned(root: Path, tmp_path: Path, eventually: Eventually) -> None:
    rows = tmp_path / "pairs.jsonl"
    rows.write_text("".join(
        json.dumps({"prompt": f"say {one}", "chosen": f"number {one}", "rejected": "no"}) + "\n"
        for one in range(60)
    ))  # fmt: skip
    seen = curves(run(root, eventually, "training.objective=dpo", f"data.train={rows}"))
    assert seen["eval/loss"][1][-1] < seen["eval/loss"][1][0]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one CUDA device")
def test_layers_are_spread_over_several_devices(root: Path, eventually: Eventually) -> None:
    seen = curves(run(root, eventually, "device=cuda:0,cuda:1"))
    assert seen["eval/loss"][1][-1] < seen["eval/loss"][1][0] - 0.5
