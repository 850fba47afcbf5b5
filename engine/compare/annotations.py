"""What a reader says of the pairs of a job: notes and bookmarks, in `remarks.json` beside it.

One writer: the dashboard. A file that cannot be read is refused, never overwritten.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.recipes import validation
from engine.safe_open import read_file

_MOST_BYTES = 1 << 26
LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Remark:
    note: str = ""
    marked: bool = False

    @property
    def empty(self) -> bool:
        return not self.note and not self.marked


def file_of(folder: Path) -> Path:
    return folder / "remarks.json"


def read(folder: Path) -> dict[str, Remark]:
    """The remarks on a job by prompt id; none where there is no file. Raises EngineError."""
    path = file_of(folder)
    try:
        table = json.loads(read_file(path, _MOST_BYTES))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise EngineError("The notes cannot be read.", f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EngineError("The notes are not valid JSON.", f"{path}: {error}") from error
    if not isinstance(table, Mapping):
        raise EngineError("This file is not a notes file.", str(path))
    annotations = {
        prompt: validation.from_untrusted(Remark, one)
        for prompt, one in table.items()
        if isinstance(one, Mapping)
    }
    return {prompt: one for prompt, one in annotations.items() if one is not None and not one.empty}


def write(folder: Path, prompt_id: str, remark: Remark) -> dict[str, Remark]:
    """Replace the remark on one prompt; all that there are now. Raises EngineError."""
    remarks = read(folder)
    remarks.pop(prompt_id, None)
    if not remark.empty:
        remarks[prompt_id] = dataclasses.replace(remark, note=remark.note[:LONGEST])
    path = file_of(folder)
    try:
        atomic.write_json(path, {key: dataclasses.asdict(one) for key, one in remarks.items()})
    except OSError as error:
        raise EngineError(
            "The note cannot be saved.", f"{path}: {error.strerror}", "Check the free disk space."
        ) from error
    return remarks
