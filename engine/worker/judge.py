"""The `judge` job: the questions on pairs of answers, answered or scored by one arm.

By its answers they are prompts of a job of answers, `samples.jsonl`; by likelihood the labels are
scored after each question, `scores.jsonl`. Either file only grows: what it holds is not made again.
A verdict is never written: `engine.judge` reads one from these rows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import engine.worker.version_check  # noqa: F401  before any other of ours
from engine.compare import endpoint_keys
from engine.compare.arm_weights import locate
from engine.compare.arms import Arm, format_arm, parse_arm
from engine.errors import EngineError
from engine.jobs.store import open_store
from engine.judge.judgements import LIKELIHOOD
from engine.judge.questions import LABELS, Question, read_questions
from engine.recipes.recipe import JudgeRecipe
from engine.worker.attempt import Attempt, Stopped
from engine.worker.generate import answer_prompts

if TYPE_CHECKING:
    from engine.worker.inference.models import LoadedArm
    from engine.worker.inference.score_log import ScoreMemory

_TOGETHER = 16
"""Questions that are scored before their rows are written: always the same ones side by side."""


def run(attempt: Attempt) -> str:
    """Judge all that is missing. Raises EngineError before it starts where anything is wrong."""
    recipe = attempt.recipe
    assert isinstance(recipe, JudgeRecipe)
    arm = parse_arm(recipe.judge)
    endpoint_keys.check([arm], attempt.directory.path.name)
    questions = read_questions(attempt.directory.questions)
    runs = [job.path for job in open_store(attempt.directory.path.parent).jobs()]
    if recipe.reading == LIKELIHOOD:
        return _score(attempt, arm, questions, recipe.device, runs)
    prompts = [question.item for question in questions]
    return answer_prompts(attempt, [arm], prompts, recipe.decode, recipe.device, runs)


def _score(
    attempt: Attempt, arm: Arm, questions: Sequence[Question], device: str, runs: Sequence[Path]
) -> str:
    """How likely each label is after each question that has no row yet."""
    if arm.is_endpoint:
        raise EngineError(
            "An endpoint cannot judge by likelihood.", arm.name, "Set reading to answer."
        )
    loaded_arm, memory = _load(attempt, arm, len(questions), device, runs)
    attempt.directory.rejects.unlink(missing_ok=True)  # of an attempt before this one
    refused: list[dict[str, str]] = []
    for start in range(0, len(questions), _TOGETHER):
        attempt.progress(start, len(questions), message=arm.name)
        refused += _score_together(
            attempt, loaded_arm, memory, questions[start : start + _TOGETHER], start, len(questions)
        )
    attempt.progress(len(questions), len(questions), message=arm.name)
    if refused:
        attempt.reject(refused, "answers left out")
    left = f", {len(refused)} left out (see the log)" if refused else ""
    return f"{len(questions) - len(refused)} questions judged{left}"


def _load(
    attempt: Attempt, arm: Arm, total: int, device: str, runs: Sequence[Path]
) -> "tuple[LoadedArm, ScoreMemory]":
    """The judge in memory, and its rows: known again by its words, its weights and the device."""
    from engine.worker.inference.models import ModelCache
    from engine.worker.inference.score_log import ScoreLog, ScoreMemory
    from engine.worker.inference.weight_files import identify_weights
    from engine.worker.model.loading import pick_device

    log = ScoreLog(attempt.directory.scores)
    weights = locate(arm, runs)
    attempt.progress(0, total, message=f"{arm.name}: loading")
    models = ModelCache(pick_device(attempt.device.kind if attempt.device else device), budget=0)
    loaded_arm = models.load_arm(arm, weights, attempt.log)
    assert loaded_arm is not None, "no other arm speaks"
    for note in loaded_arm.notes:
        attempt.log(note)
    identity = [format_arm(arm), identify_weights(weights), models.device.type]
    return loaded_arm, ScoreMemory(log, identity, format_arm(arm), "labels")


def _score_together(
    attempt: Attempt,
    loaded_arm: "LoadedArm",
    memory: "ScoreMemory",
    questions: Sequence[Question],
    start: int,
    total: int,
) -> list[dict[str, str]]:
    """Keep the rows of questions that are scored side by side, `start` of `total` the first of
    them; those that cannot be asked, with the reason."""
    from engine.worker.inference.choice_scores import encode_choices, score_choices

    items, cases, refused = [], [], []
    for question in questions:
        try:
            cases.append(encode_choices(loaded_arm, question.item))
            items.append(question.item)
        except EngineError as error:
            attempt.log(f"{question.id} left out: {error.line}")
            arm = format_arm(loaded_arm.arm)
            refused.append({"arm": arm, "prompt_id": question.id, "reason": error.line})
    rows = [(0, [item.id, item.messages[0].content]) for item in items]
    if all(memory.find(row) is not None for row in rows):
        return refused

    def tick(done: int) -> None:
        if attempt.stop_requested():
            raise Stopped
        attempt.progress(start + done, total, message=loaded_arm.arm.name)

    tick(0)
    scores = score_choices(loaded_arm, items, cases, tick)
    memory.add(
        (row, {"question": item.id, "labels": list(LABELS), "nats": list(score.sums)})
        for row, item, score in zip(rows, items, scores, strict=True)
    )
    return refused
