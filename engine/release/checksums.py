"""`SHA256SUMS` of a folder of any size: written, and compared with what lies there.

Files are read in pieces: weights do not fit in memory. `sha256sum -c SHA256SUMS` says the same.
"""

from pathlib import Path

from engine import atomic
from engine.errors import EngineError
from engine.jobs.directory import sha256
from engine.report.render import SUMS, format_sums, read_sums
from engine.safe_open import read_bounded

_MOST_BYTES = 1 << 24


def list_files(folder: Path) -> list[str]:
    """The names of all files below a folder, with a slash between folders, in order.

    Raises EngineError for what is no regular file, and for a name that a line of sums cannot hold.
    """
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise EngineError("An export holds more than files.", name, "Report this as a defect.")
        if path.is_file():
            if not name.isprintable() or "\\" in name:
                raise EngineError(
                    "A file of an export has a name that cannot be written down.", repr(name),
                    "Rename it.",
                )  # fmt: skip
            names.append(name)
    return names


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` of all other files below a folder. Raises EngineError and OSError."""
    digests = {name: sha256(folder / name) for name in list_files(folder) if name != SUMS}
    atomic.write_bytes(folder / SUMS, format_sums(digests))


def check_sums(folder: Path) -> tuple[str, ...]:
    """What differs from `SHA256SUMS`, a phrase each: changed, missing, not listed.

    Raises EngineError where there is none, and OSError.
    """
    listed = dict(read_sums(read_bounded(folder / SUMS, _MOST_BYTES)))
    names = {name for name in list_files(folder) if name != SUMS}
    changed = (
        f"{name}: its SHA-256 is not the one in {SUMS}"
        for name in sorted(names & listed.keys())
        if sha256(folder / name) != listed[name]
    )
    missing = (f"{name}: missing" for name in sorted(listed.keys() - names))
    foreign = (f"{name}: not in {SUMS}" for name in sorted(names - listed.keys()))
    return (*changed, *missing, *foreign)
