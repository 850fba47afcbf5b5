"""What stands above the matrix: which evaluation, how far it is, its arms; why there is none.

Pure text, clean.
"""

from collections.abc import Sequence

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.suites.suite_specs import parse_suite
from engine.jobs.status import State
from engine.recipes.recipe import EvaluateRecipe
from engine.text import one_line
from tui.formatting import activity, failure_lines, name_of, progress, state_words, time_left
from tui.glyphs import Glyphs
from tui.impact.arm_paths import Against, has_stages
from tui.impact.cell_lines import asked_words
from tui.impact.evaluation_reader import EvaluationSnapshot
from tui.impact.evaluations import find_evaluation, is_evaluation, list_evaluations
from tui.screens.run_commands import is_possible
from tui.snapshots import RunRow
from tui.styled_text import Line, Piece


def list_headline(rows: Sequence[RunRow], run: RunRow | None, separator: str) -> Line:
    """How many evaluations there are, and whether one has measured the chosen run."""
    count = len(list_evaluations(rows))
    line: list[Piece] = [(f" {count} evaluation{'s' * (count != 1)}", "strong")]
    if run is not None and not is_evaluation(run) and find_evaluation(rows, run) is None:
        hint = ": I evaluates it" if is_possible("evaluate", run) else ""
        line += [(f" {separator} ", "dim"), (f"{name_of(run)} has none{hint}", "")]
    return line


def matrix_headline(
    row: RunRow | None, table: SkillTable | None, against: Against, glyphs: Glyphs
) -> list[Piece]:
    """The evaluation's name, its progress, and what the marks of the matrix compare with."""
    between: Piece = (f" {glyphs.separator} ", "dim")
    line: list[Piece] = [(f" {name_of(row) if row else 'evaluation'}", "strong")]
    if row is not None and row.view.state.alive:
        line += [between, *progress(row.view, glyphs)]
        if left := time_left(row.view, ""):
            line += [between, (f"{left} left", "dim")]
    elif row is not None and row.view.state is not State.DONE:
        line += [between, (state_words(row.view), "warn")]
    if table is not None:
        is_parent = against == "parent" and has_stages(table.results)
        line += [between, (f"marks against the {'parent' if is_parent else 'base'}", "dim")]
    return line


def arms_title(table: SkillTable, glyphs: Glyphs) -> list[Piece]:
    """The stages, how they were asked where that is the same for all, and δ."""
    between: Piece = (f" {glyphs.separator} ", "dim")
    line: list[Piece] = []
    for at, arm in enumerate(table.stages):
        line += [(f" {glyphs.arrow} ", "dim")] if at else []
        line.append((one_line(arm), "tuned" if at else "base"))
    if more := len(table.arms) - len(table.stages):
        line.append((f" and {more} other arm{'s' * (more != 1)}", "dim"))
    suites = (suite for arm in table.results.arms.values() for suite in arm.suites.values())
    manners = {manner for suite in suites if (manner := tuple(asked_words(suite)))}
    manner = manners.pop() if len(manners) == 1 else ()
    for fact in (f"delta {100 * table.delta:g} points", *manner):
        line += [between, (fact, "dim")]
    return line


def trouble_lines(row: RunRow | None, evaluation: EvaluationSnapshot | None) -> list[Line]:
    """Why a job failed, or why its results cannot be read."""
    lines: list[Line] = []
    status = row.view.status if row is not None else None
    if status is not None and status.error is not None and not (row and row.view.state.alive):
        error = status.error
        lines = failure_lines(error.title, error.detail, error.hint)
    if evaluation is not None and evaluation.problem:
        lines.append([(evaluation.problem, "bad")])
    return lines


def recipe_facts(row: RunRow | None) -> tuple[str, ...]:
    """What an evaluation without results measures: its arms, and its suites."""
    recipe = row.view.recipe if row is not None else None
    if not isinstance(recipe, EvaluateRecipe):
        return ()
    try:
        arms = [one_line(parse_arm(text).name) for text in recipe.arms]
        suites = [one_line(parse_suite(text).name) for text in recipe.suites]
    except EngineError:  # a file may hold any text
        return ()
    each = f", {recipe.limit:,} items of each" if recipe.limit else ""
    return (
        f"arms: {', '.join(arms)}",
        f"suites: {', '.join(suites) or 'every bundled one'}{each}",
    )


def waiting_words(row: RunRow | None, evaluation: EvaluationSnapshot | None) -> str:
    """What there is instead of results."""
    if row is None or evaluation is None:
        return "Loading the evaluation..."
    if evaluation.problem:
        return ""
    view = row.view
    if view.state.alive and view.status is not None:
        words = activity(view.status) if view.status.activity else view.status.message
        done = f" ({view.status.step:,} of {view.status.total:,})" if view.status.total else ""
        return f"No results yet: {one_line(words) or state_words(view)}{done}"
    hint = "; r resumes it" if view.state is not State.DONE else ""
    return f"The evaluation has no results{hint}."
