"""What a gate can show, before anything is measured: how many items a limit needs, and how often it
passes with those that a suite has.

Owns the assumptions: how many items change from one arm to the other, and that nothing is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.compare.items import Item
from engine.impact.changes.gate import Limit
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.impact.scores.measure_kinds import unit_of
from engine.one_sided_bounds import FURTHER, chance_to_pass, items_needed, least_items

DISCORDANT = 0.1
"""Share of items that change from one arm to the other, right to wrong or wrong to right."""


@dataclass(frozen=True, slots=True)
class GatePlan:
    """Of one limit and the items of its suite, under the assumptions that it names."""

    items: int
    groups: int
    """Independent ones among them; as many as items where these come alone."""
    discordant: float
    assumption: str
    needed: int
    """Items with which it passes in nine of ten cases."""
    least: int
    """With fewer it cannot pass at all."""
    chance: float
    """How often it passes with the items that are there; of groups whose items go together."""


def plan_limit(
    limit: Limit, measure: str, items: Sequence[Item], discordant: float = DISCORDANT
) -> GatePlan | None:
    """Assumes that nothing is lost; of a gain, that it is twice its limit, or half of what there is
    above it.

    None where the values have no spread that can be assumed, as nats per token, and of a gain of 0
    points, of which every size is above the limit.
    """
    if unit_of(measure) != "score" or not limit.share:
        return None
    is_gain = limit.kind == "gained at least"
    gain = min(2 * limit.share, (1 + limit.share) / 2) if is_gain else 0.0
    margin = gain - limit.threshold
    discordant = max(discordant, gain)
    variance = discordant - gain**2
    least = LEAST_ITEMS if is_gain else max(LEAST_ITEMS, least_items(limit.share))
    groups = len({item.group or (item.id,) for item in items})
    chance = 0.0
    if min(len(items), groups) >= least:
        # Of groups the bound counts more, that changed by a whole score to the worse.
        extra = FURTHER / (groups + FURTHER) if groups < len(items) else 0.0
        chance = chance_to_pass(margin - extra, variance + extra, groups)
    return GatePlan(
        len(items),
        groups,
        discordant,
        f"if {100 * gain:.6g} points are gained" if is_gain else "if nothing is lost",
        max(least, items_needed(margin, variance)),
        least,
        chance,
    )
