"""Will it fit? A recipe beside what the device and the disk have free, and how long it may take.

Puts together `memory`, `advice`, `epoch`, `duration` and `disk` for screens, commands and workers,
which all call `estimate_fit`: no library, no tensor, a few milliseconds. What it says are
estimates; only a disk that cannot hold one checkpoint is certain, see `check_disk`.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.checkpoints import config_json
from engine.checkpoints.context import check_length
from engine.checkpoints.describe import inspect_base
from engine.checkpoints.entry import Checkpoint
from engine.errors import EngineError
from engine.estimates import advice, disk, duration, memory
from engine.estimates.advice import Advice, Estimator, gigabytes
from engine.estimates.epoch import MeasuredRows, estimate_held_out, estimate_tokens
from engine.estimates.memory import Estimate
from engine.estimates.parameters import Counted
from engine.jobs import devices
from engine.jobs.devices import Device
from engine.jobs.store import Store
from engine.recipes.recipe import TrainRecipe


@dataclass(frozen=True, slots=True)
class Fit:
    """All sizes in bytes; None is not known."""

    device: str
    """As recipes name it."""
    memory: Estimate | None = None
    needed: int | None = None
    """Of the device's memory; on a CPU with the libraries of the worker."""
    free: int | None = None
    fits: bool | None = None
    """Whether `needed` leaves `advice.MARGIN` of what is free."""
    measured: bool = False
    """Whether rows were measured; else `needed` is for rows of `max_length`, all of it trained:
    several times what most data needs where the vocabulary is large."""
    largest_batch: int | None = None
    """Rows of a pass that fit so; 0 where one row is too much."""
    seconds: float | None = None
    """Of training and the evaluations of held-out rows, without loading, samples and the alarm."""
    basis: str = ""
    """Where `seconds` comes from."""
    checkpoint: int | None = None
    """One of those kept for resuming, without the vocabulary that they share."""
    vocabulary: int | None = None
    """Once for the whole run."""
    disk_kept: int | None = None
    """The directory of the run at its end."""
    disk_kept_most: int | None = None
    """The same where the best checkpoint, or the last in the budget, is none of the newest."""
    disk_needed: int | None = None
    """At its most, while a checkpoint or the result is written."""
    disk_free: int | None = None
    advice: tuple[Advice, ...] = ()
    """What to turn down, any one of them; empty where it fits."""
    problem: str = ""
    """Why memory is not known; empty where it is."""
    formats: str = ""
    """Number formats of products and weights."""
    notes: tuple[str, ...] = ()
    """What else to know of the rows before the start: rejected ones, or longer than the context."""

    @property
    def line(self) -> str:
        """All of it in a line, for a terminal and the foot of a screen."""
        if self.needed is None:
            return f"memory unknown: {self.problem}"
        about = "very roughly " if self.memory is not None and self.memory.rough else "about "
        text = f"needs {about}{gigabytes(self.needed)}"
        if self.free is not None:
            text += f" of {gigabytes(self.free)} free on {self.device}"
        if self.largest_batch is not None:
            text += f" · largest batch {self.largest_batch}"
        if self.seconds is not None:
            text += f" · about {duration.spoken(self.seconds)} ({self.basis})"
        if self.disk_needed is not None and self.disk_free is not None:
            text += f" · disk {gigabytes(self.disk_needed)} of {gigabytes(self.disk_free)} free"
        return text


def estimate_fit(
    recipe: TrainRecipe,
    checkpoint: Checkpoint,
    store: Store,
    *,
    chosen: Sequence[Device] = (),
    measured: MeasuredRows | None = None,
    counted: Counted | None = None,
) -> Fit:
    """How a recipe fits here and now: the one answer of the screen, of commands and of workers.

    `checkpoint` is what the recipe starts from, `chosen` the devices that a worker has (else those
    that the recipe would get), `measured` what the companion measured of the rows, `counted` of the
    parameters. Rows that were not measured are taken to be `max_length` long, and their number is
    estimated from their file. The speed is that of an earlier run of this machine, where one is
    like it. Raises EngineError for a device that is not there, and for rows longer than the
    model can read.
    """
    note = check_length(
        recipe.data.max_length, checkpoint.context_length, checkpoint.position_table
    )
    notes = (*([note] if note else []), *(measured.notes if measured else ()))
    jobs = store.jobs()
    devices_used = chosen or devices.options(recipe.device)[0]
    # Runs name their checkpoint by its ref, and a recipe by any path that leads to it.
    recipe = replace(recipe, model=replace(recipe.model, checkpoint=checkpoint.ref))
    own = [job for job in jobs if job not in store.shipped]
    runs = [job.path for job in jobs]
    tokens = measured.tokens if measured else estimate_tokens(recipe, runs)
    found = assess(
        recipe,
        checkpoint,
        devices_used,
        store.root,
        tokens=tokens,
        held_out=estimate_held_out(recipe, runs, tokens),
        measured=measured,
        speed=duration.measured_speed(own, recipe, devices_used[0].kind),
        counted=counted,
    )
    return replace(found, notes=notes)


