"""Exit codes that are verdicts stay so whatever becomes of the output: no script may read "passed",
or "failed", where nothing was judged or nothing could be written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.jobs.status import Failure, State
from tests.impact.made_results import measured, scores_of, suite_of, table_of, write_evaluation
from tests.report.reported import write_jobs
from tests.tui.impact.evaluated import write_evaluation as write_job
from tui.cli import main
from tui.commands import gate

KEPT, BROKEN = "90%", "3%"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    arms = {
        arm: {"parent": parent, "suites": {"facts": measured(scores_of(right, 300), seen={})}}
        for arm, parent, right in (("base", "", 290), ("tuned", "base", 240))
    }
    write_evaluation(root, "story", table_of({"facts": suite_of(300)}, arms))
    return root


@contextmanager
def _open_gone() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@contextmanager
def _open_full() -> Iterator[int]:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        yield full
    finally:
        os.close(full)


def _run(*words: str, stdout: int, stderr: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tui.cli", *words], stdout=stdout, stderr=stderr, check=False
    )


def _gate(root: Path, limit: str, **streams: int) -> subprocess.CompletedProcess[bytes]:
    limits = ("--lost-at-most", limit, "--on", "facts")
    return _run("gate", "story", *limits, "--runs", str(root), **streams)


@pytest.mark.parametrize(("limit", "code"), [(KEPT, 0), (BROKEN, 1)])
def test_no_reader_of_either_stream_changes_what_was_judged(
    root: Path, limit: str, code: int
) -> None:
    with _open_gone() as gone:
        assert _gate(root, limit, stdout=gone, stderr=gone).returncode == code
        assert _gate(root, limit, stdout=subprocess.DEVNULL, stderr=gone).returncode == code
    with _open_full() as full:
        assert _gate(root, limit, stdout=subprocess.DEVNULL, stderr=full).returncode == code


@pytest.mark.parametrize("limit", [KEPT, BROKEN])
def test_a_full_disk_below_the_output_is_no_verdict(root: Path, limit: str) -> None:
    with _open_full() as full:
        done = _gate(root, limit, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == gate.NOT_MEASURED
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert (b"passed: " if limit == KEPT else b"failed: ") in done.stderr


def test_wrong_use_stays_2_where_nobody_reads_it(root: Path) -> None:
    with _open_gone() as gone:
        words = ("gate", "story", "--lost-at-most", "3%", "--on", "songs", "--runs", str(root))
        assert _run(*words, stdout=gone, stderr=gone).returncode == gate.WRONG_USE


def test_a_junit_file_that_a_full_disk_refuses_comes_after_the_table(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.output_file.tempfile.mkstemp", refuse)
    words = ["gate", "story", "--lost-at-most", KEPT, "--on", "facts", "--runs", str(root)]
    assert main([*words, "--junit", str(tmp_path / "j.xml")]) == gate.NOT_MEASURED
    out, err = capsys.readouterr()
    assert "facts" in out, "what was judged is told all the same"
    assert "No space left" in err


def test_an_evaluation_that_failed_is_4_also_where_its_junit_file_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> int:
        raise OSError(28, "No space left on device")

    error = Failure("The GPU is out of memory.", "at item 3", "Use --limit.")
    write_job(root, "broken", state=State.FAILED, error=error)
    monkeypatch.setattr("engine.output_file.tempfile.mkstemp", refuse)
    words = ["gate", "broken", "--lost-at-most", KEPT, "--on", "facts", "--runs", str(root)]
    assert main([*words, "--junit", str(tmp_path / "j.xml")]) == gate.NOT_MEASURED
    said = capsys.readouterr().err
    assert "No space left" in said
    assert "out of memory" in said


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError("a defect"), MemoryError()])
def test_whatever_ends_the_measuring_is_neither_passed_nor_failed(
    root: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(gate, "_measure", fail)
    words = ["gate", "tuned", "--lost-at-most", "3%", "--on", "facts", "--runs", str(root)]
    assert main(words) == gate.NOT_MEASURED


def test_a_report_that_differs_is_1_where_nobody_reads_it(tmp_path: Path) -> None:
    runs = str(write_jobs(tmp_path / "runs").path.parent)
    folder = tmp_path / "report"
    assert main(["report", "impact-child", "--out", str(folder), "--runs", runs]) == 0
    (folder / "report.md").write_text("other")
    words = ("report", "--verify", str(folder), "--runs", runs)
    with _open_gone() as gone:
        assert _run(*words, stdout=gone, stderr=gone).returncode == 1
    with _open_full() as full:
        done = _run(*words, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
