"""Would the table find a loss that is there, and show none where none is? By simulation.

Of the pairs that were measured, last arm against first. False alarms: in each draw every pair (of
items in a group the whole group) is exchanged with a chance of 1/2, so that as many items flip as
were seen to, and no change is left but by chance. Planted losses: the flips that are the arm's own
change, by which lost and gained differ, are taken back first, drawn at random; as many lost as
gained are left, which are noise, and exchanged; then each right item is turned wrong with one and
the same chance, so that the score falls by so much on average, and by as much more or less as it
would on other items of the kind. (An arm that lost nearly all would else make every pair a flip,
and a loss of 5 points would drown in a noise that no such loss has.) Owns these draws. The test,
its verdict and Holm's correction over all skills are those of the table; the other skills of a draw
have no loss.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.impact.changes.drawn_tests import prepare_items
from engine.impact.changes.score_estimate import by_token, per_token
from engine.impact.changes.skill_changes import groups_of, pair_items, weights_of
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.verdicts import DELTA, LEAST_ITEMS, Verdict, holm_levels, judge
from engine.impact.results.evaluation_results import NLL
from engine.impact.scores.measure_kinds import RIGHT_OR_WRONG
from engine.statistics import PairedTest, proportions_test, wilson

PLANTED = (DELTA, 2 * DELTA)
"""Losses that are planted by default, as shares of the items: 5 and 10 points."""
DRAWS = 1000
_SEED = 15
_UNCHANGED = frozenset(("the same within", "not enough evidence", "items only"))

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoundShare:
    """How often something was found, over draws."""

    found: int
    draws: int

    @property
    def share(self) -> float:
        return self.found / self.draws if self.draws else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's at 95%: how far the number of draws lets the share be known."""
        return wilson(self.found, self.draws)


@dataclass(frozen=True, slots=True)
class SkillPower:
    """What the table can find of one skill, by its own measure."""

    name: str
    items: int
    flips: int
    """Items whose value is not the same under both arms."""
    noise: int
    """Those of them that a planted loss is among: as many lost as gained."""
    false_alarms: FoundShare | None
    """Draws without a loss whose verdict says that the score changed; None without a verdict."""
    planted: Mapping[float, FoundShare | None] = field(hash=False)
    """By the loss, draws whose verdict says lost; None where it cannot be planted."""
    reason: str = ""
    """Why nothing was planted."""


@dataclass(frozen=True, slots=True)
class PowerTable:
    arms: tuple[str, str]
    """The first and the last."""
    skills: tuple[SkillPower, ...]
    draws: int
    any_false_alarm: FoundShare
    """Draws without any loss of which at least one skill's verdict says that it changed."""

    def skill(self, name: str) -> SkillPower:
        """Raises KeyError."""
        return {one.name: one for one in self.skills}[name]


@dataclass(frozen=True, slots=True)
class ScorePairs:
    """A skill's pairs: values of the items under the first arm and under the last."""

    name: str
    before: _Values = field(hash=False)
    after: _Values = field(hash=False)
    groups: tuple[Hashable, ...] = ()
    """By item, as the tests take them."""
    weights: tuple[float, ...] = ()
    is_right_or_wrong: bool = True
    delta: float | None = 0.05
    """None: of a measure that has none in points."""

    @property
    def items(self) -> int:
        return len(self.before)


def measure_power(table: SkillTable, draws: int = DRAWS) -> PowerTable:
    """What the table of the first arm and the last can find: losses of the table's own δ, and of
    twice that. A function of the table alone.

    With one arm its own results are both sides: no item flips but the planted ones. Takes about a
    second for 1,000 draws of 10,000 items.
    """
    pairs = [one for row in table.skills if (one := _pair(table, row)) is not None]
    losses = (table.delta, 2 * table.delta)
    return simulate_power(pairs, (table.arms[0], table.arms[-1]), losses, draws)


def _pair(table: SkillTable, row: SkillRow) -> ScorePairs | None:
    first, last = table.arms[0], table.arms[-1]
    if not {first, last} <= row.results.keys():
        return None
    facts = table.results.suites[row.name]
    items, _ = pair_items([one.scores for one in row.results.values()])
    before, after = (
        np.array([row.results[arm].scores[item] for item in items]) for arm in (first, last)
    )
    if not items or not np.isfinite([before, after]).all():
        return None
    weights = weights_of(facts, items)
    if row.measure == NLL:
        suite = table.results.arms[first].suites[row.name]
        tokens = [suite.tokens.get(item, 1) for item in items]
        before, after = (np.array(per_token(list(one), tokens)) for one in (before, after))
        weights = by_token(tokens, weights)
    return ScorePairs(
        row.name,
        before,
        after,
        tuple(groups_of(facts, items)),
        tuple(weights),
        row.measure in RIGHT_OR_WRONG,
        table.delta if row.unit == "score" else None,
    )


