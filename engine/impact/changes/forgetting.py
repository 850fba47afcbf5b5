"""Forgetting over stages: one number for many skills, with an interval by resampling items.

R[i, j] is the mean score on skill j after stage i; stage 0 is the base and T the last stage. Owns
backward transfer, average accuracy, peak and relative forgetting, and the change of the skills that
no stage trained. Refuses to judge: what a single skill lost is `engine.impact.changes.verdicts`.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.impact.changes.score_estimate import estimate_score

Floats = npt.NDArray[np.float64]
RESAMPLES = 2000
_GENERAL, _RELATIVE = "change of skills not trained on", "relative forgetting"
_NO_STAGE = "no stage comes after the base"
_SEED = 20
"""Of the resampling: the same scores have the same intervals."""
_MOST_DRAWN = 2000
"""Groups that are drawn one by one."""
_MOST_KEPT = 1000
"""Groups whose draws are kept for the next measure of the same skill."""
_NO_SPREAD = 1e-12
_may_diverge = np.errstate(divide="ignore", invalid="ignore")
"""Means of a stage that diverged are no numbers, which is said and needs no warning."""
ALIKE = "no interval: its items are all alike"
"""Why there is a value without an interval."""


@dataclass(frozen=True, slots=True)
class SkillScores:
    """One skill over the stages."""

    items: tuple[str, ...]
    scores: Floats
    """Stage by item, float64; a row of NaN where a stage was not measured on it."""
    groups: tuple[str, ...] = ()
    """Of the items; items of one group are resampled together. Empty: each for itself."""
    trained_at: int | None = None
    """The first stage that trained it, from 1 on; None: no stage did, a general skill."""
    choices: int = 0
    """Answers to choose from, the same number for all items; 0: chance is 0."""
    weights: tuple[float, ...] = ()
    """Of the items, above 0; empty: all the same."""

    def __post_init__(self) -> None:
        if self.scores.ndim != 2 or self.scores.shape[1] != len(self.items) or not self.items:
            raise ValueError(f"scores of shape {self.scores.shape} for {len(self.items)} items")

    @property
    def is_above_chance(self) -> bool:
        """Whether the interval of the base's score lies above chance: what the base cannot do, it
        cannot forget."""
        base = self.scores[0]
        if np.isnan(base).any():
            return False
        low = estimate_score(base.tolist(), self.groups, self.weights).low
        return low is not None and low > (1 / self.choices if self.choices else 0.0)

    @property
    def means(self) -> Floats:
        """A score a stage."""
        return np.average(self.scores, axis=1, weights=self.weights or None)


@dataclass(frozen=True, slots=True)
class StageMeasure:
    """One number over several skills."""

    name: str
    value: float | None
    """None where it is not defined, with the reason."""
    low: float | None
    """95% interval, by percentiles of resampled items; None where these do not differ."""
    high: float | None
    skills: tuple[str, ...]
    """Those that it is made of."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SkillMatrix:
    """The scores of all skills over the same stages."""

    stages: tuple[str, ...]
    """Names, the base first."""
    skills: Mapping[str, SkillScores] = field(hash=False)

    def __post_init__(self) -> None:
        for name, skill in self.skills.items():
            if skill.scores.shape[0] != len(self.stages):
                raise ValueError(f"{name}: {skill.scores.shape[0]} of {len(self.stages)} stages")

    def means(self) -> dict[str, Floats]:
        """R: by skill, a score a stage."""
        return {name: skill.means for name, skill in self.skills.items()}


def general_change(matrix: SkillMatrix) -> StageMeasure:
    """mean_j (R[T, j] − R[0, j]) over the skills that no stage trained: what to look at first."""
    if len(matrix.stages) < 2:
        return _measure(matrix, _GENERAL, [], lambda means: means, _NO_STAGE)
    skills = _complete(matrix, lambda skill: skill.trained_at is None, (0, -1))
    return _measure(
        matrix,
        _GENERAL,
        skills,
        lambda means: means[..., -1, :] - means[..., 0, :],
        "every skill was trained on" if matrix.skills else "no skill was measured",
    )


