"""The tokenizer's files of a run, of which the large ones lie on disk once.

A folder with weights holds the whole tokenizer, so that whoever loads it needs nothing else. A
vocabulary may have tens of megabytes, more than an adapter with its optimiser: it is a hard link
to the first copy in the run's directory, and a copy where the file system has no hard links. What
is small is written each time, for small files are those that people edit.
"""

import errno
import filecmp
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

LINKED_BYTES = 1 << 16
"""From this size on, a file is linked."""
_ASIDE = ".tokenizer"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TokenizerFiles:
    """Writes a tokenizer into one folder of a run after another."""

    def __init__(self, tokenizer: Any, earlier: Callable[[], Iterable[Path]]) -> None:
        """`earlier` names the folders that may hold the same files, likeliest first."""
        self._tokenizer = tokenizer
        self._earlier = earlier
        self._small: dict[str, bytes] = {}
        self._large: dict[str, os.stat_result] = {}

    def save(self, folder: Path) -> int:
        """Have the tokenizer in `folder`, which is there; the bytes that were written for it.

        Raises OSError.
        """
        if self._small and (linked := self._find_large()) is not None:
            for name, text in self._small.items():
                _below(folder, name).write_bytes(text)
            written = sum(map(len, self._small.values()))
            for name, path in linked.items():
                written += link_or_copy(path, _below(folder, name))
            return written
        return self._write(folder)

    def _write(self, folder: Path) -> int:
        aside = folder / _ASIDE
        self._tokenizer.save_pretrained(str(aside))
        written = share_large_files(aside, self._earlier())
        self._small, self._large = {}, {}
        for path in sorted(path for path in aside.rglob("*") if path.is_file()):
            name = str(path.relative_to(aside))
            os.replace(path, _below(folder, name))
            status = (folder / name).stat()
            if status.st_size >= LINKED_BYTES:
                self._large[name] = status
            else:
                self._small[name] = (folder / name).read_bytes()
                written += status.st_size
        shutil.rmtree(aside)
        return written

    def _find_large(self) -> dict[str, Path] | None:
        """The large files as they were written; None where one is gone or was changed."""
        folders = list(self._earlier())
        found: dict[str, Path] = {}
        for name, written in self._large.items():
            paths = (folder / name for folder in folders)
            path = next((path for path in paths if _is_unchanged(path, written)), None)
            if path is None:
                return None
            found[name] = path
        return found


def share_large_files(folder: Path, others: Iterable[Path]) -> int:
    """Replace the large files of `folder` by links to equal ones of the same names in `others`.

    Returns the bytes of those that are not in any of them.
    """
    others = list(others)
    alone = 0
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size if path.is_file() and not path.is_symlink() else 0
        if size < LINKED_BYTES or path.suffix == ".safetensors":
            continue
        equal = next((one for other in others if _equals(one := other / path.name, path)), None)
        if equal is None:
            alone += size
            continue
        beside = path.with_name(f".{path.name}.link")
        alone += link_or_copy(equal, beside)
        os.replace(beside, path)
    return alone


def link_or_copy(source: Path, path: Path) -> int:
    """A hard link, or a copy where the file system has none; the bytes that were written."""
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno in _FULL:
            raise
        shutil.copyfile(source, path)
        return path.stat().st_size
    return 0


def _below(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _equals(path: Path, other: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file():
            return False
        return filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False


def _is_unchanged(path: Path, written: os.stat_result) -> bool:
    """Whether a path is the very file that was written, with the same content."""
    try:
        now = path.lstat()
    except OSError:
        return False
    same = os.path.samestat(now, written)
    return same and (now.st_size, now.st_mtime_ns) == (written.st_size, written.st_mtime_ns)