def simulate_power(
    pairs: Sequence[ScorePairs],
    arms: tuple[str, str] = ("before", "after"),
    planted: Sequence[float] = PLANTED,
    draws: int = DRAWS,
) -> PowerTable:
    """The same of pairs by skill, names unique."""
    skills = [_Draws(one, np.random.default_rng([_SEED, at])) for at, one in enumerate(pairs)]
    family = [one for one in skills if one.pairs.items >= LEAST_ITEMS]
    false = dict.fromkeys([one.pairs.name for one in family], 0)
    found = {(one.pairs.name, loss): [0, 0] for one in family for loss in planted}
    any_false = 0
    for _ in range(draws):
        for one in family:
            one.draw()
        p_values = {one.pairs.name: one.p_value(one.null) for one in family}
        levels = holm_levels(p_values)
        wrong = [one for one in family if one.says_changed(levels[one.pairs.name])]
        any_false += bool(wrong)
        for one in wrong:
            false[one.pairs.name] += 1
        for one in family:
            name = one.pairs.name
            for loss in planted:
                test = one.plant(loss)
                if test is None:
                    continue
                level = holm_levels({**p_values, name: one.p_value(test)})[name]
                found[name, loss][0] += one.judge(test, level).word == "lost"
                found[name, loss][1] += 1
    rows = [
        _sum_up(
            one,
            FoundShare(false[one.pairs.name], draws) if one in family else None,
            {loss: FoundShare(*found.get((one.pairs.name, loss), (0, 0))) for loss in planted},
            draws,
        )
        for one in skills
    ]
    return PowerTable(arms, tuple(rows), draws, FoundShare(any_false, draws))


def _sum_up(
    one: "_Draws", alarms: FoundShare | None, planted: Mapping[float, FoundShare], draws: int
) -> SkillPower:
    """A loss that fewer than half of the draws could be given counts as one that cannot be."""
    shares = {
        loss: share if share.draws * 2 >= draws > 0 else None for loss, share in planted.items()
    }
    return SkillPower(
        one.pairs.name,
        one.pairs.items,
        one.flips,
        2 * one.cancelling,
        alarms,
        shares,
        _explain(one, alarms, shares),
    )


def _explain(
    one: "_Draws", alarms: FoundShare | None, shares: Mapping[float, FoundShare | None]
) -> str:
    if alarms is None:
        return f"fewer than {LEAST_ITEMS} items never give a verdict"
    if not one.pairs.is_right_or_wrong:
        return "its items are not right or wrong: nothing is planted"
    lacking = [loss for loss, share in shares.items() if share is None]
    if lacking:
        right = int(one.pairs.before.sum())
        return f"{right:,} of {one.pairs.items:,} items are right: too few to lose that many"
    return ""


class _Draws:
    """The draws of one skill."""

    def __init__(self, pairs: ScorePairs, random: np.random.Generator) -> None:
        self.pairs = pairs
        self.flips = int((pairs.before != pairs.after).sum())
        names = list(dict.fromkeys(pairs.groups)) or range(pairs.items)
        places = {name: at for at, name in enumerate(names)}
        self._group_of = np.array([places[one] for one in pairs.groups or names])
        self._random = random
        self._is_plain = len(places) == pairs.items and len(set(pairs.weights)) <= 1
        self._items = prepare_items(pairs.items, pairs.groups, pairs.weights)
        steps = pairs.after - pairs.before
        self._flips = (np.flatnonzero(steps == 1), np.flatnonzero(steps == -1))
        self.cancelling = min(map(len, self._flips)) if pairs.is_right_or_wrong else 0
        """Of the items lost, and of those gained, how many leave no change."""
        self._exchanged = np.zeros(pairs.items, dtype=np.bool_)
        self.null = PairedTest("exact bound", pairs.items, 0, 0, 0, 0, 0, pairs.items)
        # Many draws of plain pairs are the same counts.
        self._test_counts = lru_cache(maxsize=None)(self._test_of_counts)
        self.p_value = lru_cache(maxsize=4096)(PairedTest.p_value)
        self._judge = lru_cache(maxsize=4096)(judge)

    def draw(self) -> None:
        """Exchange pairs anew."""
        chosen = self._random.integers(0, 2, self._group_of.max() + 1)
        self._exchanged = chosen[self._group_of] == 1
        before, after = self._exchange(self.pairs.after)
        self.null = self._test(after - before)

    def _exchange(self, after: _Values) -> tuple[_Values, _Values]:
        before = self.pairs.before
        return np.where(self._exchanged, after, before), np.where(self._exchanged, before, after)

    def plant(self, loss: float) -> PairedTest | None:
        """The test with so large a share of the items turned wrong on average; None where too few
        are right."""
        pairs = self.pairs
        if not pairs.is_right_or_wrong:
            return None
        copied = pairs.before.copy()
        for flips in self._flips:
            noise = self._random.choice(flips, self.cancelling, replace=False)
            copied[noise] = pairs.after[noise]
        before, after = self._exchange(copied)
        right = after == 1
        if (chance := loss * pairs.items / max(1, int(right.sum()))) > 1:
            return None
        after[right & (self._random.random(pairs.items) < chance)] = 0
        return self._test(after - before)

    def judge(self, test: PairedTest, level: float) -> Verdict:
        return self._judge(test, self.pairs.delta, 1 - level)

    def says_changed(self, level: float) -> bool:
        """Whether the verdict on the draw without a loss says that the score changed."""
        return self.judge(self.null, level).word not in _UNCHANGED

    def _test(self, differences: _Values) -> PairedTest:
        pairs = self.pairs
        if self._is_plain and pairs.is_right_or_wrong:
            gained, lost = int((differences == 1).sum()), int((differences == -1).sum())
            return self._test_counts(gained, lost)
        if pairs.delta is not None and np.isin(differences, (-1, 0, 1)).all():
            return self._items.proportions_test(differences)
        return self._items.mean_test(differences)

    def _test_of_counts(self, gained: int, lost: int) -> PairedTest:
        return proportions_test(gained, lost, self.pairs.items)
