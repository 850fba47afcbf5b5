"""Real or only format? Whether a model's answers changed in what it knows or in how it answers.

After tuning a model may stop to answer in the form that a score reads, and still hold the right
answer likely: the phenomenon of "Spurious Forgetting in Continual Learning of Language Models"
(Zheng et al. 2025, arXiv 2501.13453), where a loss of alignment with the task looks like a loss of
knowledge. Three measures of the same items tell them apart: the strict score, the flexible score
and the log-probability of the right answer.

Owns the words, and what each rests on. Of each measure `engine.impact.verdicts.judge` says whether
it *falls* (lost), *rises* (gained) or *holds* (changed within, or the same within its bound, by two
one-sided tests); else it is undecided. The words, of strict S and likelihood L:

    format shift          S falls, and L holds or rises
    knowledge shift       L falls, and S does not rise
    no change             S holds, and L holds
    format gained         S rises, and L holds
    knowledge gained      L rises, and S does not fall
    measures disagree     L falls and S rises; or choices by likelihood are decided otherwise than L
    not enough evidence   all else

Strict and likelihood are tested together, so each at its share of 5% (Bonferroni): of two arms that
do not differ, 1 in 20 gets a word that claims a change. A word that needs several measures is wrong
no more often than the test of one of them (intersection-union, Berger 1982, Technometrics 24, pages
295 to 300). Simulated: with no difference at most 5% of false words at 100 to 400 items; a planted
shift of 30 points in the form alone or of 0.3 nats in the likelihood is named in 95% or more of 400
items; a likelihood that falls by just the bound passes for one that holds in 6% (skewed 8%).
"""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.impact.evaluation_results import (
    FLEXIBLE,
    GOLD_NLL,
    LESS_IS_BETTER,
    LIKELIHOOD,
    STRICT,
    ArmSuite,
    EvaluationResults,
    SuiteItem,
)
from engine.impact.verdicts import DELTA, LEAST_ITEMS, Verdict, judge
from engine.statistics import paired_test

LIKELIHOOD_BOUND = 0.05
"""In nats per token: a change of the right answer's likelihood up to this is of no interest.

It changes the (geometric) mean probability of a token of the right answer by less than 5.2% of
itself, exp(0.05) − 1, so by 5 points where the token was certain and by less everywhere else: the δ
of scores, on the scale of probabilities.
"""
MEASURES = (STRICT, FLEXIBLE, GOLD_NLL, LIKELIHOOD)
"""In the order in which they are read; the first and the third decide."""
_ASKED = ("fewshot", "template", "template_hash", "decode")
LEVEL = 0.05
"""Of a word that claims a change where there is none."""

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
_STATES: Mapping[str, State] = {
    "lost": "falls",
    "gained": "rises",
    "changed within": "holds",
    "the same within": "holds",
}


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


