"""Real or only format? Whether a model's answers changed in what it knows or in how it answers.

Owns which items and suites are compared: the same items, zero-shot and few-shot side by side. The
words and what they rest on are `engine.impact.changes.format_words`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.impact.changes.format_words import (
    MEASURE_NAMES,
    FormatWord,
    MeasureChange,
    choose_word,
    likelihood_of,
)
from engine.impact.changes.verdicts import DELTA, LEAST_ITEMS, judge
from engine.impact.results.evaluation_results import (
    GOLD_NLL,
    LESS_IS_BETTER,
    LIKELIHOOD,
    STRICT,
    ArmSuite,
    EvaluationResults,
    SuiteItem,
)
from engine.statistics import paired_test

LIKELIHOOD_BOUND = 0.05
"""In nats per token: a change of the right answer's likelihood up to this is of no interest.

It changes the (geometric) mean probability of a token of the right answer by less than 5.2% of
itself, exp(0.05) − 1, so by 5 points where the token was certain and by less everywhere else: the δ
of scores, on the scale of probabilities.
"""
LIKELY = math.log(0.5)
"""A token that is likelier than this is the one that is written."""
LEVEL = 0.05
"""Of a word that claims a change where there is none."""
_ASKED = ("fewshot", "template", "template_hash", "system", "prefix", "decode")


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
    reason: str
    """Where the word alone does not say it."""
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
    return any(STRICT in one and likelihood_of(one) for one in measured)


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


def _judge_suite(
    name: str,
    items: Mapping[str, SuiteItem],
    before: ArmSuite,
    after: ArmSuite,
    shared: set[str],
    delta: float,
) -> FormatVerdict:
    notes = []
    values = {
        one: (before.measures[one], after.measures[one])
        for one in MEASURE_NAMES
        if one in before.measures and one in after.measures
    }
    likelihood = likelihood_of(values)
    deciding = [one for one in (STRICT, likelihood) if one in values]
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
    blind = _find_blindness({item: items[item] for item in paired}, before)
    word, reason = choose_word(changes, likelihood, blind)
    if len(paired) < LEAST_ITEMS:
        word, reason = "items only", f"a verdict needs {LEAST_ITEMS} items"
    return FormatVerdict(
        name,
        int(asked.get("fewshot", 0)),
        str(asked.get("template", "own")),
        changes,
        word,
        len(paired),
        reason,
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


def _find_blindness(items: Mapping[str, SuiteItem], base: ArmSuite) -> str:
    """Why the likelihood does not see what the base knows; empty where it does."""
    choices = {
        name: value
        for name, value in base.measures.get(LIKELIHOOD, {}).items()
        if math.isfinite(value)  # a base may have diverged
    }
    strict, nll = base.measures.get(STRICT, {}), base.measures.get(GOLD_NLL, {})
    if any(one.choices and name in choices for name, one in items.items()):
        values = {
            name: choices[name] - _chance(one)
            for name, one in items.items()
            if one.choices and name in choices
        }
        reason = "by likelihood the base chooses no better than chance"
    else:
        values = {
            name: -nll[name] - LIKELY
            for name in items
            if strict.get(name, 0) >= 1 and math.isfinite(nll.get(name, math.inf))
        }
        reason = "the base would not write the right answers as they are scored"
    groups = [items[name].group or (name,) for name in values]
    return "" if values and paired_test([*values.values()], groups).interval()[0] > 0 else reason


def _chance(item: SuiteItem) -> float:
    """Of choosing a right answer blindly."""
    return sum(choice in item.gold for choice in item.choices) / len(item.choices)
