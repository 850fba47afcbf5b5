"""The gates of a job, light and heavy ones together: for the job, and for edits in a review."""

from collections.abc import Callable, Sequence

from engine.chat import Message
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.gates.candidate import HeldOutText
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.gates.light_gates import light_gates

AskJudge = Callable[[tuple[Message, ...], int], str]
"""What an arm answers to a conversation with a seed, without its reasoning. Raises NotJudged where
no answer comes."""


def make_gates(
    recipe: SynthesizeRecipe,
    held_out: Sequence[HeldOutText] = (),
    ask_judge: AskJudge | None = None,
) -> GateSet:
    """The gates that a recipe sets, with nothing to compare with yet: `GateSet.add_all` of
    `standing_candidates` takes up what there is.

    `ask_judge`: None leaves the judge out, as of edits that nobody wants to wait for.
    """
    return GateSet(light_gates(recipe, held_out))
