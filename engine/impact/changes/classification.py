"""Classification: accuracy, F1 and the confusion of labels, for one arm's predictions, and what
changed of them from one arm to another.

Owns the counts. What is no label at all is a class of its own on the side of the predictions: it
counts as wrong and never as a label. Equal to scikit-learn where all predictions are labels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.statistics import wilson

NO_LABEL = ""
"""A prediction that is none of the labels."""
RESAMPLES = 2000
_SEED = 20

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LabelScores:
    """How well one label was predicted."""

    label: str
    items: int
    """With this label."""
    predicted: int
    """Predictions of this label."""
    right: int

    @property
    def precision(self) -> float:
        """Of its predictions; 0 where it was never predicted, as scikit-learn has it."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def precision_interval(self) -> tuple[float, float]:
        """Wilson's interval at 95%, of as many predictions of the label as there were."""
        return wilson(self.right, self.predicted)

    @property
    def recall(self) -> float:
        return self.right / self.items if self.items else 0.0

    @property
    def recall_interval(self) -> tuple[float, float]:
        """Wilson's interval at 95%."""
        return wilson(self.right, self.items)

    @property
    def f1(self) -> float:
        """2 · right / (items + predicted)."""
        return 2 * self.right / (self.items + self.predicted) if self.right else 0.0

    @property
    def f1_interval(self) -> tuple[float, float]:
        """At 95%, from Wilson's interval of j = right / (items that have the label or were
        predicted to have it): F1 = 2j / (1 + j), which rises with j."""
        low, high = wilson(self.right, self.items + self.predicted - self.right)
        return 2 * low / (1 + low), 2 * high / (1 + high)


