"""What the controls of an evaluation say: an arm measured twice, and null adapters.

Owns the reading of `EvaluationResults.controls`. The second pass bounds what measuring alone
changes, and is expected to change nothing. Null adapters are real changes of the weights: they give
z = (value - mean) / sd with as many degrees of freedom as there are adapters, less one, and no
verdict.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.impact.changes.skill_changes import measure_change, pair_items
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.verdicts import Verdict, judge
from engine.impact.results.evaluation_results import NLL, ArmResults, ArmSuite, SuiteFacts


@dataclass(frozen=True, slots=True)
class IdentityControl:
    """An arm against itself, measured anew in other batches."""

    of: str
    items: int
    changed: tuple[str, ...]
    """Items whose value is not the same, to the last bit."""
    largest: float
    """Of the differences, without their sign; of texts in nats per token."""
    verdict: Verdict | None
    """None where a value is not finite."""


@dataclass(frozen=True, slots=True)
class NullControl:
    """Null adapters of an arm against the first arm of the table."""

    of: str
    items: int
    """Those that all of these were measured on."""
    value: float
    """The arm's own change against the first arm, on these items."""
    changes: tuple[float, ...]
    """Those of its null adapters."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.changes)

    @property
    def sd(self) -> float | None:
        """None with fewer than two."""
        return statistics.stdev(self.changes) if len(self.changes) > 1 else None

    @property
    def degrees(self) -> int:
        """Of freedom of z."""
        return len(self.changes) - 1

    @property
    def z(self) -> float | None:
        """None where the null adapters do not differ: nothing to measure by."""
        return (self.value - self.mean) / self.sd if self.sd else None


@dataclass(frozen=True, slots=True)
class ControlRow:
    """The controls of one skill, by one of its measures."""

    row: SkillRow
    identity: tuple[IdentityControl, ...]
    nulls: tuple[NullControl, ...]
    """One for each arm that has null adapters."""


def read_controls(table: SkillTable) -> tuple[ControlRow, ...]:
    """A row for each skill and measure of the table that a control was measured on, the skills' own
    measures first."""
    rows = (read_row_controls(table, row) for row in (*table.skills, *table.secondary))
    return tuple(one for one in rows if one.identity or one.nulls)


def read_row_controls(table: SkillTable, row: SkillRow) -> ControlRow:
    """The same of one row of the table, also where no control was measured on it."""
    return ControlRow(row, tuple(_read_identity(table, row)), tuple(_read_nulls(table, row)))


def _read_identity(table: SkillTable, row: SkillRow) -> Iterator[IdentityControl]:
    facts = table.results.suites[row.name]
    for control in table.results.controls.values():
        before = _find_suite(table.results.arms, control.of, row)
        after = _find_suite(table.results.controls, control.name, row)
        if control.control == "identity" and before is not None and after is not None:
            yield _compare(facts, row, control.of, (before, after), table.delta)


def _compare(
    facts: SuiteFacts,
    row: SkillRow,
    of: str,
    suites: tuple[ArmSuite, ArmSuite],
    delta: float,
) -> IdentityControl:
    before, after = (suite.measures[row.measure] for suite in suites)
    items, _ = pair_items([before, after])
    tokens = suites[0].tokens if row.measure == NLL else {}
    differences = {
        # Infinity in both is no change.
        item: 0.0
        if before[item] == after[item]
        else abs(after[item] - before[item]) / max(1, tokens.get(item, 1))
        for item in items
    }
    test = measure_change(facts, row.measure, *suites, items) if items else None
    is_judged = test is not None and math.isfinite(test.difference)
    return IdentityControl(
        of,
        len(items),
        tuple(item for item, one in differences.items() if one != 0),
        max(differences.values(), default=0.0),
        judge(test, delta if row.unit == "score" else None) if test and is_judged else None,
    )


def _read_nulls(table: SkillTable, row: SkillRow) -> Iterator[NullControl]:
    results, base = table.results, table.arms[0]
    by_arm: dict[str, list[ArmSuite]] = {}
    for control in results.controls.values():
        suite = _find_suite(results.controls, control.name, row)
        if control.control == "null" and suite is not None:
            by_arm.setdefault(control.of, []).append(suite)
    before = _find_suite(results.arms, base, row)
    for arm, suites in by_arm.items():
        own = _find_suite(results.arms, arm, row)
        if before is not None and own is not None:
            yield from _measure_nulls(results.suites[row.name], row, arm, [before, own, *suites])


def _measure_nulls(
    facts: SuiteFacts, row: SkillRow, arm: str, suites: Sequence[ArmSuite]
) -> Iterator[NullControl]:
    """Of the first of these suites, the arm's own, and those of its null adapters."""
    before, *others = suites
    items, _ = pair_items([suite.measures[row.measure] for suite in suites])
    if not items:
        return
    changes = [
        measure_change(facts, row.measure, before, other, items).difference for other in others
    ]
    if all(map(math.isfinite, changes)):
        yield NullControl(arm, len(items), changes[0], tuple(changes[1:]))


def _find_suite(arms: Mapping[str, ArmResults], arm: str, row: SkillRow) -> ArmSuite | None:
    """What an arm has of the row's skill; None where it lacks the measure."""
    suite = arms[arm].suites.get(row.name) if arm in arms else None
    return suite if suite is not None and suite.measures.get(row.measure) else None
