"""Classification counts, by hand and against scikit-learn."""

import random

import pytest

from engine.impact.classification import NO_LABEL, classify, read_label

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
