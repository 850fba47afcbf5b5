"""Sets of arms under names, in `arms.toml` of the user's config folder.

    [sets]
    "strict or free" = ["base=bundled:demo-base", "tuned=run:emotion-ab12?temperature=0.7"]

Arms are written in their own grammar, so that a set can be edited by hand and pasted into a
command. A file that cannot be read is told of with its line, and never written over.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine import atomic
from engine.checkpoints import search_paths
from engine.compare.arms import Arm, format_arm, parse_arms
from engine.compare.key_names import hide_secrets
from engine.errors import EngineError
from engine.safe_open import read_bounded

MOST_ARMS = 4
LONGEST_NAME = 60
_LARGEST = 1 << 20

Sets = dict[str, tuple[Arm, ...]]


def arms_file() -> Path:
    """The user's `arms.toml`; it need not exist."""
    return search_paths.config_file().with_name("arms.toml")


def read(path: Path | None = None) -> Sets:
    """The sets of a file, or the user's own. Raises EngineError with file and line."""
    path = path or arms_file()
    if not path.is_file():
        return {}
    try:
        text = read_bounded(path, _LARGEST).decode()
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, "", f"it is not valid TOML: {error}") from error
    sets = table.get("sets", {})
    if not isinstance(sets, Mapping):
        raise _wrong(path, _line(text, "sets"), "sets must be a table of lists of arms")
    return {name: _arms(path, text, name, texts) for name, texts in sets.items()}


class SetExists(EngineError):
    """A set of that name is saved already."""


def save(
    name: str, arms: Sequence[Arm], path: Path | None = None, *, replace: bool = False
) -> None:
    """Keep a set under a name. Raises EngineError, SetExists where one has it, unless `replace`."""
    path = path or arms_file()
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise EngineError(
            "A set of arms needs a name.", f"{name[:LONGEST_NAME]!r}", "Use a short name."
        )
    if not 1 <= len(arms) <= MOST_ARMS:
        raise EngineError(f"A set has 1 to {MOST_ARMS} arms.", f"{name}: {len(arms)}")
    there = read(path)
    if name in there and not replace:
        raise SetExists("A set of that name is saved.", name)
    # Parsed anew, so that nothing is written that could not be read.
    sets = there | {name: tuple(parse_arms([format_arm(arm) for arm in arms]))}
    _write(path, sets)


def remove(name: str, path: Path | None = None) -> None:
    """Forget the set of that name; nothing happens where there is none. Raises EngineError."""
    path = path or arms_file()
    sets = read(path)
    if sets.pop(name, None) is not None:
        _write(path, sets)


def _write(path: Path, sets: Mapping[str, Sequence[Arm]]) -> None:
    table = {"sets": {name: [format_arm(arm) for arm in arms] for name, arms in sets.items()}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_toml(path, table)
    except OSError as error:
        raise EngineError("The arms cannot be saved.", f"{path}: {error.strerror}") from error


def _arms(path: Path, text: str, name: str, texts: object) -> tuple[Arm, ...]:
    where = _line(text, name)
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise _wrong(path, where, f"{name} must be a list of arms")
    if not 1 <= len(texts) <= MOST_ARMS:
        raise _wrong(path, where, f"{name} has {len(texts)} arms, not 1 to {MOST_ARMS}")
    try:
        return tuple(parse_arms(texts))
    except EngineError as error:
        # An error shows an arm without the secrets that may stand in it.
        named = (one for one in texts if error.detail and hide_secrets(one) == error.detail)
        line = next((_line(text, one) for one in named), where)
        raise _wrong(path, line or where, f"{name}: {error.title} {error.detail}") from error


def _line(text: str, part: str) -> str:
    """Where a part stands in a file, from 1, as `:7`; empty where it is written another way."""
    written = json.dumps(part, ensure_ascii=False)[1:-1]
    for number, line in enumerate(text.splitlines(), 1):
        if written in line or part in line:
            return f":{number}"
    return ""


def _wrong(path: Path, line: str, why: str) -> EngineError:
    return EngineError(
        "The saved arms cannot be read.",
        f"{path}{line}: {why}",
        "Correct the file, or move it away.",
    )
