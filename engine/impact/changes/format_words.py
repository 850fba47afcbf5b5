"""Format or knowledge: the word for a change of scores and likelihoods of the same items.

After tuning a model may stop to answer in the form that a score reads, and still hold the right
answer likely: the phenomenon of "Spurious Forgetting in Continual Learning of Language Models"
(Zheng et al. 2025, arXiv 2501.13453), where a loss of alignment with the task looks like a loss of
knowledge. Of each measure `engine.impact.changes.verdicts.judge` says whether it *falls* (lost),
*rises* (gained) or *holds* (changed within, or the same within its bound, by two one-sided tests);
else it is undecided. The words, of the strict score S and the likelihood L of the right answer:

    format shift          S falls, and L holds
    knowledge shift       L falls, and S does not rise
    no change             S holds, and L holds
    format gained         S rises, and L holds
    knowledge gained      S rises, and L rises
    measures disagree     S and L move apart, or L rises alone; or another measure says otherwise
    not enough evidence   all else

Another measure says otherwise where choices by likelihood are decided, and not as L is; and where
the flexible score does not fall with S and L (the right answer is still given), or does not rise
with them (it was given before). A shift is claimed only where the likelihood sees what the base
knows: where the base chooses better than chance by likelihood, or, with nothing to choose from,
gives the tokens of what it answers rightly a mean probability above one half, so that it would
write them. Else the right answer, as it is scored, is not what the model writes (`eight`, where it
writes "A spider has eight legs."), and its likelihood moves with the form.

Strict and likelihood are tested together, so each at its share of 5% (Bonferroni): of two arms that
do not differ, 1 in 20 gets a word that claims a change. A word that needs several measures is wrong
no more often than the test of one of them (intersection-union, Berger 1982, Technometrics 24, pages
295 to 300). Simulated: with no difference at most 5% of false words at 100 to 400 items; a planted
shift of 30 points in the form alone or of 0.3 nats in the likelihood is named in 95% or more of 400
items; a likelihood that falls by just the bound passes for one that holds in 6% (skewed 8%).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.impact.changes.verdicts import Verdict
from engine.impact.results.evaluation_results import FLEXIBLE, GOLD_NLL, LIKELIHOOD, STRICT

State = Literal["falls", "holds", "rises", "undecided"]
FormatWord = Literal[
    "format shift",
    "knowledge shift",
    "no change",
    "format gained",
    "knowledge gained",
    "measures disagree",
    "not enough evidence",
    "items only",
]
MEASURE_NAMES: Mapping[str, str] = {
    STRICT: "strict score",
    FLEXIBLE: "flexible score",
    GOLD_NLL: "gold log-prob",
    LIKELIHOOD: "likeliest choice",
}
"""In the order in which they are read; the first and the third decide."""
_STATES: Mapping[str, State] = {
    "lost": "falls",
    "gained": "rises",
    "changed within": "holds",
    "the same within": "holds",
}
_WORDS: Mapping[tuple[State, State], FormatWord] = {
    ("falls", "holds"): "format shift",
    ("falls", "falls"): "knowledge shift",
    ("holds", "falls"): "knowledge shift",
    ("undecided", "falls"): "knowledge shift",
    ("holds", "holds"): "no change",
    ("rises", "holds"): "format gained",
    ("rises", "rises"): "knowledge gained",
    ("falls", "rises"): "measures disagree",
    ("holds", "rises"): "measures disagree",
    ("rises", "falls"): "measures disagree",
}
"""By strict score and likelihood."""


@dataclass(frozen=True, slots=True)
class MeasureChange:
    """One measure, base against arm. More is better: of `gold_nll` the negative is taken, which is
    the log-probability of the right answer."""

    measure: str
    before: float
    """Mean over the items."""
    after: float
    verdict: Verdict

    @property
    def items(self) -> int:
        return self.verdict.test.items

    @property
    def state(self) -> State:
        return _STATES.get(self.verdict.word, "undecided")


def likelihood_of(measures: Mapping[str, object]) -> str:
    """The measure that is the likelihood here; empty where there is none."""
    return next((one for one in (GOLD_NLL, LIKELIHOOD) if one in measures), "")


def choose_word(
    changes: Mapping[str, MeasureChange], likelihood: str, blind: str
) -> tuple[FormatWord, str]:
    """The word and the reason for it, empty where the word says it.

    `likelihood` is the measure that decides beside the strict score; `blind` why it does not see
    what the base knows, empty where it does.
    """
    strict, likely = changes.get(STRICT), changes.get(likelihood)
    if strict is None or likely is None:
        return "not enough evidence", "strict score and likelihood are needed"
    if conflict := _find_conflict(changes, strict, likely):
        return "measures disagree", conflict
    word = _WORDS.get((strict.state, likely.state), "not enough evidence")
    if word == "measures disagree":
        return word, _both(strict, likely)
    if word == "not enough evidence":
        return word, _say_undecided(strict, likely)
    if blind and word in ("format shift", "knowledge shift"):
        return "not enough evidence", blind
    return word, ""


def _find_conflict(
    changes: Mapping[str, MeasureChange], strict: MeasureChange, likely: MeasureChange
) -> str:
    """Measures that say otherwise than strict score and likelihood do; empty where none does."""
    choices, flexible = changes.get(LIKELIHOOD), changes.get(FLEXIBLE)
    if choices and len({likely.state, choices.state} - {"undecided"}) > 1:
        return _both(likely, choices)
    opposed = {"falls": ("holds", "rises"), "rises": ("holds", "falls")}.get(strict.state, ())
    if flexible and strict.state == likely.state and flexible.state in opposed:
        return _both(likely, flexible)
    return ""


def _both(one: MeasureChange, other: MeasureChange) -> str:
    return ", ".join(f"{MEASURE_NAMES[each.measure]} {each.state}" for each in (one, other))


def _say_undecided(*deciding: MeasureChange) -> str:
    undecided = [one for one in deciding if one.state == "undecided"]
    names = " and ".join(MEASURE_NAMES[one.measure] for one in undecided)
    needed = [one.verdict.items_needed for one in undecided]
    most = max((count for count in needed if count is not None), default=0)
    if None in needed or most <= max(one.items for one in undecided):
        return f"{names} undecided"
    return f"{names} undecided; about {most:,} items would do"
