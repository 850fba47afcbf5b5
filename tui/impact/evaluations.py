"""Which evaluations there are, and which of them measured a run. Pure: it takes the job list."""

from collections.abc import Sequence

from engine.compare.arms import Arm, parse_arm
from engine.errors import EngineError
from engine.recipes.recipe import EvaluateRecipe
from engine.text import one_line
from tui.formatting import clock, name_of, progress, state_glyph, time_left
from tui.glyphs import Glyphs
from tui.screens.run_commands import is_possible
from tui.snapshots import RunRow
from tui.widgets.table import Column, TableRow

COLUMNS = (
    Column("evaluation", 18, 36),
    Column("progress", 14, 15),
    Column("arms", 24, 60),
    Column("created", 16),
    Column("ETA", 7, 8, right=True),
)


def is_evaluation(row: RunRow) -> bool:
    return row.log is None and row.view.record.kind == "evaluate"


def list_evaluations(rows: Sequence[RunRow]) -> list[RunRow]:
    """All evaluate jobs, the newest first."""
    found = [row for row in rows if is_evaluation(row) and not row.view.notes.archived]
    return sorted(found, key=lambda row: -row.view.record.created)


def find_evaluation(rows: Sequence[RunRow], chosen: RunRow | None) -> RunRow | None:
    """The chosen job where it is an evaluation, else the newest that has the run as an arm, or
    that the chosen sweep has started."""
    if chosen is None or is_evaluation(chosen):
        return chosen
    return next((row for row in list_evaluations(rows) if _measured(row, chosen)), None)


def _measured(evaluation: RunRow, run: RunRow) -> bool:
    if evaluation.view.record.sweep == run.view.record.id:
        return True
    refs = {f"run:{run.view.record.id}", f"run:{run.path.name}"}
    for arm in _arms_of(evaluation):
        for ref in filter(None, (arm.adapter, arm.checkpoint)):
            if ref in refs or f"{ref}/".startswith(f"{run.path}/"):
                return True
    return False


def _arms_of(row: RunRow) -> list[Arm]:
    recipe = row.view.recipe
    arms = []
    for text in recipe.arms if isinstance(recipe, EvaluateRecipe) else ():
        try:
            arms.append(parse_arm(text))
        except EngineError:
            continue
    return arms


def evaluation_row(row: RunRow, glyphs: Glyphs) -> TableRow:
    """A line of the list."""
    view = row.view
    arms = f" {glyphs.arrow} ".join(one_line(arm.name) for arm in _arms_of(row))
    name = (f" {name_of(row)}", "strong" if view.state.alive else "")
    cells = (
        (state_glyph(view.state, glyphs), name),
        tuple(progress(view, glyphs)),
        ((arms, ""),),
        ((clock(view.record.created), "dim"),),
        ((time_left(view), ""),),
    )
    return TableRow(row.key, cells, dim=view.notes.hidden)


def find_run(
    rows: Sequence[RunRow], chosen: RunRow | None, evaluation: RunRow | None
) -> RunRow | None:
    """The run to evaluate: the chosen one, else that of the evaluation's last arm; None where
    none has saved a model."""
    if chosen is not None and is_possible("evaluate", chosen):
        return chosen
    for arm in reversed(_arms_of(evaluation) if evaluation is not None else []):
        for row in rows:
            ref = arm.adapter or arm.checkpoint
            if is_possible("evaluate", row) and ref in (
                f"run:{row.view.record.id}",
                f"run:{row.path.name}",
            ):
                return row
    return None
