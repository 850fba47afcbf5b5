"""The skill table: what each arm scores on each skill, and what changed from arm to arm.

Made of the results of an evaluation, as `engine.impact.changes.skill_rows` holds it. Owns who is
held against whom, and the primary family: the last arm against the first, by the measure that is
each skill's score, corrected by Holm; every other verdict is exploratory and unadjusted. Refuses
nothing that a job wrote: what cannot be paired is left out, and said
(`engine.impact.changes.skill_notes`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.impact.changes import skill_notes
from engine.impact.changes.flips import find_regained
from engine.impact.changes.score_estimate import ScoreEstimate, estimate_perplexity, estimate_score
from engine.impact.changes.skill_changes import (
    SkillChange,
    find_change_flips,
    groups_of,
    measure_change,
    pair_items,
    weights_of,
)
from engine.impact.changes.skill_rows import SkillResult, SkillRow, SkillTable
from engine.impact.changes.stage_path import find_stages
from engine.impact.changes.verdicts import DELTA, Verdict, judge, judge_family
from engine.impact.results.evaluation_results import NLL, ArmSuite, EvaluationResults, SuiteFacts
from engine.impact.scores.measure_kinds import CHOICES, RIGHT_OR_WRONG, unit_of


def build_table(
    results: EvaluationResults,
    arms: Sequence[str] = (),
    delta: float = DELTA,
    stages: Sequence[str] = (),
) -> SkillTable:
    """The table of these results, arms in the given order, else in that of the results.

    `stages` are the arms from the first to the last, where they are not what the arms' parents say.
    Raises ValueError for fewer than one arm, for one that the results lack or that is named twice,
    and unless 0 < delta.
    """
    names = tuple(arms) or tuple(results.arms)
    if not names or len(set(names)) < len(names) or any(one not in results.arms for one in names):
        raise ValueError(f"arms {names} of {tuple(results.arms)}")
    if delta <= 0:
        raise ValueError(f"delta {delta} is not above 0")
    path = tuple(stages) or find_stages(results, names)
    rows = [
        _measure_row(results, facts, measure, names, path)
        for facts in results.suites.values()
        for measure in _measures_of(results, facts, names)
    ]
    family = judge_family(
        {
            row.name: row.changes[names[-1]].test
            for row in rows
            if row.is_primary and _is_finite(row.changes.get(names[-1]))
        },
        delta,
        without_delta=[row.name for row in rows if row.is_primary and row.unit != "score"],
    )
    judged = [_judge_row(row, names[-1], family if row.is_primary else {}, delta) for row in rows]
    return SkillTable(
        names,
        path,
        tuple(row for row in judged if row.is_primary),
        tuple(row for row in judged if not row.is_primary),
        delta,
        results,
        skill_notes.of_table(results, names),
    )


def _measures_of(
    results: EvaluationResults, facts: SuiteFacts, arms: Sequence[str]
) -> dict[str, None]:
    """The suite's own measure, then all others that an arm has."""
    return dict.fromkeys([facts.measure]) | {
        measure: None
        for arm in arms
        if (suite := results.arms[arm].suites.get(facts.name)) is not None
        for measure, values in suite.measures.items()
        if values
    }


