"""A file of gigabytes that is there whole or not at all: written aside, flushed, renamed.

As `engine.atomic` has it for bytes in memory; here a library or another program writes the file.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import atomic


@contextmanager
def aside(file: Path) -> Iterator[Path]:
    """A name for `file` before it is whole, in a folder beside it that is removed in the end."""
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        yield Path(folder) / file.name


def publish(beside: Path, file: Path) -> None:
    """Give a finished file its real name, after it is on disk."""
    atomic.flush_file(beside)
    os.replace(beside, file)
    atomic.flush_directory(file.parent)
