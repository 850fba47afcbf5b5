"""A sweep as lines of a terminal: its points, what came of each, and the spread over seeds."""

from collections.abc import Callable, Iterator, Sequence

from engine.impact.changes.forgetting import StageMeasure
from engine.jobs.status import State
from engine.number_format import write_number
from engine.recipes.diff import write_setting
from engine.sweeps.grid import SweepPoint
from engine.sweeps.sweep_table import SeedSpread, SweepGroup, SweepRow, SweepTable, value_of
from engine.text import one_line
from tui.styled_text import pad, width_of

_NONE = "-"
_ENDED = (State.FAILED, State.CRASHED, State.STOPPED, State.LOST)
"""Of a run that ended before its last step."""
_SKILLS = 6
"""Names of skills that are listed."""


def list_points(points: Sequence[SweepPoint]) -> Iterator[str]:
    """A line a point: its name, and what it sets."""
    keys = list(points[0].settings) if points else []
    rows = [["point", *keys, "seed"]]
    rows += [
        [one.name, *(write_setting(one.settings[key]) for key in keys), str(one.seed)]
        for one in points
    ]
    yield from _align(rows)


def list_table(table: SweepTable) -> Iterator[str]:
    """The state, a line a point, then a line a combination where there are several seeds."""
    where = f"; evaluation {table.evaluation}" if table.evaluation else ""
    yield one_line(f"{table.sweep}: {table.state}{where}")
    yield ""
    head = ["point", "state", "eval loss", "gained, points", "retained, points"]
    yield from _align([head, *(_row(row) for row in table.rows)])
    if any(len(group.rows) > 1 for group in table.groups):
        yield ""
        names = ["over seeds", "done", "eval loss", "gained, points", "retained, points"]
        yield from _align([names, *(_group(group) for group in table.groups)])
    yield ""
    for row in table.rows:
        if row.reason:
            yield one_line(f"{row.point.name}: {row.reason}")
    yield from _list_notes(table)


def _row(row: SweepRow) -> list[str]:
    loss = value_of(row, "eval_loss")
    return [
        row.point.name,
        row.state,
        _NONE if loss is None else write_number(loss, 3),
        _measure(row.gained),
        _measure(row.retained),
    ]


def _group(group: SweepGroup) -> list[str]:
    name = (
        ", ".join(f"{key}={write_setting(value)}" for key, value in group.settings.items()) or "all"
    )
    done = sum(row.state == "done" for row in group.rows)
    return [
        name,
        f"{done}/{len(group.rows)}",
        _spread(group.spread("eval_loss"), lambda loss: write_number(loss, 3)),
        _spread(group.spread("gained"), _points),
        _spread(group.spread("retained"), _points),
    ]


def _measure(measure: StageMeasure | None) -> str:
    if measure is None or measure.value is None:
        return _NONE
    value = _points(measure.value)
    if measure.low is None or measure.high is None:
        return f"{value} (no interval)"
    low, high = _points(measure.low), _points(measure.high)
    return f"{value} [{low}, {high}]"


def _points(share: float) -> str:
    """A change in points, as gained and retained are shown elsewhere."""
    return write_number(100 * share, 1, signed=True)


def _spread(spread: SeedSpread | None, write: Callable[[float], str]) -> str:
    if spread is None:
        return _NONE
    mean, low, high = map(write, (spread.mean, spread.low, spread.high))
    return mean if spread.seeds == 1 else f"{mean} ({low} to {high}, n={spread.seeds})"


def _list_notes(table: SweepTable) -> Iterator[str]:
    measures = [row.gained for row in table.rows if row.gained is not None]
    if measures:
        trained = ", ".join(map(one_line, table.trained[:_SKILLS])) or "none was measured"
        more = f" and {len(table.trained) - _SKILLS} more" if len(table.trained) > _SKILLS else ""
        is_scored = any(measure.value is not None for measure in measures)
        what = "mean change against the base" if is_scored else "no score from 0 to 1"
        yield f"gained: {what} of the skills trained on ({trained}{more})."
        yield "retained: mean change of all other skills. 95% intervals are over items, of one run."
    if any(len(group.rows) > 1 for group in table.groups):
        yield "Over seeds: mean, lowest to highest. A spread over n seeds is no interval of items."
    yield from map(one_line, table.notes)
    ended = [row for row in table.rows if row.state in _ENDED]
    if ended:
        yield f"{len(ended)} of {len(table.rows)} points did not finish."
        yield f"  why: finetop logs {one_line(ended[0].run)}"
        yield f"  to train the rest: finetop resume {one_line(table.sweep)}"
    if table.evaluation:
        yield f"Every skill: finetop impact {one_line(table.evaluation)}"


def _align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their widest cell, two spaces between."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
