"""The gates that need no library: which of them a recipe sets, and what those that are off mean."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import Gate, GateName, HeldOutText


@dataclass(frozen=True, slots=True)
class GateSetting:
    """What a recipe sets of one gate, for the data card."""

    name: GateName
    limit: str = ""
    """In words; empty where it is off."""
    off: str = ""
    """Why it is off; empty where it is on."""


def light_gates(recipe: SynthesizeRecipe, held_out: Sequence[HeldOutText] = ()) -> list[Gate]:
    """Those that a recipe sets, in the order of their names."""
    return []


def gate_settings(recipe: SynthesizeRecipe) -> tuple[GateSetting, ...]:
    """All gates in the order of their names, heavy ones as well, and what is set of them."""
    return ()
