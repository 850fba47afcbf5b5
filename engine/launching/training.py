"""Starting a training run: the names in its recipe are resolved, and all that can be checked is."""

from pathlib import Path

from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.launching.locate import Located, locate
from engine.recipes.recipe import TrainRecipe


def launch_training(recipe: TrainRecipe, root: Path, *, sweep: str = "") -> JobDirectory:
    """Start a run after its names are resolved: a wrong name fails at once.

    Relative paths are written into the run's recipe as absolute ones: it runs in another folder.
    `sweep` is the id of the sweep that starts it.
    Raises EngineError, also as `check_beginning`.
    """
    located = locate(recipe, root)
    check_beginning(located, root)
    return launch.launch(
        located.recipe, root, parents=located.parents, inputs=located.files, sweep=sweep
    )


def check_beginning(located: Located, root: Path) -> None:
    """Raise EngineError where a run cannot begin: the model cannot read rows of `data.max_length`,
    the disk cannot hold a single checkpoint, or something is missing (`preflight`)."""
    from engine.checkpoints import checkpoint_list
    from engine.checkpoints.context import check_length
    from engine.estimates import fit
    from engine.launching import preflight

    recipe = located.recipe
    runs = [job.path for job in open_store(root).jobs()]
    checkpoint = checkpoint_list.resolve(recipe.model.checkpoint, runs)
    check_length(recipe.data.max_length, checkpoint.context_length, checkpoint.position_table)
    preflight.check_training(located, checkpoint, runs)
    fit.check_disk(recipe, checkpoint, root)