def _measure_row(
    results: EvaluationResults,
    facts: SuiteFacts,
    measure: str,
    arms: Sequence[str],
    stages: Sequence[str],
) -> SkillRow:
    """The row with its tests, which are not judged yet."""
    every = {
        arm: suite
        for arm in arms
        if (suite := results.arms[arm].suites.get(facts.name)) is not None
    }
    suites = {arm: suite for arm, suite in every.items() if suite.measures.get(measure)}
    found = {arm: _result(facts, measure, suite) for arm, suite in suites.items()}
    shared, unpaired = pair_items([one.scores for one in found.values()]) if found else ([], 0)

    def change(before: str, after: str) -> SkillChange | None:
        if not shared or before == after or not {before, after} <= suites.keys():
            return None
        return _change(facts, measure, (before, suites[before]), (after, suites[after]), shared)

    changes = {arm: one for arm in arms if (one := change(arms[0], arm)) is not None}
    stage_changes = {
        arm: one
        for arm in arms
        if (parent := results.arms[arm].parent) != arms[0]
        and (one := change(parent, arm)) is not None
    }
    ever_lost: tuple[str, ...] = ()
    regained: tuple[str, ...] = ()
    if measure in RIGHT_OR_WRONG and {stages[0], stages[-1]} <= suites.keys():
        ever_lost, regained = find_regained(
            [found[stage].scores for stage in stages if stage in found], shared
        )
    row = SkillRow(
        facts.name,
        measure,
        measure == facts.measure,
        found,
        changes,
        stage_changes,
        unpaired,
        ever_lost,
        regained,
        {
            arm: suite.not_measured[measure]
            for arm, suite in every.items()
            if arm not in found and measure in suite.not_measured
        },
        len({facts.items[item].weight for item in shared if item in facts.items}) > 1,
    )
    return replace(row, notes=skill_notes.of_row(row, facts, every, arms))


def _result(facts: SuiteFacts, measure: str, suite: ArmSuite) -> SkillResult:
    scores = suite.measures[measure]
    seen = None if suite.seen is None else tuple(one for one in scores if one in suite.seen)
    left = [item for item in scores if item not in seen] if seen else []
    # A choice by likelihood is made beside the answer, and its length changes nothing.
    is_of_answers = measure in RIGHT_OR_WRONG - CHOICES and bool(suite.finish)
    return SkillResult(
        scores,
        _estimate(facts, measure, suite, list(scores)),
        _bits_per_byte(suite, scores) if measure == NLL else None,
        tuple(one for one in scores if is_of_answers and suite.finish.get(one) == "length"),
        tuple(one for one, score in scores.items() if not math.isfinite(score)),
        seen,
        _estimate(facts, measure, suite, left) if left else None,
    )


def _estimate(
    facts: SuiteFacts, measure: str, suite: ArmSuite, items: Sequence[str]
) -> ScoreEstimate:
    values = [suite.measures[measure][item] for item in items]
    groups, weights = groups_of(facts, items), weights_of(facts, items)
    if measure == NLL:
        tokens = [suite.tokens.get(item, 1) for item in items]
        return estimate_perplexity(values, tokens, groups, weights)
    return estimate_score(values, groups, weights, is_bounded=unit_of(measure) == "score")


def _bits_per_byte(suite: ArmSuite, scores: Mapping[str, float]) -> float | None:
    count = sum(suite.bytes.get(item, 0) for item in scores)
    if not count or any(item not in suite.bytes for item in scores):
        return None
    return math.fsum(scores.values()) / math.log(2) / count


def _change(
    facts: SuiteFacts,
    measure: str,
    before: tuple[str, ArmSuite],
    after: tuple[str, ArmSuite],
    shared: Sequence[str],
) -> SkillChange:
    (old_name, old), (new_name, new) = before, after
    flips = find_change_flips(measure, old, new, set(shared))
    seen = {*(old.seen or ()), *(new.seen or ())}
    left = [item for item in shared if item not in seen]
    return SkillChange(
        old_name,
        new_name,
        measure_change(facts, measure, old, new, shared),
        None,
        flips,
        flips.adjusted(facts.choices) if flips and facts.choices > 1 else None,
        measure_change(facts, measure, old, new, left) if 0 < len(left) < len(shared) else None,
    )


def _judge_row(row: SkillRow, last: str, family: Mapping[str, Verdict], delta: float) -> SkillRow:
    own_delta = delta if row.unit == "score" else None

    def judge_change(change: SkillChange) -> SkillChange:
        if not _is_finite(change):
            return change
        return replace(change, verdict=judge(change.test, own_delta))

    changes = {arm: judge_change(change) for arm, change in row.changes.items()}
    if row.name in family:
        changes[last] = replace(changes[last], verdict=family[row.name])
    stage_changes = {arm: judge_change(change) for arm, change in row.stage_changes.items()}
    return replace(row, changes=changes, stage_changes=stage_changes)


def _is_finite(change: SkillChange | None) -> bool:
    return change is not None and math.isfinite(change.test.difference)
