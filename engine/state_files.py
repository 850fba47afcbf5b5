"""Small files in which finetop remembers something from one start to the next.

Owns where they are (the user's state folder), their size and version, and what becomes of one that
is of no use: reading never fails, but says why that is not used. What is remembered is its owner's.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import platformdirs

from engine import atomic
from engine.errors import EngineError
from engine.recipes.validation import from_untrusted
from engine.safe_open import read_bounded
from engine.text import one_line

T = TypeVar("T")


def state_folder() -> Path:
    """Where this user's finetop remembers things between two starts."""
    given = os.environ.get("FINETOP_STATE")
    return Path(given) if given else platformdirs.user_state_path("finetop")


def file_of(folder: str, place: str) -> Path:
    """The file about a place, as its path is spelled, in a folder of the state folder."""
    return state_folder() / folder / f"{digest(place)[:24]}.json"


def digest(place: str | Path) -> str:
    """A name for a path, whatever its bytes are."""
    return hashlib.sha256(os.fsencode(place)).hexdigest()


class UnusableState(Exception):
    """Why what a file holds is not used, as the end of a sentence: `is damaged`."""


@dataclass(frozen=True, slots=True)
class StateFile(Generic[T]):
    path: Path
    name: str
    """What is remembered, in a word."""
    decode: Callable[[bytes], T]
    """Raises UnusableState."""
    encode: Callable[[T], bytes]
    largest: int = 1 << 16
    """Bytes."""
    set_aside: bool = False
    """Whether one that is of no use is set aside before another is written in its place."""
    durable: bool = False
    """Whether what is written must outlive a power cut."""

    def load(self) -> tuple[T | None, str]:
        """What is remembered, None where nothing is; and why that is not used, or nothing."""
        try:
            content = read_bounded(self.path, self.largest)
        except EngineError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None, ""
            return None, f"The saved {self.name} cannot be read: {one_line(error.title)}."
        try:
            return self.decode(content), ""
        except UnusableState as error:
            return None, f"The saved {self.name} {error}; using defaults."

    def save(self, value: T) -> None:
        """Remember a value from now on. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.set_aside and self.path.exists() and self.load()[1]:
            self.path.replace(self.path.with_suffix(f".{self.path.stat().st_mtime_ns}.aside"))
        atomic.write_bytes(self.path, self.encode(value), durable=self.durable)


def decode_table(content: bytes) -> dict[str, Any]:
    """A JSON object. Raises UnusableState."""
    try:
        table = json.loads(content)
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise UnusableState("is damaged")
    return table


def _as_it_is(value: dict[str, Any]) -> dict[str, Any]:
    return value


def decode_record(
    content: bytes,
    kind: type[T],
    schema: int,
    key: str,
    *,
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] = _as_it_is,
    **same: str,
) -> T:
    """The dataclass that `encode_record` wrote, with the same `same`. Raises UnusableState.

    `upgrade` gives what earlier versions wrote the names of today.
    """
    table = decode_table(content)
    version = table.get("schema")
    if version != schema:
        age = "a newer" if isinstance(version, int) and version > schema else "an older"
        raise UnusableState(f"is from {age} finetop")
    value = table.get(key)
    record = from_untrusted(kind, upgrade(value)) if isinstance(value, dict) else None
    if record is None or any(table.get(name) != text for name, text in same.items()):
        raise UnusableState("has an unknown format")
    return record


def encode_record(record: Any, schema: int, key: str, **same: str) -> bytes:
    """A dataclass under `key` of a JSON object, with its version.

    Names that are no valid Unicode (odd bytes in a file name) are left out.
    """
    values = {name: _writable(value) for name, value in dataclasses.asdict(record).items()}
    return atomic.encode_json({"schema": schema, **same, key: values})


def _writable(value: object) -> object:
    if isinstance(value, list):
        return [each for each in value if _writable(each) == each]
    if isinstance(value, dict):
        return {key: _writable(each) for key, each in value.items() if _writable(key) == key}
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value
