"""The items that tell most of what the last arm lost and gained, chosen by a rule.

Owns the rule. Of each skill whose items are right or wrong: those that were right under the first
arm and are wrong under the last one (gained: the other way round), the likelihood of whose right
answer changed most first, where it was measured; then in order of their ids. Of a group of items,
which ask the same in other words, one comes before a second one does.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.impact.changes.flips import Flips, find_flips
from engine.impact.results.evaluation_results import GOLD_NLL, EvaluationResults, SuiteFacts
from engine.impact.scores.measure_kinds import RIGHT_OR_WRONG

MOST = 3
"""Of each skill, lost and gained each."""
MOST_SKILLS = 24
RULE = (
    "Of each skill the lost and gained items whose right answer changed most in likelihood come "
    "first (nats per token, where it was measured), then by id; one of a group before a second."
)


@dataclass(frozen=True, slots=True)
class TellingItem:
    skill: str
    item: str
    flip: Literal["lost", "gained"]
    """By the last arm, against the first."""
    nats: float | None
    """By how much the right answer's NLL per token rose; None where it was not measured."""


def choose_items(results: EvaluationResults, arms: Sequence[str]) -> list[TellingItem]:
    """In the order of the skills, lost before gained; none for one arm alone. The flips are those
    of the skill table: of the items that all arms were measured on."""
    chosen: list[TellingItem] = []
    for facts in [*results.suites.values()][:MOST_SKILLS]:
        flips = _find_flips(results, facts, arms)
        if flips is None:
            continue
        rises = _find_rises(results, facts.name, (arms[0], arms[-1]))
        groups = {id: one.group for id, one in facts.items.items()}
        for flip, items, sign in (("lost", flips.lost, -1), ("gained", flips.gained, 1)):
            ranked = sorted(items, key=lambda id: (sign * rises.get(id, 0.0), id))
            chosen += [
                TellingItem(facts.name, item, flip, rises.get(item))  # type: ignore[arg-type]
                for item in [*_spread(ranked, groups)][:MOST]
            ]
    return chosen


def _find_flips(results: EvaluationResults, facts: SuiteFacts, arms: Sequence[str]) -> Flips | None:
    measured = {
        arm: scores
        for arm in arms
        if (suite := results.arms[arm].suites.get(facts.name)) is not None
        and (scores := suite.measures.get(facts.measure))
    }
    if facts.measure not in RIGHT_OR_WRONG or not {arms[0], arms[-1]} <= measured.keys():
        return None
    if len(arms) < 2:
        return None
    shared = set.intersection(*map(set, measured.values()))
    first = {item: score for item, score in measured[arms[0]].items() if item in shared}
    return find_flips(first, measured[arms[-1]])


def _find_rises(
    results: EvaluationResults, skill: str, arms: tuple[str, str]
) -> Mapping[str, float]:
    before, after = (
        suite.measures.get(GOLD_NLL, {}) if (suite := results.arms[arm].suites.get(skill)) else {}
        for arm in arms
    )
    return {
        item: after[item] - value
        for item, value in before.items()
        if item in after and math.isfinite(value) and math.isfinite(after[item])
    }


def _spread(items: Sequence[str], groups: Mapping[str, str]) -> Iterator[str]:
    """The first item of each group in their order, then all others."""
    seen, rest = set[str](), []
    for item in items:
        group = groups.get(item) or f"item {item}"
        if group in seen:
            rest.append(item)
        else:
            seen.add(group)
            yield item
    yield from rest