def assess(
    recipe: TrainRecipe,
    checkpoint: Checkpoint,
    chosen: Sequence[Device],
    runs_root: Path,
    *,
    tokens: int | None = None,
    held_out: int = 0,
    measured: MeasuredRows | None = None,
    speed: float | None = None,
    counted: Counted | None = None,
) -> Fit:
    """The arithmetic of `estimate_fit`, of facts that are known already.

    `chosen` devices are used together; `tokens` are those of an epoch, `held_out` those of an
    evaluation, `speed` the tokens a second that an earlier run trained on. Without tokens the time
    is not said.
    """
    kind, room = chosen[0].kind, free_memory(chosen)
    label, disk_free = devices.labels(tuple(chosen)), free_disk_bytes(runs_root)
    try:
        estimate = estimator(checkpoint, kind, measured, counted)
        size = estimate(recipe)
    except EngineError as error:
        problem = f"{error.title} {error.detail}".strip()
        return Fit(label, free=room, disk_free=disk_free, problem=problem)
    need = advice.needs(estimate, kind)
    needed = need(recipe)
    batch, lines = None, tuple[Advice, ...]()
    if room is not None:
        batch = advice.largest_batch(need, recipe, advice.usable(room))
        lines = advice.advise(need, recipe, advice.usable(room))
    config, _ = read_model(checkpoint)
    disk_use = disk.estimate_disk(
        recipe, checkpoint, config, size, merges=merges(recipe, checkpoint), held_out=held_out
    )
    seconds, basis = duration.seconds(
        config, recipe, chosen, tokens=tokens, held_out=held_out, speed=speed
    )
    return Fit(
        label,
        memory=size,
        needed=needed,
        free=room,
        fits=None if room is None else needed <= advice.usable(room),
        measured=measured is not None,
        largest_batch=batch,
        seconds=seconds,
        basis=basis,
        checkpoint=disk_use.checkpoint,
        vocabulary=disk_use.vocabulary,
        disk_kept=disk_use.at_end,
        disk_kept_most=disk_use.most_at_end,
        disk_needed=disk_use.peak,
        disk_free=disk_free,
        advice=lines,
        formats=memory.formats_of(recipe, kind),
    )


def estimator(
    checkpoint: Checkpoint,
    device_kind: str,
    measured: MeasuredRows | None = None,
    counted: Counted | None = None,
) -> Estimator:
    """The memory of a run from a checkpoint, as a function of its recipe.

    Raises EngineError where the model cannot be read, as does the function for one whose sizes are
    not known.
    """
    config, parameters = read_model(checkpoint)

    def estimate(recipe: TrainRecipe) -> Estimate:
        return memory.estimate(
            config,
            recipe,
            parameters=parameters,
            counted=counted,
            device_kind=device_kind,
            length=measured.longest if measured else None,
            target_share=measured.target_share if measured else 1.0,
            merges=merges(recipe, checkpoint),
        )

    return estimate


def merges(recipe: TrainRecipe, checkpoint: Checkpoint) -> bool:
    """Whether a stage makes a model of an adapter and its base, and begins another adapter."""
    if checkpoint.kind != "adapter" or recipe.method.kind != "lora":
        return False
    return recipe.model.adapter == "merge"


def check_disk(recipe: TrainRecipe, checkpoint: Checkpoint, runs_root: Path) -> None:
    """Raise EngineError where the disk of the runs cannot hold a single checkpoint."""
    try:
        size = estimator(checkpoint, "cpu")(recipe)  # what is learned is the same on every device
        config, _ = read_model(checkpoint)
    except EngineError:
        return  # of an unknown size nothing is certain
    needed = disk.estimate_disk(recipe, checkpoint, config, size).first
    free = free_disk_bytes(runs_root)
    if free is not None and free < needed:
        raise EngineError(
            "The disk is too full for this run.",
            f"One checkpoint takes {gigabytes(needed)}; {gigabytes(free)} are free.",
            "Free disk space, or use another folder with --runs DIR.",
        )


def free_memory(chosen: Sequence[Device]) -> int | None:
    """Bytes that are free on the devices together; None where the driver does not say."""
    if chosen[0].kind != "cuda":
        return free_main_memory()
    sizes = [device.memory_free for device in chosen if device.memory_total]
    return sum(sizes) if len(sizes) == len(chosen) else None


def free_main_memory() -> int:
    """Bytes of the machine that can be had without swapping, within our control group's limit."""
    import psutil

    available = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        most = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):  # no such group, or one without a limit ("max")
        return available
    cached = next((int(line.split()[1]) for line in stat if line.startswith("inactive_file ")), 0)
    return max(0, min(available, most - used + cached))


def read_model(checkpoint: Checkpoint) -> tuple[config_json.Config, int | None]:
    """The config and the exact number of parameters of a model, or of an adapter's base."""
    if checkpoint.kind != "adapter":
        return config_json.read_json(checkpoint.path / "config.json"), checkpoint.parameters
    if checkpoint.base_path is None:
        raise EngineError("its base is not on this machine")
    base = inspect_base(checkpoint.base_path)
    return config_json.read_json(base.path / "config.json"), base.parameters


def free_disk_bytes(folder: Path) -> int | None:
    """Bytes that are free where a folder lies or will lie; None where that cannot be asked."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