@dataclass(frozen=True, slots=True)
class Classification:
    labels: tuple[str, ...]
    confusion: Counts
    """Items by true label (rows) and prediction (columns); the last column is `NO_LABEL`."""
    macro_f1_interval: tuple[float, float]
    """95%, by percentiles of resampled items: covers 92% at 500 items of six labels and 90% at 60
    of three. Where nothing is wrong it is (1, 1): there is no error to draw."""

    @property
    def items(self) -> int:
        return int(self.confusion.sum())

    @property
    def right(self) -> int:
        return int(np.trace(self.confusion[:, : len(self.labels)]))

    @property
    def accuracy(self) -> float:
        return self.right / self.items

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Wilson's interval at 95%."""
        return wilson(self.right, self.items)

    @property
    def no_label(self) -> int:
        """Predictions that are no label."""
        return int(self.confusion[:, -1].sum())

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels, each counted once however many items it has."""
        return sum(one.f1 for one in self.by_label()) / len(self.labels)

    @property
    def majority(self) -> float:
        """The share of the commonest label: what answering it always would score."""
        return float(self.confusion.sum(1).max() / self.items)

    def by_label(self) -> list[LabelScores]:
        return [
            LabelScores(
                label,
                int(self.confusion[at].sum()),
                int(self.confusion[:, at].sum()),
                int(self.confusion[at, at]),
            )
            for at, label in enumerate(self.labels)
        ]

    def commonest_confusions(self, most: int = 10) -> list[tuple[str, str, int]]:
        """True label, prediction, items: the commonest first, ties in the order of labels."""
        predictions = (*self.labels, NO_LABEL)
        pairs = [
            (true, predicted, int(self.confusion[row, column]))
            for row, true in enumerate(self.labels)
            for column, predicted in enumerate(predictions)
            if row != column and self.confusion[row, column]
        ]
        return sorted(pairs, key=lambda pair: -pair[2])[:most]


def classify(
    truth: Sequence[str], predictions: Sequence[str], labels: Sequence[str] = ()
) -> Classification:
    """Count predictions against the true labels, one each an item.

    `labels` are all that there are, in the order of the matrix; without, those of `truth`, sorted.
    A prediction that is none of them is `NO_LABEL`. Raises ValueError without items, for lengths
    that differ, for a true label that is not among `labels`, and for duplicate labels.
    """
    if not truth or len(truth) != len(predictions):
        raise ValueError(f"{len(predictions)} predictions for {len(truth)} items")
    names = tuple(labels) or tuple(sorted(set(truth)))
    at = {label: index for index, label in enumerate(names)}
    if len(at) < len(names):
        raise ValueError("duplicate labels")
    if unknown := sorted(set(truth) - set(names)):
        raise ValueError(f"true labels that are not among the labels: {unknown[:5]}")
    true, found = _encode(truth, at), _encode(predictions, at)
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    np.add.at(confusion, (true, found), 1)
    values = [_macro_f1(true[drawn], found[drawn], len(names)) for drawn in _draw(len(truth))]
    return Classification(names, confusion, _percentiles(np.concatenate(values)))


def confusion_changes(
    before: Classification, after: Classification, most: int = 10
) -> list[tuple[str, str, int, int]]:
    """Confusions of the same items whose counts changed most: true label, prediction, both counts.

    Ties in the order of the labels.
    """
    predictions = (*before.labels, NO_LABEL)
    pairs = [
        (true, predicted, int(before.confusion[row, column]), int(after.confusion[row, column]))
        for row, true in enumerate(before.labels)
        for column, predicted in enumerate(predictions)
        if row != column and before.confusion[row, column] != after.confusion[row, column]
    ]
    return sorted(pairs, key=lambda pair: -abs(pair[3] - pair[2]))[:most]


def read_label(answer: str, labels: Sequence[str]) -> str:
    """The label that an answer is, letter case, white space and a full stop at its end aside;
    `NO_LABEL` for any other text, so also for one that begins with a label.

    Of labels that differ in letter case alone, the one that is written the same.
    """
    for text in (answer.strip(), answer.strip().removesuffix(".").rstrip()):
        if text in labels:
            return text
        folded = [label for label in labels if label.casefold() == text.casefold()]
        if len(folded) == 1:
            return folded[0]
    return NO_LABEL


def macro_f1_change(
    truth: Sequence[str],
    before: Sequence[str],
    after: Sequence[str],
    labels: Sequence[str],
) -> tuple[float, float]:
    """The interval at 95% of the change of macro-F1 between two arms' predictions.

    By percentiles of resampled items, each with both of its predictions. Of the same predictions it
    is (0, 0), which says nothing of other items. Arguments and errors as of `classify`.
    """
    at = {label: index for index, label in enumerate(labels)}
    true, first, second = (_encode(one, at) for one in (truth, before, after))
    values = [
        _macro_f1(true[drawn], second[drawn], len(at))
        - _macro_f1(true[drawn], first[drawn], len(at))
        for drawn in _draw(len(truth))
    ]
    return _percentiles(np.concatenate(values))


def _encode(names: Sequence[str], at: Mapping[str, int]) -> Counts:
    """Each as the place of its label; as the one after all where it is none."""
    return np.array([at.get(name, len(at)) for name in names], np.int64)


def _draw(items: int) -> Iterator[Counts]:
    """Places of as many items as there are, drawn with replacement, resample by item; always the
    same draws, so many at a time as a cache of a core holds."""
    random = np.random.default_rng(_SEED)
    left = RESAMPLES
    while left:
        take = min(left, max(1, (1 << 14) // items))
        yield random.integers(0, items, (take, items))
        left -= take


def _macro_f1(true: Counts, predicted: Counts, labels: int) -> Floats:
    """Of each resample, of places of labels by resample and item."""
    right = _count(np.where(true == predicted, true, labels), labels)
    sums = _count(true, labels) + _count(predicted, labels)
    return np.asarray((2 * right / np.maximum(sums, 1)).mean(1), np.float64)


def _count(places: Counts, labels: int) -> Counts:
    """How often each label is there, resample by label; the place after all is none."""
    rows = np.arange(len(places))[:, None] * (labels + 1)
    counts = np.bincount((places + rows).ravel(), minlength=len(places) * (labels + 1))
    return counts.reshape(len(places), labels + 1)[:, :labels]


def _percentiles(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
