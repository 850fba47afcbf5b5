"""What an overview says of a run is what lies in its directory."""

import dataclasses
import json
import os
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, sha256
from engine.jobs.overview import gather
from tests.tui.building import write_run


def test_everything_is_told(tmp_path: Path) -> None:
    job = write_run(tmp_path / "runs", "one", points=20, parents=["run:older"])
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    record = job.record()
    assert record is not None
    inputs = {str(rows): sha256(rows), str(tmp_path / "no longer exists"): "00"}
    job.record_file.write_text(
        json.dumps(dataclasses.asdict(dataclasses.replace(record, inputs=inputs)))
    )
    facts = {"python": "3.11.9", "packages": {"torch": "2.13.0"}, "argv": ["a", "b"]}
    job.attempt(1).process.write_text(json.dumps(facts))
    job.attempt(2).path.mkdir()
    job.samples.write_text("{}\n" * 12)
    job.rejects.write_text("{}\n" * 3)
    weights = job.adapter / "adapter_model.safetensors"
    job.adapter.mkdir()
    weights.write_bytes(b"0" * 1000)
    (job.path / "checkpoints").mkdir()
    os.link(weights, job.path / "checkpoints" / "the-same")
    found = gather(job)
    assert [(one.path, one.there) for one in found.inputs] == [
        (str(rows), True), (str(tmp_path / "no longer exists"), False),
    ]  # fmt: skip
    assert [start.number for start in found.starts] == [1, 2]
    assert found.starts[0].facts == {"python": "3.11.9", "torch": "2.13.0", "argv": "a b"}
    assert (found.samples, found.rejects) == (12, 3)
    assert found.sizes.get("adapter", 0) + found.sizes.get("checkpoints", 0) == 1000
    whole = sum(path.stat().st_size for path in job.path.rglob("*") if path.is_file())
    assert found.size == whole - 1000, "what is linked twice takes its place once"
    assert found.record.parents == ["run:older"]
    assert 'checkpoint = "bundled:demo-base"' in found.toml


def test_a_broken_run_still_has_an_overview(tmp_path: Path) -> None:
    job = write_run(tmp_path, "one")
    job.recipe_file.write_text("[[[")
    job.attempt(1).process.write_text("[]")
    found = gather(job)
    assert (found.recipe, found.toml) == (None, "")
    assert found.view.problem == "The recipe is not valid TOML."
    with pytest.raises(EngineError, match="no longer exists"):
        gather(JobDirectory(tmp_path / "none"))
