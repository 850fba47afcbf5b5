"""Which rows of a file are used, and which of them are held out; all by the seed.

Samples before it splits, keeps rows of one group on one side, and holds no more rows than it must.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data import rows
from engine.data.rows import Example, Reject
from engine.data.unread import UnreadFields
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.worker.data import arrow
from engine.worker.data.deduplicate import prompt_key

RowExamples = tuple[Example, ...]
"""The examples of one row: two where both answers of a pair are learned."""


@dataclass(slots=True)
class SampledRows:
    """What was taken from a file."""

    schema: str
    labels: tuple[str, ...]
    rows: list[RowExamples] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    read: int = 0
    """Rows that were looked at, good and bad."""
    unread: UnreadFields = field(default_factory=UnreadFields)
    """What nobody reads of the good ones."""


def sample_rows(
    path: Path,
    data: Data,
    seed: int,
    labels: Sequence[str] | None = None,
    objective: str = "sft",
) -> SampledRows:
    """The rows of one file that a recipe's `data` wants: shuffled, then at most `limit`.

    Without `shuffle` they are the first ones and nothing more is read. Raises EngineError as
    `engine.data.rows.read`.
    """
    opened = rows.open_rows(path, data, labels=labels, objective=objective, raw=arrow.read_raw)
    sampled = SampledRows(opened.schema, opened.labels, unread=opened.unread)
    random_ = random.Random(seed)
    good = 0
    for row in opened.rows:
        sampled.read += 1
        if isinstance(row, Reject):
            sampled.rejects.append(row)
            continue
        good += 1
        if not data.limit or good <= data.limit:
            sampled.rows.append(row)
        elif data.shuffle:
            # Reservoir sampling (Vitter 1985, algorithm R): each row is as likely to stay.
            at = random_.randrange(good)
            if at < data.limit:
                sampled.rows[at] = row
        if good == data.limit and not data.shuffle:
            break
    if not sampled.rows:
        raise rows.refuse_all(path, sampled.rejects, whole=True)
    if data.shuffle:
        random_.shuffle(sampled.rows)
    return sampled


def split(
    rows: Sequence[RowExamples], data: Data, seed: int
) -> tuple[list[RowExamples], list[RowExamples]]:
    """The rows to train on and those held out, at most `eval_fraction` of them where that can be.

    Rows of one group stay together: by `data.group`, or, of pairs of answers, by what is asked. At
    least one group is on each side. Without `shuffle` it is the last groups that are held out.
    Raises EngineError where there is only one group.
    """
    if not data.eval_fraction or len(rows) < 2:
        return list(rows), []
    groups: dict[object, list[int]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(_group(row[0], at, data), []).append(at)
    if len(groups) < 2:
        if not data.group:
            return list(rows), []
        raise EngineError(
            f"All rows have the same {data.group!r}: no eval rows can be split off.",
            f"data.group = {data.group!r}, {len(rows):,} rows",
            "Choose another column, name eval rows, or set data.eval_fraction = 0.",
        )
    order = list(groups.values())
    if data.shuffle:
        random.Random(seed + 1).shuffle(order)
    order.reverse()
    target = max(1, round(len(rows) * data.eval_fraction))
    held: set[int] = set()
    for group in order[:-1]:
        if len(held) + len(group) <= target:
            held |= set(group)
    if not held:
        held = set(sorted(order, key=len)[0])
    train = [row for at, row in enumerate(rows) if at not in held]
    return train, [rows[at] for at in sorted(held)]


def drop_overlapping_groups(
    rows: Sequence[RowExamples], held_out: Sequence[RowExamples]
) -> list[RowExamples]:
    """The rows whose group has no row among those held out."""
    groups = {example.group for row in held_out for example in row if example.group}
    return [row for row in rows if row[0].group not in groups]


def _group(example: Example, at: int, data: Data) -> object:
    if data.group:
        return example.group or at
    paired = example.rejected or data.answers == "both"
    return prompt_key(example) if paired else at
