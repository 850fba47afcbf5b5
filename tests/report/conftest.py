"""Reports in which the same losses would be planted again and again: that is simulated once."""

from collections.abc import Hashable, Sequence

import pytest

from engine.impact.changes import planted_loss
from engine.impact.changes.planted_loss import PowerTable, ScorePairs, simulate_power

_SIMULATED: dict[Hashable, PowerTable] = {}


@pytest.fixture(autouse=True)
def losses_planted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all tests report on the same results, some several times, and half of a report's time
    is this simulation: of one seed, so the same of the same pairs. That it is so in another process
    is `test_the_same_jobs_elsewhere_give_the_same_bytes`; its numbers are those of
    tests/impact/changes/test_planted_loss.py."""
    monkeypatch.setattr(planted_loss, "simulate_power", _simulate_once)


def _simulate_once(
    pairs: Sequence[ScorePairs], arms: tuple[str, str], planted: Sequence[float], draws: int
) -> PowerTable:
    values = tuple(
        (one.name, one.before.tobytes(), one.after.tobytes(), one.groups, one.weights,
         one.is_right_or_wrong, one.delta)
        for one in pairs
    )  # fmt: skip
    key = values, arms, tuple(planted), draws
    if key not in _SIMULATED:
        _SIMULATED[key] = simulate_power(pairs, arms, planted, draws)
    return _SIMULATED[key]
