"""Runs whose disk refuses to write from some moment on: how they end, and that they go on.

The workers are real processes. What a test can do to them from outside it does (a limit of file
sizes, modes, a folder that is removed); root may write where modes forbid it, so its worker gives
that right up first. What only a broken disk or a server does is raised where the worker opens,
makes or renames a file below its directory.
"""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.compare import samples
from engine.jobs import launch, lock, process, status
from engine.jobs.directory import JobDirectory, list_checkpoints
from engine.jobs.status import Failure, State
from engine.launching import resume
from engine.recipes.recipe import GenerateRecipe, Recipe, TrainRecipe
from engine.recipes.settings import Decode
from engine.worker.training import checkpoints
from tests.conftest import Eventually
from tests.worker.tiny import save_checkpoint
from tests.worker.training.test_train import curves, make_recipe, wait_for_end

pytestmark = pytest.mark.worker
STEPS = 150

LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
"""
# capset without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
BOUND_BY_MODES = """
import ctypes, os, struct
if os.geteuid() == 0:
    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    sets = ctypes.create_string_buffer(24)
    assert libc.capget(header, sets) == 0
    words = list(struct.unpack("6I", sets.raw))
    words[0] &= ~0b110
    assert libc.capset(header, ctypes.create_string_buffer(struct.pack("6I", *words))) == 0
"""
REFUSING = """
import os, sys
def refuse(event, arguments, WRITES={writes}, BELOW={below!r}, EXCEPT={spared}):
    if event not in WRITES or not os.path.exists({trigger!r}):
        return
    path, flags = arguments[0], (arguments[2] or 0) if event == "open" else os.O_CREAT
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path).startswith(BELOW):
        return
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and (flags & os.O_CREAT or not EXCEPT):
        raise OSError({number}, os.strerror({number}), os.fspath(path))
sys.addaudithook(refuse)
"""
WRITES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture
def recipe(base: Path, tmp_path: Path) -> TrainRecipe:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "i miss my dog", "completion": "sadness"}\n' * 24)
    return make_recipe(
        base, rows, "method.kind=full", f"training.max_steps={STEPS}", "training.saves=6",
        "training.evaluations=2", "training.save_total_limit=9",
    )  # fmt: skip


Begin = Callable[[Recipe, Path, str], JobDirectory]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Launch a run whose worker first does what a text of Python says."""

    def launch_with(recipe: Recipe, root: Path, text: str) -> JobDirectory:
        plugin = tmp_path / "plugin.py"
        plugin.write_text(text)
        with pytest.MonkeyPatch.context() as patch:
            first = f"exec(open({str(plugin)!r}).read()); "
            patch.setattr(process, "_BOOTSTRAP", first + process._BOOTSTRAP)
            return launch.launch(recipe, root)

    return launch_with


def _failure(job: JobDirectory) -> Failure:
    now = status.read(job)
    assert now is not None
    assert now.state is State.FAILED
    assert now.error is not None, launch.log_tail(job.attempt(1).log)
    return now.error


def _assert_nothing_half_is_left(job: JobDirectory) -> None:
    assert [path for path in job.unfinished() if path.exists()] == []
    assert all(checkpoints.verifies(path) for path in list_checkpoints(job.checkpoints))
    assert not job.model.exists()
    for path in (job.samples, job.held_out, job.rejects):
        assert not path.exists() or path.read_bytes().endswith(b"\n")


def _assert_it_goes_on(job: JobDirectory, eventually: Eventually) -> None:
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    assert (job.model / "model.safetensors").exists()
    assert curves(job)["train/loss"][0] == list(range(1, STEPS + 1))


def _wait_for_checkpoint(job: JobDirectory, eventually: Eventually) -> None:
    eventually(lambda: list_checkpoints(job.checkpoints), "a checkpoint")


@pytest.mark.parametrize(
    ("limit", "whose"),
    [(20_000, "model.safetensors"), (300_000, "optimizer.pt"), (6_000, "events"), (1_500, "log")],
)
def test_a_limit_of_file_sizes_is_named_with_what_raises_it(
    limit: int, whose: str, recipe: TrainRecipe, root: Path, begin: Begin, eventually: Eventually
) -> None:
    """Weights are written in Rust, moments in C++, events and all else in Python."""
    job = begin(recipe, root, LIMIT.format(limit=limit))
    assert wait_for_end(job, eventually) is State.FAILED
    failure = _failure(job)
    assert failure.title == "A file reached the largest size that is allowed here."
    assert f"{limit:,} bytes" in failure.detail, whose
    assert "ulimit -f unlimited" in failure.hint
    assert "resume" in failure.hint
    _assert_nothing_half_is_left(job)
    _assert_it_goes_on(job, eventually)


