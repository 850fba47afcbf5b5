"""Resolves the names in a training recipe on this machine to absolute paths.

A wrong name fails before anything starts. Whether a file's content is right is for the worker.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.jobs.store import Store, open_store
from engine.recipes.recipe import TrainRecipe

if TYPE_CHECKING:
    from engine.data.dataset_list import DataSet

TEMPLATES = (".jinja", ".j2", ".txt")
"""Suffixes of template files."""


@dataclass(frozen=True, slots=True)
class Located:
    """A recipe whose paths are valid from any folder."""

    recipe: TrainRecipe
    parents: tuple[str, ...]
    """Refs of what it builds on."""
    files: tuple[Path, ...]
    """Input files of training: they must be unchanged when the run is resumed."""
    train: "DataSet"
    """The data set of its training rows."""


def locate(original: TrainRecipe, root: Path) -> Located:
    """Find all that a recipe names; `root` is where its runs are. Raises EngineError."""
    from engine.checkpoints import checkpoint_list
    from engine.checkpoints.gguf_file import check_trainable
    from engine.compare import prompts
    from engine.data import dataset_list
    from engine.data.shards import list_parts
    from engine.impact.watched.watched_suites import anchor, list_watched

    store = open_store(root)
    runs = [job.path for job in store.jobs()]
    checkpoint = checkpoint_list.resolve(original.model.checkpoint, runs)
    check_trainable(checkpoint)
    data, replay = original.data, original.replay
    objective = original.training.objective
    train = dataset_list.resolve(_whole(data.train, store), runs, data, objective)
    held_out = dataset_list.resolve_eval(data.eval, data, objective) if data.eval else None
    other = dataset_list.resolve(_whole(replay.data, store), runs) if replay.data else None
    parents = [checkpoint.ref]
    parents += [one.ref for one in (train, other) if one and one.ref.startswith(RUN)]
    used = (train.path, held_out.path if held_out else train.eval_path, other and other.path)
    files = [part for path in used if path for part in list_parts(path)]
    if data.template.endswith(TEMPLATES):
        files.append(_file(data.template, "template"))
        data = replace(data, template=str(files[-1]))
    forgetting, samples = original.forgetting, original.samples
    if forgetting.probe:
        files.append(_file(forgetting.probe, "probe text"))
        forgetting = replace(forgetting, probe=str(files[-1]))
    if samples.prompts:
        path = prompts.find(samples.prompts, runs).absolute()
        prompts.read(path)
        if not samples.prompts.startswith("bundled:"):
            samples = replace(samples, prompts=str(path))
    evaluation = original.evaluation
    suites = [anchor(spec, runs) for spec in list_watched(evaluation)]
    recipe = replace(
        original,
        model=replace(original.model, checkpoint=checkpoint.ref),
        data=replace(data, train=train.ref, eval=held_out.ref if held_out else ""),
        replay=replace(replay, data=other.ref) if other else replay,
        samples=samples,
        forgetting=forgetting,
        evaluation=replace(evaluation, suites=suites),
    )
    return Located(recipe, tuple(parents), tuple(files), train)


def _whole(ref: str, store: Store) -> str:
    """The ref, and of a run its whole id, which the start of one or a name may stand for."""
    if not ref.startswith(RUN):
        return ref
    return RUN + store.find(ref.removeprefix(RUN)).path.name


def _file(name: str, what: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if not path.is_file():
        raise EngineError(f"The {what} does not exist.", str(path))
    return path
