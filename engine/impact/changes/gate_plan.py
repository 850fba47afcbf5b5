"""What a gate can show, before anything is measured: how many items a limit needs, and how often it
passes with those that a suite has.

Owns the assumptions: how many items change from one arm to the other, and that nothing is lost.
"""

from dataclasses import dataclass

from engine.impact.changes.gate import Limit
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.scores.measure_kinds import unit_of
from engine.one_sided_bounds import chance_to_pass, items_needed, least_items

DISCORDANT = 0.1
"""Share of items that change from one arm to the other, right to wrong or wrong to right."""


@dataclass(frozen=True, slots=True)
class GatePlan:
    """Of one limit, under the assumptions that its words name."""

    limit: Limit
    discordant: float
    gain: float
    """True change that is assumed: none of a loss, of a gain twice its limit."""
    needed: int
    """Items with which it passes in nine of ten cases."""
    least: int
    """With fewer it cannot pass at all."""

    def chance(self, items: int) -> float:
        """How often it passes with so many items."""
        if items < max(self.least, LEAST_ITEMS):
            return 0.0
        return chance_to_pass(self.gain - self.limit.threshold, _variance(self), items)

    @property
    def assumption(self) -> str:
        if self.limit.kind == "lost at most":
            return "if nothing is lost"
        return f"if {100 * self.gain:.6g} points are gained"


def plan_limit(limit: Limit, measure: str, discordant: float = DISCORDANT) -> GatePlan | None:
    """None where the values have no spread that can be assumed, as nats per token, and of a gain of
    0 points, of which every size is above the limit."""
    if unit_of(measure) != "score" or not limit.share:
        return None
    gain = min(1.0, 2 * limit.share) if limit.kind == "gained at least" else 0.0
    discordant = max(discordant, gain)
    least = least_items(limit.share) if limit.kind == "lost at most" else LEAST_ITEMS
    plan = GatePlan(limit, discordant, gain, 0, max(LEAST_ITEMS, least))
    needed = items_needed(gain - limit.threshold, _variance(plan))
    return GatePlan(limit, discordant, gain, max(plan.least, needed), plan.least)


def _variance(plan: GatePlan) -> float:
    """Of one item's difference."""
    return plan.discordant - plan.gain**2
