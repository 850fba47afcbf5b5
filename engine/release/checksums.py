"""`SHA256SUMS` of a folder of any size: written, and compared with what lies there.

Files are read in pieces: weights do not fit in memory. `sha256sum -c SHA256SUMS` says the same, but
of what is not listed. Whatever was put into a folder is a difference, and no error.
"""

from collections.abc import Iterator
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
    for name, reason in _list_all(folder):
        if reason:
            raise EngineError(
                "An export holds what it cannot publish.", f"{name!r} {reason}",
                "Rename it, or remove it from what the export is made of.",
            )  # fmt: skip
        names.append(name)
    return names


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` of all other files below a folder. Raises EngineError and OSError."""
    digests = {name: sha256(folder / name) for name in list_files(folder) if name != SUMS}
    atomic.write_bytes(folder / SUMS, format_sums(digests))


def check_sums(folder: Path) -> tuple[str, ...]:
    """What differs from `SHA256SUMS`, a phrase each: changed, missing, not listed, no file."""
    try:
        content = read_bounded(folder / SUMS, _MOST_BYTES)
    except EngineError as error:
        return (error.title,)
    listed = dict(read_sums(content))
    found = {name: reason for name, reason in _list_all(folder) if name != SUMS}
    edited = [f"{SUMS}: not as it was written"] if format_sums(listed) != content else []
    odd = [f"{name!r} {reason}" for name, reason in found.items() if reason]
    names = {name for name, reason in found.items() if not reason}
    changed = [_compare(folder, name, listed[name]) for name in sorted(names & listed.keys())]
    missing = (f"{name}: missing" for name in sorted(listed.keys() - found.keys()))
    foreign = (f"{name}: not in {SUMS}" for name in sorted(names - listed.keys()))
    return (*edited, *odd, *filter(None, changed), *missing, *foreign)


def _list_all(folder: Path) -> Iterator[tuple[str, str]]:
    """The name of everything below a folder but folders, in order, and why it cannot be published;
    an empty reason of a file."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield name, "is a link"
        elif path.is_file():
            readable = name.isprintable() and "\\" not in name
            yield name, "" if readable else "is a name that cannot be written down"
        elif not path.is_dir():
            yield name, "is no file"


def _compare(folder: Path, name: str, digest: str) -> str:
    """What is wrong with a file; empty where nothing is."""
    try:
        same = sha256(folder / name) == digest
    except OSError as error:
        return f"{name}: cannot be read: {error.strerror}"
    return "" if same else f"{name}: its SHA-256 is not the one in {SUMS}"
