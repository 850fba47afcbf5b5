"""A run that has too little memory says what to turn down, and does it when told."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from engine.estimates import fit
from engine.jobs import directory, launch, resume_rules, status
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.recipes import recipe
from engine.worker.__main__ import run
from engine.worker.attempt import Attempt
from engine.worker.out_of_memory import is_out_of_memory
from tests import patience
from tests.conftest import Eventually
from tests.worker.training.test_train import wait_for_end

ADDRESSES = 4_500_000_000
"""Bytes of addresses: torch itself takes 3.4 GB of them."""


class OutOfMemoryError(RuntimeError):
    """As CUDA's and other libraries' are called."""


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
         True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.0 GB)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory is a word in a row of data"), False),
        (OSError(28, "No space left on device"), False),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (ImportError("cannot import name 'x'"), False),
    ],
)  # fmt: skip
def test_it_is_told_by_what_libraries_say(error: Exception, means: bool) -> None:
    assert is_out_of_memory(error) is means


def test_torch_itself_is_understood() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55, dtype=torch.int8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("batch", "begun", "command"),
    [
        (1, False, "finetop resume {run} --set data.max_length=30000"),
        (1, True, "finetop train {recipe} --set data.max_length=30000"),
        (
            2,
            True,
            "finetop resume {run} --set training.batch_size=1"
            " --set training.gradient_accumulation_steps=2",
        ),
    ],
)
def test_what_ran_out_while_loading_is_told_with_a_command_that_is_not_refused(
    batch: int, begun: bool, command: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run that has begun, rows and method cannot change; smaller passes of a step can."""
    changes = ["device=cpu", "method.kind=full", "training.gradient_checkpointing=true",
               "data.max_length=60000", "data.limit=8", f"training.batch_size={batch}"]  # fmt: skip
    job = directory.create(root, recipe.parse(recipe.with_changes({"kind": "train"}, changes)))
    if begun:
        (job.checkpoints / "checkpoint-1").mkdir(parents=True)
    attempt = Attempt(job, Lock(job.lock_file))
    attempt._writer.start()

    def load(*_: object, **__: object) -> None:
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    monkeypatch.setattr(fit, "free_main_memory", lambda: 1 << 40)
    assert run(attempt, "train") == 1
    now = status.read(job)
    assert now is not None
    assert now.error is not None
    assert now.error.title == "The device has too little memory for this recipe."
    assert "(estimate)" in now.error.detail
    assert "20.00 GiB" in now.error.detail
    expected = command.format(run=job.path.name, recipe=job.recipe_file)
    assert now.error.hint.splitlines()[-1] == expected
    if "resume" in expected:
        wanted = [part for part in expected.split() if "=" in part]
        resume_rules.check(
            job, recipe.parse(recipe.with_changes(recipe.to_table(job.recipe()), wanted))
        )


@pytest.mark.worker
@pytest.mark.cold
def test_a_run_out_of_memory_says_what_to_turn_down(root: Path, eventually: Eventually) -> None:
    """The limit is that of the process that launches: its worker inherits it."""
    command = [
        sys.executable, "-m", "tui.cli", "train", "--runs", str(root),
        *(part for change in (
            "name=big", "method.kind=full", "training.batch_size=1200", "training.max_steps=1",
            "training.evaluations=0", "data.max_length=96", "forgetting.tokens=0",
            "samples.count=0", "data.eval_fraction=0", "device=cpu",
        ) for part in ("--set", change)),
    ]  # fmt: skip
    started = subprocess.run(
        command, capture_output=True, text=True, check=False,
        timeout=patience.PROCESS_SECONDS, cwd=Path.cwd(),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES)),
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    assert "needs about" in started.stderr
    job = JobDirectory(root / started.stdout.strip())
    assert wait_for_end(job, eventually) is State.FAILED
    now = status.read(job)
    assert now is not None
    assert now.error is not None, launch.log_tail(job.attempt(1).log)
    assert now.error.title == "The device has too little memory for this recipe."
    assert "(estimate)" in now.error.detail
    assert "allocate" in now.error.detail, "torch's own words too"
    assert "batch_size 1200 -> " in now.error.hint
    assert f"finetop resume {job.path.name} --set training.batch_size=" in now.error.hint
