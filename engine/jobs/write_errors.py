"""A disk that refuses to write, in words: what happened, where, and what to do about it.

Owns the meaning of each errno, whoever met it: the launcher, a worker in the middle of its run, or
whoever looks at a run that crashed without a status. Writes nothing, but a file without a name to
ask a disk that has just refused.
"""

import errno
import os
import re
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError

LEAST_FREE = 256 * 1024
"""Bytes; a disk with less is taken as full when something could not be written."""
_CLOSED = "The run's directory cannot be written."


@dataclass(frozen=True, slots=True)
class _Reason:
    title: str
    remedy: str
    """What to do first, without a full stop."""


_MODES = _Reason(_CLOSED, "Check owner and permissions")
_SILENT_DISK = _Reason("The disk of the run does not answer.", "Mount it again or check its server")
_MOVED = _Reason("The run's directory was removed or changed.", "Put it back as it was")
_REASONS = {
    errno.ENOSPC: _Reason(
        "The disk is full.", "Free disk space (finetop prune drops old checkpoints)"
    ),
    errno.EDQUOT: _Reason(
        "The disk quota is used up.", "Free space within the quota or have it raised"
    ),
    errno.EFBIG: _Reason(
        "A file reached the largest size that is allowed here.",
        "Raise the limit (ulimit -f unlimited) where finetop is started",
    ),
    errno.EROFS: _Reason(_CLOSED, "Mount the disk writable (dmesg may say why it is not)"),
    errno.EACCES: _MODES,
    errno.EPERM: _MODES,
    **dict.fromkeys(
        (errno.ESTALE, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN),
        _SILENT_DISK,
    ),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP), _MOVED),
}
_CERTAIN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""These are of writing alone, wherever the file lies."""
_NUMBER = re.compile(r"\(os error (\d+)\)")
"""As Rust's libraries end their messages."""
_WITHOUT_REASON = re.compile(
    r"inline_container|PytorchStreamWriter|file write failed|unexpected pos"
)
"""torch's writer says in no message why the disk refused."""
_CUT_SHORT = re.compile(r"\d{1,20} requested and \d{1,20} written")
"""As numpy's `tofile` says that a disk took a part of the bytes, and had no room for more."""


def explain(error: BaseException, folder: Path) -> EngineError | None:
    """What ended a job that writes into `folder`, where that was the disk; else None."""
    refusal = find_refusal(error, folder)
    if refusal is None:
        return None
    reason = _REASONS[refusal.errno or errno.EIO]
    name = refusal.filename
    where = os.fsdecode(name) if isinstance(name, str | bytes) else str(folder)
    detail = f"{where}: {refusal.strerror}"
    limit = _size_limit()
    if refusal.errno == errno.EFBIG and limit is not None:
        detail += f" (files may have {limit:,} bytes)"
    if not _is_below(where, folder):
        detail += f"\n{folder}"
    elsewhere = "; or use another folder with --runs DIR" if reason.title == _CLOSED else ""
    hint = f"{reason.remedy}, then {_how_to_resume(folder)}{elsewhere}."
    return EngineError(reason.title, detail, hint)


def _how_to_resume(folder: Path) -> str:
    """From where a job goes on; neither is said of jobs of answers, which have no checkpoints."""
    checkpoints = folder / "checkpoints"
    try:
        if any(checkpoints.glob("checkpoint-*")):
            return "resume from the last checkpoint"
        is_training = checkpoints.is_dir()
    except OSError:  # the disk does not answer
        return "resume"
    return "resume: it starts from the beginning" if is_training else "resume"


def remedy(error: OSError) -> str:
    """What to do about a refusal, as the beginning of a sentence; where it is not known, to look
    at the disk."""
    reason = _REASONS.get(error.errno or 0)
    if reason is _MOVED:  # of a folder that was never there
        return "Check the path"
    return reason.remedy if reason is not None else "Check the disk"


def find_refusal(error: BaseException, folder: Path) -> OSError | None:
    """The refusal to write that an exception tells of or follows from.

    Libraries in Rust and C++ say it in words of their own, if at all: then the disk is asked.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno is not None:
            if cause.errno in _CERTAIN or (cause.errno in _REASONS and _concerns(cause, folder)):
                return cause
            continue
        text = str(cause)
        if (match := _NUMBER.search(text)) and int(match[1]) in _REASONS:
            return _refusal(int(match[1]), folder)
        for number in _CERTAIN:
            if os.strerror(number) in text:
                return _refusal(number, folder)
        if _WITHOUT_REASON.search(text):
            limited = _refusal(errno.EFBIG, folder) if _size_limit() is not None else None
            return _ask(folder) or limited or _refusal(errno.EIO, folder)
        if _CUT_SHORT.search(text):
            full = errno.ENOSPC if _size_limit() is None else errno.EFBIG
            return _ask(folder) or _refusal(full, folder)
    if isinstance(error, OSError) and error.errno is not None:
        return None
    try:
        full = shutil.disk_usage(folder).free < LEAST_FREE
    except OSError as refusal:
        return refusal if refusal.errno in _REASONS else None
    return _refusal(errno.ENOSPC, folder) if full else None


@contextmanager
def refusals_of_child(folder: Path) -> Iterator[None]:
    """Raise OSError in place of an EngineError about a program that failed because the disk of
    `folder` refused it: to be asked while what that wrote is still there."""
    try:
        yield
    except EngineError as error:
        refusal = find_refusal(error, folder)
        if refusal is None:
            raise
        raise refusal from error


def suspect(folder: Path) -> str:
    """Why a job may have crashed without a final status: what its disk refuses now. Else empty.

    Asks without writing: whoever looks at a list of runs changes none of them.
    """
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            number = errno.EROFS
        elif not os.access(folder, os.W_OK | os.X_OK):
            number = errno.EACCES
        elif shutil.disk_usage(folder).free < LEAST_FREE:
            number = errno.ENOSPC
        else:
            return ""
    except OSError as error:
        number = error.errno or errno.EIO
    title = _REASONS.get(number, _SILENT_DISK).title.rstrip(".")
    why = os.strerror(number)
    return f"{title[0].lower()}{title[1:]}: {why}; r resumes when it can be written again"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _concerns(error: OSError, folder: Path) -> bool:
    """Whether it is about the run's own files, and not about one that was to be read elsewhere."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    if not names:
        return True
    inside = any(_is_below(name, folder) for name in names)
    # A file that is missing where its folder is whole is our mistake, not the disk's.
    if inside and error.errno == errno.ENOENT:
        return not all(os.path.isdir(os.path.dirname(name)) for name in names)
    return inside


def _is_below(name: str, folder: Path) -> bool:
    return os.path.abspath(name) == str(folder) or os.path.abspath(name).startswith(f"{folder}/")


def _refusal(number: int, folder: Path) -> OSError:
    return OSError(number, os.strerror(number), str(folder))


def _ask(folder: Path) -> OSError | None:
    """How the disk refuses a small file now; None where it takes it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(LEAST_FREE))
            file.flush()
    except OSError as error:
        return OSError(error.errno or errno.EIO, error.strerror, str(folder))
    return None


def _size_limit() -> int | None:
    """The size that no file of this process may exceed, in bytes; None: there is no limit."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit
