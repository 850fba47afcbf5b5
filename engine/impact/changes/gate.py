"""The gate: whether a change of skills keeps to limits that were set beforehand.

Owns the limits, what follows from a bound (passed, failed, not enough evidence) and from several
limits together. A limit is judged by the one-sided 95% bound of the change
(`engine.one_sided_bounds`), each at 5%: where all must pass, a change that breaks one of them
passes in at most 5% of cases, and nothing is corrected (the intersection-union test, Berger 1982,
Technometrics 24, pages 295 to 300). Refuses to measure, and a limit in points for what has none.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.errors import EngineError
from engine.impact.changes.flips import Flips
from engine.impact.changes.skill_changes import (
    find_change_flips,
    measure_change,
    pair_items,
    pair_values,
)
from engine.impact.changes.skill_rows import SkillRow
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.results.evaluation_results import ArmSuite, EvaluationResults, SuiteFacts
from engine.impact.scores.measure_kinds import RIGHT_OR_WRONG, Unit, unit_of
from engine.number_format import write_number, write_points
from engine.one_sided_bounds import bound_change, items_needed, least_items

CONFIDENCE = 0.95
"""Of each bound alone."""

Kind = Literal["lost at most", "gained at least", "perplexity up at most"]
Outcome = Literal["passed", "failed", "not enough evidence"]
Needed = Literal["nothing is lost", "the change is as measured"]
KINDS: dict[str, Kind] = {
    "--lost-at-most": "lost at most",
    "--gained-at-least": "gained at least",
    "--perplexity-up-at-most": "perplexity up at most",
}
"""By the option of `finetop gate`."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a change of one skill must keep to."""

    kind: Kind
    share: float
    """Points of a score as a share, 0.03 for 3 points; of a perplexity the share by which it may
    rise. Above 0; of a gain also 0, which asks for any gain."""
    suite: str

    @property
    def threshold(self) -> float:
        """The limit as a change after − before, in the unit of the measure: of a perplexity in nats
        per token."""
        if self.kind == "perplexity up at most":
            return math.log1p(self.share)
        return self.share if self.kind == "gained at least" else -self.share

    @property
    def words(self) -> str:
        """`lost at most 3 points`, `perplexity up at most 5%`."""
        amount = f"{100 * self.share:.6g}"
        if self.kind == "perplexity up at most":
            return f"{self.kind} {amount}%"
        return f"{self.kind} {amount} {'point' if amount == '1' else 'points'}"


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """One limit, judged."""

    limit: Limit
    measure: str
    unit: Unit
    items: int
    change: float
    """After − before. NaN where a model diverged, and where an arm cannot have the measure."""
    low: float
    """The one-sided bounds of the change, each at 95%."""
    high: float
    outcome: Outcome
    reason: str = ""
    """Why it was judged without a bound; empty: by the bound."""
    items_needed: int | None = None
    """How many would decide, in nine of ten cases; None where it is decided, and where no number
    would."""
    needed_if: Needed = "the change is as measured"
    """What that number assumes."""
    flips: Flips | None = None
    seen: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict, hash=False)
    """By arm, those of the items that stand in its training rows; None: unknown."""
    unseen: "GateOutcome | None" = None
    """The same limit without the items that either arm has seen; None where none was, or all."""
    notes: tuple[str, ...] = ()
    """What should be known before the numbers are read, a sentence each; not cleaned."""

    @property
    def is_rise_bad(self) -> bool:
        return self.limit.kind == "perplexity up at most"

    @property
    def bound(self) -> float:
        """The one that was judged: on the side of the limit, of a failed one on the other side."""
        return self.high if self.is_rise_bad != (self.outcome == "failed") else self.low


@dataclass(frozen=True, slots=True)
class GateReport:
    """All limits of one arm against another."""

    before: str
    after: str
    outcomes: tuple[GateOutcome, ...]
    notes: tuple[str, ...] = ()
    """As those of an outcome, of all suites."""

    @property
    def title(self) -> str:
        """What is judged; not cleaned."""
        return f"{self.after} against {self.before}"

    @property
    def outcome(self) -> Outcome:
        """Failed where one limit is, else not enough evidence where one lacks it, else passed."""
        outcomes = {judged.outcome for judged in self.outcomes}
        order: tuple[Outcome, ...] = ("failed", "not enough evidence")
        return next((outcome for outcome in order if outcome in outcomes), "passed")


def judge_limits(
    results: EvaluationResults, limits: Sequence[Limit], before: str, after: str
) -> GateReport:
    """Every limit, judged by these results. Raises EngineError where a suite was not measured, or
    its measure has no limit of that kind; ValueError for unknown arms."""
    if not {before, after} <= results.arms.keys():
        raise ValueError(f"arms {before!r}, {after!r} of {tuple(results.arms)}")
    names = {limit.suite for limit in limits}
    suites = {name: facts for name, facts in results.suites.items() if name in names}
    part = replace(results, suites=suites)
    table = build_table(part, (before, after))
    rows = {row.name: row for row in table.skills}
    outcomes = []
    for limit in limits:
        if limit.suite not in rows:
            raise EngineError(
                f"The suite {limit.suite!r} was not measured.",
                f"Suites: {', '.join(results.suites)}.",
                "Use one of these names.",
            )
        check_kind(limit, suites[limit.suite].measure)
        row = rows[limit.suite]
        outcome = _find_unmeasured(limit, row)
        if outcome is None:
            old, new = (_find_suite(results, arm, suites[limit.suite]) for arm in (before, after))
            outcome = _judge(limit, suites[limit.suite], (before, old), (after, new))
        outcomes.append(replace(outcome, notes=row.notes))
    return GateReport(before, after, tuple(outcomes), table.notes)


def check_kind(limit: Limit, measure: str) -> None:
    """Raise EngineError where a skill that is scored by `measure` cannot have such a limit."""
    unit, is_of_nats = unit_of(measure), limit.kind == "perplexity up at most"
    if unit == "value":
        raise EngineError(
            f"The suite {limit.suite!r} has no limit in points.",
            f"It is scored by {measure}, of which no range is known.",
            "Use a suite whose scores are between 0 and 1.",
        )
    if is_of_nats and unit == "score":
        raise EngineError(
            f"The suite {limit.suite!r} has no perplexity.",
            f"It is scored by {measure}, between 0 and 1.",
            "Use --lost-at-most or --gained-at-least.",
        )
    if not is_of_nats and unit != "score":
        raise EngineError(
            f"The suite {limit.suite!r} has no limit in points.",
            f"It is scored by {measure}, in nats per token.",
            "Use --perplexity-up-at-most 5% before its --on.",
        )


def _find_unmeasured(limit: Limit, row: SkillRow) -> GateOutcome | None:
    """A limit on what an arm cannot have by its kind, as likelihoods of an endpoint: no evidence,
    and no verdict. None where no arm says so."""
    for arm, reason in row.not_measured.items():
        text = f"not measured of {arm} by {row.measure}: {reason}"
        nan = math.nan
        return GateOutcome(
            limit, row.measure, row.unit, 0, nan, nan, nan, "not enough evidence", text
        )
    return None


def _find_suite(results: EvaluationResults, arm: str, facts: SuiteFacts) -> ArmSuite:
    suite = results.arms[arm].suites.get(facts.name)
    if suite is None or not suite.measures.get(facts.measure):
        raise EngineError(
            f"The suite {facts.name!r} has no score by {facts.measure} of {arm}.",
            "The arm was not measured on it, or its items do not say what is right.",
            "Use another suite, or finetop impact JOB --all to see what was measured.",
        )
    return suite


def _judge(
    limit: Limit, facts: SuiteFacts, old: tuple[str, ArmSuite], new: tuple[str, ArmSuite]
) -> GateOutcome:
    (_, before), (_, after) = old, new
    measure = facts.measure
    items, _ = pair_items([before.measures[measure], after.measures[measure]])
    if not items:
        raise EngineError(
            f"The arms share no item of the suite {facts.name!r}.",
            f"{old[0]} and {new[0]} were measured on other items.",
            "Evaluate both on the same items: finetop evaluate.",
        )
    seen = {
        name: None if suite.seen is None else tuple(item for item in items if item in suite.seen)
        for name, suite in (old, new)
    }
    left = [item for item in items if item not in {*(before.seen or ()), *(after.seen or ())}]
    outcome = _judge_items(limit, facts, before, after, items)
    missing = before.measures[measure].keys() ^ after.measures[measure].keys()
    if outcome.outcome == "passed" and missing:
        outcome = _count_missing(outcome, facts, before, after, missing)
    unseen = None
    if 0 < len(left) < len(items):
        unseen = _judge_items(limit, facts, before, after, left)
    return replace(outcome, seen=seen, unseen=unseen)


