"""The rows that a run was trained on, read again: those of its data but what it held out.

Which rows they are follows from the recipe and its seed, as it did for the run (`split`, `replay`).
Streams the files, and holds a number for each row, never its text. Refuses data that is gone or was
changed since. Two things only the run's tokenizer knows: how many replayed rows make up their share
where a template divides conversations, and what was cut off at `max_length`; here a row is whole.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.chat import Message
from engine.data import dataset_list, rows
from engine.data.rows import Example
from engine.data.shards import list_parts
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory, JobRecord, sha256
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Data
from engine.safe_open import open_file
from engine.worker.data import arrow
from engine.worker.data.deduplicate import row_key
from engine.worker.data.replay import count_rows
from engine.worker.data.split import Draw, RowExamples, find_held, find_paths, group_key

TICK_ROWS = 1000

Tick = Callable[[int], None]
"""Told how many rows were read, now and then; may raise to stop."""
TrainedRow = tuple[str, Sequence[Message]]
"""`FILE:LINE` and the conversation; a plain text is what a user says."""


def read_trained_rows(
    job: JobDirectory, runs: Sequence[Path], tick: Tick = lambda rows: None
) -> Iterator[TrainedRow]:
    """The rows of a training run; of a pair both answers, replayed rows last.

    `runs` are the job directories that a `run:ID` of its data may mean. Raises EngineError where
    the run, its recipe or its data cannot be read, or the data is not what it was.
    """
    recipe, record = job.recipe(), job.record()
    if not isinstance(recipe, TrainRecipe):
        raise EngineError(f"{job.path.name} is no training run.", str(job.path))
    reader = _Reader(recipe, runs, _read_refused(job.rejects), tick)
    for path in reader.paths:
        _check_unchanged(path, record)
    return reader.read()


def find_files(job: JobDirectory, runs: Sequence[Path]) -> list[Path]:
    """The files of rows that a training run learns from, replayed ones too; folders of several
    files as one. Raises EngineError."""
    recipe = job.recipe()
    if not isinstance(recipe, TrainRecipe):
        raise EngineError(f"{job.path.name} is no training run.", str(job.path))
    reader = _Reader(recipe, runs, set(), lambda rows: None)
    return reader.trained_paths


class _Reader:
    """One run's data, of which several passes are made."""

    def __init__(
        self, recipe: TrainRecipe, runs: Sequence[Path], refused: set[str], tick: Tick
    ) -> None:
        self._objective = recipe.training.objective
        is_dpo = self._objective == "dpo"
        self._data = replace(recipe.data, answers="chosen") if is_dpo else recipe.data
        self._seed = recipe.training.seed
        self._share = recipe.replay.share
        self._refused = refused
        self._tick = tick
        self._read = 0
        self._train, self._eval = find_paths(self._data, runs, self._objective)
        self._replay: Path | None = None
        self._replay_data = Data(train=recipe.replay.data, max_length=self._data.max_length)
        if recipe.replay.data and self._share:
            replay = dataset_list.resolve(recipe.replay.data, runs, self._replay_data)
            self._replay = replay.path

    @property
    def paths(self) -> list[Path]:
        return [path for path in (self._train, self._eval, self._replay) if path is not None]

    @property
    def trained_paths(self) -> list[Path]:
        """Those without the file that is held out."""
        return [path for path in (self._train, self._replay) if path is not None]

    def read(self) -> Iterator[TrainedRow]:
        kept, held = self._divide()
        trained, left_out = 0, set(held)
        for number, row in enumerate(self._rows(self._train, self._data)):
            if kept is not None and number not in kept:
                continue
            if self._data.deduplicate:
                key = row_key(row)
                if key in left_out:
                    continue
                left_out.add(key)
            for example in row:
                if example.source not in self._refused:
                    trained += 1
                    yield from _write(example)
        if self._replay is not None and trained:
            yield from self._read_replayed(count_rows(trained, self._share), held)

    def _divide(self) -> tuple[set[int] | None, set[bytes | str]]:
        """The numbers of the rows to train on (None: all), and of the held-out rows hashes of what
        they say, and their groups, where these are asked for."""
        wants_keys = self._data.deduplicate or self._replay is not None
        if self._eval is not None:
            return self._leave_groups(self._eval, wants_keys)
        if not self._data.limit and not self._data.eval_fraction:
            return None, set()
        numbers, keys = self._draw(self._train)
        places = find_held(keys, self._data, self._seed)
        held = {numbers[at] for at in places}
        kept = {number for number in numbers if number not in held}
        return kept, self._hash_rows(self._train, held) if wants_keys else set()

    def _leave_groups(
        self, eval_path: Path, wants_keys: bool
    ) -> tuple[set[int] | None, set[bytes | str]]:
        """The same where a file of its own is held out: no group is on both sides."""
        held: set[bytes | str] = set()
        # Held-out texts are asked with the labels that training lists.
        known = rows.open_rows(self._train, self._data, raw=arrow.read_raw).labels or None
        numbers, keys = self._draw(eval_path, known)
        groups = {key for key in keys if isinstance(key, str)}
        if wants_keys:
            held = self._hash_rows(eval_path, set(numbers), known)
        if not self._data.limit and not groups:
            return None, held
        numbers, keys = self._draw(self._train)
        pairs = zip(numbers, keys, strict=True)
        return {number for number, key in pairs if key not in groups}, held

    def _draw(
        self, path: Path, labels: Sequence[str] | None = None
    ) -> tuple[list[int], list[object]]:
        """The numbers of the rows that the recipe draws, in its order, and their groups' keys."""
        draw: Draw[tuple[int, object]] = Draw(self._data, self._seed)
        for number, row in enumerate(self._rows(path, self._data, labels)):
            if not draw.add((number, group_key(row, None, self._data))):
                break
        drawn = draw.finish()
        keys = [at if key is None else key for at, (_, key) in enumerate(drawn)]
        return [number for number, _ in drawn], keys

    def _hash_rows(
        self, path: Path, numbers: set[int], labels: Sequence[str] | None = None
    ) -> set[bytes | str]:
        read = enumerate(self._rows(path, self._data, labels))
        held = [row for number, row in read if number in numbers]
        return {*map(row_key, held), *(row[0].group for row in held if row[0].group)}

    def _read_replayed(self, count: int, held: set[bytes | str]) -> Iterator[TrainedRow]:
        assert self._replay is not None
        draw: Draw[int] = Draw(self._replay_data, self._seed)
        unfit: set[int] = set()
        for number, row in enumerate(self._rows(self._replay, self._replay_data)):
            draw.add(number)
            is_held = row_key(row) in held or row[0].group in held
            if is_held or all(one.source in self._refused for one in row):
                unfit.add(number)
        fit = [number for number in draw.finish() if number not in unfit]
        taken = set(fit[:count])
        for number, row in enumerate(self._rows(self._replay, self._replay_data)):
            if number in taken:
                for example in row:
                    yield from _write(example)

    def _rows(
        self, path: Path, data: Data, labels: Sequence[str] | None = None
    ) -> Iterator[RowExamples]:
        """The good rows of a file, counted."""
        opened = rows.open_rows(
            path, data, labels=labels, objective=self._objective, raw=arrow.read_raw
        )
        for row in opened.rows:
            self._read += 1
            if self._read % TICK_ROWS == 0:
                self._tick(self._read)
            if not isinstance(row, rows.Reject):
                yield row


def _write(example: Example) -> Iterator[TrainedRow]:
    if not example.messages:
        yield example.source, (Message("user", example.text),)
        return
    yield example.source, example.messages
    if example.rejected:
        yield example.source, example.rejected


def _read_refused(path: Path) -> set[str]:
    """`FILE:LINE` of the rows that the run could not encode, of its list of rejects."""
    refused = set()
    try:
        with open_file(path) as file:
            for line in file:
                try:
                    row = json.loads(line)
                    # Of a conversation that became several rows, one of them was refused.
                    if not str(row["reason"]).startswith("training row "):
                        refused.add(f"{row['file']}:{row['line']}")
                except (ValueError, RecursionError, KeyError, TypeError):
                    continue
    except OSError:
        return set()
    return refused


def _check_unchanged(path: Path, record: JobRecord | None) -> None:
    for part in list_parts(path):
        known = record.inputs.get(str(part)) if record is not None else None
        try:
            is_same = known is None or sha256(part) == known
        except OSError as error:
            raise EngineError(f"{part.name} cannot be read: {error.strerror}", str(part)) from error
        if not is_same:
            raise EngineError(f"{part.name} was changed since the run was trained.", str(part))
