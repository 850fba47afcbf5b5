"""What of two conversations is compared: the ONE pairing of training and preview.

A conversation may be several training rows (`engine.worker.data.encode`); those that both have are
no choice, and are left out. Of two rows, the answer in which they first differ is compared, with
what follows. Encodes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine.data.rows import Example
from engine.worker.data.encode import IGNORE_INDEX, Encoded


def pair_rows(
    rows: Sequence[Encoded], others: Sequence[Encoded], example: Example
) -> list[tuple[int, Encoded]]:
    """The rows of an example that are compared, by their index, each with its other row.

    `others` are the rows of the rejected conversation, counted from the last one; none where there
    is no such conversation. The other row is not `kept`, and says why, where the two are no pair.
    """
    if not example.rejected:
        return [(len(rows) - 1, _unusable("no rejected answer"))]
    named = [
        one if one.kept else replace(one, reason=f"the rejected answer: {one.reason}")
        for one in others
    ]
    absent = [_unusable("no rejected answer")] * (len(rows) - len(named))
    same = _unusable("the two answers are identical")
    pairs: list[tuple[int, Encoded]] = []
    both = zip(rows, [*absent, *named][-len(rows) :], strict=True)
    for index, (row, other) in enumerate(both):
        end = max(row.answers, default=-1) + 1
        if example.messages[:end] != example.rejected[:end] or index == len(rows) - 1:
            pairs.append((index, same if row.input_ids == other.input_ids else other))
    return pairs


def answer_start(one: Encoded, other: Encoded) -> int:
    """Where the answer begins in which two rows first differ; earlier turns are a prompt."""
    both = min(len(one.input_ids), len(other.input_ids))
    fork = next((at for at in range(both) if one.input_ids[at] != other.input_ids[at]), both)
    begins = [
        at
        for at, label in enumerate(one.labels[: fork + 1])
        if label != IGNORE_INDEX and (at == 0 or one.labels[at - 1] == IGNORE_INDEX)
    ]
    return begins[-1] if begins else fork


def mask_before(row: Encoded, start: int) -> Encoded:
    """The row with what is before `start` as its prompt."""
    return replace(row, labels=[IGNORE_INDEX] * start + row.labels[start:])


def _unusable(reason: str) -> Encoded:
    return Encoded([], [], 0, kept=False, reason=reason)
