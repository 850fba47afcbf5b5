"""Starting a judge: the pairs of a job's answers are put into questions before a worker starts.

What can be wrong is found here and not after the queue: the judged job, its arms, the rubrics, the
judge's model, and keys of endpoints whose use the user has not agreed to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.compare import endpoint_keys, votes
from engine.compare.answer_pairs import names, of_job, pick_arms
from engine.compare.arms import format_arm, needs_device, parse_arm
from engine.errors import EngineError
from engine.jobs import launch, status
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import open_store
from engine.judge.judgements import LIKELIHOOD
from engine.judge.questions import hash_wording, make_questions, write_questions
from engine.launching.generation import check_keys_are_set, find_weights
from engine.recipes.recipe import AnswersRecipe, JudgeRecipe


def launch_judge(original: JudgeRecipe, judged: JobDirectory) -> JobDirectory:
    """Start judging the answers of `judged`, in a job beside it.

    `original.arms` are names or texts of two arms, empty for the first two; `original.rubrics`
    names or `name: question`. Raises EngineError before anything is made, KeyNotAllowed among them.
    """
    if not isinstance(judged.recipe(), AnswersRecipe):
        raise EngineError(
            "This job has no answers to judge.", str(judged.path), "Run finetop generate first."
        )
    if status.derive(judged, status.read(judged)).alive:
        raise EngineError(
            "This job is not done yet: its answers cannot be judged.",
            str(judged.path),
            "Judge them once it has ended.",
        )
    collection = of_job(judged)
    collection.poll()
    arms = pick_arms(collection, original.arms)
    rubrics = pick_rubrics(judged, original.rubrics)
    judge, reading = _locate_judge(original, judged.path.parent)
    pairs = collection.pairs(*arms)
    questions = make_questions(pairs, rubrics, limit=original.limit, seed=original.decode.seed)
    if not questions:
        raise EngineError(
            "There is nothing to judge.",
            f"{len(pairs)} pairs of {' and '.join(names(arms).values())}, all of them identical",
            "Name two other arms: --arms A,B.",
        )
    recipe = replace(
        original,
        job=f"{RUN}{judged.path.name}",
        judge=judge,
        arms=list(arms),
        rubrics=[f"{name}: {question}" for name, question in rubrics.items()],
        reading=reading,
        prompt=hash_wording(rubrics),
    )
    arm = parse_arm(judge)
    built_on = [] if arm.is_endpoint else [arm.adapter or arm.checkpoint]
    return launch.launch(
        recipe,
        judged.path.parent,
        parents=[recipe.job, *built_on],
        needs_device=needs_device(recipe),
        fill=lambda job: write_questions(job.questions, questions),
    )


def check_judge(recipe: JudgeRecipe, root: Path, run: str) -> None:
    """Raise EngineError where a judge job cannot be resumed as its recipe has it."""
    _locate_judge(recipe, root, run)


def _locate_judge(recipe: JudgeRecipe, root: Path, run: str = "") -> tuple[str, str]:
    """The judge with its weights found and its keys allowed, and how its verdicts are read."""
    if not recipe.judge:
        raise EngineError("No judge.", hint="Name the arm that judges: --by ARM.")
    arm = parse_arm(recipe.judge)
    endpoint_keys.check([arm], run)
    check_keys_are_set([arm])
    reading = recipe.reading
    if reading == "auto":
        reading = "answer" if arm.is_endpoint else LIKELIHOOD
    if arm.is_endpoint and reading == LIKELIHOOD:
        raise EngineError(
            "An endpoint cannot judge by likelihood.",
            f"{arm.name} at {arm.checkpoint}: likelihoods need the weights",
            "Use --set reading=answer.",
        )
    runs = [job.path for job in open_store(root).jobs()]
    return format_arm(find_weights(arm, runs)), reading


def pick_rubrics(judged: JobDirectory, wanted: Sequence[str]) -> dict[str, str]:
    """The rubrics, each with its question: those of the job where none is named.

    `wanted` are names of these, of bundled ones, or `name: question`. Raises EngineError.
    """
    own = judged.path / votes.RUBRICS_FILE
    of_job: Mapping[str, str] = votes.read_rubrics(own) if own.exists() else votes.RUBRICS
    if not wanted:
        return dict(of_job)
    known = {**votes.RUBRICS, **of_job}
    rubrics: dict[str, str] = {}
    for text in wanted:
        name, _, question = (part.strip() for part in text.partition(":"))
        if not name or len(name) > votes.LONGEST_RUBRIC or (not question and name not in known):
            raise EngineError(
                f"Unknown rubric {text[:80]!r}.",
                f"Rubrics: {', '.join(known)}.",
                "Use one of these, or `name: question`.",
            )
        rubrics[name] = question or known[name]
    return rubrics
