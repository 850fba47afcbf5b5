"""A disk that fills up in the middle of a run: a real one, small, where it can be mounted."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import launch, status
from engine.jobs.status import State
from engine.launching import resume
from tests.conftest import Eventually
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import make_recipe, wait_for_end

pytestmark = pytest.mark.worker


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_resuming_goes_on_when_there_is_space(
    small_disk: Path, tmp_path: Path, eventually: Eventually
) -> None:
    base = save_checkpoint(tmp_path / "base")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "i miss my dog", "completion": "sadness"}\n' * 24)
    wanted = make_recipe(base, rows, "method.kind=full", "training.epochs=2")
    job = launch.launch(wanted, small_disk)
    assert wait_for_end(job, eventually) is State.FAILED
    now = status.read(job)
    assert now is not None
    assert now.error is not None
    assert now.error.title == "The disk is full."
    assert "resume" in now.error.hint
    subprocess.run(
        ["mount", "-o", "remount,size=50m", str(small_disk)], check=True, capture_output=True
    )
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    assert (job.model / "model.safetensors").exists()
