"""Which page `enter` opens of a row of Runs: the one that shows what came of that kind of job.

Owns the table of kinds. A sweep has no page of its own: it opens what one of its jobs opens.
"""

from collections.abc import Sequence
from typing import Literal

from engine.jobs.status import State
from tui.snapshots import RunRow

OpenedPage = Literal["watch", "browse", "judges", "impact", "proof", "made", "overview"]
_PAGES: dict[str, OpenedPage] = {
    "generate": "browse", "judge": "judges", "evaluate": "impact", "export": "proof",
    "synthesize": "made",
}  # fmt: skip
"""All other kinds have curves, as a watched log has."""
LABELS: dict[OpenedPage, str] = {
    "browse": "browse", "judges": "browse", "impact": "impact", "proof": "proof", "made": "rows",
    "overview": "overview",
}  # fmt: skip
"""What a key is called that opens it, where that is not Watch."""


def find_page(row: RunRow, rows: Sequence[RunRow]) -> tuple[OpenedPage, RunRow]:
    """The page, and the job that it shows; of a sweep that has nothing to show yet the overview."""
    kind = row.view.recipe.kind if row.view.recipe is not None else ""
    if kind == "sweep":
        shown = find_in_sweep(rows, row)
        return ("overview", row) if shown is None else find_page(shown, rows)
    return _PAGES.get(kind, "watch"), row


def find_in_sweep(rows: Sequence[RunRow], sweep: RunRow) -> RunRow | None:
    """What there is to see of a sweep: its newest evaluation that is done, else a run of it that
    is at work, else None."""
    own = [row for row in rows if row.view.record.sweep == sweep.view.record.id]
    own.sort(key=lambda row: -row.view.record.created)
    evaluations = (
        row for row in own if row.view.record.kind == "evaluate" and row.view.state is State.DONE
    )
    at_work = (row for row in own if row.view.state in (State.STARTING, State.RUNNING))
    return next(evaluations, None) or next(at_work, None)
