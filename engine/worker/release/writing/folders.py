"""A folder that is there whole or not at all: written beside, then renamed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import atomic


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """An empty folder that becomes `folder` at the end, and is removed where an error comes first.

    Raises FileExistsError where `folder` is not empty by then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield aside
        aside.chmod(0o755)
        atomic.publish_directory(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
