"""Which rows of a file are used, and which of them are held out; all by the seed.

Samples before it splits, keeps rows of one group on one side, and holds no more rows than it must.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from engine.data import dataset_list, rows
from engine.data.rows import Example, Reject
from engine.data.unread import UnreadFields
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.worker.data import arrow
from engine.worker.data.deduplicate import prompt_key

RowExamples = tuple[Example, ...]
"""The examples of one row: two where both answers of a pair are learned."""
T = TypeVar("T")


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
    draw: Draw[RowExamples] = Draw(data, seed)
    for row in opened.rows:
        sampled.read += 1
        if isinstance(row, Reject):
            sampled.rejects.append(row)
        elif not draw.add(row):
            break
    sampled.rows = draw.finish()
    if not sampled.rows:
        raise rows.refuse_all(path, sampled.rejects, whole=True)
    return sampled


class Draw(Generic[T]):
    """The rows of a file that a recipe's `data` wants, drawn as they are read: of many, or of what
    stands for them, only those that are kept are held."""

    def __init__(self, data: Data, seed: int) -> None:
        self._data = data
        self._random = random.Random(seed)
        self._kept: list[T] = []
        self._good = 0

    def add(self, row: T) -> bool:
        """Take the next good row; False where none after it is wanted."""
        limit, shuffle = self._data.limit, self._data.shuffle
        self._good += 1
        if not limit or self._good <= limit:
            self._kept.append(row)
        elif shuffle:
            # Reservoir sampling (Vitter 1985, algorithm R): each row is as likely to stay.
            at = self._random.randrange(self._good)
            if at < limit:
                self._kept[at] = row
        return shuffle or self._good != limit

    def finish(self) -> list[T]:
        """Those that were drawn, in the order in which they are used."""
        if self._data.shuffle:
            self._random.shuffle(self._kept)
        return self._kept


def split(
    rows: Sequence[RowExamples], data: Data, seed: int
) -> tuple[list[RowExamples], list[RowExamples]]:
    """The rows to train on and those held out, at most `eval_fraction` of them where that can be.

    Rows of one group stay together: by `data.group`; those that were made of raw texts, by their
    source; pairs of answers, by what is asked. At least one group is on each side. Without
    `shuffle` it is the last groups that are held out. Raises EngineError where there is only one.
    """
    held = find_held([group_key(row, at, data) for at, row in enumerate(rows)], data, seed)
    train = [row for at, row in enumerate(rows) if at not in held]
    return train, [rows[at] for at in sorted(held)]


def find_held(keys: Sequence[object], data: Data, seed: int) -> set[int]:
    """The places of the rows that `split` holds out, by the key of each one's group."""
    if not data.eval_fraction or len(keys) < 2:
        return set()
    groups: dict[object, list[int]] = {}
    for at, key in enumerate(keys):
        groups.setdefault(key, []).append(at)
    if len(groups) < 2:
        if not data.group and isinstance(keys[0], str):
            raise EngineError(
                "All rows were made of one source: no eval rows can be split off.",
                f"{data.train}: {len(keys):,} rows",
                "Name eval rows, or set data.eval_fraction = 0.",
            )
        if not data.group:
            return set()
        raise EngineError(
            f"All rows have the same {data.group!r}: no eval rows can be split off.",
            f"data.group = {data.group!r}, {len(keys):,} rows",
            "Choose another column, name eval rows, or set data.eval_fraction = 0.",
        )
    order = list(groups.values())
    if data.shuffle:
        random.Random(seed + 1).shuffle(order)
    order.reverse()
    target = max(1, round(len(keys) * data.eval_fraction))
    held: set[int] = set()
    for group in order[:-1]:
        if len(held) + len(group) <= target:
            held |= set(group)
    return held or set(sorted(order, key=len)[0])


def find_paths(
    data: Data, runs: Sequence[Path], objective: str = "sft"
) -> tuple[Path, Path | None]:
    """The rows to train on, and those held out where they are not a share of the others.

    Raises EngineError where there is no such data.
    """
    chosen = dataset_list.resolve(data.train, runs, data, objective)
    if data.eval:
        return chosen.path, dataset_list.resolve_eval(data.eval, data, objective).path
    return chosen.path, chosen.eval_path


def drop_overlapping_groups(
    rows: Sequence[RowExamples], held_out: Sequence[RowExamples]
) -> list[RowExamples]:
    """The rows whose group has no row among those held out."""
    groups = {example.group for row in held_out for example in row if example.group}
    return [row for row in rows if row[0].group not in groups]


def describe_sources(
    train: Sequence[RowExamples], held_out: Sequence[RowExamples], data: Data
) -> Iterator[str]:
    """By what rows are kept on one side where nobody names a group: the raw texts that they were
    made of; nothing where they were not."""
    numbers = [len({row[0].group for row in side if row[0].group}) for side in (train, held_out)]
    if any(numbers) and not data.group:
        yield (
            f"rows made of raw texts stay together by their source: {numbers[0]:,} sources to "
            f"train on, {numbers[1]:,} held out"
        )


def group_key(row: RowExamples, at: object, data: Data) -> object:
    """What a row shares with those that stay on its side: a text where that is a group; `at` where
    it is alone."""
    example = row[0]
    if data.group or example.group:
        return example.group or at
    paired = example.rejected or data.answers == "both"
    return prompt_key(example) if paired else at
