"""Gained against retained: what each arm gained on the skills that were trained, and what it kept
of all others, with the Pareto front and the pairs of arms that forgot more or less at equal gain.

Changes are means over skills against the base, in shares of a score. Items are resampled within
skills, arms paired, skills fixed (`engine.impact.changes.forgetting`). Refuses a score of an arm
alone: the front is of point estimates, and an arm is said to have forgotten less than another one
only where two intervals say so. Perplexities are not averaged with scores.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.errors import EngineError
from engine.impact.changes.forgetting import (
    Floats,
    SkillScores,
    StageMeasure,
    draw_means,
    measure_draws,
)
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.stage_path import find_trained
from engine.impact.changes.stage_summary import score_skill
from engine.impact.changes.verdicts import LEAST_ITEMS, holm_levels
from engine.statistics import t_quantile, t_tail
from engine.text import one_line

_DIGITS = 12
"""To which estimates are rounded, so that equal means are equal numbers."""
_NO_SPREAD = 1e-12
_EQUAL_GAIN = 0.9
"""Two one-sided tests at 5% (Schuirmann 1987): the 90% interval lies within ±δ."""


@dataclass(frozen=True, slots=True)
class ArmDifference:
    """One arm less another, paired, with the interval at its own confidence."""

    value: float
    low: float
    high: float
    confidence: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class ArmPair:
    """Two arms: the first one retained at least as much, by point estimates."""

    kept_more: str
    kept_less: str
    gain: ArmDifference
    """Of gains, at 90%."""
    retained: ArmDifference
    """Of what they retained, at the confidence that Holm's correction over all pairs leaves."""
    is_equal_gain: bool
    """Whether the interval of the gain lies within ±δ."""
    is_told_apart: bool
    """Whether an interval at 95% of either difference leaves out 0; unadjusted."""

    @property
    def is_less_forgotten(self) -> bool:
        """Whether the first arm forgot less than the other one at equal gain."""
        return self.is_equal_gain and self.retained.low > 0


@dataclass(frozen=True, slots=True)
class TradeoffPoint:
    """One arm against the base."""

    arm: str
    gained: StageMeasure
    """Mean change on the target skills."""
    retained: StageMeasure
    """Mean change on all other skills: 0 kept all, below 0 is what was forgotten."""
    is_on_front: bool
    """Of point estimates: no other arm is at least as good in both and better in one."""
    same_as: tuple[str, ...] = ()
    """Arms that it is not told apart from, in the order of the points."""


@dataclass(frozen=True, slots=True)
class Tradeoff:
    base: str
    targets: tuple[str, ...]
    """Skills that gained is the mean of."""
    others: tuple[str, ...]
    """Skills that retained is the mean of: those that no stage was trained on."""
    items: int
    """Fewest items of one of these skills, which all arms have."""
    delta: float
    points: tuple[TradeoffPoint, ...]
    """In the order of the arms."""
    pairs: tuple[ArmPair, ...]
    left_out: Mapping[str, str]
    """Skills and arms that do not count, with the reason."""
    is_chosen: bool = False
    """Whether the target skills were named, and not those that a stage was trained on."""

    @property
    def front(self) -> tuple[TradeoffPoint, ...]:
        """By what they gained, the least first."""
        found = [point for point in self.points if point.is_on_front]
        return tuple(sorted(found, key=lambda point: point.gained.value or 0.0))


def measure_tradeoff(table: SkillTable, gain: Sequence[str] = ()) -> Tradeoff:
    """All arms of a table but the first, which is the base. `gain` names the target skills; without
    it they are those that a stage was trained on.

    Skills that not all arms have, and those of fewer than 20 items that all have, are left out.
    Raises EngineError where nothing says what was to be gained, a named skill does not count, or no
    other skill is left, and where the base stands alone.
    """
    left_out: dict[str, str] = {}
    arms = _list_arms(table, left_out)
    skills = _score_skills(table, arms, left_out)
    trained = _list_trained(table)
    targets = _find_targets(table, gain, trained, skills, left_out)
    others = tuple(name for name in skills if name not in {*targets, *trained})
    left_out |= {
        name: "trained on, and not among the targets"
        for name in skills
        if name in trained and name not in targets
    }
    if not others:
        raise EngineError(
            "No skill is left to be retained.",
            f"Target skills: {_join(targets)}.{_say(left_out)}",
            "Evaluate other skills too, or name fewer of them: --gain.",
        )
    gained, retained = (
        _Changes({name: skills[name] for name in names}) for names in (targets, others)
    )
    pairs = _compare(arms[1:], gained, retained, table.delta)
    return Tradeoff(
        arms[0],
        targets,
        others,
        min(len(skill.items) for skill in skills.values()),
        table.delta,
        tuple(_list_points(arms[1:], gained, retained, pairs)),
        pairs,
        left_out,
        bool(gain),
    )


