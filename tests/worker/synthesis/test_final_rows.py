"""The rows that a job writes at its end, by its recipe."""

from pathlib import Path

import pytest

from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import SynthesizeRecipe
from engine.worker.synthesis.final_rows import FinalRows, measure_made_rows, write_final_rows
from tests.synthesis.made_job import decide, make_job, make_outcome, make_source


def make(root: Path, **changes: object) -> tuple[JobDirectory, SynthesizeRecipe]:
    outcomes = [make_outcome(1), make_outcome(2, "held back", reasons=["copy"]), make_outcome(3)]
    sources = [make_source(n) for n in (1, 2, 3)]
    job = make_job(root, sources, outcomes, [decide(3, "reject")], **changes)
    recipe = job.recipe()
    assert isinstance(recipe, SynthesizeRecipe)
    return job, recipe


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_all_that_passed_is_written_where_the_recipe_says_so(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"rows.{ending}"
    job, recipe = make(tmp_path / "runs", out=str(out), accept_all=True)
    assert write_final_rows(job, recipe, ()).note == f"rows.{ending}: rows 1"
    content = out.read_bytes()
    assert write_final_rows(job, recipe, ()).note == f"rows.{ending}: rows 1", "of the next attempt"
    out.write_text("of the user")
    note = write_final_rows(job, recipe, ()).note
    assert note == (f"rows.{ending} was not written: The file already exists: finetop data write")
    assert content != out.read_bytes() == b"of the user"


def test_rows_that_are_to_be_reviewed_are_not_written(tmp_path: Path) -> None:
    for changes in ({"out": str(tmp_path / "rows.jsonl")}, {"accept_all": True}):
        assert write_final_rows(*make(tmp_path / "runs", **changes), ()) == FinalRows()
    assert not list(tmp_path.glob("rows*"))


def test_numbers_are_of_the_rows_that_stand(tmp_path: Path) -> None:
    found = measure_made_rows(*make(tmp_path / "runs"))
    assert found["rows"] == 1
    assert found["labels"]["opinion"]["agree"]["count"] == 1
