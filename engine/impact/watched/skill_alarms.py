"""The alarm of a skill: that it fell while a run trains, so far that chance does not explain it.

It is raised where the one-sided 95% bound of the change since step 0 lies below −δ (5 points; of
texts, above the forgetting budget in nats per token) in two evaluations in a row (Miller 2024 for
the paired test): asked twice, since a run looks many times. With no
true change a run of eight skills and twenty evaluations raises one in less than 5% of cases, for 2
to 10% of items that flip by chance, however long a flip lasts; a loss of 10 points is found in 76%
of runs with 200 items and in 47% with 100, one of 20 points in 86% with 50 items
(tests/impact/watched/test_skill_alarms.py). With fewer than 20 items there is none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from engine.impact.changes.verdicts import DELTA, LEAST_ITEMS
from engine.impact.watched.skill_log import SkillLog
from engine.number_format import write_number
from engine.statistics import PairedTest

CONFIDENCE = 0.9
"""Of the interval whose upper end is the one-sided 95% bound."""


@dataclass(frozen=True, slots=True)
class SkillAlarm:
    skill: str
    step: int
    """The second of the two evaluations."""
    test: PairedTest
    """Of the change at that step."""
    limit: float
    """What the bound lies below, as a loss above 0."""
    in_nats: bool = False
    """Per token, of texts; else in points of a score."""

    def __str__(self) -> str:
        test, limit = self.test, self.limit
        if not math.isfinite(test.difference):
            return f"{self.skill} diverged at step {self.step}, n = {test.items}"
        low, high = test.interval(CONFIDENCE)
        if self.in_nats:
            change = f"{write_number(-test.difference, 3, signed=True)} nats/token"
            reach = f"{write_number(-high, 3, signed=True)} to {write_number(-low, 3, signed=True)}"
            beyond = f"above +{limit:g}"
        else:
            change, reach = (
                f"{_points(test.difference)} points",
                f"{_points(low)} to {_points(high)}",
            )
            beyond = f"below -{limit * 100:g}"
        return (
            f"{self.skill} {change} at step {self.step} (90% interval {reach}, n = {test.items}), "
            f"{beyond} in two evaluations"
        )


def is_lost(test: PairedTest, limit: float = DELTA) -> bool:
    """Whether the one-sided 95% bound of a change lies below −limit. What is not finite is lost."""
    if test.items < LEAST_ITEMS:
        return False
    return not math.isfinite(test.difference) or test.interval(CONFIDENCE)[1] < -limit


def find_alarm_step(lost: Mapping[int, bool]) -> int | None:
    """The first step at which a skill was lost at the evaluation before it too."""
    for before, step in pairwise(sorted(lost)):
        if lost[before] and lost[step]:
            return step
    return None


def find_alarms(log: SkillLog, budget: float) -> list[SkillAlarm]:
    """Of each skill the first alarm, in the order of the suites. `budget` is the limit of texts, in
    nats per token."""
    alarms = []
    for name, suite in log.suites.items():
        limit = budget if suite.less_is_better else DELTA
        tests = {
            step: test
            for step in log.steps(name)
            if step > 0 and (test := log.change(name, step)) is not None
        }
        step = find_alarm_step({step: is_lost(test, limit) for step, test in tests.items()})
        if step is not None:
            alarms.append(SkillAlarm(name, step, tests[step], limit, suite.less_is_better))
    return alarms


def _points(change: float) -> str:
    return f"{100 * change:+.1f}"