def find_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of each point whether it is on the Pareto front, larger being better in both directions: no
    other point is at least as good in both and better in one. Equal points are on it together."""
    return [
        not any(x >= own_x and y >= own_y and (x, y) != (own_x, own_y) for x, y in points)
        for own_x, own_y in points
    ]


class _Changes:
    """Mean changes of all arms against the first, over some skills, and what they come to when
    items are resampled."""

    def __init__(self, by_name: Mapping[str, SkillScores]) -> None:
        skills = tuple(by_name.values())
        means = np.stack([skill.means for skill in skills], axis=1)
        drawn = draw_means(by_name)
        self.values: Floats = (means[1:] - means[:1]).mean(1)
        self._drawn: Floats = (drawn[:, 1:] - drawn[:, :1]).mean(2)
        """Resample by arm."""
        self._names = tuple(by_name)
        trials = [len(set(skill.groups or skill.items)) for skill in skills]
        self._degrees = min(trials) - 1
        is_weighted = any(len(set(skill.weights)) > 1 for skill in skills)
        self._least_trials = 0.0 if is_weighted else float(len(skills) * min(trials))
        """Of what no item says: skills times the fewest independent items of one."""

    def measure(self, name: str, at: int) -> StageMeasure:
        return measure_draws(name, float(self.values[at]), self._drawn[:, at], self._names)

    def compare(self, one: int, other: int) -> "_Comparison":
        value = round(float(self.values[one] - self.values[other]), _DIGITS)
        drawn = self._drawn[:, one] - self._drawn[:, other]
        spread = 0.0 if np.ptp(drawn) < _NO_SPREAD else float(np.std(drawn, ddof=1))
        return _Comparison(value, spread, self._degrees, self._least_trials)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A difference of two arms and its standard error by resampling, by Student's t.

    Where no resample differs from another there is no standard error. Of k skills of at least n
    items none of which differs, a mean difference above P has a chance of (1 − P)^{kn} < e^{−kPn}
    at most, so that −ln(1 − confidence) / kn bounds it; twice that where all items differ alike.
    """

    value: float
    error: float
    degrees: int
    trials: float
    """k · n; 0 where items have weights, and nothing bounds it."""

    def interval(self, confidence: float) -> ArmDifference:
        if self.error and self.degrees > 0:
            reach = t_quantile((1 + confidence) / 2, self.degrees) * self.error
        elif self.trials and not self.error:
            reach = -math.log(1 - confidence) * self._scale
        else:
            reach = math.inf
        return ArmDifference(self.value, self.value - reach, self.value + reach, confidence)

    @property
    def p_value(self) -> float:
        """Two-sided, of no difference: the inversion of the interval."""
        if self.error and self.degrees > 0:
            return min(1.0, 2 * t_tail(abs(self.value) / self.error, self.degrees))
        return math.exp(-abs(self.value) / self._scale) if self.trials and not self.error else 1.0

    @property
    def _scale(self) -> float:
        return (2 if self.value else 1) / self.trials


def _compare(
    arms: Sequence[str], gained: _Changes, retained: _Changes, delta: float
) -> tuple[ArmPair, ...]:
    """Every pair, the one that retained more first; Holm's correction is over all of them."""
    places = [
        pair if retained.values[pair[0]] >= retained.values[pair[1]] else pair[::-1]
        for pair in combinations(range(len(arms)), 2)
    ]
    kept = {pair: retained.compare(*pair) for pair in places}
    levels = holm_levels({pair: one.p_value for pair, one in kept.items()})
    pairs = []
    for pair in places:
        gains = gained.compare(*pair)
        near = gains.interval(_EQUAL_GAIN)
        usual = gains.interval(0.95), kept[pair].interval(0.95)
        pairs.append(
            ArmPair(
                arms[pair[0]],
                arms[pair[1]],
                near,
                kept[pair].interval(1 - levels[pair]),
                -delta <= near.low and near.high <= delta,
                not all(one.holds_zero for one in usual),
            )
        )
    return tuple(pairs)


