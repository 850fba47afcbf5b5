"""What a training recipe names on this machine: found, made absolute, hashed, and compared later.

A wrong name fails before anything starts. Whether a file's content is right is for the worker.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, sha256
from engine.jobs.recipe import TrainRecipe
from engine.jobs.store import Store, open_store

RUN = "run:"
TEMPLATES = (".jinja", ".j2", ".txt")
"""What the name of a template file ends in."""


@dataclass(frozen=True, slots=True)
class Located:
    """A recipe whose names lead to the same files from any folder."""

    recipe: TrainRecipe
    parents: tuple[str, ...]
    """Refs of what it builds on."""
    files: tuple[Path, ...]
    """What is learned from, or decides how: a resumed run must find them as they were."""


def locate(wanted: TrainRecipe, root: Path) -> Located:
    """Find all that a recipe names; `root` is where its runs are. Raises EngineError."""
    from engine.catalog import checkpoints, datasets
    from engine.catalog.parts import list_parts
    from engine.compare import prompts

    store = open_store(root)
    runs = [job.path for job in store.jobs()]
    checkpoint = checkpoints.resolve(wanted.model.checkpoint, runs)
    data, replay = wanted.data, wanted.replay
    train = datasets.resolve(_whole(data.train, store), runs, data)
    held_out = datasets.resolve_eval(data.eval, data) if data.eval else None
    other = datasets.resolve(_whole(replay.data, store), runs) if replay.data else None
    parents = [checkpoint.ref]
    parents += [one.ref for one in (train, other) if one and one.ref.startswith(RUN)]
    used = (train.path, held_out.path if held_out else train.eval_path, other and other.path)
    files = [part for path in used if path for part in list_parts(path)]
    if data.template.endswith(TEMPLATES):
        files.append(_file(data.template, "template"))
        data = replace(data, template=str(files[-1]))
    forgetting, samples = wanted.forgetting, wanted.samples
    if forgetting.probe:
        files.append(_file(forgetting.probe, "probe text"))
        forgetting = replace(forgetting, probe=str(files[-1]))
    if samples.prompts:
        path = prompts.find(samples.prompts).absolute()
        prompts.read(path)
        if not samples.prompts.startswith("bundled:"):
            samples = replace(samples, prompts=str(path))
    recipe = replace(
        wanted,
        model=replace(wanted.model, checkpoint=checkpoint.ref),
        data=replace(data, train=train.ref, eval=held_out.ref if held_out else ""),
        replay=replace(replay, data=other.ref) if other else replay,
        samples=samples,
        forgetting=forgetting,
    )
    return Located(recipe, tuple(parents), tuple(files))


def check(inputs: Mapping[str, str]) -> None:
    """Raise EngineError where an input file is gone, or is not what it was when the run began.

    Rows already seen are known by their order: with other rows, some would be learned twice and
    others never, and no error would ever say so.
    """
    gone = [path for path in inputs if not os.path.exists(path)]
    if gone:
        raise EngineError(
            "What this run learns from is gone.",
            "\n".join(gone),
            "Put it back where it was; then resume.",
        )
    changed = [path for path, known in inputs.items() if sha256(Path(path)) != known]
    if changed:
        raise EngineError(
            "What this run learns from has changed since it began.",
            "\n".join(changed),
            "Put the old content back, or start a new run that builds on this one; "
            "--force goes on with the new content all the same.",
        )


def renew(job: JobDirectory, files: tuple[Path, ...]) -> None:
    """Note the inputs anew, of a run that begins again from nothing. Raises OSError."""
    record = job.record()
    assert record is not None, "a job that is resumed has its record"
    hashes = {str(path): sha256(path) for path in files}
    if hashes != record.inputs:
        atomic.write_json(job.record_file, dataclasses.asdict(replace(record, inputs=hashes)))


def _whole(ref: str, store: Store) -> str:
    """The ref, and of a run its whole id, which the start of one or a name may stand for."""
    if not ref.startswith(RUN):
        return ref
    return RUN + store.find(ref.removeprefix(RUN)).path.name


def _file(name: str, what: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if not path.is_file():
        raise EngineError(f"There is no such {what}.", str(path))
    return path
