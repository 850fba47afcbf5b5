"""Which runs a filter lets through: the same expressions on every list of runs. Reads no disk."""

from collections.abc import Sequence
from operator import is_

from engine.charts.filters import Filter, Subject, parse
from engine.errors import EngineError
from tui.formatting import state_words
from tui.snapshots import RunRow

RUN_FIELDS = ("name", "state", "tag", "base", "method", "note", "kind")
_OLD_FIELDS = {"on": "base", "how": "method"}
"""Earlier names of fields: saved filters may still have them."""


def parse_run_filter(text: str) -> Filter:
    """A filter for runs: words look at all that a list says of one, `state:` and others at that.

    Raises EngineError for what cannot be understood.
    """
    return parse(text, (*RUN_FIELDS, *_OLD_FIELDS))


def subject_of(row: RunRow) -> Subject:
    """What a filter for runs looks at."""
    view, log = row.view, row.log
    name, state = view.record.name, state_of(row)
    notes = (*(f"#{tag}" for tag in view.notes.tags), view.notes.note)
    texts = (name,) if log else (name, view.record.id, view.base, view.method, state_words(view))
    fields = {
        "": (*texts, *notes),
        "name": (name,),
        "state": (state,) if state else (),
        "tag": row.tags,
        "base": (view.base,),
        "method": (view.method,),
        "note": notes,
        "kind": (str(log.kind) if log else view.record.kind,),
    }
    return fields | {old: fields[name] for old, name in _OLD_FIELDS.items()}


def state_of(row: RunRow) -> str:
    """The state of a job of finetop; nothing is known of others, and so nothing is said."""
    return str(row.view.state) if row.log is None or row.log.kind == "job" else ""


class RunFilter:
    """A filter as it is typed. What it looks at of a run is kept until the run is another one."""

    def __init__(self) -> None:
        self.error = ""
        """Why what is typed is no filter; then the one before still holds."""
        self._filter: Filter | None = None
        self._rows: Sequence[RunRow] = ()
        self._subjects: list[Subject] = []

    def set_text(self, text: str) -> bool:
        """Let through what `text` says, all where it is empty; False where it is no filter."""
        try:
            self._filter, self.error = (parse_run_filter(text) if text.strip() else None), ""
        except EngineError as error:
            self.error = error.detail.rpartition("^ ")[2]
        return not self.error

    def matching(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """Those of the rows that are let through."""
        if self._filter is None:
            return list(rows)
        if len(rows) != len(self._rows) or not all(map(is_, rows, self._rows)):
            known = dict(zip(map(id, self._rows), self._subjects, strict=True))
            self._subjects = [known.get(id(row)) or subject_of(row) for row in rows]
            self._rows = tuple(rows)
        matches = self._filter.matches
        return [row for row, one in zip(rows, self._subjects, strict=True) if matches(one)]