def _list_same(arm: str, pairs: Sequence[ArmPair]) -> list[str]:
    return [
        pair.kept_less if arm == pair.kept_more else pair.kept_more
        for pair in pairs
        if arm in (pair.kept_more, pair.kept_less) and not pair.is_told_apart
    ]


def _list_points(
    arms: Sequence[str], gained: _Changes, retained: _Changes, pairs: Sequence[ArmPair]
) -> Iterator[TradeoffPoint]:
    """A point an arm, in the order of the changes."""
    estimates = [
        (round(gained.values[at], _DIGITS), round(retained.values[at], _DIGITS))
        for at in range(len(arms))
    ]
    for at, (arm, is_on_front) in enumerate(zip(arms, find_front(estimates), strict=True)):
        yield TradeoffPoint(
            arm,
            gained.measure("gained", at),
            retained.measure("retained", at),
            is_on_front,
            tuple(_list_same(arm, pairs)),
        )


def _list_arms(table: SkillTable, left_out: dict[str, str]) -> list[str]:
    """The base and every arm that is finite. Raises EngineError where none is left beside it."""
    base, *others = table.arms
    diverged = {
        arm: row.name
        for row in table.skills
        if row.unit == "score"
        for arm, result in row.results.items()
        if result.diverged
    }
    left_out.update({arm: f"not finite on {diverged[arm]}" for arm in others if arm in diverged})
    arms = [arm for arm in others if arm not in diverged]
    if base in diverged or not arms:
        raise EngineError(
            "There is no arm to set against the base."
            if not arms
            else "The base has scores that are not finite.",
            f"Arms: {_join(table.arms)}.{_say(left_out)}",
            "Evaluate a run beside its base: finetop evaluate --tree RUN.",
        )
    return [base, *arms]


def _score_skills(
    table: SkillTable, arms: Sequence[str], left_out: dict[str, str]
) -> dict[str, SkillScores]:
    """The skills that count, with the scores of these arms, the base first."""
    skills: dict[str, SkillScores] = {}
    for row in table.skills:
        scores = score_skill(table, row, arms) if row.unit == "score" else None
        if reason := _why_not(row, arms, scores):
            left_out[row.name] = reason
        elif scores is not None:
            skills[row.name] = scores
    return skills


def _why_not(row: SkillRow, arms: Sequence[str], scores: SkillScores | None) -> str:
    """Why a skill does not count; empty where it does."""
    missing = [arm for arm in arms if arm not in row.results]
    if not row.results:
        return "no score"
    if row.unit != "score":
        return "perplexity, which is not averaged with scores" if row.is_perplexity else row.unit
    if missing:
        return f"not measured of {_join(missing)}"
    if scores is None or len(scores.items) < LEAST_ITEMS:
        count = 0 if scores is None else len(scores.items)
        return f"{count} items that all arms have, fewer than {LEAST_ITEMS}"
    return ""


def _list_trained(table: SkillTable) -> frozenset[str]:
    """The skills that an arm was trained on since the base."""
    base, *others = table.arms
    return frozenset(
        name for arm in others for name in find_trained(table.results, (base, arm)).get(arm, ())
    )


def _find_targets(
    table: SkillTable,
    gain: Sequence[str],
    trained: Collection[str],
    skills: Mapping[str, SkillScores],
    left_out: Mapping[str, str],
) -> tuple[str, ...]:
    """The skills that were to be gained, in the order of the table. Raises EngineError."""
    wanted = set(gain or trained)
    known = [row.name for row in table.skills]
    hint = "Name the skills that were to be gained: --gain SKILL[,SKILL]."
    if unknown := [name for name in gain if name not in known]:
        raise EngineError(
            f"Unknown skill {one_line(unknown[0])!r}.", f"Skills: {_join(known)}.", hint
        )
    found = tuple(name for name in skills if name in wanted)
    missing = sorted(wanted - set(found) if gain else wanted if not found else ())
    if missing or not found:
        raise EngineError(
            f"{one_line(missing[0])} cannot be counted as gained."
            if missing
            else "It is not known what was to be gained: no stage is known to have been trained "
            "on one of these skills.",
            f"Skills: {_join(known)}.{_say(left_out)}",
            hint,
        )
    return found


def _join(names: Sequence[str]) -> str:
    return ", ".join(map(one_line, names))


def _say(left_out: Mapping[str, str]) -> str:
    reasons = (f"{one_line(name)}: {one_line(reason)}" for name, reason in left_out.items())
    text = "; ".join(reasons)
    return f" Left out: {text}." if text else ""
