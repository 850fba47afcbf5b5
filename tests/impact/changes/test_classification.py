"""Classification counts, by hand and against scikit-learn."""

import random

import numpy as np
import pytest

from engine.impact.changes.classification import (
    NO_LABEL,
    LabelScores,
    classify,
    macro_f1_change,
    read_label,
)

TRUTH = ["joy", "joy", "joy", "anger", "anger", "fear"]
FOUND = ["joy", "joy", "anger", "anger", "what", "joy"]


def test_counts_by_hand() -> None:
    counts = classify(TRUTH, FOUND)
    assert counts.labels == ("anger", "fear", "joy")
    assert counts.confusion.tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [1, 0, 2, 0]]
    assert (counts.right, counts.items, counts.accuracy) == (3, 6, 0.5)
    assert counts.no_label == 1
    assert counts.majority == 0.5
    anger, fear, joy = counts.by_label()
    assert (anger.precision, anger.recall, anger.f1) == (0.5, 0.5, 0.5)
    assert (fear.precision, fear.recall, fear.f1) == (0, 0, 0)
    assert joy.f1 == pytest.approx(2 / 3)
    assert counts.macro_f1 == pytest.approx((0.5 + 0 + 2 / 3) / 3)
    assert counts.commonest_confusions(2) == [("anger", NO_LABEL, 1), ("fear", "joy", 1)]
    low, high = counts.macro_f1_interval
    assert low < counts.macro_f1 < high


def test_it_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    drawn = random.Random(2)
    labels = ["a", "b", "c", "d", "never"]
    truth = [drawn.choice(labels[:4]) for _ in range(400)]
    found = [one if drawn.random() < 0.6 else drawn.choice(labels) for one in truth]
    counts = classify(truth, found, labels)
    assert counts.accuracy == pytest.approx(metrics.accuracy_score(truth, found))
    assert counts.macro_f1 == pytest.approx(
        metrics.f1_score(truth, found, labels=labels, average="macro", zero_division=0)
    )
    assert (
        counts.confusion[:, :-1].tolist()
        == metrics.confusion_matrix(truth, found, labels=labels).tolist()
    )
    report = metrics.classification_report(
        truth, found, labels=labels, output_dict=True, zero_division=0
    )
    for one in counts.by_label():
        known = report[one.label]
        assert (one.precision, one.recall, one.f1) == pytest.approx(
            (known["precision"], known["recall"], known["f1-score"])
        )


