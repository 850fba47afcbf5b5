"""The paired tests of `engine.statistics`, for many draws of the same items.

Owns what does not change from draw to draw: groups, weights, degrees of freedom. Values are arrays,
so that a thousand draws of some thousand items take a second. Every number is that of `paired_test`
and `mean_test`, which its tests hold it to.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.statistics import PairedTest, Test, design_effect, proportions_test

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrawnItems:
    """Items in their groups, with the weights of their mean divided by their own."""

    group_of: npt.NDArray[np.int64] = field(hash=False)
    """By item the place of its group; without groups its own place."""
    shares: Values = field(hash=False)
    parts: Values = field(hash=False)
    """By group its share of the mean."""
    trials: int
    """Independent ones, as `design_effect` counts them."""
    least_effect: float
    """The design effect that the weights alone make."""
    is_grouped: bool
    is_weighted: bool

    def proportions_test(self, differences: Values) -> PairedTest:
        """As `paired_test` of differences that are -1, 0 or 1."""
        count = len(differences)
        gained, lost = (float(self.shares[differences == step].sum()) for step in (1, -1))
        name: Test = "paired proportions"
        if self.is_grouped or self.is_weighted:
            name = "clustered proportions" if self.is_grouped else "weighted proportions"
        return proportions_test(
            gained, lost, count, self.trials, self._design_effect(differences), name
        )

    def mean_test(self, differences: Values) -> PairedTest:
        """As `mean_test`."""
        count = len(differences)
        mean = float((differences * self.shares).sum()) / count
        error = self._error(differences)
        name: Test = "weighted t" if self.is_weighted else "paired t"
        if self.is_grouped:
            name = "clustered t"
        return PairedTest(name, count, mean, mean, error, self.trials - 1, count * error**2)

    def _design_effect(self, differences: Values) -> float:
        count = len(differences)
        if self.trials == count:
            return 1.0
        spread = differences - differences.mean()
        alone = math.sqrt(float((spread**2).sum()) * count / (count - 1)) / count
        if not alone:
            return self.least_effect
        return max(self.least_effect, (self._error(differences) / alone) ** 2)

    def _error(self, differences: Values) -> float:
        """The standard error of the mean, by sums over groups; of a weighted one by jackknife."""
        count, groups = len(differences), len(self.parts)
        if groups < 2 or self.parts.max() >= 1:
            return math.inf
        spread = (differences - (differences * self.shares).sum() / count) * self.shares
        sums = np.bincount(self.group_of, spread, groups)
        if self.is_weighted:
            left = float(((sums / (1 - self.parts)) ** 2).sum())
            return math.sqrt(left * (groups - 1) / groups) / count
        return math.sqrt(float((sums**2).sum()) * groups / (groups - 1)) / count


def prepare_items(
    count: int, groups: Sequence[Hashable] = (), weights: Sequence[float] = ()
) -> DrawnItems:
    """Of so many items, with groups and weights as `paired_test` takes them."""
    names = {name: at for at, name in enumerate(dict.fromkeys(groups or range(count)))}
    group_of = np.array([names[one] for one in groups or range(count)], np.int64)
    is_weighted = len(set(weights)) > 1
    shares = np.array(weights, np.float64) * count / math.fsum(weights) if is_weighted else (
        np.ones(count)
    )  # fmt: skip
    # Of values that are all alike: what is left is what weights and groups say by themselves.
    least, trials = design_effect([0.0] * count, groups, weights)
    parts = np.bincount(group_of, shares / count, len(names)).astype(np.float64)
    return DrawnItems(group_of, shares, parts, trials, least, len(names) < count, is_weighted)
