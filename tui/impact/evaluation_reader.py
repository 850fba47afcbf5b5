"""An evaluation read from its job's directory: table, summary, votes. Blocks, so on a thread.

Owns what is said where there is nothing to show: not yet, broken, of an unknown version. Reads
again only what has changed since.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.compare import votes as vote_files
from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import StageSummary, summarize
from engine.impact.results.evaluation_results import (
    GOLD_NLL,
    STRICT,
    EvaluationResults,
    read_results,
)
from engine.impact.results.item_answers import read_version_1_answers
from engine.jobs.directory import JobDirectory
from engine.judge.judgements import find_judges
from engine.recipes.recipe import EvaluateRecipe
from engine.safe_open import read_file
from engine.text import one_line
from tui.impact.vote_lines import vote_lines
from tui.screens.judge_lines import read_judge_lines

MOST_BYTES = 1 << 29
"""Of `results.json`: 20,000 items under ten arms take some tens of megabytes."""
Stamp = tuple[tuple[str, int, int, int], ...]
Texts = Mapping[str, Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSnapshot:
    """What there is of an evaluation; frozen, handed to the pages."""

    path: Path
    stamp: Stamp
    """Of the files that it was read from."""
    table: SkillTable | None = None
    """None where there are no results; `problem` says why, if the job has ended."""
    summary: StageSummary | None = None
    votes: tuple[str, ...] = ()
    """A line each, clean."""
    judges: tuple[str, ...] = ()
    """Of models that judged its answers, apart from the votes; a line each, clean."""
    problem: str = ""
    """Why the results or the votes cannot be read, one line, clean."""
    version_1_answers: Texts = field(default_factory=dict)
    """By arm, suite and item, of results that keep the answers themselves."""

    label_suites: frozenset[str] = frozenset()
    """Suites that are classifications."""
    format_suites: frozenset[str] = frozenset()
    """Suites of which a strict score and a likelihood tell knowledge from format."""

    @property
    def results(self) -> EvaluationResults | None:
        return self.table.results if self.table is not None else None


def read_evaluation(
    path: Path, known: EvaluationSnapshot | None = None, separator: str = "·"
) -> EvaluationSnapshot | None:
    """The evaluation of a job's directory; None where nothing changed since `known` was read.

    `separator` stands between the facts of a judge's line.
    """
    job = JobDirectory(path)
    stamp = _stamp(job)
    if known is not None and known.path == path and known.stamp == stamp:
        return None
    try:
        content = read_file(job.results, MOST_BYTES)
    except FileNotFoundError:
        return EvaluationSnapshot(path, stamp)
    except OSError as error:
        return EvaluationSnapshot(path, stamp, problem=_reason(error.strerror or str(error)))
    try:
        results, answers = _parse(content, job)
    except ValueError as error:
        return EvaluationSnapshot(path, stamp, problem=_reason(str(error)))
    names, problem = {arm.spec: name for name, arm in results.arms.items()}, ""
    try:
        votes = vote_lines(vote_files.judges_of(path), names)
    except EngineError as error:
        votes, problem = (), one_line(f"{error.title} {error.detail}")
    table = build_table(results)
    return EvaluationSnapshot(
        path,
        stamp,
        table,
        summarize(table),
        votes,
        tuple(read_judge_lines(job, separator)),
        problem,
        answers,
        frozenset(name for name, facts in results.suites.items() if facts.labels),
        frozenset(name for name in results.suites if _has_format(results, name)),
    )


def _has_format(results: EvaluationResults, suite: str) -> bool:
    """Whether two arms have a strict score and the likelihood of the right answers."""
    measured = (arm.suites.get(suite) for arm in results.arms.values())
    wanted = {STRICT, GOLD_NLL}
    return sum(one is not None and wanted <= one.measures.keys() for one in measured) > 1


def _parse(content: bytes, job: JobDirectory) -> tuple[EvaluationResults, Texts]:
    """The results with their arms in the order of the recipe. Raises ValueError with the reason."""
    try:
        table: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not whole: {error}") from error
    if not isinstance(table, dict):
        raise ValueError("it holds no JSON object")
    results = read_results(table)
    if not results.arms:
        raise ValueError("it has no arms")
    order = [*_order(job), *results.arms]
    arms = {name: results.arms[name] for name in order if name in results.arms}
    try:
        answers = read_version_1_answers(table)
    except (KeyError, TypeError, AttributeError, ValueError):
        answers = {}
    return replace(results, arms=arms), answers


def _order(job: JobDirectory) -> Sequence[str]:
    """The names of the recipe's arms: results of version 1 have them in another order."""
    try:
        recipe = job.recipe()
        texts = recipe.arms if isinstance(recipe, EvaluateRecipe) else []
        return [parse_arm(text).name for text in texts]
    except EngineError:
        return []


def _reason(why: str) -> str:
    return one_line(f"results.json cannot be read: {why}"[:400])


def _stamp(job: JobDirectory) -> Stamp:
    found = []
    paths = [job.results, *sorted(job.path.glob("votes-*.jsonl"))]
    for judge in find_judges(job):
        paths += [judge.samples, judge.scores, judge.rejects, judge.status_file]
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        found.append((str(path), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)