def trained_change(matrix: SkillMatrix) -> StageMeasure:
    """mean_j (R[T, j] − R[0, j]) over the skills that a stage trained: what was gained."""
    name = "change of skills trained on"
    if len(matrix.stages) < 2:
        return _measure(matrix, name, [], lambda means: means, _NO_STAGE)
    skills = _complete(matrix, lambda skill: skill.trained_at is not None, (0, -1))
    reason = "no skill was trained on" if matrix.skills else "no skill was measured"
    return _measure(
        matrix, name, skills, lambda means: means[..., -1, :] - means[..., 0, :], reason
    )


def backward_transfer(matrix: SkillMatrix) -> StageMeasure:
    """BWT = 1 / (T − 1) · Σ_{i<T} (R[T, i] − R[i, i]), i over the skills of the stages before the
    last (Lopez-Paz and Ranzato 2017, arXiv 1706.08840). With one stage there is none.
    """
    last = len(matrix.stages) - 1
    skills = [
        name
        for name, skill in matrix.skills.items()
        if skill.trained_at is not None
        and 0 < skill.trained_at < last
        and not np.isnan(skill.scores[[skill.trained_at, last]]).any()
    ]
    trained = [matrix.skills[name].trained_at or 0 for name in skills]
    reason = "there is one stage" if last < 2 else "no earlier stage's skill was measured"
    return _measure(
        matrix,
        "backward transfer",
        skills,
        lambda means: means[..., -1, :] - means[..., trained, range(len(trained))],
        reason,
    )


def average_score(matrix: SkillMatrix) -> StageMeasure:
    """mean_j R[T, j] over all skills (arXiv 1706.08840)."""
    skills = _complete(matrix, lambda skill: True, (-1,))
    return _measure(
        matrix, "average", skills, lambda means: means[..., -1, :], "no skill was measured"
    )


def peak_forgetting(matrix: SkillMatrix) -> StageMeasure:
    """mean_j (max_{l<T} R[l, j] − R[T, j]) over the skills measured at all stages (Chaudhry et al.
    2018, arXiv 1801.10112). The highest of several noisy scores is too high, so it is biased
    upwards; the resampling shows its spread and not that bias.
    """
    every = tuple(range(len(matrix.stages)))
    skills = _complete(matrix, lambda skill: True, every) if len(every) > 1 else []
    return _measure(
        matrix,
        "peak forgetting",
        skills,
        lambda means: means[..., :-1, :].max(-2) - means[..., -1, :],
        "no skill was measured at all stages",
    )


def relative_forgetting(matrix: SkillMatrix) -> StageMeasure:
    """mean_j (R[0, j] − R[T, j]) / R[0, j] over the skills whose base interval lies above chance
    (Luo et al. 2023, arXiv 2308.08747).
    """
    if len(matrix.stages) < 2:
        return _measure(matrix, _RELATIVE, [], lambda means: means, _NO_STAGE)
    skills = _complete(matrix, lambda skill: skill.is_above_chance, (0, -1))

    def relative(means: Floats) -> Floats:
        base = means[..., 0, :]
        return np.asarray((base - means[..., -1, :]) / base, np.float64)

    return _measure(matrix, _RELATIVE, skills, relative, "the base is above chance on no skill")


def _complete(
    matrix: SkillMatrix, is_chosen: Callable[[SkillScores], bool], stages: Sequence[int]
) -> list[str]:
    """The chosen skills that were measured at all of these stages."""
    return [
        name
        for name, skill in matrix.skills.items()
        if is_chosen(skill) and not np.isnan(skill.scores[list(stages)]).any()
    ]


