"""Suites: the items behind the ref of one, as they are measured.

A suite is a file of items, any data set that Launch reads, or what a run held out. Answers that are
labels become choices that all items share. Owns how refs are found and what of the rows is no item;
what an item is, is `engine.compare.items`. A file with a bad row is refused; of a data set, which
is somebody else's, such rows are left out and counted.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from engine.bundled import SUITES
from engine.compare import prompts
from engine.compare.example_items import list_items
from engine.compare.item_reader import RefusedRow, read_items, refuse_rows, stream_items
from engine.compare.items import Item
from engine.data import dataset_list, rows
from engine.data.formats import holds_columns, read_raw
from engine.data.raw_row import RawReader
from engine.errors import EngineError
from engine.impact.suites.suite_specs import IMPORTS, SuiteSpec
from engine.jobs.directory import RUN

_BUNDLED = "bundled:"
_ALL_PROMPTS = f"{_BUNDLED}{prompts.ALL}"
MOST_LABELS = 50
"""Distinct answers; more are no labels."""
LONGEST_LABEL = 64
"""Characters."""
ROWS_A_LABEL = 2
"""Rows for each distinct answer, on average and at least, where answers are labels."""
_SHOWN = 3
"""Bad rows of a data set that are named."""

Say = Callable[[str], object]


def load_suite(
    spec: SuiteSpec,
    runs: Sequence[Path] = (),
    limit: int = 0,
    raw: RawReader = read_raw,
    say: Say = lambda note: None,
) -> tuple[Item, ...]:
    """The first items of a suite, at most `spec.options.limit` or else `limit` (0: all).

    `runs` are the job directories that `run:ID` may mean. `raw` reads rows: that of a worker knows
    Parquet and Arrow (see `needs_worker`). `say` is told what was left out. Raises EngineError
    where there is no such suite, it is empty, or a file of items has a bad row.
    """
    most = spec.options.limit or limit
    if spec.ref == _ALL_PROMPTS:
        return share_labels(prompts.load(spec.ref), most)
    source = _find(spec.ref, runs)
    if not source.is_data:
        items = read_items(source.path)
        return share_labels(items, most)
    loaded = _Loaded(most)
    for row in _read_data(source, raw):
        if not loaded.add(row):
            break
    if loaded.refused:
        shown = "; ".join(f"{one.where}: {one.reason}" for one in loaded.first)
        say(f"{spec.name}: {loaded.refused:,} rows are left out ({shown})")
    if not loaded.items:
        raise refuse_rows(source.path, loaded.first, loaded.refused)
    return loaded.finish()


def needs_worker(spec: SuiteSpec, runs: Sequence[Path] = ()) -> bool:
    """Whether only a worker can read the suite: its rows are Parquet or Arrow.

    Raises EngineError where there is no such suite.
    """
    return spec.ref != _ALL_PROMPTS and holds_columns(_find(spec.ref, runs).path)


def anchor(spec: SuiteSpec, runs: Sequence[Path] = ()) -> SuiteSpec:
    """The suite by a ref that is valid from any folder. Raises EngineError where there is none."""
    if spec.ref.startswith((_BUNDLED, RUN)):
        if spec.ref != _ALL_PROMPTS:
            _find(spec.ref, runs)
        return spec
    scheme = next((one for one in IMPORTS if spec.ref.startswith(one)), "")
    if scheme:
        path = Path(spec.ref.removeprefix(scheme)).expanduser().absolute()
        return replace(spec, ref=f"{scheme}{path}")
    if _is_file(spec.ref):
        return replace(spec, ref=str(Path(spec.ref).expanduser().absolute()))
    return replace(spec, ref=dataset_list.resolve(spec.ref, runs).ref)


def describe_suite(items: Sequence[Item], *, raw: bool = False) -> list[str]:
    """What a suite's items mean for its numbers, a sentence each; `raw`: asked without template."""
    notes = []
    asked = [item for item in items if item.messages]
    unscored = sum(item.score == "open" for item in asked)
    if asked and unscored == len(asked):
        referred = sum(bool(item.reference.strip()) for item in asked)
        notes.append(
            "answers are free words: how likely the references are is the score"
            if referred
            else "no item has a right answer: answers are described and not scored"
        )
    elif unscored:
        notes.append(f"{unscored:,} of {len(asked):,} items have no right answer: no score")
    begun = next(filter(None, (_find_prefix(item.choices) for item in asked)), None)
    if raw and begun:
        notes.append(
            f"the choice {begun[0]!r} begins {begun[1]!r}: raw, the shorter is never the less "
            "likely as a whole; the score by length is the fairer one"
        )
    if len(items) == 1:
        notes.append("one item: no interval tells much")
    return notes


