"""What a line of a log says: its step, and its values by tag. Reads no file.

LLaMA-Factory (`trainer_log.jsonl`): a JSON object a line, with `current_steps`; tags are named as
the Trainer's own are. Lightning's CSVLogger (`metrics.csv`): a header, one column of it `step`, and
a cell for each measure that was logged; the header comes again where a run was appended.
"""

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from engine.events.hparams_and_text import Setting
from engine.events.trainer_state import LARGEST_STEP, as_float, tag_of
from engine.events.watched_folder import CSV_LOG, TRAINER_LOG
from engine.safe_open import open_file

LogEntry = tuple[int, list[tuple[str, float]]]
"""A step, and what was measured there, by tag."""
MOST_COLUMNS = 4096
_STEP = "step"
_HEADER_BYTES = 1 << 16


class LineParser(Protocol):
    """Of one file, from its first line on."""

    settings: dict[str, Setting]
    others: Counter[str]
    """What the lines hold beside numbers, by kind."""

    def parse(self, line: str) -> LogEntry | None:
        """What a line says; None for one that holds no values. Raises ValueError: why it is
        skipped."""

    def is_whole(self, line: bytes) -> bool:
        """Whether a line without a newline is complete."""


class TrainerLogParser:
    """LLaMA-Factory's lines."""

    def __init__(self) -> None:
        self.settings: dict[str, Setting] = {}
        self.others: Counter[str] = Counter()

    def parse(self, line: str) -> LogEntry | None:
        entry = _load(line)
        if not isinstance(entry, dict) or "current_steps" not in entry:
            raise ValueError("no object with current_steps")
        step = entry["current_steps"]
        if isinstance(step, bool) or not isinstance(step, int) or abs(step) > LARGEST_STEP:
            raise ValueError("current_steps is no number of steps")
        total = entry.get("total_steps")
        if isinstance(total, int):
            self.settings = {"total_steps": total}
        named = [(_TAGS.get(key, tag_of(key)), value) for key, value in entry.items()
                 if key not in ("current_steps", "total_steps")]  # fmt: skip
        return step, [
            (tag, as_float(value))
            for tag, value in named
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]

    def is_whole(self, line: bytes) -> bool:
        if not line.rstrip().endswith(b"}"):
            return False
        try:
            return isinstance(_load(line.decode("utf-8", "replace")), dict)
        except ValueError:
            return False


_TAGS = {"lr": "train/learning_rate", "predict_loss": "predict/loss"}
"""Keys that are not named as the Trainer names them."""


def _load(line: str) -> object:
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("no JSON") from None


class MetricsCsvParser:
    """The lines of Lightning's CSVLogger."""

    def __init__(self) -> None:
        self.settings: dict[str, Setting] = {}
        self.others: Counter[str] = Counter()
        self._columns: list[str] = []
        self._at = -1

    def parse(self, line: str) -> LogEntry | None:
        cells = _cells(line)
        if _STEP in cells:
            self._columns, self._at = cells[:MOST_COLUMNS], cells.index(_STEP)
            if self._at >= MOST_COLUMNS:
                raise ValueError(f"the step is not among {MOST_COLUMNS:,} columns")
            return None
        if self._at < 0:
            raise ValueError("no header with a column named step before it")
        if len(cells) > len(self._columns):
            raise ValueError("more cells than columns")
        step = _number(cells[self._at]) if self._at < len(cells) else None
        if step is None or not math.isfinite(step) or abs(step) > LARGEST_STEP:
            raise ValueError("no step")
        measures: list[tuple[str, float]] = []
        for at, (column, cell) in enumerate(zip(self._columns, cells, strict=False)):
            if at == self._at or not cell.strip():
                continue
            value = _number(cell)
            if value is None:
                self.others["text cells"] += 1
            else:
                measures.append((column, value))
        return _whole(cells[self._at], step), measures

    def is_whole(self, line: bytes) -> bool:
        return False  # `0.12` may be the beginning of `0.1234`


def _whole(cell: str, step: float) -> int:
    """A step exactly: a float holds only 53 bits of it."""
    try:
        return int(cell)
    except ValueError:
        return int(step)


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.removeprefix("\ufeff")], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"no CSV: {error}") from None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


PARSERS: Mapping[str, Callable[[], LineParser]] = {
    TRAINER_LOG: TrainerLogParser,
    CSV_LOG: MetricsCsvParser,
}
"""By the name of the file."""


def is_metrics_csv(path: Path) -> bool:
    """Whether a file of that common name is a log: its first line names a column `step`."""
    try:
        with open_file(path) as file:
            line = file.readline(_HEADER_BYTES)
        cells = _cells(line.decode("utf-8").rstrip("\r\n"))
        return _STEP in cells and len(cells) > 1
    except (OSError, ValueError):
        return False