@_may_diverge
def _measure(
    matrix: SkillMatrix,
    name: str,
    skills: Sequence[str],
    of_means: Callable[[Floats], Floats],
    reason: str,
) -> StageMeasure:
    """`of_means` gets R as stage by skill, of one or of all resamples before these two, and gives
    a number a skill; their mean is the value.

    Skills are fixed, items are resampled within each, the same ones at all stages, since the stages
    answered the same items (`measures`: paired). Groups are resampled whole.
    """
    if not skills:
        return StageMeasure(name, None, None, None, (), reason)
    chosen = {skill: matrix.skills[skill] for skill in skills}
    value = float(np.mean(of_means(np.stack([skill.means for skill in chosen.values()], axis=1))))
    return measure_draws(name, value, of_means(draw_means(chosen)).mean(-1), skills)


@_may_diverge
def draw_means(skills: Mapping[str, SkillScores]) -> Floats:
    """Means of at least one skill, by name, over resampled items: resample by stage by skill.

    Items are resampled within each skill, the same ones at all stages. Which ones follows from the
    skill's name and items, so that a mean has one interval whichever stages and skills stand beside
    it (of more than `_MOST_DRAWN` groups one that differs by what 2,000 draws leave open).
    """
    drawn = [
        _resample(skill, zlib.crc32(name.encode(errors="replace")))
        for name, skill in skills.items()
    ]
    return np.stack(drawn, axis=2)


def measure_draws(name: str, value: float, values: Floats, skills: Sequence[str]) -> StageMeasure:
    """A number with the 95% interval of what it came to in each resample."""
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [2.5, 97.5]) if values.size else (np.nan, np.nan)
    finite = bool(np.isfinite(low) and np.isfinite(value))
    if finite and np.ptp(values) < _NO_SPREAD:
        # Where no item changed every draw is alike: [0, 0] would claim that no other one can.
        return StageMeasure(name, value, None, None, tuple(skills), ALIKE)
    return StageMeasure(
        name,
        value if np.isfinite(value) else None,
        float(low) if finite else None,
        float(high) if finite else None,
        tuple(skills),
        "" if finite else "it is not finite",
    )


def _resample(skill: SkillScores, seed: int) -> Floats:
    """Means of a skill over resampled items: resample by stage."""
    groups = skill.groups or skill.items
    names = sorted(set(groups))
    at = {name: index for index, name in enumerate(names)}
    member = np.array([at[group] for group in groups])
    weights = np.array(skill.weights or [1.0] * len(groups))
    sizes = np.asarray(np.bincount(member, weights, len(names)), np.float64)
    sums = np.zeros((skill.scores.shape[0], len(names)))
    np.add.at(sums.T, member, (skill.scores * weights).T)
    if len(names) <= _MOST_KEPT:
        return _divide(_draw_counts(seed, len(names)), sums, sizes)
    shares = np.full(len(names), 1 / len(names))
    if len(names) > _MOST_DRAWN:
        # Groups that score alike are drawn together, by how many they are: the same distribution.
        alike = np.nan_to_num(np.vstack([sums, sizes]))
        _, first, times = np.unique(alike, axis=1, return_index=True, return_counts=True)
        sums, sizes, shares = sums[:, first], sizes[first], times / len(names)
    random = np.random.default_rng([_SEED, seed])
    rows: list[Floats] = []
    left = RESAMPLES
    while left:  # some 32 MB of counts at a time
        take = min(left, max(1, (1 << 22) // len(shares)))
        rows.append(_divide(random.multinomial(len(names), shares, take), sums, sizes))
        left -= take
    return np.concatenate(rows)


@lru_cache(maxsize=8)
def _draw_counts(seed: int, groups: int) -> npt.NDArray[np.uint16]:
    """How often each group was drawn: resample by group. Kept, up to 4 MB each, for every measure
    of a skill is of the same draws."""
    random = np.random.default_rng([_SEED, seed])
    shares = np.full(groups, 1 / groups)
    return random.multinomial(groups, shares, RESAMPLES).astype(np.uint16)


def _divide(counts: npt.NDArray[Any], sums: Floats, sizes: Floats) -> Floats:
    """Weighted means of resamples: resample by stage, of sums by stage by group."""
    drawn = counts.astype(np.float64)
    return np.asarray(drawn @ sums.T / (drawn @ sizes)[:, None], np.float64)
