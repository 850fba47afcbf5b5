"""The skill table as JSON: what `finetop evaluate --json` writes and `finetop impact` prints.

Owns the keys. What is not finite, and what is not defined, is null.
"""

from typing import Any

from engine.impact.changes.forgetting import StageMeasure
from engine.impact.changes.score_estimate import ScoreEstimate
from engine.impact.changes.skill_changes import SkillChange
from engine.impact.changes.skill_rows import SkillResult, SkillRow, SkillTable
from engine.impact.changes.stage_path import find_trained
from engine.impact.changes.stage_summary import StageSummary
from engine.json_output import finite_or_none, replace_not_finite
from engine.statistics import PairedTest

UNKNOWN = "unknown"
"""Of contamination, where nobody knows the training rows: it is not 0."""


def table_to_json(table: SkillTable, summary: StageSummary) -> dict[str, Any]:
    """The table and its summary, as the standard's JSON knows it: no NaN and no infinity."""
    return {
        "arms": list(table.arms),
        "stages": list(table.stages),
        "delta": table.delta,
        "skills": {row.name: _skill(table, row) for row in table.skills},
        "summary": _summary(table, summary),
        "notes": list(table.notes),
    }


def _skill(table: SkillTable, row: SkillRow) -> dict[str, Any]:
    others = [one for one in table.measures_of(row.name) if not one.is_primary]
    facts = table.results.suites[row.name]
    asked = {
        arm: replace_not_finite(suite.asked)
        for arm in table.arms
        if (suite := table.results.arms[arm].suites.get(row.name)) is not None
    }
    return {
        "items": max(one.items for one in (row, *others)),
        **_row(row),
        "choices": facts.choices or None,
        "asked": asked,
        "measures": {one.measure: _row(one) for one in others},
    }


def _row(row: SkillRow) -> dict[str, Any]:
    return {
        "measure": row.measure,
        "unit": row.unit,
        "unpaired": row.unpaired,
        "weighted": row.is_weighted,
        "arms": {arm: _arm(row, arm, result) for arm, result in row.results.items()},
        "not_measured": dict(row.not_measured),
        "ever_lost": list(row.ever_lost),
        "regained": list(row.regained),
        "notes": list(row.notes),
    }


def _arm(row: SkillRow, arm: str, result: SkillResult) -> dict[str, Any]:
    table: dict[str, Any] = {
        "score": finite_or_none(result.score),
        **_estimate(result.estimate),
        "vs_base": _change(row.changes.get(arm)),
        "vs_parent": _change(row.stage_changes.get(arm)),
        "cut": len(result.cut),
        "diverged": len(result.diverged),
        "contamination": _contamination(result),
    }
    if row.is_perplexity:
        table["bits_per_byte"] = (
            None if result.bits_per_byte is None else finite_or_none(result.bits_per_byte)
        )
    return table


def _estimate(estimate: ScoreEstimate) -> dict[str, Any]:
    interval = estimate.interval
    return {
        "interval": None if interval is None else [finite_or_none(one) for one in interval],
        "method": estimate.method or None,
        "items": estimate.items,
    }


def _contamination(result: SkillResult) -> Any:
    if result.seen is None:
        return UNKNOWN
    unseen = result.unseen
    return {
        "seen": list(result.seen),
        "unseen_score": None if unseen is None else finite_or_none(unseen.value),
        "unseen_interval": None if unseen is None else _estimate(unseen)["interval"],
    }


def _change(change: SkillChange | None) -> dict[str, Any] | None:
    if change is None:
        return None
    verdict, flips = change.verdict, change.flips
    return {
        "arm": change.before,
        "difference": finite_or_none(change.difference),
        "interval": [finite_or_none(change.low), finite_or_none(change.high)],
        "confidence": change.confidence,
        "lost": list(change.lost),
        "gained": list(change.gained),
        "p": finite_or_none(change.p),
        "test": change.test.name,
        "verdict": verdict.word if verdict else None,
        "beyond_delta": verdict.is_beyond if verdict else None,
        "family": change.family,
        "items": change.test.items,
        "items_needed": verdict.items_needed
        if verdict and verdict.word == "not enough evidence"
        else None,
        "flips": None
        if flips is None
        else {
            "kept": len(flips.kept),
            "lost": len(flips.lost),
            "gained": len(flips.gained),
            "never": len(flips.never),
            "mcnemar_p": flips.p_value(),
            "mcnemar_mid_p": flips.p_value(mid=True),
            "chance_adjusted": _pair(change.adjusted_flips),
        },
        "unseen": _test(change.unseen),
    }


def _test(test: PairedTest | None) -> dict[str, Any] | None:
    """The change without the items that were seen, at 95%."""
    if test is None:
        return None
    return {
        "items": test.items,
        "difference": finite_or_none(test.difference),
        "interval": [finite_or_none(one) for one in test.interval()],
        "p": finite_or_none(test.p_value()),
        "test": test.name,
    }


def _summary(table: SkillTable, summary: StageSummary) -> dict[str, Any]:
    return {
        "primary": [table.arms[-1], table.arms[0]],
        "correction": "holm",
        "verdicts": dict(summary.words),
        "general_change": mean_to_json(summary.general),
        **{one.name.replace(" ", "_"): mean_to_json(one) for one in summary.others},
        "seen": UNKNOWN if summary.seen is None else summary.seen,
        "trained": {
            stage: list(names) for stage, names in find_trained(table.results, table.stages).items()
        },
    }


def mean_to_json(measure: StageMeasure) -> dict[str, Any]:
    """A mean over skills: its value, interval and skills, and why one of the first two is null."""
    return {
        "value": measure.value,
        "interval": _pair(
            None if measure.low is None or measure.high is None else (measure.low, measure.high)
        ),
        "skills": list(measure.skills),
        "reason": measure.reason or None,
    }


def _pair(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else list(pair)
