"""Programs of others, which end with who started them: real processes, ended for real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.jobs.bound_program import NOT_STARTED, run_program
from tests.conftest import Eventually


def nothing() -> None:
    """To watch."""


def write_program(folder: Path, body: str) -> str:
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def write_pair(folder: Path) -> tuple[str, Path]:
    """A program that starts another and waits for it; the ids of both stand in the file."""
    pids = folder / "pids"
    return write_program(folder, f'sleep 600 & echo "$$ $!" > {pids}; wait'), pids


def read_pids(file: Path) -> list[int]:
    return [int(one) for one in file.read_text().split()] if file.exists() else []


def test_what_it_printed_and_how_it_ended(tmp_path: Path) -> None:
    program = write_program(tmp_path, 'cat; echo "$1" >&2; exit 3')

    end = run_program([program, "x\x1b[2J"], nothing, given=b"in\x00put")

    assert (end.code, end.output, end.how, end.failed) == (3, b"in\x00put", "exit code 3", True)
    assert end.tail.startswith("x")
    assert "\x1b" not in end.tail


def test_a_signal_is_told_as_one(tmp_path: Path) -> None:
    words = {signal.SIGKILL: "signal 9, often too little memory", signal.SIGSEGV: "signal 11"}
    for number, how in words.items():
        end = run_program([write_program(tmp_path, f"echo last; kill -{number} $$")], nothing)
        assert (end.code, end.how, end.tail) == (-number, how, "last")


def test_one_that_cannot_be_started(tmp_path: Path) -> None:
    end = run_program([str(tmp_path / "nowhere")], nothing)
    assert (end.code, "cannot be started" in end.tail) == (NOT_STARTED, True)


def test_a_stop_ends_it_with_all_that_it_started(tmp_path: Path, eventually: Eventually) -> None:
    program, pids = write_pair(tmp_path)

    def stop() -> None:
        if len(read_pids(pids)) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_program([program], stop)
    eventually(lambda: not any(is_alive(pid) for pid in read_pids(pids)))


def test_so_does_its_time(tmp_path: Path, eventually: Eventually) -> None:
    program, pids = write_pair(tmp_path)

    def wait() -> None:
        while len(read_pids(pids)) < 2:
            time.sleep(0.01)

    end = run_program([program], wait, seconds=0.0)

    assert (end.timed_out, end.failed, end.how) == (True, True, "it took too long")
    eventually(lambda: not any(is_alive(pid) for pid in read_pids(pids)))


def test_kill_9_of_its_starter_ends_it_with_all_that_it_started(
    tmp_path: Path, eventually: Eventually
) -> None:
    program, pids = write_pair(tmp_path)
    code = (
        "import sys; from engine.jobs.bound_program import run_program; "
        "run_program(sys.argv[1:], lambda: None)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, program], env=os.environ | {"PYTHONPATH": os.getcwd()}
    ) as starter:
        eventually(lambda: len(read_pids(pids)) == 2)
        assert all(is_alive(pid) for pid in read_pids(pids))
        starter.kill()
    eventually(lambda: not any(is_alive(pid) for pid in read_pids(pids)))
