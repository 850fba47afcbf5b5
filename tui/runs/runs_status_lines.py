"""What the list of jobs says below itself: of the chosen run, and of all of them. Reads no disk."""

from collections.abc import Sequence

from engine.jobs.status import State
from engine.jobs.summary import JobView
from engine.text import one_line
from tui.formatting import (
    lost_skills,
    name_of,
    odd_tags,
    over_budget,
    rejected_words,
    remark,
    said_of,
    state_words,
)
from tui.glyphs import Glyphs
from tui.runs.list_protocols import ListedRuns
from tui.screens.sort_order import SortOrder
from tui.snapshots import RunRow
from tui.styled_text import Line, Piece, facts_line

_TRAINING = ("train", "pretrain")
"""Kinds of jobs that are runs."""


def about(row: RunRow, separator: str) -> Line:
    """One line on a run: why it ended, what it does, where it lies."""
    view = row.view
    between = f" {separator} "
    status, said = view.status, remark(row)
    line: list[Piece] = [(f" {name_of(row)}", "strong")]
    if not said.startswith("ended "):  # which is why it is done
        line.append((between + state_words(view), state_role(view)))
    error = status.error.title if status and status.error else view.problem
    if error:
        line.append((between + one_line(error), "bad"))
    elif view.state is State.CRASHED:
        remedy = "" if view.pruned else "; r resumes"
        line.append((between + f"crashed without an error message{remedy}", ""))
    elif view.state is State.LOST:
        host = one_line(status.host) if status else "another host"
        remedy = "" if view.pruned else "; r resumes on this machine"
        line.append((between + f"ran on {host}{remedy}", ""))
    elif said:
        line.append((between + said, ""))
    if row.odd_tags:
        line.append((between + odd_tags(row), "bad"))
    if row.over_budget:
        line.append((between + over_budget(row), "bad"))
    if lost := lost_skills(row):
        line.append((between + lost, "bad"))
    if missing := rejected_words(view):
        line.append((between + missing, "warn"))
    line += said_of(row, between)
    if view.pruned:
        line.append((between + "pruned: it cannot be resumed", "dim"))
    if row.shipped:
        line.append((between + "bundled with finetop; x hides it", "dim"))
    elif row.elsewhere:
        line.append((between + one_line(str(view.path.parent)), "dim"))
    return line


def summary(listed: ListedRuns, order: SortOrder, glyphs: Glyphs) -> Line:
    """How many runs there are, here and elsewhere, waiting, put away, and in which order; or what
    is wrong with the filter.
    """
    if listed.filter_error:
        return [(f" filter: {one_line(listed.filter_error)}", "bad")]
    rows = listed.rows
    here = [row for row in rows if not row.elsewhere and not row.shipped]
    what = noun_of(rows)
    there = sum(row.elsewhere for row in rows)
    waiting = sum(row.view.state is State.QUEUED for row in rows)
    hidden = sum(row.view.notes.hidden for row in rows)
    archived = sum(row.view.notes.archived for row in rows)
    over = sum(row.over_budget for row in rows)
    parts = [f"{len(here)} {what}{'s' * (len(here) != 1)}"]
    if there:
        parts[0] += f", {there} in other folders"
    if listed.filter_text:
        parts.append(f"{len(listed.shown)} shown")
    direction = glyphs.falling if order.descending else glyphs.rising
    if order.tag:
        parts.append(f"by {order.value} {one_line(order.tag)} {direction}")
    elif order.column:
        parts.append(f"by {order.column} {direction}")
    elif order.descending:
        parts.append("oldest first")
    if order.value != "last":
        parts.append(f"{order.value} loss, eval and eval ppl")
    if waiting:
        parts.append(f"{waiting} queued")
    if over:
        parts.append(f"! {over} over budget")
    if odd := sum(bool(row.odd_tags) for row in rows):
        parts.append(f"! {odd} with NaN/Inf")
    if hidden:
        parts.append(f"{hidden} hidden")
    if archived:
        parts.append(f"{archived} archived")
    return facts_line(parts, glyphs.separator)


def noun_of(rows: Sequence[RunRow]) -> str:
    """What a list of these is one of: run, or job where there are other jobs than training."""
    return "run" if rows and all(row.view.record.kind in _TRAINING for row in rows) else "job"


def state_role(view: JobView) -> str:
    if view.state in (State.FAILED, State.CRASHED):
        return "bad"
    is_partial = view.state in (State.STOPPED, State.LOST) or (
        view.state is State.DONE and view.left_out
    )
    return "warn" if is_partial else ""