def test_the_numbers_of_scikit_learn() -> None:
    """Of scikit-learn 1.9.1, with `zero_division=0`; no item has the label e."""
    truth = ["abcd"[at % 4 if at % 7 else 0] for at in range(60)]
    found = ["abcde"[(at * at + at // 3) % 5] for at in range(60)]
    counts = classify(truth, found, list("abcde"))
    assert counts.accuracy == pytest.approx(0.21666666666666667)
    assert counts.macro_f1 == pytest.approx(0.18235908783576127)
    assert counts.confusion.tolist() == [
        [4, 6, 2, 6, 3, 0],
        [3, 4, 0, 3, 3, 0],
        [2, 4, 1, 3, 3, 0],
        [3, 2, 1, 4, 3, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    of_labels = counts.by_label()
    assert [one.precision for one in of_labels] == pytest.approx([1 / 3, 0.25, 0.25, 0.25, 0.0])
    assert [one.recall for one in of_labels] == pytest.approx([4 / 21, 4 / 13, 1 / 13, 4 / 13, 0])
    assert [one.f1 for one in of_labels] == pytest.approx([8 / 33, 8 / 29, 2 / 17, 8 / 29, 0])


def test_intervals_of_a_label() -> None:
    """Precision 9 of 12, recall 9 of 10; F1 = 2j / (1 + j) at j = 9 of 13 items.

    Bounds of proportions by scipy 1.17, method wilson.
    """
    one = LabelScores("a", items=10, predicted=12, right=9)
    assert one.precision_interval == pytest.approx((0.4677, 0.9111), abs=1e-4)
    assert one.recall_interval == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert one.f1_interval == pytest.approx((0.5952, 0.9323), abs=1e-4)
    never = LabelScores("b", items=0, predicted=0, right=0)
    assert (never.f1, never.f1_interval, never.precision_interval) == (0, (0, 1), (0, 1))


def test_intervals_cover() -> None:
    """Three labels, one of them rare: those of F1 hold 95%, that of macro-F1 90% at least."""
    random = np.random.default_rng(4)
    joint = np.array([[0.5, 0.05, 0.03, 0.02], [0.04, 0.22, 0.02, 0.02], [0.02, 0.02, 0.05, 0.01]])
    true = 2 * np.diag(joint[:, :3]) / (joint.sum(1) + joint[:, :3].sum(0))
    trials, in_macro, in_label = 300, 0, np.zeros(3)
    for _ in range(trials):
        confusion = random.multinomial(200, joint.ravel()).reshape(joint.shape)
        truth = [
            str(row)
            for row, column in np.argwhere(confusion)
            for _ in range(confusion[row, column])
        ]
        found = [
            str(column)
            for row, column in np.argwhere(confusion)
            for _ in range(confusion[row, column])
        ]
        counts = classify(truth, found, ["0", "1", "2"])
        low, high = counts.macro_f1_interval
        in_macro += low <= true.mean() <= high
        for at, one in enumerate(counts.by_label()):
            low, high = one.f1_interval
            in_label[at] += low <= true[at] <= high
    assert in_macro >= 0.88 * trials
    assert in_label.min() >= 0.92 * trials


def test_the_change_of_macro_f1_is_paired() -> None:
    """Two arms that are wrong in nearly the same places: the change is known better than either."""
    drawn = random.Random(6)
    truth = [drawn.choice("ab") for _ in range(300)]
    before = [one if drawn.random() < 0.6 else "b" for one in truth]
    after = [
        true if at % 8 == 0 else one
        for at, (true, one) in enumerate(zip(truth, before, strict=True))
    ]
    low, high = macro_f1_change(truth, before, after, ["a", "b"])
    first, second = (classify(truth, found, ["a", "b"]) for found in (before, after))
    assert low <= second.macro_f1 - first.macro_f1 <= high
    assert low > 0
    alone = first.macro_f1_interval
    assert high - low < (alone[1] - alone[0]) / 2
    assert macro_f1_change(truth, after, after, ["a", "b"]) == (0, 0)
    assert macro_f1_change(truth, after, before, ["a", "b"]) == pytest.approx((-high, -low))


def test_all_right_has_an_interval_at_one() -> None:
    counts = classify(["a", "b"] * 20, ["a", "b"] * 20)
    assert (counts.macro_f1, counts.macro_f1_interval) == (1.0, (1.0, 1.0))
    low, high = counts.accuracy_interval
    assert 0.9 < low < high == 1.0


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("joy", "joy"),
        (" Joy.\n", "joy"),
        ("joyful", NO_LABEL),  # a label that is a prefix of another answer
        ("joy and anger", NO_LABEL),
        ("", NO_LABEL),
        ("US", "US"),
        ("us", "us"),
        ("Us", NO_LABEL),  # could be either
        ("none of these", "none of these"),
        ("e.g.", "e.g."),
    ],
)
def test_the_label_that_an_answer_is(answer: str, label: str) -> None:
    assert read_label(answer, ["joy", "anger", "US", "us", "none of these", "e.g."]) == label


@pytest.mark.parametrize(
    ("truth", "found", "labels", "words"),
    [
        ([], [], [], "0 predictions"),
        (["a"], [], [], "0 predictions for 1"),
        (["a"], ["a"], ["b"], r"not among the labels: \['a'\]"),
        (["a"], ["a"], ["a", "a"], "duplicate"),
    ],
)
def test_what_cannot_be_counted(
    truth: list[str], found: list[str], labels: list[str], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        classify(truth, found, labels)
