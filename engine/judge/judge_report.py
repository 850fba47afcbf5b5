"""All that is known of one judge: who judged, how, how far it came, and its numbers. Blocks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.compare import votes as vote_files
from engine.compare.answer_pairs import names
from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.changes.score_estimate import ScoreEstimate
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.jobs.summary import short_ref
from engine.judge.family import describe_family
from engine.judge.human_votes import Agreement
from engine.judge.judge_result import JudgeResult, LengthBias, RubricResult, measure_judge
from engine.judge.judgements import find_judges, judged_job, read_judgements
from engine.recipes.recipe import JudgeRecipe
from engine.statistics import PairedTest


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """Names are as they were written: untrusted."""

    id: str
    """Of the judge job."""
    judged: str
    """The id of the job that it judges."""
    state: State
    name: str
    model: str
    """What the judge's weights, or an endpoint's model, are called."""
    reading: str
    """`answer` or `likelihood`."""
    prompt: str
    """SHA-256 of the wording of its questions."""
    left_name: str
    right_name: str
    result: JudgeResult
    notes: tuple[str, ...]


def read_report(job: JobDirectory) -> JudgeReport:
    """Raises EngineError where it is no judge job, or its files cannot be read."""
    recipe = job.recipe()
    if not isinstance(recipe, JudgeRecipe) or len(recipe.arms) != 2:
        raise EngineError(
            "This is not a judge job.", str(job.path), "Start one: finetop judge JOB --by ARM."
        )
    judgements = read_judgements(job)
    judged = judged_job(job, recipe)
    notes = []
    votes: Mapping[str, Sequence[vote_files.Vote]] = {}
    if judged.path.is_dir():
        try:
            votes = vote_files.judges_of(judged.path)
        except EngineError as error:
            notes.append(f"{error.title} {error.detail}")
    else:
        notes.append(f"the judged job {judged.path.name} does not exist: no votes to compare with")
    runs = [one.path for one in open_store(job.path.parent).jobs()]
    known = names(recipe.arms)
    left, right = recipe.arms
    name, model = _names_of(recipe.judge)
    return JudgeReport(
        job.path.name,
        judged.path.name,
        status.derive(job, status.read(job)),
        name,
        model,
        recipe.reading,
        recipe.prompt,
        known[left],
        known[right],
        measure_judge(judgements, votes),
        (*describe_family(recipe.judge, recipe.arms, runs), *notes),
    )


def read_reports(judged: JobDirectory) -> tuple[list[JudgeReport], list[EngineError]]:
    """The reports of all judges of a job, the oldest first, and why others cannot be read."""
    reports, errors = [], []
    for job in find_judges(judged):
        try:
            reports.append(read_report(job))
        except EngineError as error:
            errors.append(error)
    return reports, errors


def _names_of(judge: str) -> tuple[str, str]:
    try:
        arm = parse_arm(judge)
    except EngineError:  # a file may hold any text
        return judge, judge
    model = arm.model or short_ref(arm.checkpoint)
    return arm.name, f"{model} + {short_ref(arm.adapter)}" if arm.adapter else model


def report_to_json(report: JudgeReport) -> dict[str, Any]:
    """The report as JSON knows it: an interval is a pair, null where there is none."""
    return {
        "id": report.id,
        "judged": report.judged,
        "state": str(report.state),
        "judge": report.name,
        "model": report.model,
        "reading": report.reading,
        "prompt": report.prompt,
        "arms": [report.left_name, report.right_name],
        **result_to_json(report.result),
        "notes": list(report.notes),
    }


def result_to_json(result: JudgeResult) -> dict[str, Any]:
    """Its numbers alone."""
    return {
        "rubrics": [_rubric_to_json(one) for one in result.rubrics],
        "voters": result.voters,
        "among_voters": _agreement_to_json(result.among_voters),
    }


def _rubric_to_json(one: RubricResult) -> dict[str, Any]:
    return {
        "rubric": one.rubric,
        "pairs": one.pairs,
        "wins": one.wins,
        "losses": one.losses,
        "ties": one.ties,
        "one_tie": one.one_tie,
        "by_position": one.by_position,
        "incomplete": one.incomplete,
        "difference": _test_to_json(one.difference),
        "consistency": _share_to_json(one.consistency),
        "first_shown": _share_to_json(one.first_shown),
        "length": _length_to_json(one.length),
        "averaged": _share_to_json(one.averaged),
        "problems": dict(one.problems),
        "examples": list(one.examples),
        "votes": _agreement_to_json(one.votes),
        "averaged_votes": _agreement_to_json(one.averaged_votes),
        "ratings": _agreement_to_json(one.ratings),
    }


def _length_to_json(length: LengthBias | None) -> dict[str, Any] | None:
    if length is None:
        return None
    return {
        "longer": _share_to_json(length.share),
        "judge_on_voted": _share_to_json(length.judge_on_voted),
        "voters_on_voted": _share_to_json(length.voters_on_voted),
        "difference": _test_to_json(length.difference),
    }


def _share_to_json(share: ScoreEstimate | None) -> dict[str, Any] | None:
    if share is None:
        return None
    return {"share": share.value, "interval": share.interval, "n": share.items}


def _test_to_json(test: PairedTest | None) -> dict[str, Any] | None:
    if test is None:
        return None
    bounds = test.interval()
    return {
        "difference": test.difference,
        "interval": bounds if all(map(math.isfinite, bounds)) else None,
        "n": test.items,
        "test": test.name,
    }


def _agreement_to_json(agreement: Agreement | None) -> dict[str, Any] | None:
    return asdict(agreement) if agreement is not None else None
