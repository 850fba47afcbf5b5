"""Files of rows that were made of raw texts or of votes: what their provenance tells of them.

It stands beside the rows, one object a row: who wrote them, who reviewed them, and which prompts
left the evaluation side by votes on them. Reads nothing else of it; a file that was taken elsewhere
without its provenance is known by its texts alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.data.data_files import PROVENANCE
from engine.data.shards import list_parts
from engine.errors import EngineError
from engine.safe_open import read_lines

VOTES = "votes"
"""The key of such a row's provenance: `job` and `prompt` of the answers that were voted on."""
REVIEW, DECISION, NOT_REVIEWED = "review", "decision", "not reviewed"
"""The key of the reviewer's decision, the key in it, and what it is where there was none."""
ANSWERS, MODEL = "answers", "model"
"""The key of the answers that a row was made of, and the key in each of who wrote it."""


@dataclass(frozen=True, slots=True)
class MadeRows:
    """What is known of the rows of some files that have a provenance. Untrusted."""

    rows: int
    unreviewed: int
    """Of the rows, those that no person reviewed."""
    models: tuple[str, ...]
    """Who wrote them, as the provenance names them; none of pairs made of votes."""


def read_made_rows(files: Iterable[Path]) -> MadeRows:
    """The rows of these files that have a provenance which can be read; of all others it is 0."""
    rows = unreviewed = 0
    models: dict[str, None] = {}
    for one in _read(files):
        review, answers = one.get(REVIEW), one.get(ANSWERS)
        if not isinstance(review, Mapping) or not isinstance(answers, list):
            continue
        rows += 1
        unreviewed += review.get(DECISION) == NOT_REVIEWED
        models |= {str(each[MODEL]): None for each in answers
                   if isinstance(each, Mapping) and MODEL in each}  # fmt: skip
    return MadeRows(rows, unreviewed, tuple(models))


def read_voted_prompts(files: Iterable[Path]) -> dict[str, set[str]]:
    """By the id of the job that was voted on, the prompts of pairs in these files of rows.

    A provenance that cannot be read tells nothing: the rows are compared by their texts anyway.
    """
    found: dict[str, set[str]] = {}
    for one in _read(files):
        votes = one.get(VOTES)
        if isinstance(votes, Mapping) and "job" in votes and "prompt" in votes:
            found.setdefault(str(votes["job"]), set()).add(str(votes["prompt"]))
    return found


def _read(files: Iterable[Path]) -> Iterator[Mapping[str, object]]:
    """The objects of the provenance beside each file, as far as it can be read."""
    for path in files:
        for part in list_parts(path):
            yield from _read_provenance(part.with_suffix(PROVENANCE))


def _read_provenance(path: Path) -> Iterator[Mapping[str, object]]:
    if not path.is_file():
        return
    try:
        for line in read_lines(path, "The provenance"):
            try:
                one = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(one, Mapping):
                yield one
    except EngineError:
        return
