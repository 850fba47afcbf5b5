"""What the values of a measure are: whether an item is right or wrong by it, and in which unit a
change of it is.

Owns which measures a δ in points is defined of. A name that it does not know is a number of which
nothing more is said than that it is higher or lower.
"""

from typing import Literal

from engine.impact.results.evaluation_results import (
    FLEXIBLE,
    GOLD_NLL,
    LIKELIHOOD,
    LIKELIHOOD_NORM,
    NLL,
    STRICT,
)
from engine.impact.scores.answer_scores import DEFINES, PARSES

Unit = Literal["score", "nats per token", "value"]
"""`score`: between 0 and 1, and more is better."""

CHOICES = frozenset((LIKELIHOOD, LIKELIHOOD_NORM))
"""Made by choosing among the item's choices."""
RIGHT_OR_WRONG = CHOICES | {STRICT, FLEXIBLE, PARSES, DEFINES}
_OVERLAP = ("rouge", "chrf", "bleu", "bertscore", "codebleu", "code_")
"""How the names of measures begin that compare an answer with a reference, from 0 to 1."""


def unit_of(measure: str) -> Unit:
    if measure in (NLL, GOLD_NLL):
        return "nats per token"
    if measure in RIGHT_OR_WRONG or measure.lower().startswith(_OVERLAP):
        return "score"
    return "value"
