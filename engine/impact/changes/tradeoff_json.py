"""Gained against retained as JSON: what `finetop impact --tradeoff --json` prints.

Owns the keys. All changes are shares of a score; what is not defined, or not bounded, is null.
"""

from typing import Any

from engine.impact.changes.skill_rows import SkillTable
from engine.impact.changes.table_json import mean_to_json
from engine.impact.changes.tradeoff import ArmDifference, ArmPair, Tradeoff, TradeoffPoint
from engine.impact.changes.tradeoff_words import list_notes, say_alike, say_front, say_pairs
from engine.json_output import finite_or_none


def tradeoff_to_json(tradeoff: Tradeoff, table: SkillTable) -> dict[str, Any]:
    """Points, pairs, and the sentences that follow from them."""
    sentences = (say_front(tradeoff), *say_pairs(tradeoff), say_alike(tradeoff))
    return {
        "base": tradeoff.base,
        "gained": list(tradeoff.targets),
        "retained": list(tradeoff.others),
        "items": tradeoff.items,
        "delta": tradeoff.delta,
        "points": [_point(table, point) for point in tradeoff.points],
        "front": [point.arm for point in tradeoff.front],
        "correction": "holm",
        "pairs": [_pair(pair) for pair in tradeoff.pairs],
        "sentences": [sentence for sentence in sentences if sentence],
        "left_out": dict(tradeoff.left_out),
        "notes": list(list_notes(tradeoff, table)),
    }


def _point(table: SkillTable, point: TradeoffPoint) -> dict[str, Any]:
    return {
        "arm": point.arm,
        "spec": table.results.arms[point.arm].spec,
        "gained": mean_to_json(point.gained),
        "retained": mean_to_json(point.retained),
        "front": point.is_on_front,
        "not_told_apart_from": list(point.same_as),
    }


def _pair(pair: ArmPair) -> dict[str, Any]:
    return {
        "arms": [pair.kept_more, pair.kept_less],
        "gain": _difference(pair.gain),
        "retained": _difference(pair.retained),
        "equal_gain": pair.is_equal_gain,
        "told_apart": pair.is_told_apart,
        "less_forgotten": pair.is_less_forgotten,
    }


def _difference(difference: ArmDifference) -> dict[str, Any]:
    return {
        "difference": difference.value,
        "interval": [finite_or_none(end) for end in (difference.low, difference.high)],
        "confidence": difference.confidence,
    }
