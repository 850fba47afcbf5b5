"""Classification: accuracy, F1 and the confusion of labels, for one arm's predictions.

Owns the counts. What is no label at all is a class of its own on the side of the predictions: it
counts as wrong and never as a label. Equal to scikit-learn where all predictions are labels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.statistics import wilson

NO_LABEL = ""
"""A prediction that is none of the labels."""
RESAMPLES = 2000
_SEED = 20

Counts = npt.NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Classification:
    labels: tuple[str, ...]
    confusion: Counts
    """Items by true label (rows) and prediction (columns); the last column is `NO_LABEL`."""
    macro_f1_interval: tuple[float, float]
    """95%, by percentiles of resampled items."""

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
        return _macro_f1(self.confusion)

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
    pairs = Counter(
        (at[true], at.get(predicted, len(names)))
        for true, predicted in zip(truth, predictions, strict=True)
    )
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    for (row, column), count in pairs.items():
        confusion[row, column] = count
    return Classification(names, confusion, _resampled_f1(confusion))


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


def _macro_f1(confusion: Counts) -> float:
    labels = confusion.shape[0]
    right = np.diagonal(confusion[:, :labels])
    sums = confusion.sum(1) + confusion[:, :labels].sum(0)
    f1 = np.divide(2 * right, sums, out=np.zeros(labels), where=sums > 0)
    return float(f1.mean())


def _resampled_f1(confusion: Counts) -> tuple[float, float]:
    """Items resampled: their cells of the matrix are drawn anew."""
    items, shape = int(confusion.sum()), confusion.shape
    random = np.random.default_rng(_SEED)
    cells = confusion.ravel()
    filled = np.flatnonzero(cells)
    drawn = random.multinomial(items, cells[filled] / items, RESAMPLES)
    values = []
    for row in drawn:
        resampled = np.zeros(cells.size, np.int64)
        resampled[filled] = row
        values.append(_macro_f1(resampled.reshape(shape)))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
