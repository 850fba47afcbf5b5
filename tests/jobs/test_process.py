"""The command of a worker: which interpreter, found from anywhere."""

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


def test_an_interpreter_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETOP_PYTHON", "/no/such/python")
    with pytest.raises(EngineError, match="does not exist"):
        process.worker_command("serve")
