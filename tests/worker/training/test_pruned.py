"""A real run, pruned: what stays loads by plain libraries, and nothing trains it further."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.errors import EngineError
from engine.jobs import prune
from engine.jobs.directory import list_checkpoints
from engine.jobs.store import Store
from engine.launching import resume
from engine.worker.training import checkpoints
from tests.worker.here import train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_what_pruning_keeps_is_whole(kind: str, root: Path, tmp_path: Path) -> None:
    base = save_checkpoint(tmp_path / "base")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "i miss my dog", "completion": "sadness"}\n' * 24)
    recipe = make_recipe(
        base, rows, f"method.kind={kind}", "training.max_steps=4", "training.saves=4",
        "training.save_total_limit=9",
    )  # fmt: skip
    job = train_here(recipe, root)
    drawn = curves(job)
    result = job.adapter if kind == "lora" else job.model
    planned = prune.plan(job, Store(root), ("last",))
    prune.prune(planned, Store(root))
    (kept,) = list_checkpoints(job.checkpoints)
    assert checkpoints.verifies(kept)
    assert not list(kept.glob("optimizer*"))
    for folder in (kept, result):
        ids = AutoTokenizer.from_pretrained(folder)("i miss my dog", return_tensors="pt").input_ids
        if kind == "lora":
            plain = AutoModelForCausalLM.from_pretrained(base)
            model: torch.nn.Module = PeftModel.from_pretrained(plain, str(folder))
        else:
            model = AutoModelForCausalLM.from_pretrained(folder)
        assert torch.isfinite(model(ids).logits).all()
    assert str(curves(job)) == str(drawn)
    assert job.samples.exists()
    with pytest.raises(EngineError, match="was pruned: it cannot be resumed"):
        resume.resume_job(job)
