"""Krippendorff's alpha of nominal labels: how far several coders agree beyond chance.

Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", University of Pennsylvania; missing
labels are left out, as there. The interval is the bootstrap over units that Zapf et al. 2016
recommend ("Measuring inter-rater reliability for nominal data - which coefficients and confidence
intervals are appropriate?", BMC Medical Research Methodology 16:93); groups are resampled whole.
"""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Units = Sequence[Sequence[str]]
"""Of each unit the labels that its coders gave it, in any order."""
RESAMPLES = 4000
_SEED = 1
_MOST_UNDEFINED = 0.05
"""Of the resamples: with more of them nothing can be said of the interval."""


def alpha(units: Units) -> float | None:
    """1 - observed / expected disagreement; None where no two labels can be compared, or all that
    can are the same: then no disagreement is expected by chance either."""
    contributions = _contributions(units)
    value = _alphas(contributions.sum(0)[None])[0]
    return float(value) if np.isfinite(value) else None


def interval(
    units: Units, groups: Sequence[Hashable] = (), confidence: float = 0.95
) -> tuple[float, float] | None:
    """The percentile interval of alpha, units (or whole groups of them) resampled.

    None where alpha is undefined in more than 5% of the resamples, and where no resample differs
    from another: of units that all agree, none shows how often others would not.
    """
    of_units = _contributions(units)
    if not len(of_units):
        return None
    names = list(groups) or list(range(len(of_units)))
    at = {name: place for place, name in enumerate(dict.fromkeys(names))}
    sums = np.zeros((len(at), *of_units.shape[1:]))
    np.add.at(sums, [at[name] for name in names], of_units)
    # Groups with the same labels are drawn together, by how many they are: the same distribution.
    flat = sums.reshape(len(at), -1)
    kinds, times = np.unique(flat, axis=0, return_counts=True)
    random = np.random.default_rng(_SEED)
    counts = random.multinomial(len(at), times / len(at), RESAMPLES)
    values = _alphas((counts @ kinds).reshape(RESAMPLES, *of_units.shape[1:]))
    known = values[np.isfinite(values)]
    if len(known) < (1 - _MOST_UNDEFINED) * RESAMPLES or np.ptp(known) < 1e-12:
        return None
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def _contributions(units: Units) -> Floats:
    """Of each unit its part of the matrix of coincidences: unit by label by label.

    A unit of m labels adds 1 / (m - 1) for each ordered pair of them; one with a single label
    nothing.
    """
    labels = {name: at for at, name in enumerate(sorted({one for unit in units for one in unit}))}
    found = np.zeros((len(units), len(labels), len(labels)))
    for at, unit in enumerate(units):
        if len(unit) < 2:
            continue
        counts = Counter(labels[one] for one in unit)
        for one, count in counts.items():
            for other, times in counts.items():
                ordered = count * (times - (one == other))
                found[at, one, other] = ordered / (len(unit) - 1)
    return found


def _alphas(coincidences: Floats) -> Floats:
    """Alpha of each matrix of coincidences; NaN where it is undefined."""
    of_labels = coincidences.sum(2)
    total = of_labels.sum(1)
    observed = total - np.trace(coincidences, axis1=1, axis2=2)
    expected = total**2 - (of_labels**2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 1 - (total - 1) * observed / expected
    return np.where(expected > 1e-9, values, np.nan)
