"""`scores.jsonl`: what an evaluation has measured so far, a row a line, for one that is resumed.

A row is known again by the arm with its weights, the measure and its own input: whatever of these
changed since is measured anew, and so is a row whose value is not the one that was written: each
line has the CRC of its own. The file only grows, and may end in a line that a killed worker did not
finish. NaN and infinity stand in it as Python writes them.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine import atomic
from engine.safe_open import read_lines

Row = tuple[int, object]
"""A row's place among those of its measure, and its input as JSON knows it. Both count: which rows
are computed side by side follows from the places."""


class ScoreLog:
    """The rows of all arms of a job."""

    def __init__(self, path: Path) -> None:
        """Raises EngineError where the file cannot be read."""
        self._path = path
        self._values = _read(path)

    def find(self, key: str) -> Any:
        """What was measured; None where nothing was."""
        return self._values.get(key)

    def add(self, values: Mapping[str, Any], about: Mapping[str, str]) -> None:
        """Keep values that are new; `about` says in words of what they are. Raises OSError."""
        new = {key: value for key, value in values.items() if key not in self._values}
        lines = [
            json.dumps(
                {**about, "row": key, "value": value, "crc": _crc(value)}, ensure_ascii=False
            )
            + "\n"
            for key, value in new.items()
        ]
        if lines:
            atomic.append_lines(self._path, "".join(lines))
        self._values |= new


class ScoreMemory:
    """The rows of one measure of one arm; without a log it knows none and keeps none."""

    def __init__(
        self, log: ScoreLog | None = None, arm: object = None, name: str = "", measure: str = ""
    ) -> None:
        """`arm` is what identifies it, as JSON knows it; `name` is for whoever reads the file."""
        self._log = log
        self._arm = arm
        self._about = {"arm": name, "measure": measure}

    def of(self, measure: str) -> "ScoreMemory":
        """The rows of a measure within this one."""
        whole = f"{self._about['measure']} {measure}".lstrip()
        return ScoreMemory(self._log, self._arm, self._about["arm"], whole)

    def find(self, row: Row) -> Any:
        """What was measured of a row; None where it was not."""
        return self._log.find(self.key(row)) if self._log is not None else None

    def add(self, values: Iterable[tuple[Row, Any]]) -> None:
        """Keep what was measured, as JSON knows it. Raises OSError."""
        found = {self.key(row): value for row, value in values} if self._log is not None else {}
        if self._log is not None:
            self._log.add(found, self._about)

    def key(self, row: Row) -> str:
        """What a row is known again by: the arm, the measure, its place and its input."""
        identity = [self._arm, self._about["measure"], *row]
        return hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()


NO_MEMORY = ScoreMemory()


def _crc(value: object) -> int:
    return zlib.crc32(json.dumps(value).encode())


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in read_lines(path, "The scores"):
        try:
            table = json.loads(line)
            if table["crc"] == _crc(table["value"]):
                values[table["row"]] = table["value"]
        except (ValueError, RecursionError, KeyError, TypeError):
            continue  # cut by the death of its writer, or damaged
    return values
