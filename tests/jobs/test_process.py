"""The command of a worker: which interpreter, found from anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import process


def test_a_relative_interpreter_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINETOP_PYTHON", "env/python")
    assert process.worker_command("serve")[0] == str(tmp_path / "env" / "python")


def test_a_worker_passes_its_interpreter_on_to_the_workers_that_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a sweep's does: it is in another folder, and that Python need not have finetop."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINETOP_PYTHON", "env/python")
    passed_on = process.worker_environment()["FINETOP_PYTHON"]
    assert passed_on == str(tmp_path / "env" / "python")
    monkeypatch.setenv("FINETOP_PYTHON", passed_on)
    monkeypatch.setattr(sys, "executable", passed_on)
    command = process.worker_command("train", needs=())
    ended = subprocess.run(
        [*command, "/no/job"], cwd="/", env={"PATH": os.defpath}, capture_output=True, text=True
    )
    assert "No module named 'engine'" not in ended.stderr
    assert command[:3] == [passed_on, "-P", "-c"]


def test_an_interpreter_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_PYTHON", "/no/such/python")
    with pytest.raises(EngineError, match="does not exist"):
        process.worker_command("serve")
