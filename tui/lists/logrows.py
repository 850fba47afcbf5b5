"""A run of any writer as lists know runs; a job of finetop among them with its state and notes."""

import dataclasses

from engine.events.discover import Kind
from engine.events.fleet import RunLog
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import State
from engine.jobs.views import JobView, UserNotes, view
from tui.lists.loglines import odd_tags
from tui.snapshots import RunRow


def row_of(run: RunLog) -> RunRow:
    """Read-only, whatever it is."""
    found = view(JobDirectory(run.path)) if run.kind is Kind.JOB else None
    if found is None:
        record = JobRecord(run.name, str(run.kind), run.name, run.modified)
        found = JobView(run.path, record, None, None, State.DONE, UserNotes())
    else:
        found = dataclasses.replace(found, record=dataclasses.replace(found.record, name=run.name))
    return RunRow(found, shipped=True, odd_tags=odd_tags(run), log=run)
