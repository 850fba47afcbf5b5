"""`samples.jsonl` of an evaluation: the answers so far, a line each, for one that is resumed.

The rows are those of `engine.compare.samples`, so that whatever reads answers reads these, with
more keys: the suite, the item, its right answers, and `row`, by which an answer is known again. The
file only grows, and may end in a line that a killed worker did not finish.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from engine import atomic
from engine.compare.items import Item
from engine.compare.samples import Sample, from_table, to_table
from engine.safe_open import read_lines


class SampleLog:
    """The answers of all arms of a job."""

    def __init__(self, path: Path) -> None:
        """Raises EngineError where the file cannot be read."""
        self._path = path
        self._samples = _read(path)

    def find(self, row: str) -> Sample | None:
        """The answer that is known by `row`."""
        return self._samples.get(row)

    def add(self, samples: Iterable[tuple[str, Sample, Item]], suite: str) -> None:
        """Keep answers that are new, each with the item that it answers. Raises OSError."""
        lines = []
        for row, sample, item in samples:
            if row in self._samples:
                continue
            more = {"suite": suite, "item": item.id, "gold": list(item.gold), "row": row}
            lines.append(
                json.dumps(to_table(sample) | more, ensure_ascii=False, allow_nan=False) + "\n"
            )
            self._samples[row] = sample
        if lines:
            atomic.append_lines(self._path, "".join(lines))


def _read(path: Path) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for line in read_lines(path, "The samples"):
        try:
            table = json.loads(line)
            samples[str(table["row"])] = from_table(table)
        except (ValueError, RecursionError, KeyError, TypeError):
            continue  # cut by the death of its writer
    return samples
