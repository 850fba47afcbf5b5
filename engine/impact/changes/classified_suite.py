"""A suite that is a classification: what each arm predicted, counted, and what changed.

Owns which items are counted: those with one right label that every arm was measured on, so that
the arms' matrices are of the same items. Refuses to guess: without recorded right answers nothing
is counted, and it is said.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.impact.changes.classification import Classification, classify, macro_f1_change
from engine.impact.changes.verdicts import DELTA, Verdict, judge
from engine.impact.results.evaluation_results import LIKELIHOOD, STRICT, EvaluationResults
from engine.statistics import paired_test

Way = Literal["likelihood", "generated"]
"""How a label is read off a model: the likeliest one, or the one that its answer is."""
WAYS: Mapping[Way, str] = {"likelihood": LIKELIHOOD, "generated": STRICT}
"""With the measure whose `picked` holds the predictions."""
WAY_WORDS: Mapping[Way, str] = {"likelihood": "likelihood", "generated": "generated answer"}


@dataclass(frozen=True, slots=True)
class LabelChange:
    """One arm's predictions against the first arm's, on the same items."""

    accuracy: Verdict
    """Exploratory and unadjusted."""
    macro_f1: float
    """After − before."""
    macro_f1_interval: tuple[float, float]
    """95%, of resampled items."""
    is_same: bool
    """Whether every prediction is: then resampling finds no spread."""


@dataclass(frozen=True, slots=True)
class ClassifiedSuite:
    name: str
    way: Way
    labels: tuple[str, ...]
    arms: Mapping[str, Classification] = field(hash=False)
    """In the order in which they were named; empty where nothing can be counted."""
    changes: Mapping[str, LabelChange] = field(hash=False)
    """By arm, against the first one."""
    notes: tuple[str, ...]
    """What is left out and why, a sentence each."""

    @property
    def items(self) -> int:
        return next((one.items for one in self.arms.values()), 0)

    @property
    def majority(self) -> tuple[str, float]:
        """The commonest right label and its share: what answering it always would score."""
        rows = next(iter(self.arms.values())).confusion.sum(1)
        at = int(rows.argmax())
        return self.labels[at], float(rows[at] / rows.sum())


def classify_suite(
    results: EvaluationResults,
    suite: str,
    way: Way,
    arms: Sequence[str] = (),
    delta: float = DELTA,
) -> ClassifiedSuite:
    """Count the labels that arms predicted on a suite; all arms where none are named.

    Takes a second for many items: items are resampled. Raises ValueError for a suite or an arm that
    the results lack, and for a suite that is no classification.
    """
    facts = results.suites.get(suite)
    names = tuple(arms) or tuple(results.arms)
    if facts is None or not facts.labels:
        raise ValueError(f"suite {suite!r} is no classification")
    if missing := [arm for arm in names if arm not in results.arms]:
        raise ValueError(f"arms {missing} of {tuple(results.arms)}")
    notes: list[str] = []
    picked: dict[str, Mapping[str, str]] = {}
    for arm in names:
        measured = results.arms[arm].suites.get(suite)
        found = measured.picked.get(WAYS[way], {}) if measured else {}
        if found:
            picked[arm] = found
        else:
            notes.append(f"{arm}: not measured by {WAY_WORDS[way]}.")
    truth, wanting = _read_truth(facts.labels, {id: one.gold for id, one in facts.items.items()})
    notes += wanting
    shared = [item for item in truth if picked and all(item in one for one in picked.values())]
    if picked and len(shared) < len(truth):
        notes.append(f"{_items(len(truth) - len(shared))} not measured of every arm: left out.")
    if not shared:
        return ClassifiedSuite(suite, way, facts.labels, {}, {}, tuple(notes))
    right = [truth[item] for item in shared]
    predicted = {arm: [found[item] for item in shared] for arm, found in picked.items()}
    groups = [facts.items[item].group or (item,) for item in shared]
    if len(set(groups)) < len(groups):
        notes.append("Items come in groups: all intervals but that of the change are too narrow.")
    if unused := len(facts.labels) - len(set(right)):
        label = "label has" if unused == 1 else "labels have"
        notes.append(f"{unused} {label} no items here; an F1 of 0 for each counts in macro-F1.")
    first = next(iter(predicted))
    counted = {arm: classify(right, each, facts.labels) for arm, each in predicted.items()}
    changes = {
        arm: LabelChange(
            judge(paired_test(_gained(right, predicted[first], each), groups), delta),
            counted[arm].macro_f1 - counted[first].macro_f1,
            macro_f1_change(right, predicted[first], each, facts.labels),
            each == predicted[first],
        )
        for arm, each in predicted.items()
        if arm != first
    }
    return ClassifiedSuite(suite, way, facts.labels, counted, changes, tuple(notes))


def _read_truth(
    labels: Sequence[str], gold: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, str], list[str]]:
    """The right label by item where there is one, and what is said of the others."""
    truth, reasons = {}, Counter[str]()
    for item, right in gold.items():
        if len(right) != 1:
            reasons["several right labels" if right else "no right label"] += 1
        elif right[0] not in labels:
            reasons["a right answer that is no label"] += 1
        else:
            truth[item] = right[0]
    return truth, [f"{_items(count)} with {reason}: left out." for reason, count in reasons.items()]


def _items(count: int) -> str:
    return f"{count:,} item{'s' * (count != 1)}"


def _gained(right: Sequence[str], before: Sequence[str], after: Sequence[str]) -> list[float]:
    """Of each item 1 where it became right, −1 where it became wrong."""
    return [
        float((late == true) - (early == true))
        for true, early, late in zip(right, before, after, strict=True)
    ]
