"""A run cut at each file operation after its last step: resuming it trains no step more."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import pytest

from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.worker import train
from tests.worker.here import resume_here
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe

WRITES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
STEPS = 4
"""Of six an epoch: the end of the run is not that of an epoch."""


class Cut(BaseException):
    """The death of the worker: nothing handles it."""


class Operations:
    """Counts what writes below a folder, and raises Cut at one of them."""

    def __init__(self) -> None:
        self.count = 0
        self._below = ""
        self._cut_at = 0
        sys.addaudithook(self._hear)

    @contextmanager
    def cut(self, below: Path, at: int) -> Iterator[None]:
        self.count, self._below, self._cut_at = 0, str(below), at
        try:
            yield
        finally:
            self._below = ""

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        # The thread of the status writes when it likes: it would be cut, and not the run.
        if not self._below or event not in WRITES or current_thread() is not main_thread():
            return
        if threading.current_thread() is not threading.main_thread():
            return  # the status is written by a thread of its own, at any time
        path = arguments[0]
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(self._below):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
            return
        self.count += 1
        if self.count == self._cut_at:
            self._below = ""
            raise Cut


@pytest.fixture(scope="module")
def operations() -> Operations:
    return Operations()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "base")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    return path


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_run_cut_after_its_last_step_ends_as_it_would_have(
    kind: str,
    root: Path,
    tmp_path: Path,
    base: Path,
    rows: Path,
    operations: Operations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = make_recipe(
        base, rows, f"method.kind={kind}", f"training.max_steps={STEPS}", "training.batch_size=4",
        "data.eval_fraction=0", "method.dropout=0.1",
    )  # fmt: skip
    job = directory.create(root, recipe)
    save, trained = train._save, tmp_path / "trained"

    def keep_and_save(setup: Any, *rest: Any) -> str:
        if not trained.exists():
            # The status is being written meanwhile, under a name that comes and goes.
            shutil.copytree(job.path, trained, ignore=shutil.ignore_patterns(".status.json.*"))
        with operations.cut(job.path, 0):
            return save(setup, *rest)

    monkeypatch.setattr(train, "_save", keep_and_save)
    assert resume_here(job) is State.DONE
    right, cuts = _result(job), operations.count
    assert cuts > 3
    for at in range(1, cuts + 1):
        _restore(trained, job)

        def cut_and_save(setup: Any, *rest: Any, at: int = at) -> str:
            with operations.cut(job.path, at):
                return save(setup, *rest)

        monkeypatch.setattr(train, "_save", cut_and_save)
        with pytest.raises(Cut):
            resume_here(job)
        monkeypatch.setattr(train, "_save", save)
        assert resume_here(job) is State.DONE
        assert _result(job) == right, f"cut at {at} of {cuts}"
        now = status.read(job)
        assert now is not None
        assert (now.step, now.total) == (STEPS, STEPS)
        assert curves(job)["train/loss"][0] == [1, 2, 3, 4]


def _restore(kept: Path, job: JobDirectory) -> None:
    shutil.rmtree(job.path)
    shutil.copytree(kept, job.path)


def _result(job: JobDirectory) -> dict[str, bytes]:
    """Every file of the result, by name: what is beside the weights says how they are used."""
    folder = job.adapter if job.adapter.exists() else job.model
    return {path.name: path.read_bytes() for path in folder.iterdir()}
