"""The surroundings that every frame is taken in: the same clock, machine and folders everywhere."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.checkpoints import describe
from tests.snapshots import fixed_environment
from tests.tui.conftest import (
    _at_rest_after_each_key,
    _one_rest_a_key,
    _own_folders,
    _style_sheets_parsed_once,
)

__all__ = [
    "_at_rest_after_each_key",
    "_one_rest_a_key",
    "_own_folders",
    "_style_sheets_parsed_once",
]

_NOT_OURS = (
    "NO_COLOR", "COLORFGBG", "FINETOP_THEME", "FINETOP_ASCII", "SSH_CONNECTION", "SLURM_JOB_ID",
    "CUDA_VISIBLE_DEVICES", "HF_DATASETS_CACHE", "XDG_RUNTIME_DIR", "LC_ALL", "LC_CTYPE",
)  # fmt: skip
_OURS = {
    "TZ": "UTC", "LANG": "C.UTF-8", "TERM": "xterm-256color", "COLORTERM": "truecolor",
    "LOGNAME": "ana", "FINETOP_MODELS": "models", "FINETOP_DATA": "data",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _surroundings(
    _own_folders: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """One environment, one clock, one machine."""
    for name in _NOT_OURS:
        monkeypatch.delenv(name, raising=False)
    for name, value in _OURS.items():
        monkeypatch.setenv(name, value)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    time.tzset()
    fixed_environment.stop_clock(monkeypatch)
    fixed_environment.stand_in(monkeypatch)
    monkeypatch.setattr(subprocess.Popen, "__init__", _refuse)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def _paths_as_given(_surroundings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths stay relative to the test's folder: its own path is another on every machine, and the
    number of its letters alone would change where lines are cut."""
    abspath = os.path.abspath

    def as_given(path: Any) -> Any:
        return os.path.normpath(path) if isinstance(path, str | Path) else abspath(path)

    monkeypatch.setattr(os.path, "abspath", as_given)
    monkeypatch.setattr(Path, "absolute", lambda path: path)
    Path("bundled").symlink_to(BASE)
    monkeypatch.setattr(describe, "BASE", Path("bundled"))


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("a frame is taken without any other process")
