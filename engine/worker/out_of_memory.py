"""A run that ran out of memory: what ran out, and what to turn down, by how much.

Recognises it by what libraries raise, each in words of its own. The advice is that of the estimate
(`engine.estimates.advice`), held to ask for clearly less than what has just failed.
"""

import resource
import shlex
import sys
from collections.abc import Sequence

from engine.checkpoints import checkpoint_list
from engine.errors import EngineError
from engine.estimates import advice, fit
from engine.estimates.advice import Advice, gigabytes
from engine.jobs import resume_rules
from engine.jobs.directory import JobDirectory
from engine.jobs.status import Failure
from engine.jobs.store import open_store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.worker.attempt import Attempt

_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory",
          "failed to map segment")  # fmt: skip
"""The last is the dynamic linker's, of a library that is imported."""
LESS = 0.8
"""Of what failed by the estimate, at most, so that an estimate that was too low helps as well."""
GENERAL = "Use a smaller batch (with more accumulation), a shorter max_length, or LoRA."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: of a GPU or of the machine."""
    error = _cause(error)
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return True
    message = str(error).lower()
    kinds = (RuntimeError, OSError, ImportError)
    return isinstance(error, kinds) and any(words in message for words in _WORDS)


def explain(error: BaseException, attempt: Attempt) -> Failure:
    """What ran out, with advice for a run that trains."""
    title = "The device has too little memory for this recipe."
    error = _cause(error)
    detail = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    recipe = attempt.recipe
    if not isinstance(recipe, TrainRecipe):
        return Failure(title, detail[:300], "Use another device, or stop other processes on it.")
    try:
        advice, about = _advise(recipe, attempt)
    except EngineError:  # what the estimate reads has gone, or tells nothing
        return Failure(title, detail[:300], GENERAL)
    return Failure(title, f"{about}\n{detail[:300]}", _hint(advice, recipe, attempt))


def _cause(error: BaseException) -> BaseException:
    """What a library said, where loading a model made a sentence of it."""
    return error.__cause__ or error if isinstance(error, EngineError) else error


def _hint(pieces: Sequence[Advice], recipe: TrainRecipe, attempt: Attempt) -> str:
    """The advice, and a command that follows the first piece of it and is not refused."""
    if not any(one.changes for one in pieces):
        return pieces[0].text if pieces else GENERAL
    mild = [one for one in pieces if _goes_on(recipe, one, attempt.directory)]
    lines = [
        f"Any one of these changes would fit: {'; '.join(one.text for one in mild or pieces)}."
    ]
    changes = " ".join(f"--set {change}" for change in (mild or pieces)[0].changes)
    if mild:
        return "\n".join([*lines, f"finetop resume {attempt.record.id} {changes}"])
    recipe_file = shlex.quote(str(attempt.directory.latest_recipe()))
    lines += ["These settings cannot change on resume. Start a new run:"]
    return "\n".join([*lines, f"finetop train {recipe_file} {changes}"])


def _goes_on(recipe: TrainRecipe, one: Advice, job: JobDirectory) -> bool:
    """Whether the run may go on with this change."""
    table = recipes.with_changes(recipes.to_table(recipe), one.changes)
    try:
        resume_rules.check(job, recipes.parse(table))
    except EngineError:
        return False
    return True


def _advise(recipe: TrainRecipe, attempt: Attempt) -> tuple[tuple[Advice, ...], str]:
    """The advice, and a sentence on what was needed and what was there."""
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    checkpoint = checkpoint_list.resolve(recipe.model.checkpoint, runs)
    kind = attempt.device.kind if attempt.device is not None else "cpu"
    need = advice.needs(fit.estimator(checkpoint, kind), kind)
    room = fit.free_memory(attempt.devices) if kind == "cuda" else _machine()
    needed = need(recipe)
    about = f"It needs about {gigabytes(needed)} (estimate)"
    about += f"; {gigabytes(room)} were free." if room is not None else "."
    most = int(LESS * needed) if room is None else min(advice.usable(room), int(LESS * needed))
    return advice.advise(need, recipe, most), about


def _machine() -> int:
    """Bytes of the machine's memory that this process had or could have had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return fit.free_main_memory() + peak * (1 if sys.platform == "darwin" else 1024)
