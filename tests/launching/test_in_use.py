"""Who builds on a checkpoint: runs, arms of jobs, arms of stored sets."""

import dataclasses
import json
from pathlib import Path

import pytest

from engine.compare import arm_sets
from engine.compare.arms import Arm, format_arm
from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.launching.in_use import find_users, find_users_of_run
from engine.recipes.recipe import EvaluateRecipe, GenerateRecipe
from tests.jobs.made_checkpoints import write_checkpoints
from tests.tui.building import write_run


@pytest.fixture
def job(root: Path) -> JobDirectory:
    made = write_run(root, "mine")
    write_checkpoints(made, (20, 40))
    return made


def _of_mine(root: Path, *others: Path) -> dict[Path, str]:
    """Who uses what lies in the folder of the run `mine`."""
    users = find_users(Store(root, others))
    return {path: user for path, user in users.items() if root / "mine" in path.parents}


def test_a_stage_uses_its_parents_checkpoint(root: Path, tmp_path: Path, job: JobDirectory) -> None:
    used = job.checkpoints / "checkpoint-20"
    (tmp_path / "link").symlink_to(used)
    write_run(root, "child", checkpoint=str(tmp_path / "link"), parents=["run:mine"])
    assert _of_mine(root) == {used: "run child"}


def test_a_run_in_another_folder_counts(root: Path, tmp_path: Path, job: JobDirectory) -> None:
    used = job.checkpoints / "checkpoint-40"
    write_run(tmp_path / "others", "child", parents=[str(used)])
    assert _of_mine(root, tmp_path / "others") == {used: "run child"}


def test_a_run_does_not_use_itself(root: Path, job: JobDirectory) -> None:
    write_run(root, "own", checkpoint=str(root / "own" / "checkpoints" / "checkpoint-1"))
    assert _of_mine(root) == {}


@pytest.mark.parametrize("kind", [GenerateRecipe, EvaluateRecipe])
def test_arms_of_jobs_use_checkpoint_and_adapter(
    root: Path, job: JobDirectory, kind: type[GenerateRecipe | EvaluateRecipe]
) -> None:
    base, adapter = (job.checkpoints / f"checkpoint-{step}" for step in (20, 40))
    arms = [
        format_arm(Arm("tuned", str(base), str(adapter), 0.5)),
        "there=http://127.0.0.1:1/v1?model=x",
        "named=run:mine",
        "?",
    ]
    answers = directory.create(root, kind(name="answers", arms=arms))
    user = f"run {answers.path.name}"
    assert _of_mine(root) == {base: user, adapter: user}


def test_a_stored_set_uses_its_arms(root: Path, job: JobDirectory) -> None:
    used = job.checkpoints / "checkpoint-20"
    arm_sets.save("two", [Arm("base", "bundled:demo-base"), Arm("tuned", str(used))])
    assert _of_mine(root) == {used: "the set of arms 'two'"}


def test_where_the_sets_cannot_be_read_nothing_is_known(root: Path, job: JobDirectory) -> None:
    arm_sets.arms_file().parent.mkdir(parents=True, exist_ok=True)
    arm_sets.arms_file().write_text("[sets\n")
    with pytest.raises(EngineError, match="The saved arms cannot be read"):
        find_users(Store(root))


def test_all_of_a_run_is_used_by_its_result_its_files_and_what_it_held_out(
    root: Path, job: JobDirectory
) -> None:
    stage = write_run(root, "stage", parents=["run:mine"])
    write_run(root, "other", parents=["run:mine2", "bundled:demo-base"])
    held_out = directory.create(root, GenerateRecipe(name="asked", arms=["b"], prompts="run:mine"))
    data = write_run(root, "data")
    record = data.record()
    assert record is not None
    table = dataclasses.asdict(record) | {"inputs": {str(job.path / "rejects.jsonl"): "0"}}
    data.record_file.write_text(json.dumps(table))
    arm_sets.save("two", [Arm("tuned", "run:mine"), Arm("again", str(job.checkpoints))])
    assert set(find_users_of_run(job, Store(root))) == {
        "run stage", f"run {held_out.path.name}", "run data", "the set of arms 'two'",
    }  # fmt: skip
    assert find_users_of_run(stage, Store(root)) == ()
