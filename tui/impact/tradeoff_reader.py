"""Gained against retained of an evaluation and of those that were started from it, read together.

Owns which evaluations belong together: those whose record names another one as its parent. Blocks,
so on a thread; what cannot be drawn is said in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import EngineError
from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.tradeoff import Tradeoff, measure_tradeoff
from engine.impact.results.fewshot_arms import add_fewshot_arms
from engine.impact.results.merged_results import merge_results
from engine.jobs.status import State
from engine.launching.arm_settings import describe_arms
from engine.text import one_line
from tui.impact.evaluation_reader import read_evaluation
from tui.impact.evaluations import is_evaluation
from tui.snapshots import RunRow


@dataclass(frozen=True, slots=True, eq=False)
class TradeoffSnapshot:
    """What there is to draw; frozen, handed to the page."""

    table: SkillTable | None = None
    """Of the arms of all evaluations; None where none could be read."""
    tradeoff: Tradeoff | None = None
    """None where nothing can be drawn; `problem` says why."""
    problem: str = ""
    """One line, clean."""
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By arm, what it differs in from the others, not cleaned."""
    columns: Mapping[str, tuple[Path, str]] = field(default_factory=dict)
    """By arm, the evaluation that measured it, and what the arm is called there."""
    evaluations: int = 0


def find_related(rows: Sequence[RunRow], shown: RunRow) -> list[RunRow]:
    """The evaluation that others were started from, then those, in the order of their start; each
    is done. One that stands alone comes alone."""
    evaluations = [row for row in rows if is_evaluation(row)]
    known = {f"run:{row.view.record.id}": row for row in evaluations}
    first = _find_first(shown, known)
    others = [row for row in evaluations if _find_first(row, known) is first and row is not first]
    others.sort(key=lambda row: row.view.record.created)
    return [row for row in (first, *others) if row.view.state is State.DONE]


def _find_first(row: RunRow, known: Mapping[str, RunRow]) -> RunRow:
    """The evaluation at the beginning of those that were started one from another."""
    passed = [row]
    while parent := next((known[ref] for ref in row.view.record.parents if ref in known), None):
        if parent in passed:
            break
        passed.append(parent)
        row = parent
    return row


def read_tradeoff(
    paths: Sequence[Path], runs: Sequence[Path], gain: Sequence[str] = ()
) -> TradeoffSnapshot:
    """The arms of these evaluations together, those of the first one first. `runs` may have made
    them; `gain` names the target skills, where they are not those trained on."""
    found, problems = {}, []
    for path in paths:
        evaluation = read_evaluation(path)
        if evaluation is not None and evaluation.results is not None:
            found[path] = evaluation.results
        elif evaluation is not None:
            problems.append(evaluation.problem or f"{one_line(path.name)}: no results yet")
    if not found:
        return TradeoffSnapshot(problem="; ".join(problems) or "No evaluation is done yet.")
    columns: dict[str, tuple[Path, str]] = {}
    for path, results in found.items():
        for name, arm in results.arms.items():
            columns.setdefault(arm.spec, (path, name))
    results = add_fewshot_arms(merge_results([*found.values()]))
    table = build_table(results)
    specs = {name: arm.spec for name, arm in results.arms.items()}
    tradeoff, problem = None, ""
    try:
        tradeoff = measure_tradeoff(table, gain)
    except EngineError as error:
        problem = one_line(f"{error.title} {error.detail}")
    return TradeoffSnapshot(
        table,
        tradeoff,
        problem,
        describe_arms(specs, runs),
        {name: columns[spec] for name, spec in specs.items() if spec in columns},
        len(found),
    )
