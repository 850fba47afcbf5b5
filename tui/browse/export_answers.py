"""Answers of a job as a file, whose ending says how. Blocks, so on a thread."""

from pathlib import Path

from engine.compare import export, votes
from engine.compare.answer_pairs import of_job
from engine.jobs.directory import JobDirectory
from engine.text import one_line
from tui.browse.answers_feed import JobAnswers

COMPARATOR = ".json"
"""LLM Comparator's, which shows two arms."""


def export_answers(folder: Path, answers: JobAnswers, path: Path) -> str:
    """Write all arms, or the two that are looked at where no more have room; what was done.

    Raises EngineError and OSError.
    """
    export.check(path)
    collection = of_job(JobDirectory(folder))
    collection.poll()
    arms, judges = list(answers.arms), {}
    if path.suffix == COMPARATOR:
        arms, judges = [answers.left, answers.right], votes.judges_of(folder)
    ballots = [vote for of_judge in judges.values() for vote in of_judge]
    scores = votes.scores(ballots, answers.left, answers.right)
    samples = [sample for arm in arms for sample in collection.of(arm)]
    skills = {sample.prompt_id: collection.prompt(sample).skill for sample in samples}
    export.write(path, samples, scores, skills)
    return f"Wrote {one_line(str(path))}"
