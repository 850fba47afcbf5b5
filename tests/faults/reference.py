"""The run that nobody disturbs, and what of another one must equal it, bit for bit on a CPU.

Tiny: eight steps, two evaluations and three checkpoints of a random model of 32 numbers a token.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.events.event_tags import TOKENS_PER_SECOND
from engine.events.log_dir import LogDir
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes import recipe
from engine.recipes.recipe import TrainRecipe
from engine.worker.training import checkpoints
from tests.faults.verdict import LostError, WrongError

STEPS = 8
CLOCKED = ("train/tokens_per_second", "machine/")
"""Tags that no two runs agree on."""
TIMED = ("machine/cpu_percent", "machine/memory_bytes", "machine/disk_free_bytes", "machine/gpu")
"""Tags that are written every few seconds, at whichever step that is."""
_HIDDEN = re.compile(r"/\.[^/]*")


def write_inputs(folder: Path) -> None:
    """The base and the rows; imports torch."""
    from tests.worker.tiny import save_checkpoint

    save_checkpoint(folder / "base")
    lines = [{"prompt": "say " * (n % 5 + 1), "completion": f"number {n}"} for n in range(30)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "rows.jsonl").write_text(text)


def make_recipe(folder: Path) -> TrainRecipe:
    """The recipe on the inputs in `folder`; its last step is not an epoch's."""
    table = {
        "name": "disturbed",
        "device": "cpu",
        "model": {"checkpoint": str(folder / "base")},
        "data": {"train": str(folder / "rows.jsonl"), "max_length": 64, "eval_fraction": 0.2},
        "method": {"rank": 4, "dropout": 0.2},
        "training": {
            "max_steps": STEPS, "batch_size": 4, "evaluations": 2, "saves": 3,
            "save_total_limit": 2, "seed": 3, "learning_rate": 5e-3,
        },
        "samples": {"count": 2, "max_new_tokens": 4},
        "forgetting": {"tokens": 256},
    }  # fmt: skip
    built = recipe.parse(table)
    assert isinstance(built, TrainRecipe)
    return built


def compare(job: JobDirectory, reference: JobDirectory) -> None:
    """A run that is done against the reference. Raises LostError, WrongError."""
    now = status.read(job)
    if now is None or now.state is not State.DONE or (now.step, now.total) != (STEPS, STEPS):
        raise LostError(f"the run is not done: {now}")
    check_files(job)
    for name in ("adapter_model.safetensors", "adapter_config.json", "tokenizer.json",
                 "generation_config.json"):  # fmt: skip
        _same_bytes(job.adapter / name, reference.adapter / name)
    _same_bytes(job.held_out, reference.held_out)
    _same_bytes(job.checkpoints / "marks.json", reference.checkpoints / "marks.json")
    mine, other = (checkpoints.newest(one.checkpoints) for one in (job, reference))
    if mine is None or other is None or mine.name != other.name:
        raise LostError(f"the newest checkpoint is {mine and mine.name}")
    _same_bytes(mine / "adapter_model.safetensors", other / "adapter_model.safetensors")
    _same_curves(job, reference)
    if read_samples(job) != read_samples(reference):
        raise WrongError("other samples")


def check_files(job: JobDirectory) -> None:
    """Every file with its final name is whole. Raises WrongError."""
    for path in job.path.rglob("*.json"):
        if not _HIDDEN.search(str(path.relative_to(job.path.parent))):
            try:
                json.loads(path.read_bytes())
            except FileNotFoundError:
                continue
            except ValueError as error:
                raise WrongError(f"{path.name} does not parse: {error}") from error
    for folder in (job.adapter, job.model):
        if folder.exists() and not (folder / "generation_config.json").exists():
            raise WrongError(f"{folder.name}/ is not whole")


def read_curves(job: JobDirectory) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values by tag."""
    log = LogDir(job.events)
    while log.poll():
        pass
    return {
        tag: (series.steps.tolist(), series.values.tolist()) for tag, series in log.series.items()
    }


def read_samples(job: JobDirectory) -> list[dict[str, Any]]:
    """The samples without what no two runs agree on."""
    lines = [json.loads(line) for line in job.samples.read_text().splitlines()]
    for line in lines:
        del line["timings"]
        line["arm"] = re.sub("run:.*", "", line["arm"])
    return lines


def _same_curves(job: JobDirectory, reference: JobDirectory) -> None:
    mine, other = read_curves(job), read_curves(reference)
    for tag in _untimed(other):
        if tag == TOKENS_PER_SECOND:
            _check_speeds(job, mine.get(tag, ([], []))[0], other[tag][0])
            continue
        if tag not in mine or len(mine[tag][0]) < len(other[tag][0]):
            raise LostError(f"{tag}: {len(other[tag][0])} points, {len(mine.get(tag, ([],))[0])}")
        same = mine[tag][0] == other[tag][0]
        if same and not tag.startswith(CLOCKED):
            same = np.array_equal(mine[tag][1], other[tag][1], equal_nan=True)
        if not same:
            raise WrongError(f"{tag}: another curve")
    if extra := set(_untimed(mine)) - set(other):
        raise WrongError(f"tags that nobody wrote: {', '.join(extra)}")


def _check_speeds(job: JobDirectory, mine: list[int], other: list[int]) -> None:
    """The first step of each attempt has no speed; all others have one."""
    if len(set(other) - set(mine)) >= job.latest_attempt():
        raise LostError(f"{TOKENS_PER_SECOND}: {len(other)} points, {len(mine)}")
    if set(mine) - set(other) or len(set(mine)) < len(mine):
        raise WrongError(f"{TOKENS_PER_SECOND}: another curve")


def _untimed(tags: dict[str, Any]) -> Iterator[str]:
    return (tag for tag in tags if not tag.startswith(TIMED))


def _same_bytes(mine: Path, other: Path) -> None:
    if not mine.exists():
        raise LostError(f"{mine.name} is missing")
    if mine.read_bytes() != other.read_bytes():
        raise WrongError(f"{mine.name} differs from that of the undisturbed run")