@pytest.mark.parametrize("which", ["whole", "checkpoints", "top"])
def test_modes_that_change_in_mid_run_end_it_with_a_reason(
    which: str, recipe: TrainRecipe, root: Path, begin: Begin, eventually: Eventually
) -> None:
    job = begin(recipe, root, BOUND_BY_MODES)
    _wait_for_checkpoint(job, eventually)
    folders = {
        "whole": [job.path, job.checkpoints, job.events],
        "checkpoints": [job.checkpoints],
        "top": [job.path],
    }[which]
    for folder in folders:
        folder.chmod(0o500)
    state = wait_for_end(job, eventually)
    for folder in folders:
        folder.chmod(0o700)
    assert state is State.FAILED, "the old status is overwritten where no new one can be made"
    failure = _failure(job)
    assert failure.title == "The run's directory cannot be written."
    assert "Permission denied" in failure.detail
    assert "Check owner and permissions" in failure.hint
    assert all(checkpoints.verifies(path) for path in list_checkpoints(job.checkpoints))
    _assert_it_goes_on(job, eventually)


@pytest.mark.parametrize(
    ("number", "final", "words"),
    [
        (errno.EDQUOT, State.FAILED, "quota"),
        (errno.ENOSPC, State.FAILED, "The disk is full."),
        (errno.EROFS, State.CRASHED, "The run's directory cannot be written."),
        (errno.ESTALE, State.CRASHED, "does not answer"),
        (errno.EIO, State.CRASHED, "does not answer"),
    ],
)
def test_a_disk_that_breaks_ends_it_with_a_reason(
    number: int,
    final: State,
    words: str,
    recipe: TrainRecipe,
    root: Path,
    tmp_path: Path,
    begin: Begin,
    eventually: Eventually,
) -> None:
    """A full disk or quota still takes what replaces a file's own bytes."""
    trigger = tmp_path / "broken"
    text = REFUSING.format(
        writes=WRITES, below=str(root), spared=final is State.FAILED, trigger=str(trigger),
        number=number,
    )  # fmt: skip
    job = begin(recipe, root, text)
    _wait_for_checkpoint(job, eventually)
    trigger.touch()
    assert wait_for_end(job, eventually) is final
    assert words in launch.log_tail(job.attempt(1).log), "the log that it had opened"
    if final is State.FAILED:
        failure = _failure(job)
        assert words in failure.title
        assert "resume" in failure.hint
    _assert_it_goes_on(job, eventually)
    assert [path for path in job.unfinished() if path.exists()] == []


def test_a_job_of_answers_ends_likewise_and_keeps_whole_answers(
    base: Path, root: Path, tmp_path: Path, begin: Begin, eventually: Eventually
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(f'{{"prompt": "say {one}"}}\n' for one in range(200)))
    recipe = GenerateRecipe(
        name="answers", device="cpu", arms=[f"base={base}"], prompts=str(prompts),
        decode=Decode(max_new_tokens=8),
    )  # fmt: skip
    job = begin(recipe, root, LIMIT.format(limit=50_000))
    assert wait_for_end(job, eventually) is State.FAILED
    assert "ulimit" in _failure(job).hint
    made = samples.read(job.samples)
    assert 0 < len(made) < 200
    assert job.samples.read_bytes().endswith(b"\n")
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    again = samples.read(job.samples)
    assert len(again) == 200
    assert again[: len(made)] == made, "they are not made again"


def test_a_directory_that_is_removed_is_not_made_again(
    recipe: TrainRecipe, root: Path, begin: Begin, eventually: Eventually
) -> None:
    job = begin(recipe, root, "")
    _wait_for_checkpoint(job, eventually)
    pid = lock.holder(job.lock_file)
    shutil.rmtree(job.path)
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the worker ends")
    assert list(root.iterdir()) == []


def test_a_file_in_place_of_the_checkpoints_is_named(
    recipe: TrainRecipe, root: Path, begin: Begin, eventually: Eventually
) -> None:
    job = begin(recipe, root, "")
    _wait_for_checkpoint(job, eventually)
    away = job.path / "away"
    job.checkpoints.rename(away)
    job.checkpoints.write_text("")
    assert wait_for_end(job, eventually) is State.FAILED
    failure = _failure(job)
    assert failure.title == "The run's directory was removed or changed."
    assert str(job.checkpoints) in failure.detail
    job.checkpoints.unlink()
    away.rename(job.checkpoints)
    _assert_it_goes_on(job, eventually)
