"""A run's folders share the tokenizer on disk, and each is whole for plain libraries."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.jobs import directory
from engine.jobs.directory import JobDirectory, list_checkpoints
from engine.jobs.status import State
from engine.worker.model import tokenizer_files
from engine.worker.training import checkpoints
from tests.worker.here import resume_here, train_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import make_recipe


@pytest.fixture(autouse=True)
def small_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizer of the tests has 20 kB."""
    monkeypatch.setattr(tokenizer_files, "LINKED_BYTES", 5000)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "base")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "i miss my dog", "completion": "sadness"}\n' * 24)
    return path


def _inodes(*folders: Path) -> set[int]:
    return {(folder / "tokenizer.json").stat().st_ino for folder in folders}


def _logits(folder: Path, base: Path, adapter: bool) -> torch.Tensor:
    ids = AutoTokenizer.from_pretrained(folder)("i miss my dog", return_tensors="pt").input_ids
    model: Any = AutoModelForCausalLM.from_pretrained(base if adapter else folder)
    if adapter:
        model = PeftModel.from_pretrained(model, str(folder))
    with torch.no_grad():
        logits: torch.Tensor = model(ids).logits
    return logits


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_each_folder_is_whole_and_the_tokenizer_is_there_once(
    kind: str, root: Path, base: Path, rows: Path, tmp_path: Path
) -> None:
    changes = [f"method.kind={kind}", "training.max_steps=4", "training.saves=4",
               "training.save_total_limit=9", "data.eval_fraction=0"]  # fmt: skip
    job = train_here(make_recipe(base, rows, *changes), root)
    folders, result = list_checkpoints(job.checkpoints), _result(job)
    assert len(folders) == 4
    assert len(_inodes(*folders, result)) == 1
    assert all(checkpoints.verifies(folder) for folder in folders)
    before = _logits(folders[-1], base, kind == "lora")
    for folder in folders[:-1]:
        shutil.rmtree(folder)
    shutil.rmtree(result)
    assert checkpoints.newest(job.checkpoints) == folders[-1], "it needs none of the others"
    assert torch.equal(_logits(folders[-1], base, kind == "lora"), before)
    copy = shutil.copytree(folders[-1], tmp_path / "copied")
    assert checkpoints.verifies(copy)
    assert torch.equal(_logits(copy, base, kind == "lora"), before)


def test_a_resumed_run_links_to_what_is_there(root: Path, base: Path, rows: Path) -> None:
    recipe = make_recipe(base, rows, "training.max_steps=6", "training.saves=3",
                         "training.save_total_limit=9", "data.eval_fraction=0")  # fmt: skip
    job = directory.create(root, recipe)
    assert resume_here(job, stop_at=3) is State.STOPPED
    first = list_checkpoints(job.checkpoints)
    assert resume_here(job) is State.DONE
    later = list_checkpoints(job.checkpoints)
    assert len(later) > len(first) > 0
    assert len(_inodes(*later, _result(job))) == 1
    assert all(checkpoints.verifies(folder) for folder in later)


def _result(job: JobDirectory) -> Path:
    return job.adapter if job.adapter.is_dir() else job.model