def share_labels(items: Sequence[Item], limit: int = 0) -> tuple[Item, ...]:
    """The first items (0: all), with the labels of all of them as choices where answers are labels.

    They are where every item has a reference of one line and nothing else is asked of its answer,
    and few distinct ones come often: at most MOST_LABELS, each ROWS_A_LABEL times on average.
    """
    loaded = _Loaded(limit)
    for item in items:
        loaded.add(item)
    return loaded.finish()


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the rows of a suite lie."""

    path: Path
    train: Path | None = None
    """Of a data set: the rows to train on, whose labels its held-out rows are asked with."""

    @property
    def is_data(self) -> bool:
        return self.train is not None


def _find(ref: str, runs: Sequence[Path]) -> _Source:
    if ref.startswith(IMPORTS):
        raise EngineError("These are scores, and no items to ask.", ref)
    if ref.startswith(RUN):
        return _Source(prompts.find(ref, runs))
    if ref.startswith(_BUNDLED):
        return _find_bundled(ref)
    if _is_file(ref):
        path = Path(ref).expanduser()
        return _Source(path, path) if holds_columns(path) else _Source(path)
    return _find_data(ref, runs)


def _find_bundled(ref: str) -> _Source:
    """A suite, else the held-out rows of a data set, else a set of prompts."""
    name = ref.removeprefix(_BUNDLED)
    suites = sorted(path.stem for path in SUITES.glob("*.jsonl"))
    data = sorted(dataset_list.bundled_names())
    if name in suites:
        return _Source(SUITES / f"{name}.jsonl")
    if name in data:
        return _find_data(ref, ())
    if name in prompts.bundled():
        return _Source(prompts.find(ref))
    raise EngineError(
        f"Unknown bundled suite {name!r}.",
        f"Suites: {', '.join(suites)}; held-out rows of data: {', '.join(data)}; "
        f"prompts: {', '.join(prompts.bundled())}",
        "Use one of these, a file, a data set or run:ID.",
    )


def _find_data(ref: str, runs: Sequence[Path]) -> _Source:
    dataset = dataset_list.resolve(ref, runs)
    return _Source(dataset.eval_path or dataset.path, dataset.path)


def _is_file(ref: str) -> bool:
    return os.path.isfile(os.path.expanduser(ref))


def _read_data(source: _Source, raw: RawReader) -> Iterable[Item | RefusedRow]:
    """The rows of a data set as items; texts are read, and not asked."""
    assert source.train is not None
    labels = None
    if source.train != source.path:
        # Texts with labels are asked as in training: with all the labels that its rows have.
        labels = rows.open_rows(source.train, raw=raw).labels or None
    try:
        opened = rows.open_rows(source.path, labels=labels, raw=raw)
    except EngineError:  # rows to ask, which nothing can be learned from
        opened = None
    if opened is not None and opened.schema == "text":
        return _read_texts(opened.rows)
    return stream_items(source.path, raw=raw, labels=labels, numbered=True)


def _read_texts(
    read: Iterable[tuple[rows.Example, ...] | rows.Reject],
) -> Iterator[Item | RefusedRow]:
    for row in read:
        if isinstance(row, rows.Reject):
            yield RefusedRow(f"{row.file}:{row.line}", row.reason)
        else:
            yield from list_items(row)


@dataclass(slots=True)
class _Loaded:
    """The items of a suite that were read so far, and whether their answers may be labels."""

    limit: int
    items: list[Item] = field(default_factory=list)
    read: int = 0
    labels: set[str] | None = field(default_factory=set)
    """None once an answer is no label."""
    refused: int = 0
    first: list[RefusedRow] = field(default_factory=list)

    def add(self, row: Item | RefusedRow) -> bool:
        """Take a row; False where no more are needed."""
        if isinstance(row, RefusedRow):
            self.refused += 1
            if self.refused <= _SHOWN:
                self.first.append(row)
            return True
        self.read += 1
        if self.labels is not None:
            label = _label_of(row)
            self.labels.add(label)
            if not label or len(self.labels) > MOST_LABELS:
                self.labels = None
        if not self.limit or len(self.items) < self.limit:
            self.items.append(row)
        return self.labels is not None or not self.limit or len(self.items) < self.limit

    def finish(self) -> tuple[Item, ...]:
        labels = self.labels or ()
        if len(labels) < 2 or self.read < ROWS_A_LABEL * len(labels):
            return tuple(self.items)
        choices = tuple(sorted(labels))
        return tuple(
            replace(item, score="choices", gold=(_label_of(item),), choices=choices)
            for item in self.items
        )


def _label_of(item: Item) -> str:
    """The answer of an item, where it may be a label; else empty."""
    label = item.reference.strip()
    free = item.score == "open" and bool(item.messages)
    return label if free and len(label) <= LONGEST_LABEL and "\n" not in label else ""


def _find_prefix(choices: Sequence[str]) -> tuple[str, str] | None:
    """The first choice that another one begins with, and that one."""
    ordered = sorted(set(choices))
    return next(((one, other) for one, other in pairwise(ordered) if other.startswith(one)), None)
