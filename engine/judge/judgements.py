"""A judge job as it is now: its questions and what each was answered. Blocks; writes nothing."""

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.compare.samples import Sample, from_table
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.judge.questions import Question, read_questions
from engine.judge.verdicts import (
    PairVerdict,
    Reading,
    pair_up,
    read_answer,
    read_likelihoods,
)
from engine.recipes.recipe import JudgeRecipe
from engine.safe_open import read_lines

LIKELIHOOD = "likelihood"


@dataclass(frozen=True, slots=True)
class Judgements:
    """Everything that one judge said of one job's answers."""

    recipe: JudgeRecipe
    pairs: Mapping[str, Sequence[PairVerdict]]
    """By rubric, in the order of the questions."""


def judged_job(job: JobDirectory, recipe: JudgeRecipe) -> JobDirectory:
    """The job that a judge job judges: it lies beside it."""
    return JobDirectory(job.path.parent / recipe.job.removeprefix(RUN))


def find_judges(judged: JobDirectory) -> list[JobDirectory]:
    """The judge jobs on a job's answers, the oldest first: those beside it that name it."""
    found = []
    try:
        paths = [Path(one.path) for one in os.scandir(judged.path.parent) if one.is_dir()]
    except OSError:
        return []
    for path in paths:
        job = JobDirectory(path)
        if not job.questions.is_file():
            continue
        try:
            record, recipe = job.record(), job.recipe()
        except EngineError:
            continue  # its own row in Runs says why
        if record is None or not isinstance(recipe, JudgeRecipe):
            continue
        if judged_job(job, recipe).path.name == judged.path.name:
            found.append((record.created, job))
    return [job for _, job in sorted(found, key=lambda pair: (pair[0], pair[1].path.name))]


def read_judgements(job: JobDirectory) -> Judgements:
    """Raises EngineError where it is no judge job, or its files cannot be read."""
    recipe = job.recipe()
    if not isinstance(recipe, JudgeRecipe):
        raise EngineError(
            "This is not a judge job.", str(job.path), "Start one: finetop judge JOB --by ARM."
        )
    questions = read_questions(job.questions)
    read = _likelihoods if recipe.reading == LIKELIHOOD else _answers
    known = read(job, recipe, questions)
    for row in _rows(job.rejects):
        known.setdefault(str(row.get("prompt_id")), Reading(None, "refused"))
    readings = [known.get(one.id, Reading(None, "missing")) for one in questions]
    return Judgements(recipe, pair_up(questions, readings))


def _answers(
    job: JobDirectory, recipe: JudgeRecipe, questions: Sequence[Question]
) -> dict[str, Reading]:
    """By question, what the newest answer of this judge to it says."""
    asked = {one.id: one.messages for one in questions}
    found: dict[str, Sample] = {}
    for row in _rows(job.samples):
        try:
            sample = from_table(row)
        except ValueError:
            continue
        if sample.arm == recipe.judge and sample.messages == asked.get(sample.prompt_id):
            found[sample.prompt_id] = sample
    return {name: read_answer(sample) for name, sample in found.items()}


def _likelihoods(
    job: JobDirectory, recipe: JudgeRecipe, questions: Sequence[Question]
) -> dict[str, Reading]:
    """By question, what the newest likelihoods of the labels say; damaged rows are left out, by the
    CRC that `engine.worker.inference.score_log` writes beside a value."""
    known = {one.id for one in questions}
    found = {}
    for row in _rows(job.scores):
        value: Any = row.get("value")
        try:
            name, nats = value["question"], [float(one) for one in value["nats"]]
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        is_whole = row.get("crc") == zlib.crc32(json.dumps(value).encode())
        if is_whole and name in known and row.get("arm") == recipe.judge:
            found[name] = read_likelihoods(nats)
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file; a line that was cut is left out. Raises EngineError."""
    for line in read_lines(path, "The answers of the judge"):
        try:
            table = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(table, dict):
            yield table