def _count_missing(
    passed: GateOutcome,
    facts: SuiteFacts,
    before: ArmSuite,
    after: ArmSuite,
    missing: Collection[str],
) -> GateOutcome:
    """A limit that is kept by the items that both arms have, where others have one score alone: an
    answer that a server refused may be what was lost. It passes where all of these may be lost; of
    nats there is no worst value."""
    if passed.unit == "score":
        worst = []
        for suite, value in ((before, 1.0), (after, 0.0)):
            values = {**dict.fromkeys(missing, value), **suite.measures[passed.measure]}
            worst.append(replace(suite, measures={passed.measure: values}))
        items = [
            item
            for item in facts.items
            if all(item in one.measures[passed.measure] for one in worst)
        ]
        if _judge_items(passed.limit, facts, worst[0], worst[1], items).outcome == "passed":
            return passed
    noun = "item has" if len(missing) == 1 else "items have"
    reason = f"{len(missing):,} {noun} a score of one arm alone: what may be lost is not known"
    return replace(passed, outcome="not enough evidence", reason=reason)


def _judge_items(
    limit: Limit, facts: SuiteFacts, before: ArmSuite, after: ArmSuite, items: Sequence[str]
) -> GateOutcome:
    measure, n = facts.measure, len(items)
    unit = unit_of(measure)
    values = pair_values(facts, measure, before, after, items)
    flips = find_change_flips(measure, before, after, set(items))
    if not values.is_finite:
        count = sum(not math.isfinite(value) for value in values.differences)
        reason = f"not finite on {count:,} of {n:,} items: a model diverged"
        nan = math.nan
        return GateOutcome(limit, measure, unit, n, nan, nan, nan, "failed", reason, flips=flips)
    test = measure_change(facts, measure, before, after, items)
    low, high = bound_change(
        values.differences,
        values.groups,
        values.weights,
        is_bounded=unit == "score",
        confidence=CONFIDENCE,
    )
    is_above, is_below = low > limit.threshold, high < limit.threshold
    is_rise_bad = limit.kind == "perplexity up at most"
    judged = GateOutcome(
        limit, measure, unit, n, test.difference, low, high, "not enough evidence", flips=flips
    )
    if n >= LEAST_ITEMS and (is_above or is_below):
        return replace(judged, outcome="failed" if is_above == is_rise_bad else "passed")
    reason = f"fewer than {LEAST_ITEMS} items give no verdict" if n < LEAST_ITEMS else ""
    needed, assumption = _count_needed(judged, test.variance)
    return replace(judged, reason=reason, items_needed=needed, needed_if=assumption)


def _count_needed(outcome: GateOutcome, variance: float) -> tuple[int | None, Needed]:
    """Of a loss the items that show that there is none; of a gain, and where these are there and do
    not show it, those that show the change that was measured."""
    limit, is_known = outcome.limit, math.isfinite(variance)
    least = LEAST_ITEMS
    if limit.kind == "lost at most" and outcome.measure in RIGHT_OR_WRONG:
        least = max(least, least_items(limit.share))
    if limit.kind != "gained at least" and is_known:
        needed = max(least, items_needed(abs(limit.threshold), variance))
        if needed > outcome.items:
            return needed, "nothing is lost"
    margin = abs(outcome.change - limit.threshold)
    if not is_known or margin < 1e-9:
        return None, "the change is as measured"
    return max(least, items_needed(margin, variance)), "the change is as measured"


def write_change(outcome: GateOutcome, value: float) -> str:
    """A change as it is shown: points of a score, percent of a perplexity."""
    if not math.isfinite(value):
        return write_number(value, 1)
    if outcome.unit == "score":
        return write_points(value)
    return f"{write_number(100 * math.expm1(min(value, 700.0)), 1, signed=True)}%"