@dataclass(frozen=True, slots=True)
class FormatVerdict:
    """One arm against the base, on one suite in the way in which it was asked."""

    suite: str
    fewshot: int
    """Solved items before each question."""
    template: str
    changes: Mapping[str, MeasureChange] = field(hash=False)
    """By measure; those that both arms have."""
    word: FormatWord
    items: int
    """That the deciding measures were paired on."""
    items_needed: int | None
    """Of *not enough evidence*: how many would do; None where that is not known."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormatComparison:
    """One arm against the base on one skill: few-shot and zero-shot side by side."""

    skill: str
    base: str
    arm: str
    asked: tuple[FormatVerdict, ...]
    """By the number of solved items: zero-shot first."""
    notes: tuple[str, ...]


def compare_format(
    results: EvaluationResults, suite: str, arm: str, base: str = "", delta: float = DELTA
) -> FormatComparison:
    """What changed on a suite, and on the same items asked in other ways, from `base` to `arm`.

    `base` is the first arm where it is not named. The same items are those of suites that are
    called the same up to the first comma (`facts` and `facts, 5-shot`), where every item that two
    of them share is equal; they are compared on the items that all of them have. Raises ValueError
    for a suite or an arm that the results lack, and where both arms are one.
    """
    base = base or next(iter(results.arms), "")
    if suite not in results.suites or base == arm or not {base, arm} <= results.arms.keys():
        raise ValueError(f"suite {suite!r}, arms {base!r} and {arm!r}")
    siblings, notes = _siblings(results, suite, {base, arm})
    shared = set(results.suites[suite].items)
    shared.intersection_update(*(results.suites[name].items for name in siblings))
    verdicts = [
        _judge_suite(
            name,
            results.suites[name].items,
            results.arms[base].suites[name],
            results.arms[arm].suites[name],
            shared,
            delta,
        )
        for name in siblings
    ]
    verdicts.sort(key=lambda one: (one.fewshot, one.template))
    return FormatComparison(_skill_of(suite), base, arm, tuple(verdicts), tuple(notes))


def has_likelihood(results: EvaluationResults, suite: str) -> bool:
    """Whether anything can be said: some arm has a strict score and a likelihood of the suite."""
    measured = (arm.suites[suite].measures for arm in results.arms.values() if suite in arm.suites)
    return any(STRICT in one and _likelihood_of(one) for one in measured)


def _skill_of(suite: str) -> str:
    return suite.partition(",")[0].strip()


def _siblings(
    results: EvaluationResults, suite: str, arms: set[str]
) -> tuple[list[str], list[str]]:
    """Suites of the same items that both arms were measured on, and what is said of others."""
    items, found, notes = results.suites[suite].items, [], []
    for name, facts in results.suites.items():
        if _skill_of(name) != _skill_of(suite):
            continue
        measured = [results.arms[arm].suites.get(name) for arm in arms]
        if not all(one and one.measures and not one.is_perplexity for one in measured):
            notes += [f"{name}: not measured of both arms."] if name == suite else []
            continue
        common = items.keys() & facts.items.keys()
        if not common or any(items[item] != facts.items[item] for item in common):
            notes.append(f"{name}: its items are others, so it is not compared.")
        else:
            found.append(name)
    return found, notes


def _likelihood_of(measures: Container[str]) -> str:
    """The measure that is the likelihood here; empty where there is none."""
    return GOLD_NLL if GOLD_NLL in measures else LIKELIHOOD if LIKELIHOOD in measures else ""


def _judge_suite(
    name: str,
    items: Mapping[str, SuiteItem],
    before: ArmSuite,
    after: ArmSuite,
    shared: set[str],
    delta: float,
) -> FormatVerdict:
    notes = []
    both = [one for one in MEASURES if one in before.measures and one in after.measures]
    likelihood = _likelihood_of(both)
    deciding = [one for one in (STRICT, likelihood) if one in both]
    values = {one: (before.measures[one], after.measures[one]) for one in both}
    paired = [
        item
        for item in items
        if item in shared and all(item in arm for one in deciding for arm in values[one])
    ]
    tests = len({*deciding, *({LIKELIHOOD} & values.keys())})
    changes = {}
    for measure, (first, second) in values.items():
        own = [item for item in paired if item in first and item in second]
        unfinite = sum(not math.isfinite(first[item] + second[item]) for item in own)
        if unfinite:
            notes.append(f"{measure} of {unfinite:,} of {len(own):,} items is not finite.")
        elif own:
            groups = [items[item].group or (item,) for item in own]
            changes[measure] = _change(measure, first, second, own, groups, delta, tests)
    asked = after.asked
    if differing := [key for key in _ASKED if before.asked.get(key) != asked.get(key)]:
        notes.append(f"The arms were asked in different ways: {', '.join(differing)}.")
    word, undecided = _word(changes.get(STRICT), changes.get(likelihood), changes.get(LIKELIHOOD))
    if len(paired) < LEAST_ITEMS:
        word = "items only"
    needed = [one.verdict.items_needed for one in undecided]
    enough = max((count for count in needed if count is not None), default=0)
    is_known = word == "not enough evidence" and None not in needed and enough > len(paired)
    return FormatVerdict(
        name,
        int(asked.get("fewshot", 0)),
        str(asked.get("template", "own")),
        changes,
        word,
        len(paired),
        enough if is_known else None,
        tuple(notes),
    )


def _change(
    measure: str,
    before: Mapping[str, float],
    after: Mapping[str, float],
    items: Sequence[str],
    groups: Sequence[str | tuple[str]],
    delta: float,
    tests: int,
) -> MeasureChange:
    sign = -1.0 if measure in LESS_IS_BETTER else 1.0
    first, second = ([sign * arm[item] for item in items] for arm in (before, after))
    test = paired_test([b - a for a, b in zip(first, second, strict=True)], groups)
    bound = LIKELIHOOD_BOUND if measure == GOLD_NLL else delta
    return MeasureChange(
        measure,
        math.fsum(first) / len(first),
        math.fsum(second) / len(second),
        judge(test, bound, 1 - LEVEL / max(1, tests)),
    )


_WORDS: Mapping[tuple[State, State], FormatWord] = {
    ("falls", "holds"): "format shift",
    ("falls", "rises"): "format shift",
    ("falls", "falls"): "knowledge shift",
    ("holds", "falls"): "knowledge shift",
    ("undecided", "falls"): "knowledge shift",
    ("holds", "holds"): "no change",
    ("rises", "holds"): "format gained",
    ("rises", "rises"): "knowledge gained",
    ("holds", "rises"): "knowledge gained",
    ("undecided", "rises"): "knowledge gained",
    ("rises", "falls"): "measures disagree",
}
"""By strict and likelihood."""


def _word(
    strict: MeasureChange | None, likelihood: MeasureChange | None, choices: MeasureChange | None
) -> tuple[FormatWord, list[MeasureChange]]:
    """The word, and the deciding measures whose intervals do not decide."""
    if strict is None or likelihood is None:
        return "not enough evidence", []
    if choices and len({likelihood.state, choices.state} - {"undecided"}) > 1:
        return "measures disagree", []
    word = _WORDS.get((strict.state, likelihood.state), "not enough evidence")
    return word, [one for one in (strict, likelihood) if one.state == "undecided"]
