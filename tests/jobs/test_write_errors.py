"""What a refused write is called, and what is left of what was written."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import atomic
from engine.errors import EngineError
from engine.jobs import status, summary, write_errors
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from tests.tui.building import write_run

LIMITED = """
import resource, sys
from pathlib import Path
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), hard))
"""


def _run_limited(limit: int, code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", LIMITED + code, str(limit), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


class Chained(Exception):
    """What a library makes of an error."""


def _from(cause: Exception) -> Exception:
    error = Chained("saving failed")
    error.__cause__ = cause
    return error


def _oserror(number: int, path: Path | None = None) -> OSError:
    return OSError(number, os.strerror(number), str(path) if path else None)


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (_oserror(errno.EFBIG), "largest size"),
        (_oserror(errno.ENOSPC, Path("/elsewhere/cache")), "disk is full"),
        (_from(_oserror(errno.EDQUOT)), "quota"),
        (RuntimeError("Error while serializing: I/O error: File too large (os error 27)"),
         "largest size"),
        (RuntimeError("write: No space left on device"), "disk is full"),
        (RuntimeError("I/O error: Stale file handle (os error 116)"), "does not answer"),
        (OSError("73728 requested and 40480 written"), "disk is full"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
         "does not answer"),
    ],
)  # fmt: skip
def test_a_refusal_is_recognised_in_whatever_words(
    error: Exception, title: str, tmp_path: Path
) -> None:
    refusal = write_errors.explain(error, tmp_path)
    assert refusal is not None
    assert title in refusal.title
    assert str(tmp_path) in refusal.detail
    assert ", then resume" in refusal.hint


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("checkpoints/checkpoint-20", ", then resume from the last checkpoint."),
        ("checkpoints/saving", ", then resume: it starts from the beginning."),
        ("attempts", ", then resume."),
    ],
)
def test_the_hint_says_from_where_it_goes_on(made: str, words: str, tmp_path: Path) -> None:
    (tmp_path / made).mkdir(parents=True)
    refusal = write_errors.explain(_oserror(errno.ENOSPC), tmp_path)
    assert refusal is not None
    assert refusal.hint.endswith(words)


def test_what_is_no_refusal_to_write_is_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run = tmp_path / "run"
    run.mkdir()
    for error in (
        _oserror(errno.EACCES, data / "rows.jsonl"),
        _oserror(errno.ENOENT, data / "rows.jsonl"),
        _oserror(errno.ENOENT, run / "measured.json"),
        ValueError("size mismatch"),
        _oserror(errno.ECONNREFUSED),
    ):
        assert write_errors.explain(error, run) is None, error


def test_a_file_is_as_it_was_where_an_append_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("one\n")
    code = """
from engine import atomic
try:
    atomic.append_lines(Path(sys.argv[2]), "two\\n" * 500)
except OSError as error:
    print(error.strerror)
"""
    assert "File too large" in _run_limited(1000, code, path)
    assert path.read_text() == "one\n"
    atomic.append_lines(path, "two\n")
    assert path.read_text() == "one\ntwo\n"


def test_a_launcher_under_the_limit_says_it_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
from engine.errors import EngineError
from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe
try:
    directory.create(Path(sys.argv[2]), TrainRecipe(name="mine"))
except EngineError as error:
    print(error)
"""
    printed = _run_limited(100, code, tmp_path / "runs")
    assert "File too large" in printed
    assert "ulimit -f unlimited" in printed
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EACCES, errno.EROFS, errno.EDQUOT])
def test_a_final_status_is_written_where_it_lies(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = write_run(tmp_path, "mine", state=State.RUNNING)

    def refuse(*_: object, **__: object) -> None:
        raise _oserror(number, job.path)

    monkeypatch.setattr(atomic, "write_json", refuse)
    with pytest.raises(OSError, match=os.strerror(number)):
        status.write(job, Status(State.RUNNING, step=7))
    status.write(job, Status(State.FAILED, step=7))
    now = status.read(job)
    assert now is not None
    assert now.state is State.FAILED


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[JobDirectory]:
    """A run on a disk that became read-only while it ran, and whose worker is gone."""
    root = tmp_path / "runs"
    write_run(root, "mine", state=State.RUNNING, host=os.uname().nodename)
    place = tmp_path / "mounted"
    place.mkdir()
    try:
        for options in (["--bind", str(root)], ["-o", "remount,bind,ro"]):
            command = ["mount", *options, str(place)]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                pytest.skip("nothing can be mounted here")
        yield JobDirectory(place / "mine")
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def test_a_run_that_could_write_no_status_reads_as_crashed_with_the_reason(
    read_only: JobDirectory,
) -> None:
    view = summary.view(read_only)
    assert view is not None
    assert view.state is State.CRASHED
    assert view.problem == (
        "the run's directory cannot be written: Read-only file system; "
        "r resumes when it can be written again"
    )


def test_a_crash_on_a_disk_that_takes_everything_has_no_such_reason(tmp_path: Path) -> None:
    assert write_errors.suspect(tmp_path) == ""
    assert "No such file" in write_errors.suspect(tmp_path / "gone")


def test_the_remedy_of_an_unknown_errno_is_to_look() -> None:
    assert write_errors.remedy(_oserror(errno.E2BIG)) == "Check the disk"
    assert isinstance(write_errors.explain(_oserror(errno.EIO), Path("/run")), EngineError)


def test_a_program_that_failed_on_a_full_disk_is_the_disks_refusal(tmp_path: Path) -> None:
    """llama-quantize and numpy say nothing of the disk: it is asked while it is full."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    failed = EngineError("llama-quantize failed (exit code 1).", "basic_ios::clear")
    try:
        with pytest.raises(EngineError), write_errors.refusals_of_child(place):
            raise failed
        with pytest.raises(OSError, match="No space left"), (place / "x").open("wb") as file:
            file.write(bytes(2 << 20))
        with pytest.raises(OSError, match="No space left"), write_errors.refusals_of_child(place):
            raise failed
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
