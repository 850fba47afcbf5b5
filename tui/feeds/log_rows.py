"""A run of any writer as lists know runs; a job of finetop among them with its state and notes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from engine.events.discover import Kind
from engine.events.log_set import RunLog
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import State
from engine.jobs.summary import JobView, UserNotes, view
from engine.recipes import validation
from tui.feeds.log_summary import odd_tags
from tui.snapshots import RunRow


def row_of(run: RunLog) -> RunRow:
    """Read-only, whatever it is."""
    job_view = view(JobDirectory(run.path)) if run.kind is Kind.JOB else None
    if job_view is None:
        record = JobRecord(run.name, str(run.kind), run.name, run.modified)
        job_view = JobView(run.path, record, None, None, State.DONE, UserNotes())
    else:
        job_view = dataclasses.replace(
            job_view, record=dataclasses.replace(job_view.record, name=run.name)
        )
    return RunRow(job_view, shipped=True, odd_tags=odd_tags(run), log=run)


NotesByRun = Mapping[str, Mapping[str, Any]]
"""Of each run by its `run_key`, as `UserNotes` has it."""


def noted(rows: Sequence[RunRow], notes_by_run: NotesByRun) -> tuple[RunRow, ...]:
    """The rows with what is noted of them; a job's own notes stand where nothing is."""
    return tuple(
        _with(row, notes_by_run[row.run_key]) if row.run_key in notes_by_run else row
        for row in rows
    )


def changed(
    notes_by_run: NotesByRun, row: RunRow, changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """What is to be kept once the notes of a run are other ones."""
    notes = dataclasses.asdict(dataclasses.replace(row.view.notes, **changes))
    return {name: dict(one) for name, one in notes_by_run.items()} | {row.run_key: notes}


def _with(row: RunRow, table: Mapping[str, Any]) -> RunRow:
    notes = validation.from_untrusted(UserNotes, table) or row.view.notes
    return dataclasses.replace(row, view=dataclasses.replace(row.view, notes=notes))
