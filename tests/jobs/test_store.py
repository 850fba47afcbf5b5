"""Finding a run by what its owner calls it."""

import json
from pathlib import Path

from engine.bundled import PRETRAIN_RUN
from engine.jobs import directory, summary
from engine.jobs.store import Store, open_store
from engine.jobs.summary import UserNotes
from engine.recipes.recipe import TrainRecipe


def test_a_run_of_a_newer_finetop_hides_no_other(root: Path) -> None:
    mine, newer = (directory.create(root, TrainRecipe(name=name)) for name in ("mine", "newer"))
    table = json.loads(newer.record_file.read_text()) | {"schema": 2}
    newer.record_file.write_text(json.dumps(table))
    assert Store(root).find("mine") == mine


def test_notes_of_the_shipped_run_are_the_users_and_leave_the_package_alone(root: Path) -> None:
    def stamps() -> dict[Path, int]:
        return {one: one.stat().st_mtime_ns for one in (PRETRAIN_RUN, *PRETRAIN_RUN.rglob("*"))}

    before = stamps()
    job = open_store(root).at(PRETRAIN_RUN)
    assert not summary.notes(job).hidden
    summary.write_notes(job, UserNotes(note="mine", hidden=True))
    again = next(one for one in Store(root, shipped=[PRETRAIN_RUN]).jobs())
    shown = summary.view(again)
    assert shown is not None
    assert (shown.notes.note, shown.notes.hidden) == ("mine", True)
    assert stamps() == before, "it may lie where nobody can write"
