"""What a report is made of: frozen, self-contained, and as files of its own folder.

Owns the names and the form of those files. `data/results.json` is an evaluation's results of
version 2, as `engine.impact.results.evaluation_results` reads it; all else is `data/inputs.json`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import EngineError
from engine.impact.results.evaluation_results import (
    SCHEMA,
    ArmResults,
    EvaluationResults,
    read_results,
)
from engine.report.job_answers import ArmAspects, ItemAnswer
from engine.report.json_values import from_json, to_json
from engine.report.judge_facts import JudgeFacts
from engine.report.run_facts import RunFacts

VERSION = 1
"""Of the files of a report: raised with every change of what is rendered from the same inputs, so
that a report of another version is refused, and not called damaged."""
INPUTS, RESULTS = "data/inputs.json", "data/results.json"


@dataclass(frozen=True, slots=True)
class MeasuredJob:
    """One evaluate job that the report is made of."""

    id: str
    suites: tuple[str, ...]
    """As its recipe names them, without paths; empty: every bundled one."""
    limit: int
    """Items of each suite; 0: all."""
    packages: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class VoteResult:
    """Blind votes for one arm against another, of all voters."""

    arm: str
    other: str
    voters: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    low: float
    """95% Wilson interval of wins / (wins + losses)."""
    high: float


@dataclass(frozen=True, slots=True)
class CollectedFacts:
    """All but the results."""

    version: int
    jobs: tuple[MeasuredJob, ...]
    arms: tuple[str, ...]
    """Those that are shown, the base first."""
    delta: float
    """A change up to this is of no interest."""
    runs: tuple[RunFacts, ...]
    missing_runs: tuple[str, ...]
    """Ids of runs that arms name and that were not found."""
    arm_runs: Mapping[str, str] = field(hash=False)
    """By arm, the run whose output it is."""
    answers: tuple[ItemAnswer, ...]
    aspects: tuple[ArmAspects, ...]
    votes: tuple[VoteResult, ...]
    judges: tuple[JudgeFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportInputs:
    facts: CollectedFacts
    results: EvaluationResults = field(hash=False)


def encode_inputs(inputs: ReportInputs) -> dict[str, bytes]:
    """The files, by their names in the folder."""
    return {
        INPUTS: _encode(to_json(inputs.facts), 3),
        RESULTS: _encode(_results_to_json(inputs.results), 5),
    }


def decode_inputs(files: Mapping[str, bytes]) -> ReportInputs:
    """The inputs in these files. Raises EngineError that names the one that is damaged."""
    return ReportInputs(_decode_facts(files[INPUTS]), _decode_results(files[RESULTS]))


def _decode_facts(content: bytes) -> CollectedFacts:
    try:
        table = json.loads(content)
        if isinstance(table, dict) and table.get("version") != VERSION:
            raise ValueError(f"version {table.get('version')!r} is not known")
        facts = from_json(CollectedFacts, table, "the inputs")
        if not facts.arms or not 0 < facts.delta <= 1:
            raise ValueError(f"arms {facts.arms}, delta {facts.delta}")
        return facts
    except (ValueError, RecursionError) as error:
        raise _damaged(INPUTS, error) from error


def _decode_results(content: bytes) -> EvaluationResults:
    try:
        table = json.loads(content)
        if not isinstance(table, dict):
            raise ValueError("no object")
        return read_results(table)
    except (ValueError, RecursionError) as error:
        raise _damaged(RESULTS, error) from error


def _damaged(name: str, error: Exception) -> EngineError:
    return EngineError(
        "The report's inputs cannot be read.",
        f"{name}: {error}"[:400],
        "Write the report again from its jobs.",
    )


def _results_to_json(results: EvaluationResults) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "suites": {name: facts.to_json() for name, facts in results.suites.items()},
        "arms": {
            name: _arm_to_json(arm) for name, arm in {**results.arms, **results.controls}.items()
        },
    }


def _arm_to_json(arm: ArmResults) -> dict[str, Any]:
    control = {"control": arm.control, "of": arm.of} if arm.control else {}
    return {
        **control,
        "arm": arm.spec,
        "parent": arm.parent,
        "trained": list(arm.trained),
        "notes": list(arm.notes),
        "suites": {name: suite.to_json() for name, suite in arm.suites.items()},
    }


def _encode(table: Any, depth: int) -> bytes:
    """JSON in ASCII whose values have a line each down to this depth: short enough, and a line is
    what a comparison names."""
    return ("".join(_write(table, depth, "")) + "\n").encode("ascii")


def _write(value: Any, depth: int, indent: str) -> Iterator[str]:
    if not depth or not value or not isinstance(value, dict | list):
        yield json.dumps(value, allow_nan=False)
        return
    is_table = isinstance(value, dict)
    rows = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    yield "{" if is_table else "["
    for at, (key, one) in enumerate(rows):
        yield f"{',' if at else ''}\n{indent} "
        if key is not None:
            yield f"{json.dumps(key)}: "
        yield from _write(one, depth - 1, f"{indent} ")
    yield f"\n{indent}" + ("}" if is_table else "]")
