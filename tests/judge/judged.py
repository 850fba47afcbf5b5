"""Pairs of answers, a judge's verdicts on them, and a judge job as its worker would leave it."""

import dataclasses
import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.chat import Message
from engine.compare import samples as sample_files
from engine.compare.answer_pairs import AnswerPair, of_job
from engine.compare.samples import Finish, Sample, Timings
from engine.compare.votes import Choice, Vote
from engine.jobs import status as statuses
from engine.jobs.directory import JobDirectory, JobRecord
from engine.jobs.status import State, Status
from engine.judge.questions import (
    LABELS,
    Question,
    hash_wording,
    make_questions,
    write_questions,
)
from engine.judge.verdicts import PairVerdict, Reading, Verdict
from engine.recipes.recipe import GenerateRecipe, JudgeRecipe, to_toml
from engine.recipes.settings import Decode

BASE, TUNED = "base=bundled:demo-base", "tuned=run:emotion-lora"
JUDGE = "gemma=/models/gemma"
HELPFUL = {"helpful": "Does it follow the instruction?"}


def sample(prompt: str, arm: str, text: str, *, asked: str = "", finish: Finish = "stop") -> Sample:
    messages = (Message("user", asked or f"What is {prompt}?"),)
    return Sample(prompt, messages, arm, 7, "", (), (), text, finish, (), Decode(),
                  Timings(0.1, 0.2))  # fmt: skip


def make_job(
    root: Path, name: str, recipe: GenerateRecipe | JudgeRecipe, created: float = 0.0
) -> JobDirectory:
    """A job's directory that has ended."""
    job = JobDirectory(root / name)
    job.attempt(1).path.mkdir(parents=True)
    parents = [recipe.job] if isinstance(recipe, JudgeRecipe) else []
    record = JobRecord(name, recipe.kind, name, created or time.time(), parents)
    job.record_file.write_text(json.dumps(dataclasses.asdict(record)))
    job.recipe_file.write_text(to_toml(recipe))
    now = time.time()
    statuses.write(job, Status(State.DONE, step=8, total=8, started=now, heartbeat=now))
    return job


def answered_job(
    root: Path, answers: Mapping[str, tuple[str, str]], name: str = "answers"
) -> JobDirectory:
    """A generate job with what base and tuned answered, by prompt."""
    prompts = root / f"{name}-prompts.jsonl"
    rows = ({"id": prompt, "prompt": f"What is {prompt}?"} for prompt in answers)
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job = make_job(root, name, GenerateRecipe(name, arms=[BASE, TUNED], prompts=str(prompts)))
    sample_files.append(
        job.samples,
        [
            sample(prompt, arm, texts[side])
            for side, arm in enumerate((BASE, TUNED))
            for prompt, texts in answers.items()
        ],
    )
    return job


def pairs_of(job: JobDirectory, arms: tuple[str, str] = (BASE, TUNED)) -> list[AnswerPair]:
    collection = of_job(job)
    collection.poll()
    return collection.pairs(*arms)


Answerer = Callable[[Question], str]
"""What a judge answers to a question."""


def judge_job(
    judged: JobDirectory,
    answer: Answerer,
    rubrics: Mapping[str, str] = HELPFUL,
    *,
    name: str = "judge",
    judge: str = JUDGE,
    by_likelihood: bool = False,
    created: float = 0.0,
    arms: tuple[str, str] = (BASE, TUNED),
) -> JobDirectory:
    """A judge job beside the judged one, with an answer to each question; none where it is empty.

    By likelihood the answer is the label that is likeliest.
    """
    reading = "likelihood" if by_likelihood else "answer"
    texts = [f"{rubric}: {question}" for rubric, question in rubrics.items()]
    recipe = JudgeRecipe(name, job=f"run:{judged.path.name}", judge=judge, arms=[*arms],
                         rubrics=texts, reading=reading, prompt=hash_wording(rubrics))  # fmt: skip
    job = make_job(judged.path.parent, name, recipe, created)
    questions = make_questions(pairs_of(judged, arms), rubrics)
    write_questions(job.questions, questions)
    said = {one.id: (one, answer(one)) for one in questions}
    if by_likelihood:
        rows = []
        for one, text in said.values():
            nats = [-0.1 if label == text else -5.0 for label in LABELS]
            value = {"question": one.id, "labels": list(LABELS), "nats": nats}
            crc = zlib.crc32(json.dumps(value).encode())
            rows.append(json.dumps({"arm": judge, "row": one.id, "value": value, "crc": crc}))
        job.scores.write_text("\n".join(rows) + "\n")
        return job
    answers = [sample(one.id, judge, text, asked=one.text) for one, text in said.values() if text]
    sample_files.append(job.samples, answers)
    return job


def verdict(
    pair: str,
    one: Verdict | None,
    turned: Verdict | None,
    *,
    sizes: tuple[int, int] = (10, 20),
    group: str = "",
) -> PairVerdict:
    readings = tuple(Reading(each, "" if each else "unreadable", "?") for each in (one, turned))
    return PairVerdict(
        pair, "helpful", group or pair, BASE, TUNED, *sizes, (readings[0], readings[1])
    )


def preferring(pair: str, arm: str, **more: object) -> PairVerdict:
    """A pair on which both orders prefer an arm, or say tie."""
    readings: tuple[Verdict, Verdict] = ("tie", "tie")
    if arm != "tie":
        readings = ("first", "second") if arm == BASE else ("second", "first")
    return verdict(pair, *readings, **more)  # type: ignore[arg-type]


def votes_on(choices: Mapping[str, str], judge: str = "ada") -> list[Vote]:
    """By prompt the arm that a voter prefers, `tie` or `both bad`; sides change with the prompt."""
    votes = []
    for at, (prompt, choice) in enumerate(choices.items()):
        left, right = (BASE, TUNED) if at % 2 else (TUNED, BASE)
        side: Choice = "left" if choice == left else "right" if choice == right else "tie"
        if choice == "both bad":
            side = "both bad"
        votes.append(Vote(prompt, prompt, left, right, side, judge=judge))
    return votes


def in_turn(values: Sequence[str], count: int) -> dict[str, str]:
    """So many prompts, with these values one after the other."""
    return {f"p{at}": values[at % len(values)] for at in range(count)}
