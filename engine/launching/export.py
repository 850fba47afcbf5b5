"""Starting an export; its names are resolved first.

What can be wrong is found here and not after the queue: what is exported, the targets, the folder
that is to be made, the room on its disk and in memory, and what the model card is to tell.
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compare import prompts
from engine.compare.arms import format_arm, needs_device
from engine.errors import EngineError
from engine.jobs import launch, status
from engine.jobs.directory import RUN, JobDirectory, name_partial
from engine.jobs.status import State
from engine.jobs.store import Store, open_store
from engine.launching.export_leftovers import find_leftovers
from engine.launching.export_source import find_source
from engine.launching.generation import find_weights
from engine.recipes.recipe import EvaluateRecipe, ExportRecipe
from engine.release.adapter_stages import check_stages
from engine.release.card.base_identity import (
    check_hub_id,
    choose_base_id,
    is_hub_id,
    remember_base_id,
)
from engine.release.card.card_facts import choose_name
from engine.release.card.card_impact import find_report
from engine.release.card.licenses import parse_license, read_license_files
from engine.release.disk_need import DiskNeed, check_room, measure_need
from engine.release.gguf_targets import check_gguf_targets
from engine.release.memory_need import MemoryNeed, check_machine, estimate_memory
from engine.release.source import ExportSource
from engine.release.targets import Target, parse_targets
from engine.text import one_line

LONGEST_TEXT = 20_000
"""Characters of a text that the user types for the model card."""


_LONGEST_ID = "x" * 70
"""As long as that of any job."""


@dataclass(frozen=True, slots=True)
class PlannedExport:
    """An export that can be started."""

    recipe: ExportRecipe
    """With what it names found, by paths that are valid from any folder."""
    source: ExportSource
    targets: tuple[Target, ...]
    need: DiskNeed
    free: int
    """Bytes on the disk of its folder."""
    leftovers: tuple[Path, ...]
    """What killed exports of this folder left beside it: the job removes it."""
    memory: MemoryNeed
    free_memory: int
    """Bytes that the machine has free now: it starts when that is what it needs."""


def launch_export(original: ExportRecipe, root: Path) -> JobDirectory:
    """Start an export. Raises EngineError before anything is made."""
    return start_export(plan_export(original, root), root)


def start_export(planned: PlannedExport, root: Path) -> JobDirectory:
    """Start an export that was found right. What the Hub calls its base is remembered from now on.
    Raises EngineError where that cannot be its id."""
    recipe, arm = planned.recipe, planned.source.arm
    if recipe.base_id:
        remember_base_id(planned.source.root, recipe.base_id)
    parents = [arm.adapter, arm.checkpoint] if arm.adapter else [arm.checkpoint]
    parents += [recipe.report] if recipe.report else []
    return launch.launch(recipe, root, parents=parents, needs_device=needs_device(recipe))


def check_export(recipe: ExportRecipe, root: Path, run: str) -> None:
    """Raise EngineError where the export of the job `run` cannot be started again."""
    plan_export(recipe, root, run)


def plan_export(original: ExportRecipe, root: Path, run: str = "") -> PlannedExport:
    """Find all that an export names; `run` is its job where it has one. Raises EngineError."""
    targets = parse_targets(original.targets)
    store = open_store(root)
    runs = [job.path for job in store.jobs()]
    source = find_source(original.source, runs)
    as_adapter = any(target.form == "adapter" for target in targets)
    if source.adapter is None and as_adapter:
        raise EngineError(
            "There is no adapter to export.",
            f"{source.arm.name} was trained whole: {source.base}",
            "Use --as merged or --as gguf.",
        )
    if as_adapter:
        check_stages(source)
    check_gguf_targets(targets, source.base)
    out = Path(os.path.abspath(os.path.expanduser(original.out))) if original.out else None
    if out is None:
        raise EngineError(
            "No folder for the export.", "", "Name one that does not exist: --out DIR."
        )
    _check_out(out, source, [root, *runs])
    _check_rivals(out, store, run)
    _check_card(original, source.root)
    model_name = choose_name(source, original)
    if source.held_out is not None:
        prompts.read(source.held_out)  # else a damaged row ends it after all is written
    need = measure_need(source, targets, original.dtype, original.proof_rows)
    free = check_room(need, out.parent)
    memory = estimate_memory(source, targets, original.dtype)
    free_memory = check_machine(memory, targets)
    recipe = replace(
        original,
        name=name_job(original, model_name),
        model_name=model_name,
        source=format_arm(find_weights(source.arm, runs)),
        targets=[target.name for target in targets],
        out=str(out),
        base_id=choose_base_id(source.root, original.base_id),
        report=_find_report(original.report, store),
    )
    if recipe.report:
        find_report(source, recipe.report, runs)
    left = find_leftovers(out, store)
    return PlannedExport(recipe, source, targets, need, free, left, memory, free_memory)


def name_job(original: ExportRecipe, model: str) -> str:
    """What the job is called: as the user says, else after the model."""
    usual = ExportRecipe().name
    return original.name if original.name != usual else f"{usual}-{model}"


def check_new_folder(out: Path) -> None:
    """Raise EngineError where a folder cannot be made: nothing that is there is ever changed."""
    try:
        os.lstat(name_partial(out, _LONGEST_ID))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise EngineError(
                "The name of the folder is too long.",
                f"{len(os.fsencode(out.name)):,} bytes, and while it is written a hidden name has "
                f"{len(os.fsencode(name_partial(out, _LONGEST_ID).name)):,}: {out}",
                "Name a shorter one: --out DIR.",
            ) from error
    if os.path.lexists(out):
        raise EngineError(
            "The folder of the export already exists.",
            str(out),
            "Name a folder that does not exist: --out DIR.",
        )
    if not out.parent.is_dir():
        raise EngineError(
            "The folder above the export does not exist.",
            str(out.parent),
            "Make it, or name another one with --out.",
        )
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise EngineError(
            "The folder above the export cannot be written to.",
            str(out.parent),
            "Name another one with --out.",
        )


def _check_out(out: Path, source: ExportSource, runs: Sequence[Path]) -> None:
    """Raise EngineError where the folder cannot be made, or would lie in one of ours."""
    check_new_folder(out)
    folders = [*runs, source.base, source.root, source.before, source.tokenizer]
    folders += [one for one in (source.adapter, source.before_adapter) if one is not None]
    place = Path(os.path.realpath(out))
    for folder in folders:
        if Path(os.path.realpath(folder)) in place.parents:
            raise EngineError(
                "The export cannot lie in a folder of runs or in a model.",
                f"{out} is in {folder}",
                "Name a folder elsewhere: --out DIR.",
            )


def _check_rivals(out: Path, store: Store, run: str) -> None:
    """Raise EngineError where another export that has not ended makes the same folder."""
    for job in store.jobs():
        if job.path.name == run:
            continue
        record = store.record(job)
        if record is None or record.kind != "export":
            continue
        try:
            recipe = job.recipe()
        except EngineError:
            continue
        alive = status.derive(job, status.read(job)).alive
        if alive and isinstance(recipe, ExportRecipe) and recipe.out == str(out):
            raise EngineError(
                "Another export makes this folder.",
                f"{job.path.name}: {out}",
                f"Name another folder, or stop that one: finetop stop {job.path.name}",
            )


def _check_card(recipe: ExportRecipe, root: Path) -> None:
    """Raise EngineError for what the model card, or the folder around it, cannot hold."""
    read_license_files(root)
    if recipe.base_id:
        check_hub_id(recipe.base_id)
    if recipe.model_name and not is_hub_id(f"owner/{recipe.model_name}"):
        raise EngineError(
            "This cannot be the name of a model.",
            one_line(recipe.model_name),
            "Use letters, digits, dots and hyphens, as in gemma-3-270m-emotion.",
        )
    if recipe.license:
        parse_license(recipe.license)
    for name, text in (
        ("The intended use", recipe.intended_use),
        ("The text on limits", recipe.limitations),
    ):
        if len(text) > LONGEST_TEXT:
            raise EngineError(
                f"{name} is too long.", f"{len(text):,} of {LONGEST_TEXT:,} characters"
            )


def _find_report(named: str, store: Store) -> str:
    """The evaluation that the card tells, by its whole id. Raises EngineError."""
    if not named:
        return ""
    job = store.find(named.removeprefix(RUN))
    if not isinstance(job.recipe(), EvaluateRecipe):
        raise EngineError(
            "This job is not an evaluation.", str(job.path), "Name one that finetop impact shows."
        )
    if status.derive(job, status.read(job)) is not State.DONE:
        raise EngineError(
            "This evaluation is not done.", str(job.path), f"finetop resume {job.path.name}"
        )
    return f"{RUN}{job.path.name}"
