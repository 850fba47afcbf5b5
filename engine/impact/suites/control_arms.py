"""The controls of an evaluation: what is measured beside its arms, to judge the measuring itself.

Owns which they are, how they are called, and on which items they are measured, in which order. They
are arms for the worker alone: no table takes them for one.
"""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.impact.results.evaluation_results import Control
from engine.recipes.recipe import EvaluateRecipe


@dataclass(frozen=True, slots=True)
class ControlArm:
    arm: Arm
    """With a name that no other arm has."""
    kind: Control
    of: str
    """The name of the arm that it is a control of."""
    limit: int = 0
    """Items of each suite, the first ones; 0: all."""

    def choose_items(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """The items in the order in which they are asked.

        An arm that is measured once more has all of them, shuffled: other items are computed side
        by side, which is what moves a score where nothing else does.
        """
        chosen = list(items[: self.limit or None])
        if self.kind == "identity":
            random.Random(f"order of {self.of}").shuffle(chosen)
        return tuple(chosen)


def list_controls(arms: Sequence[Arm], recipe: EvaluateRecipe) -> tuple[ControlArm, ...]:
    """The first arm once more, and the null adapters of the last arm, by seeds from 1 on."""
    return tuple(_list_controls(arms, recipe))


def _list_controls(arms: Sequence[Arm], recipe: EvaluateRecipe) -> Iterator[ControlArm]:
    taken = {arm.name for arm in arms}
    if recipe.controls or recipe.null_adapters:
        base = arms[0]
        yield ControlArm(_rename(base, f"{base.name}, again", taken), "identity", base.name)
    for seed in range(1, recipe.null_adapters + 1):
        null = replace(_rename(arms[-1], f"{arms[-1].name}, null {seed}", taken), null=seed)
        yield ControlArm(null, "null", arms[-1].name, recipe.null_items)


def _rename(arm: Arm, name: str, taken: Collection[str]) -> Arm:
    while name in taken:
        name += "'"
    return replace(arm, name=name)
