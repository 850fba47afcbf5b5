"""What exports published, among the checkpoints: where it lies, what it is on, who trained it."""

from pathlib import Path

import pytest

from engine.checkpoints import checkpoint_list
from engine.checkpoints.ancestry import trace_runs
from engine.checkpoints.exports import find_exported, inspect_exports
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, create
from engine.recipes.recipe import ExportRecipe, TrainRecipe
from engine.recipes.settings import Model
from tests.checkpoints.made import make_adapter, make_model
from tests.checkpoints.test_gguf_file import usable


@pytest.fixture
def run(tmp_path: Path) -> JobDirectory:
    """A run whose adapter needs a model that nobody could name."""
    base = make_model(tmp_path / "base")
    job = create(tmp_path / "runs", TrainRecipe(name="one", model=Model(checkpoint=str(base))))
    make_adapter(job.adapter, None)
    return job


def publish(run: JobDirectory, out: Path, *parts: str) -> JobDirectory:
    """The job of an export, and what it published."""
    source = f"run:{run.path.name}"
    recipe = ExportRecipe(name="shipped", source=f"one={source}", out=str(out))
    job = create(run.path.parent, recipe, parents=[source])
    for part in parts:
        if part == "merged":
            make_model(out / part)
        elif part == "adapter":
            make_adapter(out / part, "org/elsewhere")
        else:
            usable(out / "gguf" / part)
        (out / (part if part in ("merged", "adapter") else "gguf") / "SHA256SUMS").touch()
    return job


def test_each_part_is_listed_and_the_job_is_its_model(run: JobDirectory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = publish(run, out, "merged", "adapter", "m-F32.gguf", "m-Q8_0.gguf")
    runs = [run.path, job.path]
    found = {one.name: one for one in checkpoint_list.scan([tmp_path], runs)}
    assert {name for name, one in found.items() if one.source == "export"} == {
        "out/merged", "out/adapter", "out/m-F32.gguf", "out/m-Q8_0.gguf"
    }  # fmt: skip
    assert [found[name].reason for name in found if name.startswith("out/")] == [None] * 4
    assert found["out/adapter"].base_path == tmp_path / "base", "that of the run"
    assert checkpoint_list.resolve(f"run:{job.path.name}", runs).path == out / "merged"


def test_without_a_merged_model_the_job_is_its_file(run: JobDirectory, tmp_path: Path) -> None:
    job = publish(run, tmp_path / "out", "m-Q8_0.gguf")
    found = checkpoint_list.resolve(f"run:{job.path.name}", [run.path, job.path])
    assert found.path == tmp_path / "out" / "gguf" / "m-Q8_0.gguf"


def test_what_was_moved_or_never_came_to_be_is_not_there(run: JobDirectory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = publish(run, out, "merged")
    runs = [run.path, job.path]
    assert len(inspect_exports(job.path, runs)) == 1
    out.rename(tmp_path / "moved")
    assert inspect_exports(job.path, runs) == []
    with pytest.raises(EngineError, match="has no weights"):
        checkpoint_list.resolve(f"run:{job.path.name}", runs)
    make_model(out / "merged")  # something else, which no export wrote
    assert inspect_exports(job.path, runs) == []
    assert inspect_exports(run.path, runs) == []


def test_what_was_exported_was_trained_by_its_run(run: JobDirectory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = publish(run, out, "merged", "m-Q8_0.gguf")
    runs = [run.path, job.path]
    refs = (f"run:{job.path.name}", str(out / "merged"), str(out / "gguf" / "m-Q8_0.gguf"))
    for ref in refs:
        assert find_exported(ref, runs) == f"run:{run.path.name}"
        ancestry = trace_runs([ref], runs)
        assert ancestry.runs == [run.path]
        assert (ancestry.roots, ancestry.gaps) == ([str(tmp_path / "base")], [])
    assert find_exported(str(tmp_path / "base"), runs) is None
    assert find_exported("org/name", runs) is None
