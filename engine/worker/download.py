"""Fetching a model or a data set from the Hub: the one worker that may use the network.

Files go into the Hub's own cache, in its own layout: `blobs/HASH`, links to them in
`snapshots/COMMIT/`, the commit's name in `refs/`. A cut download stays as `HASH.incomplete` and is
gone on with; the library alone would begin each file again. Says what it does as JSON lines.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from huggingface_hub import HfApi, constants, errors, file_download
from huggingface_hub.hf_api import RepoFile

from engine import atomic
from engine.checkpoints.hub_files import choose_files
from engine.errors import EngineError, JobFailed

AT_ONCE = 4
"""Files fetched at the same time."""
CHUNK = 1 << 20
"""Bytes that a cut connection may lose."""
SAY_SECONDS = 0.2
_HTTP_ERROR: type[Exception] = vars(errors)["HTTPError"]
"""Of the HTTP library that the Hub's own has chosen."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a repository at a commit."""

    path: str
    size: int
    blob: str
    """The SHA-256 of a large file, the Git hash of a small one: its name in the cache."""


def main(text: str) -> int:
    """Fetch what a request says: {id, kind, revision, include}, as JSON; the exit code."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is written stays: nothing to clean up
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK
    guard = threading.Lock()

    def say(event: str, **fields: Any) -> None:
        with guard:
            print(json.dumps({"event": event, **fields}), file=answers, flush=True)

    request = json.loads(text)
    try:
        with explained(request):
            folder = fetch(request, say)
    except EngineError as error:
        reason = {"title": error.title, "detail": error.detail, "hint": error.hint}
        say("error", failed=isinstance(error, JobFailed), **reason)
        return error.exit_code
    say("done", path=str(folder))
    return 0


def fetch(request: Mapping[str, Any], say: Say) -> Path:
    """Bring a repository into the cache; the folder of its snapshot. Raises EngineError."""
    name, kind, revision = request["id"], request["kind"], request["revision"] or "main"
    # False: else the library would look for a token that it has stored.
    token = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or False
    headers = {"authorization": f"Bearer {token}"} if token else {}
    api = HfApi(token=token)
    commit = str(api.repo_info(name, repo_type=kind, revision=revision).sha)
    tree = api.list_repo_tree(name, recursive=True, revision=commit, repo_type=kind)
    files = {one.path: _file(one) for one in tree if isinstance(one, RepoFile)}
    chosen = choose_files({one.path: one.size for one in files.values()}, kind, request["include"])
    store = Path(constants.HF_HUB_CACHE).expanduser() / "--".join([f"{kind}s", *name.split("/")])
    blobs, snapshot = store / "blobs", store / "snapshots" / _hash(commit)
    blobs.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, list[File]] = {}
    for path in chosen:
        wanted.setdefault(files[path].blob, []).append(files[path])
    transfer = Transfer(blobs, [same[0] for same in wanted.values()], say)
    transfer.check()

    def bring(same: list[File]) -> None:
        url = file_download.hf_hub_url(name, same[0].path, repo_type=kind, revision=commit)
        transfer.bring(same[0], url, headers)
        for file in same:
            _link(blobs / file.blob, snapshot / file.path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            # The small ones first: a picker then knows what the large one is about to be.
            for _ in pool.map(bring, sorted(wanted.values(), key=lambda same: same[0].size)):
                pass
        except BaseException:
            transfer.halted = True
            pool.shutdown(cancel_futures=True)
            raise
    if revision != commit:
        ref = store / "refs" / _inside(revision)
        ref.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(ref, commit)
    return snapshot


class Transfer:
    """Brings files into `blobs`, several at a time, and says how far it is."""

    def __init__(self, blobs: Path, files: list[File], say: Say) -> None:
        self.halted = False
        self._blobs = blobs
        self._files = files
        self._say = say
        self._guard = threading.Lock()
        self._total = sum(file.size for file in files)
        self._missing = {file.blob: file.size - self._here(file) for file in files}
        self._done = self._total - sum(self._missing.values())
        self._said = 0.0
        say("files", files=len(files), bytes=self._total, here=self._done)

    def check(self) -> None:
        """Raise EngineError where it cannot come whole: no space, or a file too large for HTTP."""
        missing, free = sum(self._missing.values()), shutil.disk_usage(self._blobs).free
        if missing > free:
            raise JobFailed(
                "The disk has too little space for it.",
                f"{missing / 1e9:.1f} GB to fetch, {free / 1e9:.1f} GB free: {self._blobs}",
                "Free some space, or set HF_HOME to a larger disk.",
            )
        for file in self._files:
            if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
                raise EngineError(
                    "One of its files is larger than the Hub gives by HTTP.",
                    f"{file.path}: {file.size / 1e9:.0f} GB",
                    "Fetch it with `hf download`; what lies in its cache is listed here too.",
                )

    def bring(self, file: File, url: str, headers: dict[str, str]) -> None:
        """One file, from where an earlier attempt was cut. Raises EngineError, OSError."""
        final = self._blobs / file.blob
        if final.exists():
            return
        part = self._blobs / f"{file.blob}.incomplete"
        with part.open("ab", buffering=0) as output:
            try:
                fcntl.lockf(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise JobFailed(
                    "Another finetop fetches this file already.", str(part), "Wait for its end."
                ) from error
            if output.tell() > file.size:
                output.truncate(0)
            have = output.seek(0, os.SEEK_END)
            self._receive(file, url, headers, output)
            if have and hash_file(part, file) != file.blob:  # that part was of something else
                self.count(-output.seek(0, os.SEEK_END))
                output.truncate(0)
                self._receive(file, url, headers, output)
            os.fsync(output.fileno())
            if hash_file(part, file) != file.blob:
                part.unlink()
                raise JobFailed(
                    "A file came damaged, and was thrown away.",
                    f"{file.path}: its hash is not {file.blob[:12]}…",
                    "Run it again: whole files are kept.",
                )
            part.rename(final)

    def _receive(self, file: File, url: str, headers: dict[str, str], output: FileIO) -> None:
        have = output.seek(0, os.SEEK_END)
        if have < file.size:
            counted = cast(BinaryIO, _Counted(output, self))
            file_download.http_get(
                url, counted, resume_size=have, headers=headers, expected_size=file.size
            )

    def count(self, size: int) -> None:
        """So many bytes more are here, or less where the server began again."""
        with self._guard:
            self._done += size
            if time.monotonic() < self._said + SAY_SECONDS:
                return
            self._said = time.monotonic()
            self._say("progress", done=self._done, total=self._total)

    def _here(self, file: File) -> int:
        for name in (file.blob, f"{file.blob}.incomplete"):
            with contextlib.suppress(OSError):
                return min((self._blobs / name).stat().st_size, file.size)
        return 0


class _Counted:
    """The file that the library writes to, as far as it needs one."""

    def __init__(self, file: Any, transfer: Transfer) -> None:
        self._file = file
        self._transfer = transfer

    def write(self, data: bytes) -> int:
        if self._transfer.halted:
            raise JobFailed("The download was ended.")
        self._file.write(data)
        self._transfer.count(len(data))
        return len(data)

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, to: int, whence: int = 0) -> int:
        return int(self._file.seek(to, whence))

    def truncate(self) -> None:
        at = self._file.tell()
        self._transfer.count(at - os.fstat(self._file.fileno()).st_size)
        self._file.truncate(at)


def hash_file(path: Path, file: File) -> str:
    """What the Hub names a file by: SHA-256 of a large one, the hash that Git gives a small one."""
    with path.open("rb") as content:
        if len(file.blob) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest()
        whole = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        while block := content.read(CHUNK):
            whole.update(block)
        return whole.hexdigest()


@contextlib.contextmanager
def explained(request: Mapping[str, Any]) -> Iterator[None]:
    """The library's errors in words that a user can act on. Raises EngineError, JobFailed."""
    name, what = request["id"], "data set" if request["kind"] == "dataset" else "model"
    other = "without --data" if what == "data set" else "with --data"
    again = "What has come is kept: run it again to go on."
    try:
        yield
    except EngineError:
        raise
    except errors.GatedRepoError as error:
        raise EngineError(
            f"{name} is open only to those who have accepted its terms.",
            _first_line(error),
            "Accept them on its page, and set HF_TOKEN to a token of that account.",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise EngineError(
            f"The Hub shows no {what} {name}.",
            "It does not exist, or it is private and HF_TOKEN does not open it.",
            f"Check the name; try it {other}.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise EngineError(
            f"{name} has no revision {request['revision']}.",
            _first_line(error),
            "Give a branch, a tag or a commit of it.",
        ) from error
    except errors.HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403):
            raise EngineError(
                "The Hub refuses the token, or asks for one.",
                _first_line(error),
                "Set HF_TOKEN to a token that may read this.",
            ) from error
        raise JobFailed("The Hub answered with an error.", _first_line(error), again) from error
    except (OSError, _HTTP_ERROR) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"Free some space, or set HF_HOME to a larger disk. {again}"
            raise JobFailed("The disk is full.", constants.HF_HUB_CACHE, hint) from error
        if isinstance(error, OSError) and error.filename is not None:
            detail = f"{error.filename}: {error.strerror}"
            raise JobFailed(
                "The Hub's cache cannot be written.", detail, "Check HF_HOME."
            ) from error
        raise JobFailed(
            f"The Hub cannot be reached at {constants.ENDPOINT}.",
            _first_line(error),
            f"Check the network, the proxy and HF_ENDPOINT. {again}",
        ) from error  # fmt: skip


def _file(one: RepoFile) -> File:
    blob = one.lfs.sha256 if one.lfs else one.blob_id
    return File(str(_inside(one.path)), one.size, _hash(blob))


def _hash(text: str) -> str:
    """It becomes a file's name, and a server said it."""
    if not _HASH.fullmatch(text):
        raise JobFailed("The Hub named a file by no hash.", text)
    return text


def _inside(path: str) -> PurePosixPath:
    """A path of a repository, that must not lead out of it."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise JobFailed("The repository names a file outside of itself.", path)
    return parts


def _link(blob: Path, link: Path) -> None:
    """A snapshot's file: a relative link, so that the cache can be moved; a copy where none is."""
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.exists():
        return
    link.unlink(missing_ok=True)  # it leads nowhere
    try:
        link.symlink_to(os.path.relpath(blob, link.parent))
    except OSError:
        shutil.copyfile(blob, link)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
