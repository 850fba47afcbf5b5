"""Files of rows that were made of votes on answers: which prompts left the evaluation side by it.

What tells it stands in the provenance beside the rows, one object a row. Reads nothing else of it;
a file that was taken elsewhere without its provenance is known by its texts alone.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.data.data_files import PROVENANCE
from engine.data.shards import list_parts
from engine.errors import EngineError
from engine.safe_open import read_lines

VOTES = "votes"
"""The key of such a row's provenance: `job` and `prompt` of the answers that were voted on."""


def read_voted_prompts(files: Iterable[Path]) -> dict[str, set[str]]:
    """By the id of the job that was voted on, the prompts of pairs in these files of rows.

    A provenance that cannot be read tells nothing: the rows are compared by their texts anyway.
    """
    found: dict[str, set[str]] = {}
    for path in files:
        for part in list_parts(path):
            _read(part.with_suffix(PROVENANCE), found)
    return found


def _read(path: Path, found: dict[str, set[str]]) -> None:
    if not path.is_file():
        return
    try:
        for line in read_lines(path, "The provenance"):
            try:
                votes = json.loads(line).get(VOTES)
            except (ValueError, RecursionError, AttributeError):
                continue
            if isinstance(votes, Mapping) and "job" in votes and "prompt" in votes:
                found.setdefault(str(votes["job"]), set()).add(str(votes["prompt"]))
    except EngineError:
        return
