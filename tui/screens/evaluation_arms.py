"""The arms with which a run is evaluated: itself and its base, its stages, checkpoints, strengths.

Pure: it takes the list of runs. A run that is not in it ends the chain of stages.
"""

from collections.abc import Sequence

from engine.compare.arms import Arm, format_arm
from engine.recipes.recipe import TrainRecipe
from tui.screens.tree_and_groups import parent_of
from tui.snapshots import RunRow

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
BASE = "base"


def list_stages(run: RunRow, rows: Sequence[RunRow]) -> list[RunRow]:
    """The runs that lead to a run, the first stage first and the run itself last."""
    known = {row.view.record.id: row for row in rows}
    stages = [run]
    while (parent := known.get(parent_of(stages[-1]))) is not None and parent not in stages:
        stages.append(parent)
    return stages[::-1]


def list_tree(run: RunRow, rows: Sequence[RunRow]) -> list[RunRow]:
    """All runs of the run's family that have saved a model, parents before their children.

    The run itself is the last, as the one that is judged.
    """
    family = [list_stages(run, rows)[0]]
    for stage in family:
        family += [
            row
            for row in reversed(rows)
            if parent_of(row) == stage.view.record.id
            and isinstance(row.view.recipe, TrainRecipe)
            and row.key not in {known.key for known in family}
        ]
    # By their keys: a list that was read since has other rows for the same runs.
    return [*(row for row in family if row.output and row.key != run.key), run]


def base_arm(run: RunRow, rows: Sequence[RunRow]) -> str:
    """The whole model that all stages began with."""
    recipe = list_stages(run, rows)[0].view.recipe
    ref = recipe.model.checkpoint if isinstance(recipe, TrainRecipe) else ""
    return format_arm(Arm(BASE, ref))


def run_arms(run: RunRow, rows: Sequence[RunRow]) -> list[str]:
    """The base and the run."""
    return [base_arm(run, rows), *_named([run])]


def stage_arms(run: RunRow, rows: Sequence[RunRow]) -> list[str]:
    """The base and every stage that led to the run."""
    stages = [row for row in list_stages(run, rows) if row.output]
    return [base_arm(run, rows), *_named(stages)]


def tree_arms(run: RunRow, rows: Sequence[RunRow]) -> list[str]:
    """The base and every run of the run's family."""
    return [base_arm(run, rows), *_named(list_tree(run, rows))]


def strength_arms(run: RunRow, rows: Sequence[RunRow]) -> list[str]:
    """The base and the run's adapter at several strengths."""
    ref = f"run:{run.view.record.id}"
    arms = [Arm(f"strength {value:g}", ref, strength=value) for value in STRENGTHS]
    return [base_arm(run, rows), *map(format_arm, arms)]


def checkpoint_arms(
    run: RunRow, rows: Sequence[RunRow], checkpoints: Sequence[tuple[int, str]]
) -> list[str]:
    """The base and the run's checkpoints, which are its steps and their folders."""
    arms = [Arm(f"step {step}", folder) for step, folder in checkpoints]
    return [base_arm(run, rows), *map(format_arm, arms)]


def _named(runs: Sequence[RunRow]) -> list[str]:
    """Runs as arms, each with a name of its own."""
    names: list[str] = []
    arms = []
    for run in runs:
        name, number = run.view.record.name, 2
        while name in (BASE, *names):
            name, number = f"{run.view.record.name} {number}", number + 1
        names.append(name)
        arms.append(format_arm(Arm(name, f"run:{run.view.record.id}")))
    return arms
