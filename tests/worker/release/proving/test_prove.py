"""The process that proves an export: what comes back of it, and how it ends with who started it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import JobFailed
from engine.jobs import memory_evidence, process
from engine.worker.attempt import Stopped
from engine.worker.release.proving.proof_spec import ProofSpec, read_spec, write_spec
from engine.worker.release.proving.prove import run_proof
from engine.worker.release.writing.tokenizer_folder import write_tokenizer
from tests.patience import PROCESS_SECONDS
from tests.worker.release.made_exports import lora_source, spec_of


@pytest.fixture
def spec(tmp_path: Path) -> ProofSpec:
    nowhere = tmp_path / "nowhere"
    return ProofSpec(
        "merged",
        nowhere,
        None,
        "float32",
        nowhere,
        None,
        "none",
        nowhere,
        None,
        nowhere,
        None,
        (1,),
    )


def child_that(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A process that does this instead; `spec` and `out` are its two paths."""
    start = "import os, sys, time, json, pathlib; spec, out = map(pathlib.Path, sys.argv[1:]); "

    def command(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", start + code, *arguments]

    monkeypatch.setattr(process, "module_command", command)


def nothing(activity: str, done: int, total: int) -> None:
    """Of how far it is."""


def test_a_spec_is_read_as_it_was_written(spec: ProofSpec, tmp_path: Path) -> None:
    write_spec(spec, tmp_path / "spec.json")
    assert read_spec(tmp_path / "spec.json") == spec


def test_a_fresh_process_proves_an_adapter(tmp_path: Path) -> None:
    source = lora_source(tmp_path)
    assert source.adapter is not None
    for part in (source.base, source.adapter):
        write_tokenizer(source, part)
    folder = tmp_path / "export"
    folder.mkdir()
    seen: list[str] = []

    def tick(activity: str, done: int, total: int) -> None:
        seen.append(activity)

    ends = write_tokenizer(source, source.adapter)
    asked = spec_of(source, source.adapter, "adapter", prompts=2, rows=4, strings=50)
    checks = run_proof(replace(asked, ends=ends), folder, tick)

    complaints = [line for one in checks for line in one.differences]
    assert {one.status for one in checks} <= {"passed", "stated"}, complaints
    assert [one.name for one in checks][:2] == [
        "weights differ from the base",
        "weights are those of the run",
    ]
    assert seen[0] == "loading libraries"
    assert len(set(seen)) > 1
    assert list(folder.iterdir()) == []


def test_a_stop_ends_the_process_at_once(
    spec: ProofSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pid"
    child_that(
        monkeypatch, f"pathlib.Path({str(pids)!r}).write_text(str(os.getpid())); time.sleep(600)"
    )

    def tick(activity: str, done: int, total: int) -> None:
        if pids.exists() and pids.read_text():
            raise Stopped

    with pytest.raises(Stopped):
        run_proof(spec, tmp_path, tick)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["pid"]


@pytest.mark.parametrize(
    ("code", "title", "detail"),
    [
        (
            "os.kill(os.getpid(), 9)",
            "The proof of the export could not be made.",
            "killed by signal 9; often too little memory",
        ),
        ("os.kill(os.getpid(), 11)", "The proof of the export could not be made.", "signal 11"),
        (
            "sys.exit('it broke here')",
            "The proof of the export could not be made.",
            "it broke here",
        ),
        ("out.write_text(json.dumps({'error': ['No.', 'x', 'y']}))", "No.", "x"),
    ],
    ids=["killed", "crashed", "failed", "refused"],
)
def test_a_process_that_dies_is_an_error_with_its_last_lines(
    spec: ProofSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    title: str,
    detail: str,
) -> None:
    child_that(monkeypatch, code)
    with pytest.raises(JobFailed) as raised:
        run_proof(spec, tmp_path, nothing)
    assert raised.value.title == title
    assert detail in raised.value.detail


def test_memory_is_named_where_the_kernel_says_so(
    spec: ProofSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter((1, 2))
    monkeypatch.setattr(
        memory_evidence, "read_group", lambda: memory_evidence.MemoryGroup(next(counts, 2), None)
    )
    child_that(monkeypatch, "os.kill(os.getpid(), 9)")
    with pytest.raises(JobFailed) as raised:
        run_proof(spec, tmp_path, nothing)
    assert raised.value.title == "The machine has too little memory to prove the export."
    assert "OOM killer" in raised.value.detail


def test_progress_is_what_the_process_says_last(
    spec: ProofSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_that(
        monkeypatch,
        "print('a library says this'); print(json.dumps(['reading\\x1b rows', 3, 8]), flush=True); "
        "gone = out.parent / 'go'\nwhile not gone.exists(): time.sleep(0.01)\n"
        "out.write_text(json.dumps({'checks': []}))",
    )
    seen: list[tuple[str, int, int]] = []

    def tick(activity: str, done: int, total: int) -> None:
        seen.append((activity, done, total))
        if done == 3:
            next(tmp_path.glob(".proof-*")).joinpath("go").touch()

    assert run_proof(spec, tmp_path, tick) == []
    assert seen[-1] == ("reading␛ rows", 3, 8)


def test_the_process_ends_with_who_started_it(tmp_path: Path, spec: ProofSpec) -> None:
    """A job that is killed leaves nobody who would stop its proof."""
    read, write = os.pipe()
    write_spec(spec, tmp_path / "spec.json")
    code = (
        "import threading, time; from engine.worker.release.proving import prove; "
        "threading.Thread(target=prove._end_with_parent, daemon=True).start(); "
        "print('waits', flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=read, stdout=subprocess.PIPE, text=True
    ) as child:
        os.close(read)
        assert child.stdout is not None
        assert child.stdout.readline() == "waits\n"
        assert child.poll() is None
        os.close(write)
        assert child.wait(PROCESS_SECONDS) == 1
