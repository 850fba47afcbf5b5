"""Answers that a job made, as data to learn from: the job is found and looked at, nothing is read.

Only a job of answers that has come to its end, by one arm: whose answers are learned is no guess.
"""

from collections.abc import Sequence
from pathlib import Path

from engine.checkpoints.run_outputs import find_run
from engine.errors import EngineError
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.recipes.recipe import GenerateRecipe


def find_answers(ref: str, runs: Sequence[Path]) -> Path:
    """The directory of the job that `run:ID` names. Raises EngineError, also where it is unfit."""
    path = find_run(ref, runs)
    if path is None:
        run_id = ref.partition(":")[2]
        raise EngineError(f"run not found: {run_id}", hint="See finetop runs.")
    job = JobDirectory(path)
    record = job.record()
    if record is None or record.kind != "generate":
        kind = record.kind if record else "no"
        raise EngineError(
            f"{ref} has no answers to train on: it is a {kind} job",
            str(path),
            "Create answers: finetop generate --arm base=CHECKPOINT --prompts FILE",
        )
    state = status.derive(job, status.read(job))
    if state is not State.DONE:
        raise EngineError(
            f"{ref} is not done (state: {state})", str(path), "Wait until it ends, or resume it."
        )
    recipe = job.recipe()
    arms = recipe.arms if isinstance(recipe, GenerateRecipe) else []
    if len(arms) != 1:
        raise EngineError(
            f"{ref} has answers of {len(arms)} arms, but training data needs one",
            f"{path}: {', '.join(arms)}",
            "Generate with one arm.",
        )
    return path
