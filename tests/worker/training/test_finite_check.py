"""Losses that are no numbers: the run ends, names what it was, and keeps the last good weights."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.directory import list_checkpoints, step_of
from engine.worker.training.finite_check import FiniteCheck, find_tensor
from engine.worker.training.trainer import TokenTrainer
from tests.worker.here import resume_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe

NAN, INF = math.nan, math.inf


def test_only_steps_in_a_row_count() -> None:
    model, check = torch.nn.Linear(2, 2), FiniteCheck(3)
    for step, loss in enumerate([1.0, NAN, NAN, 1.0, INF, NAN], 1):
        assert check.is_finite(step, loss, 1.0, model) == math.isfinite(loss)
    with pytest.raises(EngineError) as raised:
        check.is_finite(7, 1.0, NAN, model)
    assert raised.value.title == "The gradient norm is NaN."
    assert raised.value.detail == "steps 5 to 7; all weights are finite"


def test_the_first_tensor_is_named() -> None:
    model: Any = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    assert not find_tensor(model)
    model[0].weight.grad = torch.full((2, 2), INF)
    assert find_tensor(model) == "gradient of 0.weight"
    with torch.no_grad():
        model[1].bias.fill_(NAN)
    assert find_tensor(model) == "1.bias"


@pytest.mark.parametrize("limit", [3, 0])
def test_a_run_whose_loss_is_lost_ends_with_its_good_checkpoints(
    limit: int, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "i miss my dog", "completion": "sadness"}\n' * 24)
    recipe = make_recipe(
        save_checkpoint(tmp_path / "base"), rows, "training.max_steps=10", "training.saves=10",
        "training.save_total_limit=2", f"stopping.nonfinite_steps={limit}",
        "data.eval_fraction=0",
    )  # fmt: skip
    job = directory.create(root, recipe)
    step = TokenTrainer.training_step

    def spoil(trainer: Any, *rest: Any, **named: Any) -> Any:
        if trainer.state.global_step == 5:
            with torch.no_grad():
                weights = [one for one in trainer.model.parameters() if one.requires_grad]
                weights[0].fill_(NAN)
        return step(trainer, *rest, **named)

    monkeypatch.setattr(TokenTrainer, "training_step", spoil)
    if limit == 0:
        resume_here(job)
        assert max(curves(job)["train/loss"][0]) == 10
        return
    with pytest.raises(EngineError) as raised:
        resume_here(job)
    assert raised.value.title == "The loss is NaN."
    assert raised.value.detail.startswith("steps 6 to 8; first tensor: base_model.model.")
    assert "lora_A" in raised.value.detail
    kept = [step_of(path) for path in list_checkpoints(job.checkpoints)]
    assert kept == [4, 5]
    assert curves(job)["train/loss"][0] == list(range(1, 9))
