"""A run that ran out of memory: what ran out, and what to turn down, by how much.

Recognises it by what libraries raise, each in words of its own. The advice is that of the estimate
(`engine.catalog.advice`), held to ask for clearly less than what has just failed.
"""

import resource
import sys

from engine.catalog import advice, checkpoints, fit
from engine.catalog.advice import Advice, gigabytes
from engine.errors import EngineError
from engine.jobs.recipe import TrainRecipe
from engine.jobs.status import Failure
from engine.jobs.store import open_store
from engine.worker.attempt import Attempt

_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")
LESS = 0.8
"""Of what failed by the estimate, at most, so that an estimate that was too low helps as well."""
GENERAL = "Try a smaller batch (with more accumulation), a shorter length, or LoRA."


def means_exhausted(error: BaseException) -> bool:
    """Whether memory ran out: of a GPU or of the machine."""
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _WORDS)


def explain(error: BaseException, attempt: Attempt) -> Failure:
    """What ran out, with advice for a run that trains."""
    title = "The device has too little memory for this recipe."
    detail = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    recipe = attempt.recipe
    if not isinstance(recipe, TrainRecipe):
        return Failure(title, detail[:300], "Use another device, or stop what else runs on it.")
    try:
        found, about = _advise(recipe, attempt)
    except EngineError:  # what the estimate reads has gone, or tells nothing
        return Failure(title, detail[:300], GENERAL)
    lines = [f"Any one of these would do: {'; '.join(one.text for one in found)}."]
    first = found[0] if found else Advice("")
    if first.changes:
        changes = " ".join(f"--set {change}" for change in first.changes)
        lines.append(f"finetop resume {attempt.record.id} {changes}")
    else:
        lines = [first.text or GENERAL]
    return Failure(title, f"{about}\n{detail[:300]}", "\n".join(lines))


def _advise(recipe: TrainRecipe, attempt: Attempt) -> tuple[tuple[Advice, ...], str]:
    """The advice, and a sentence on what was needed and what was there."""
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    checkpoint = checkpoints.resolve(recipe.model.checkpoint, runs)
    config, parameters = fit.read_model(checkpoint)
    kind = attempt.device.kind if attempt.device is not None else "cpu"
    need = advice.needs(config, parameters, kind)
    room = fit.free_memory(attempt.devices) if kind == "cuda" else _machine()
    wanted = need(recipe)
    about = f"It needs about {gigabytes(wanted)} by the estimate"
    about += f"; {gigabytes(room)} were free." if room is not None else "."
    most = int(LESS * wanted) if room is None else min(advice.usable(room), int(LESS * wanted))
    return advice.advise(need, recipe, most), about


def _machine() -> int:
    """Bytes of the machine's memory that this process had or could have had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return fit.free_main_memory() + peak * (1 if sys.platform == "darwin" else 1024)
