"""Starting a training run: the names in its recipe are resolved and the disk is checked first."""

from pathlib import Path

from engine.jobs import launch
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.launching.locate import locate
from engine.recipes.recipe import TrainRecipe


def launch_training(recipe: TrainRecipe, root: Path) -> JobDirectory:
    """Start a run after its names are resolved: a wrong name fails at once.

    Relative paths are written into the run's recipe as absolute ones: it runs in another folder.
    Raises EngineError, also where the model cannot read rows of `data.max_length`, or the disk
    cannot hold a single checkpoint.
    """
    from engine.checkpoints import checkpoint_list
    from engine.checkpoints.context import check_length
    from engine.estimates import fit

    located = locate(recipe, root)
    runs = [job.path for job in open_store(root).jobs()]
    checkpoint = checkpoint_list.resolve(located.recipe.model.checkpoint, runs)
    check_length(
        located.recipe.data.max_length, checkpoint.context_length, checkpoint.position_table
    )
    fit.check_disk(located.recipe, checkpoint, root)
    return launch.launch(located.recipe, root, parents=located.parents, inputs=located.files)
