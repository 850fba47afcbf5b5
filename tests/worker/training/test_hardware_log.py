"""The machine is logged beside a run: every few seconds, and not at every step."""

import json
from pathlib import Path

import pytest

from engine.jobs import directory
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import _process
from engine.worker.training import hardware_log
from engine.worker.training.hardware_log import HardwareLogger


def test_it_has_news_every_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = HardwareLogger(tmp_path, ())
    first = beside.scalars_if_due()
    assert {"machine/cpu_percent", "machine/memory_bytes", "machine/disk_free_bytes"} == set(first)
    assert [beside.scalars_if_due() for _ in range(100)] == [{}] * 100
    monkeypatch.setattr(hardware_log, "SECONDS", 0.0)
    beside = HardwareLogger(tmp_path, ())
    assert all(beside.scalars_if_due() for _ in range(3))


def test_a_folder_that_went_away_does_not_end_a_run(tmp_path: Path) -> None:
    job = directory.create(tmp_path / "runs", TrainRecipe(name="one"))
    beside = HardwareLogger(job.path / "gone", ())
    assert "machine/disk_free_bytes" not in beside.scalars_if_due()


def test_a_start_names_the_versions_that_it_works_with() -> None:
    facts = json.loads(json.dumps(_process()))
    assert {"torch", "transformers", "peft"} <= facts["packages"].keys()
    assert all(version[0].isdigit() for version in facts["packages"].values())
