"""A job's files that are none: pipes, devices, links, folders, what is too large or too deep."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine.compare import annotations, samples, votes
from engine.errors import EngineError
from engine.jobs import directory, launch, overview, status, summary
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.jobs.summary import UserNotes
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_deep(path: Path) -> None:
    path.write_bytes(b"[" * 3_000_000)


def make_cycle(path: Path) -> None:
    path.symlink_to(path.name)


MAKERS = [make_pipe, make_endless, make_folder, make_deep, make_cycle]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", ["job.json", "status.json", "recipe.toml", "user.json"])
def test_one_bad_job_takes_no_other_away(
    root: Path, make: Callable[[Path], None], name: str
) -> None:
    good, bad = directory.create(root, TrainRecipe()), directory.create(root, TrainRecipe())
    (bad.path / name).unlink(missing_ok=True)
    make(bad.path / name)
    store = Store(root)
    records = {job.path.name: store.record(job) for job in store.jobs()}
    assert records[good.path.name] is not None
    for job in store.jobs():
        status.derive(job, status.read(job))
        if summary.view(job) is not None:
            overview.gather(job)
        view = summary.view(job)
        if job.path == bad.path and name == "job.json":
            assert view is None or "job.json cannot be read" in view.problem
    assert store.find(good.path.name).path == good.path


@pytest.mark.parametrize("make", MAKERS)
def test_files_of_answers_are_refused_in_words(root: Path, make: Callable[[Path], None]) -> None:
    job = directory.create(root, TrainRecipe())
    for path in (job.samples, job.path / "votes-a.jsonl", annotations.file_of(job.path)):
        make(path)
    launch.log_tail(job.samples)
    for read in (
        lambda: samples.read(job.samples),
        lambda: votes.read(job.path / "votes-a.jsonl"),
        lambda: annotations.read(job.path),
    ):
        with suppress(EngineError):
            assert not read()


@pytest.mark.parametrize("make", MAKERS)
def test_a_recipe_that_is_none_is_refused_in_words(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "recipe.toml"
    make(path)
    with pytest.raises(EngineError, match="recipe"):
        recipe.read(path)
    assert JobDirectory(tmp_path).record() is None


@pytest.mark.parametrize("identity", ["../../x", "/etc/passwd", "", ".hidden", "a/b", "a\x1bb"])
def test_an_id_is_never_a_path(root: Path, identity: str) -> None:
    job = directory.create(root, TrainRecipe())
    table = json.loads(job.record_file.read_text())
    job.record_file.write_text(json.dumps(table | {"id": identity}))
    view = summary.view(job)
    assert view is not None
    assert "invalid id" in view.problem
    assert view.record.id == job.path.name


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"id": 5, "kind": "train", "schema": 1}']
)
def test_a_damaged_record_is_a_row_with_its_reason(root: Path, content: str) -> None:
    """A new one may be half copied; an old one will not say later what it cannot say now."""
    job = directory.create(root, TrainRecipe())
    job.record_file.write_text(content)
    assert summary.view(job) is None
    os.utime(job.record_file, (0, 0))
    view = summary.view(job)
    assert view is not None
    assert "job.json cannot be read" in view.problem
    assert view.record.id == job.path.name
    job.record_file.unlink()
    assert summary.view(job) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1, "state": "done", "step": "4"}'])
def test_a_damaged_status_is_named(root: Path, content: str) -> None:
    job = directory.create(root, TrainRecipe())
    view = summary.view(job)
    assert view is not None
    assert not view.problem
    job.status_file.write_text(content)
    view = summary.view(job)
    assert view is not None
    assert "status.json cannot be read" in view.problem


@pytest.mark.parametrize("content", ["", "{", '{"note": 5, "tags": ["a"]}'])
def test_damaged_notes_are_named_and_never_overwritten(root: Path, content: str) -> None:
    job = directory.create(root, TrainRecipe())
    job.user_file.write_text(content)
    view = summary.view(job)
    assert view is not None
    assert "user.json cannot be read" in view.problem
    summary.write_notes(job, UserNotes(note="new"))
    assert (job.path / "user.unreadable").read_text() == content
    assert summary.notes(job) == UserNotes(note="new")
    view = summary.view(job)
    assert view is not None
    assert not view.problem
