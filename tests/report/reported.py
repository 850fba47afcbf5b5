"""Jobs to report on: a base, two stages, and an evaluation of all three with its answers."""

from pathlib import Path
from typing import Any

from engine.compare.votes import Book, Choice, Vote, book_of
from engine.jobs.directory import JobDirectory
from engine.judge.judgements import read_judgements
from engine.judge.questions import Question
from engine.recipes.recipe import TrainRecipe, to_toml
from engine.recipes.settings import Data, Model
from tests.judge.judged import judge_job
from tests.tui.building import write_run
from tests.tui.impact.evaluated import (
    BASE,
    COUNSEL,
    add_samples,
    add_staged_samples,
    staged_results,
    write_evaluation,
)


def write_jobs(root: Path, results: dict[str, Any] | None = None) -> JobDirectory:
    """The evaluation `impact-child` beside the runs `emotion-lora` and `child` of its arms."""
    for run, base in (("emotion-lora", "bundled:demo-base"), ("child", "run:emotion-lora")):
        job = write_run(root, run, points=30)
        recipe = TrainRecipe(name=run, model=Model(base), data=Data("/home/somebody/rows.jsonl"))
        job.recipe_file.write_text(to_toml(recipe))
    job = write_evaluation(root, results=results or staged_results())
    add_staged_samples(job)
    return job


HOST = "http://gpu.lan:8000/v1?model=small-judge"
RUBRICS = {"helpful": "Does it help?", "<b>|safe": "Is it harmless?"}


def answer_in_turn(question: Question) -> str:
    """Prefers the longer answer, the first one, neither, or gives no verdict."""
    at = int(question.pair.rpartition("-")[2].partition("#")[0] or 0)
    longer = "A" if question.first_size > question.second_size else "B"
    return (longer, longer, longer, "A", "tie", "I <b>cannot</b> say")[at % 6]


def write_judged(
    root: Path,
    *,
    by_likelihood: bool = False,
    judge: str = HOST,
    results: dict[str, Any] | None = None,
) -> JobDirectory:
    """The evaluation of `write_jobs` with thirty more answers, two voters and a judge, whose job
    this is."""
    job = write_jobs(root, results)
    texts = {BASE: "Yes.", COUNSEL: "It is so, I believe."}
    add_samples(job, [(arm, "french", f"french-{at}", text * (1 + at % 3))
                      for at in range(30) for arm, text in texts.items()])  # fmt: skip
    answer = (lambda question: "A") if by_likelihood else answer_in_turn
    judged = judge_job(job, answer, RUBRICS, name="judge-1", judge=judge, arms=(BASE, COUNSEL),
                       by_likelihood=by_likelihood)  # fmt: skip
    pairs = [one.pair for one in read_judgements(judged).pairs["helpful"]]
    for voter, step in (("Zoe Person", 2), ("ana", 3)):
        book = Book(book_of(job.path, voter))
        for at, pair in enumerate(pairs):
            choice: Choice = "left" if at % step else "right"
            book.cast(Vote(pair, pair, BASE, COUNSEL, choice, judge=voter))
    return judged


def write_whole(root: Path) -> JobDirectory:
    """An evaluation with all that a report has a section of: stages, controls, a judge, votes."""
    results = staged_results()
    base, last = (results["arms"][name] for name in ("base", "counsel"))
    results["arms"] |= {
        "base, again": {"arm": "base, again=bundled:demo-base", "control": "identity",
                        "of": "base", "suites": base["suites"]},
        "counsel, null 1": {**last, "control": "null", "of": "counsel"},
        "counsel, null 2": {**base, "control": "null", "of": "counsel"},
    }  # fmt: skip
    write_judged(root, results=results)
    return JobDirectory(root / "impact-child")


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file by its name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
