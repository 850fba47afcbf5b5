"""Mutants of a judge's files: what it was asked, what it answered, how likely the labels were.

A damaged file is refused in words, or each verdict is one that was written for that question; a
line that is whole is read.
"""

import shutil
from pathlib import Path
from random import Random

from engine.errors import EngineError
from engine.judge.judge_report import read_report, report_to_json
from engine.judge.judgements import find_judges, read_judgements
from engine.judge.questions import Question, read_questions
from tests.faults.json_damage import damage
from tests.faults.verdict import LostError, WrongError
from tests.judge.judged import answered_job, judge_job

_LABELS = ("A", "B", "tie")
_VERDICTS = ("first", "second", "tie")
_ANSWERS = {f"p{at}": (f"answer {at}", f"another answer {at}") for at in range(9)}


def _place(question: Question) -> int:
    """Which label the judge has for a question: another one in another order."""
    return (int(question.pair[1:]) + (question.id.endswith("2"))) % len(_LABELS)


def check_judge(random: Random, folder: Path) -> None:
    """One file of a judge job is damaged. Raises LostError, WrongError."""
    judged = answered_job(folder, _ANSWERS)
    by_likelihood = random.random() < 0.5
    job = judge_job(judged, lambda one: _LABELS[_place(one)], by_likelihood=by_likelihood)
    # Line by line, of what is written below and not of what is read.
    questions = read_questions(job.questions)
    expected = {(one.pair, int(one.id[-1]) - 1): _VERDICTS[_place(one)] for one in questions}
    answers = job.scores if by_likelihood else job.samples
    path = random.choice((answers, answers, job.questions, job.recipe_file))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(damage(random, path.read_bytes()))
    left = set(path.read_bytes().split(b"\n"))
    try:
        report_to_json(read_report(job))
        find_judges(judged)
        found = read_judgements(job).pairs
    except EngineError:
        if path == answers:
            raise LostError(f"{path.name}: no verdict is read") from None
        return
    finally:
        shutil.rmtree(job.path)
    if path != answers:
        return
    names = list(expected)
    for one in found["helpful"]:
        for order, reading in enumerate(one.readings):
            key = (one.pair, order)
            if lines[names.index(key)] not in left:
                continue
            if reading.verdict is None:
                raise LostError(f"{key} is not read")
            if reading.verdict != expected[key]:
                raise WrongError(f"{key}: {reading.verdict}, {expected[key]} was written")
