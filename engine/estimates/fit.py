"""Will it fit? A recipe beside what the device and the disk have free, and how long it may take.

Puts together `memory`, `advice`, `epoch`, `duration` and `disk` for screens, commands and workers,
which all call `estimate_fit`: no library, no tensor, a few milliseconds. What it says are
estimates; only a disk that cannot hold one checkpoint is certain, see `check_disk`.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.checkpoints import config_json
from engine.checkpoints.adapter_rows import count_rows, with_rows
from engine.checkpoints.context import check_length
from engine.checkpoints.describe import inspect_base
from engine.checkpoints.entry import Checkpoint
from engine.checkpoints.gguf_file import check_trainable
from engine.errors import EngineError
from engine.estimates import advice, disk, duration, memory
from engine.estimates.advice import Advice, Estimator, gigabytes
from engine.estimates.architectures import read_dims
from engine.estimates.duration import Speed
from engine.estimates.epoch import (
    MeasuredRows,
    estimate_held_out,
    estimate_row_tokens,
    estimate_tokens,
)
from engine.estimates.memory import Estimate
from engine.estimates.parameters import Counted
from engine.jobs import devices
from engine.jobs.devices import Device
from engine.jobs.store import Store
from engine.number_format import apportion
from engine.recipes.recipe import TrainRecipe

MEMORY_SPREAD = {"cpu": 0.15, "cuda": 0.25, "mps": 0.25}
"""Share by which memory may be off: the largest error over the held-out configurations of
`tests/benchmarks/RESULTS.md`, and the bar of that benchmark where no device was measured."""
ROUGH_SPREAD = 3
"""Times as much for a family that was reckoned as if it were Llama."""


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
    needed_range: tuple[int, int] | None = None
    """What it may need at least and at most: by the errors of benchmarks, and where rows were not
    measured from rows of one token to those of `max_length`."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """What `needed` is made of at the worst moment, by name; they add up to it."""
    memory_basis: str = ""
    """Where `needed` comes from."""
    measured: bool = False
    """Whether rows were measured; else `needed` is for rows of `max_length`, all of it trained:
    several times what most data needs where the vocabulary is large."""
    largest_batch: int | None = None
    """Rows of a pass that fit so; 0 where one row is too much."""
    seconds: float | None = None
    """Of training and the evaluations of held-out rows, without loading, samples and the alarm."""
    seconds_range: tuple[float, float] | None = None
    basis: str = ""
    """Where `seconds` and its range come from."""
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
        if self.needed_range is not None:
            text += f" ({' to '.join(map(gigabytes, self.needed_range))})"
        if self.free is not None:
            text += f" of {gigabytes(self.free)} free on {self.device}"
        if self.largest_batch is not None:
            text += f" · largest batch {self.largest_batch}"
        if self.seconds is not None:
            text += f" · about {duration.spoken(self.seconds)}"
            if self.seconds_range is not None:
                text += f", {duration.spoken_range(*self.seconds_range)} ({self.basis})"
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
        row_tokens=measured.row_tokens if measured else estimate_row_tokens(recipe, runs),
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
    row_tokens: float | None = None,
    held_out: int = 0,
    measured: MeasuredRows | None = None,
    speed: Speed | None = None,
    counted: Counted | None = None,
) -> Fit:
    """The arithmetic of `estimate_fit`, of facts that are known already.

    `chosen` devices are used together; `tokens` are those of an epoch, `row_tokens` those of a row
    on average, `held_out` those of an evaluation, `speed` what an earlier run reached. Without
    tokens the time is not said.
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
    taken = duration.estimate_duration(
        config,
        recipe,
        chosen,
        tokens=tokens,
        row_tokens=row_tokens,
        held_out=held_out,
        speed=speed,
    )
    least = needed
    if measured is None:
        shortest = estimator(checkpoint, kind, MeasuredRows(0, 1, 1.0, 1.0), counted)
        least = min(needed, advice.needs(shortest, kind)(recipe))
    spread = MEMORY_SPREAD[kind] * (ROUGH_SPREAD if size.rough else 1)
    return Fit(
        label,
        memory=size,
        needed=needed,
        free=room,
        needed_range=(int(least / (1 + spread)), int(needed * (1 + spread))),
        parts={**size.at_peak, **({"libraries": needed - size.total} if kind == "cpu" else {})},
        memory_basis=_memory_basis(kind, measured),
        fits=None if room is None else needed <= advice.usable(room),
        measured=measured is not None,
        largest_batch=batch,
        seconds=taken.seconds if taken else None,
        seconds_range=(taken.low, taken.high) if taken else None,
        basis=taken.basis if taken else "",
        checkpoint=disk_use.checkpoint,
        vocabulary=disk_use.vocabulary,
        disk_kept=disk_use.at_end,
        disk_kept_most=disk_use.most_at_end,
        disk_needed=disk_use.peak,
        disk_free=disk_free,
        advice=lines,
        formats=memory.formats_of(recipe, kind),
    )


def _memory_basis(kind: str, measured: MeasuredRows | None) -> str:
    rows = "and the measured rows" if measured else "and rows of max_length, not measured"
    errors = f"within a factor of {1 + MEMORY_SPREAD[kind]:g} in benchmarks on a CPU"
    if kind != "cpu":
        errors = f"within a factor of {1 + MEMORY_SPREAD[kind]:g}, not measured on such a device"
    return f"computed from config.json, the recipe {rows}; {errors}"


def part_sizes(parts: Mapping[str, int]) -> tuple[dict[str, str], str]:
    """Bytes of parts and of their sum, rounded so that those shown add up: MB, or GB from 10 on."""
    total = sum(parts.values())
    step, digits, unit = (10**7, 2, "GB") if total >= 10**10 else (10**6, 0, "MB")

    def write(steps: int) -> str:
        return f"{steps / 100:,.{digits}f} {unit}" if digits else f"{steps:,} {unit}"

    shown = apportion(list(parts.values()), step)
    sizes = {
        name: write(steps) if steps or not part else f"<{write(1)}"
        for (name, part), steps in zip(parts.items(), shown, strict=True)
    }
    return sizes, write(sum(shown))


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


def machine_memory() -> int:
    """Bytes of the machine's memory in all, or of our control group's limit."""
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such group, or one without a limit ("max")
        return total


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
    check_trainable(checkpoint)
    if checkpoint.kind != "adapter":
        return config_json.read_json(checkpoint.path / "config.json"), checkpoint.parameters
    if checkpoint.base_path is None:
        raise EngineError("its base is not on this machine")
    base = inspect_base(checkpoint.base_path)
    config = config_json.read_json(base.path / "config.json")
    return with_rows(config, checkpoint.path), _count_with_rows(config, base, checkpoint)


def _count_with_rows(
    config: config_json.Config, base: Checkpoint, adapter: Checkpoint
) -> int | None:
    """Parameters of the base with the rows of the tokens that the adapter adds."""
    dims, rows = read_dims(config), count_rows(config, adapter.path)
    if base.parameters is None or dims is None or rows is None:
        return base.parameters
    return base.parameters + (rows - dims.vocabulary) * dims.hidden * (1 if dims.tied else 2)


def free_disk_bytes(folder: Path) -> int | None:
    """Bytes that are free where a folder lies or will lie; None where that cannot be asked."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
