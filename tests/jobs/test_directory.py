"""Job directories: whole or absent, private, and read with care."""

import json
import stat
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.recipes.recipe import TrainRecipe, to_toml


def test_a_directory_is_made_whole_and_private(root: Path) -> None:
    job = directory.create(root, TrainRecipe(name="my run/../x"), ["bundled:demo-base"])
    assert job.path.parent == root
    assert job.path.name.startswith("my-run-..-x-")
    assert stat.S_IMODE(job.path.stat().st_mode) == 0o700
    record = job.record()
    assert record is not None
    assert (record.id, record.kind, record.parents) == (
        job.path.name,
        "train",
        ["bundled:demo-base"],
    )
    assert job.recipe() == TrainRecipe(name="my run/../x")
    assert [path.name for path in root.iterdir()] == [job.path.name], "nothing is left beside it"


def test_inputs_are_known_by_their_hash(root: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    record = directory.create(root, TrainRecipe(), inputs=[rows]).record()
    assert record is not None
    assert record.inputs == {
        str(rows): "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"
    }


def test_a_root_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    taken = tmp_path / "runs"
    taken.write_text("a file")
    with pytest.raises(EngineError) as caught:
        directory.create(taken, TrainRecipe())
    assert str(taken) in caught.value.detail
    assert "--runs" in caught.value.hint


WRONG_TYPES = '{"schema": 1, "id": 5, "kind": "train", "name": "x", "created": "today"}'


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"id": 3}', "\x00\x00", WRONG_TYPES])
def test_a_half_written_record_means_not_yet(root: Path, content: str) -> None:
    job = JobDirectory(root / "x")
    job.path.mkdir()
    assert job.record() is None
    job.record_file.write_text(content)
    assert job.record() is None


def test_a_newer_schema_is_refused_by_name(root: Path) -> None:
    job = directory.create(root, TrainRecipe())
    table = json.loads(job.record_file.read_text()) | {"schema": 2}
    job.record_file.write_text(json.dumps(table))
    with pytest.raises(EngineError, match="schema 2"):
        job.record()


def test_the_latest_attempt_that_changed_the_recipe_gives_it(root: Path) -> None:
    job = directory.create(root, TrainRecipe(name="first"))
    for number, name in ((1, None), (2, "second"), (3, None)):
        job.attempt(number).path.mkdir()
        if name:
            job.attempt(number).recipe.write_text(to_toml(TrainRecipe(name=name)))
    assert job.latest_attempt() == 3
    assert job.recipe() == TrainRecipe(name="second")
