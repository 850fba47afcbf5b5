"""What the kernel's count of kills says of a run that died without a word."""

import json
import socket
import time
from pathlib import Path

import pytest

from engine.jobs import directory, oom_kills
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "vmstat"
    path.write_text("pgfault 12\noom_kill 3\ndrop_pagecache 0\n")
    monkeypatch.setattr(oom_kills, "COUNTS", path)
    return path


def begun(root: Path, **changes: object) -> JobDirectory:
    job = directory.create(root, TrainRecipe())
    job.attempt(1).path.mkdir(parents=True)
    process = {"host": socket.gethostname(), "started": time.time(), oom_kills.KEY: 3, **changes}
    job.attempt(1).process.write_text(json.dumps(process))
    return job


def test_kills_since_a_run_began_are_suspected(root: Path, count: Path) -> None:
    job = begun(root)
    assert oom_kills.suspected_oom(job) == ""
    count.write_text("oom_kill 4\n")
    assert "possibly out of memory" in oom_kills.suspected_oom(job)


@pytest.mark.parametrize(
    "changes",
    [{"host": "another"}, {"started": 5.0}, {oom_kills.KEY: None}, {oom_kills.KEY: "3"}],
    ids=["another host", "before this boot", "not counted", "nonsense"],
)
def test_what_is_not_known_is_not_suspected(
    root: Path, count: Path, changes: dict[str, object]
) -> None:
    count.write_text("oom_kill 9\n")
    assert oom_kills.suspected_oom(begun(root, **changes)) == ""


def test_where_nothing_is_counted_nothing_is_said(root: Path, count: Path) -> None:
    job = begun(root)
    count.unlink()
    assert oom_kills.memory_kills() is None
    assert oom_kills.suspected_oom(job) == ""
