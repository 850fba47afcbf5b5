"""Training and answering on a CUDA device; skipped where torch sees none."""

from pathlib import Path

import pytest

from engine.jobs import launch, status
from engine.jobs.status import State
from engine.launching import resume
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from tests import patience
from tests.conftest import Eventually
from tests.worker.training.test_train import curves, wait_for_end, wait_for_step

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.worker,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_run_trains_on_the_gpu_and_learns(kind: str, root: Path, eventually: Eventually) -> None:
    table = {
        "name": "gpu",
        "device": "cuda",
        "data": {"limit": 400, "max_length": 128},
        "method": {"kind": kind},
        "training": {"learning_rate": 2e-3, "epochs": 2, "evaluations": 2},
    }
    wanted = recipe.parse(table)
    assert isinstance(wanted, TrainRecipe)
    job = launch.launch(wanted, root)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(1).log)
    now = status.read(job)
    assert now is not None
    assert now.device.startswith("cuda:")
    seen = curves(job)
    assert seen["eval/loss"][1][-1] < seen["eval/loss"][1][0] - 0.5
    assert seen["machine/device_memory_bytes"][1].max() > 1e6


RESUMED_WITHIN = 1e-3
"""Relative, of each loss: on a GPU sums may be taken in another order. ARCHITECTURE says so too."""


@pytest.mark.parametrize("dtype", ["float32", "auto", "float16"])
@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(
    kind: str, dtype: str, root: Path, eventually: Eventually
) -> None:
    """With dropout, accumulation, and, in 16 bits, the scaler of gradients; learning all along."""
    table = {
        "name": "gpu",
        "device": "cuda",
        "data": {"limit": 400, "max_length": 128},
        "method": {"kind": kind, "dropout": 0.1},
        "training": {"dtype": dtype, "learning_rate": 5e-4, "epochs": 4,
                     "gradient_accumulation_steps": 2, "evaluations": 4, "saves": 8},
    }  # fmt: skip
    wanted = recipe.parse(table)
    assert isinstance(wanted, TrainRecipe)
    whole = launch.launch(wanted, root)
    assert wait_for_end(whole, eventually) is State.DONE, launch.log_tail(whole.attempt(1).log)
    stopped = launch.launch(wanted, root)
    wait_for_step(stopped, 7, eventually)
    assert launch.stop(stopped, grace=patience.PROCESS_SECONDS) is State.STOPPED
    resume.resume_job(stopped)
    assert wait_for_end(stopped, eventually) is State.DONE, launch.log_tail(stopped.attempt(2).log)
    one, other = curves(whole), curves(stopped)
    for tag in ("train/loss", "eval/loss"):
        assert other[tag][0] == one[tag][0], "one curve, every step once"
        assert other[tag][1] == pytest.approx(one[tag][1], rel=RESUMED_WITHIN)
    assert one["eval/loss"][1][-1] < one["eval/loss"][1][0] - 0.2


def test_greedy_answers_in_float32_are_those_of_the_cpu() -> None:
    from engine.bundled import BASE
    from engine.worker.model import loading

    tokenizer = loading.load_tokenizer(BASE)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of Norway?"}],
        add_generation_prompt=True, return_tensors="pt", return_dict=True,
    )  # fmt: skip
    said = []
    for name in ("cpu", "cuda:0"):
        device = loading.pick_device(name)
        model = loading.load_base(BASE, device, torch.float32)
        ids = model.generate(**prompt.to(device), max_new_tokens=20, do_sample=False)
        said.append(ids.cpu().tolist())
    assert said[0] == said[1]
