"""The whole lines of a file that its writer appends to, each handed out once."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import EngineError
from engine.events.growing_file import CHUNK, GrowingFile

T = TypeVar("T")


class AppendedLines:
    """Of one file; none where it does not exist yet. For one thread."""

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)

    def read(self) -> Iterator[bytes]:
        """The lines that are new. Raises Replaced where the file is another one, and OSError."""
        rest = b""
        try:
            while data := self._file.read(CHUNK + len(rest))[len(rest) :]:
                *lines, rest = (rest + data).split(b"\n")
                self._file.take(b"".join(line + b"\n" for line in lines))
                yield from lines
        except FileNotFoundError:
            return

    def read_tables(self, make: Callable[[Mapping[str, Any]], T]) -> Iterator[T]:
        """The same, each read as JSON; a line that was cut by its writer's death is left out.

        Raises EngineError for one that is JSON and nothing of ours.
        """
        for line in self.read():
            try:
                table = json.loads(line)
            except (ValueError, RecursionError):
                continue
            try:
                yield make(table)
            except ValueError as error:
                raise EngineError(
                    "This file is not one of a job that makes data.", f"{self._file.path}: {error}"
                ) from error
