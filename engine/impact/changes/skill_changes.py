"""One arm against another on one measure of a suite: the paired test, its verdict, the flips.

Owns the pairing of items. Who is held against whom, and which changes are the primary family, is
`engine.impact.changes.skill_table`.
"""

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from engine.impact.changes.flips import Flips, find_flips
from engine.impact.changes.score_estimate import by_token, per_token
from engine.impact.changes.verdicts import Verdict
from engine.impact.results.evaluation_results import NLL, ArmSuite, SuiteFacts, SuiteItem
from engine.impact.scores.measure_kinds import RIGHT_OR_WRONG, unit_of
from engine.statistics import PairedTest, mean_test, paired_test

EXPLORATORY = "exploratory, unadjusted"
PRIMARY = "primary"
_NO_ITEM = SuiteItem("")


@dataclass(frozen=True, slots=True)
class SkillChange:
    """What changed from one arm to another."""

    before: str
    """The arm that is held against."""
    after: str
    test: PairedTest
    """after − before, in the unit of the measure; of nats per token above 0 is worse. NaN where an
    item of an arm is not finite."""
    verdict: Verdict | None
    """None where a model diverged. Without a δ where the unit is no score: higher or lower."""
    flips: Flips | None
    """Of the items that the test counts; None where no item is right or wrong by the measure."""
    adjusted_flips: tuple[float, float] | None = None
    """Shares lost and gained beyond guessing, where all items have as many choices."""
    unseen: PairedTest | None = None
    """The same without the items that either arm has seen in training; None where none was."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Items that were right before only."""
        return self.flips.lost if self.flips else ()

    @property
    def gained(self) -> tuple[str, ...]:
        """Items that are right after only."""
        return self.flips.gained if self.flips else ()

    @property
    def difference(self) -> float:
        return self.test.difference

    @property
    def low(self) -> float:
        """Of the interval at `confidence`."""
        return self.verdict.low if self.verdict else self.test.interval()[0]

    @property
    def high(self) -> float:
        return self.verdict.high if self.verdict else self.test.interval()[1]

    @property
    def confidence(self) -> float:
        """Of the interval: 0.95, or what Holm's correction leaves."""
        return self.verdict.confidence if self.verdict else 0.95

    @property
    def p(self) -> float:
        """Of no difference, not adjusted."""
        return self.test.p_value()

    @property
    def family(self) -> str:
        """`primary`, which is corrected by Holm, or what all others are."""
        return PRIMARY if self.verdict and self.verdict.is_primary else EXPLORATORY


@dataclass(frozen=True, slots=True)
class PairedValues:
    """What changed of some items by one measure."""

    differences: list[float]
    """After − before, in the unit of the measure: of texts that are read, nats per token."""
    groups: list[Hashable]
    weights: list[float]
    """Of the mean: of texts, by their tokens."""

    @property
    def is_finite(self) -> bool:
        return all(map(math.isfinite, self.differences))


def pair_values(
    facts: SuiteFacts, measure: str, before: ArmSuite, after: ArmSuite, items: Sequence[str]
) -> PairedValues:
    """The differences of these items, which both arms have."""
    old, new = before.measures[measure], after.measures[measure]
    differences = [new[item] - old[item] for item in items]
    groups, weights = groups_of(facts, items), weights_of(facts, items)
    if measure == NLL:
        tokens = [before.tokens.get(item, 1) for item in items]
        return PairedValues(per_token(differences, tokens), groups, by_token(tokens, weights))
    return PairedValues(differences, groups, weights)


def measure_change(
    facts: SuiteFacts, measure: str, before: ArmSuite, after: ArmSuite, items: Sequence[str]
) -> PairedTest:
    """The paired test of these items, which both arms have, at least one."""
    values = pair_values(facts, measure, before, after, items)
    if not values.is_finite:
        return PairedTest("paired t", len(items), math.nan, math.nan, math.inf, 0, math.inf)
    test = paired_test if unit_of(measure) == "score" else mean_test
    return test(values.differences, values.groups, values.weights)


def find_change_flips(
    measure: str, before: ArmSuite, after: ArmSuite, items: Collection[str]
) -> Flips | None:
    """The flips of these items; None of a measure by which no item is right or wrong."""
    if measure not in RIGHT_OR_WRONG:
        return None
    old = {item: score for item, score in before.measures[measure].items() if item in items}
    return find_flips(old, after.measures[measure])


def groups_of(facts: SuiteFacts, items: Sequence[str]) -> list[Hashable]:
    """By item, what it is no independent observation of; an item without a group is one alone."""
    return [facts.items.get(item, _NO_ITEM).group or (item,) for item in items]


def weights_of(facts: SuiteFacts, items: Sequence[str]) -> list[float]:
    """By item, at least a trifle: a weight of 0 would be an item that is not measured."""
    return [max(1e-9, facts.items.get(item, _NO_ITEM).weight) for item in items]


def pair_items(scores: Sequence[Mapping[str, float]]) -> tuple[list[str], int]:
    """The items that all have, in the order of the first, and how many are not among them."""
    shared = set(scores[0]).intersection(*scores[1:])
    return [item for item in scores[0] if item in shared], len(set().union(*scores)) - len(shared)
