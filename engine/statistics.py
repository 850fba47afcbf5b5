"""Intervals and tests for what is measured. Standard library only."""

from math import sqrt
from statistics import NormalDist


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion of `k` in `n`: its lower and upper bound in [0, 1].

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22, pages 209 to 212, without continuity correction.
    With no trials nothing is known: (0, 1). Raises ValueError unless 0 <= k <= n and
    0 < confidence < 1.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} successes in {n} trials")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = k / n
    centre = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if k == 0 else (centre - spread) / scale
    high = 1.0 if k == n else (centre + spread) / scale
    return low, high
