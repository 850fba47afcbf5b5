"""What the user says of watched logs: it is remembered in the view of their directory, for the logs
themselves are only read.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from engine.jobs import fields
from engine.jobs.views import UserNotes
from tui.snapshots import RunRow

Kept = Mapping[str, Mapping[str, Any]]
"""Of each run by its mark, as `UserNotes` has it."""


def noted(rows: Sequence[RunRow], kept: Kept) -> tuple[RunRow, ...]:
    """The rows with what is kept of them; a job's own notes stand where nothing is."""
    return tuple(_with(row, kept[row.mark]) if row.mark in kept else row for row in rows)


def changed(kept: Kept, row: RunRow, changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is to be kept once the notes of a run are other ones."""
    notes = dataclasses.asdict(dataclasses.replace(row.view.notes, **changes))
    return {name: dict(one) for name, one in kept.items()} | {row.mark: notes}


def _with(row: RunRow, table: Mapping[str, Any]) -> RunRow:
    notes = fields.lenient(UserNotes, table) or row.view.notes
    return dataclasses.replace(row, view=dataclasses.replace(row.view, notes=notes))
