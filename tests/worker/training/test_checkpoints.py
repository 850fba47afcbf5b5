"""Checkpoints of a run: whole or not there, and the newest that verifies."""

import json
from pathlib import Path

import pytest

from engine.jobs.directory import MANIFEST, SAVING, list_checkpoints, step_of
from engine.worker.training import checkpoints


def save(folder: Path, step: int) -> Path:
    aside = folder / SAVING / f"checkpoint-{step}"
    aside.mkdir(parents=True)
    (aside / "model.safetensors").write_bytes(b"weights" * step)
    (aside / "training_args.bin").write_bytes(b"a pickle")
    return checkpoints.publish(aside, folder, step)


def test_the_newest_is_found_by_step_not_by_name(tmp_path: Path) -> None:
    for step in (9, 20, 100):
        save(tmp_path, step)
    found = checkpoints.newest(tmp_path)
    assert found is not None
    assert step_of(found) == 100
    assert not list(tmp_path.rglob("*.bin")), "the pickle was not kept"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: (path / "model.safetensors").unlink(),
        lambda path: (path / "model.safetensors").write_bytes(b"weights" * 4),
        lambda path: (path / "model.safetensors").write_bytes(b"Weights" * 5),
        lambda path: (path / MANIFEST).unlink(),
        lambda path: (path / MANIFEST).write_text("{"),
        lambda path: (path / MANIFEST).write_text("[]"),
        lambda path: (path / MANIFEST).write_text(json.dumps({"files": 3})),
    ],
)
def test_what_does_not_verify_is_not_resumed(tmp_path: Path, spoil: object) -> None:
    kept, spoiled = save(tmp_path, 3), save(tmp_path, 5)
    spoil(spoiled)  # type: ignore[operator]
    assert checkpoints.newest(tmp_path) == kept


def test_what_a_cut_save_left_is_no_checkpoint_and_is_cleared(tmp_path: Path) -> None:
    save(tmp_path, 3)
    cut = tmp_path / SAVING / "checkpoint-6"
    cut.mkdir(parents=True)
    (cut / "model.safetensors").write_bytes(b"half")
    (tmp_path / ".removing-checkpoint-1").mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-3"]
    checkpoints.prune(tmp_path, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-3"]


def test_a_checkpoint_of_a_further_attempt_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, 5)
    (tmp_path / "checkpoint-5" / "model.safetensors").write_bytes(b"other")
    assert checkpoints.verifies(save(tmp_path, 5))


def test_a_spoiled_later_checkpoint_does_not_push_out_the_new_one(tmp_path: Path) -> None:
    save(tmp_path, 10)
    (save(tmp_path, 20) / "model.safetensors").write_bytes(b"spoiled")
    new = save(tmp_path, 15)
    checkpoints.prune(tmp_path, keep=1)
    assert checkpoints.newest(tmp_path) == new


def test_none_is_resumed_where_there_is_none(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path) is None
    assert checkpoints.newest(tmp_path / "missing") is None


def test_what_is_best_or_within_the_budget_is_never_removed(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5):
        save(tmp_path, step)
    marks = checkpoints.Marks(best=2, within_budget=3)
    checkpoints.prune(tmp_path, keep=1, never=marks.kept)
    assert [step_of(path) for path in list_checkpoints(tmp_path)] == [2, 3, 5]
    checkpoints.prune(tmp_path, keep=1, never=checkpoints.Marks().kept)
    assert [step_of(path) for path in list_checkpoints(tmp_path)] == [5]


def test_marks_are_written_as_the_screens_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    checkpoints.write_marks(folder, checkpoints.Marks(best=8, crossed_at=12, lost={"facts": 8}))
    assert json.loads((folder / "marks.json").read_bytes()) == {
        "best": 8,
        "within_budget": None,
        "crossed_at": 12,
        "ended": "",
        "lost": {"facts": 8},
    }
