"""Files of a repository of the Hub, into the blobs of its cache: bytes, counted and verified.

A file that is being fetched lies as `HASH.incomplete`, whichever process fetches it, and is gone on
with at its end; it gets its name, its hash, only when its content has that. Knows no repository,
no link and no branch: those are the library's (`engine.worker.download`).
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import httpx2
from huggingface_hub import constants, get_session, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError

from engine.errors import EngineError, JobFailed

BLOCK = 1 << 20
SAY_SECONDS = 0.2
_TRIES = 5
"""In a row that bring nothing, before it is given up."""
WAIT_SECONDS = 0.5
"""Before the next try; twice as long before each that follows."""
_BUSY = (408, 429, 500, 502, 503, 504)
"""Answers that may be others in a moment."""

Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a repository at a commit."""

    path: str
    size: int
    blob: str
    """The SHA-256 of a large file, the Git hash of a small one: its name in the cache."""


class Transfer:
    """Brings files into `blobs`, several at a time, and says how far it is."""

    def __init__(self, blobs: Path, files: list[File], say: Say) -> None:
        self.halted = False
        """Set it, and what is being fetched ends soon, with an error."""
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
                "Not enough disk space.",
                f"{missing / 1e9:.1f} GB to download, {free / 1e9:.1f} GB free: {self._blobs}",
                "Free disk space, or set HF_HOME to a larger disk.",
            )
        for file in self._files:
            if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
                raise EngineError(
                    "A file is larger than the Hub serves over HTTP.",
                    f"{file.path}: {file.size / 1e9:.0f} GB",
                    "Use `hf download`; finetop lists models in its cache.",
                )

    def bring(self, file: File, url: str, headers: Mapping[str, str]) -> None:
        """One file, from where an earlier attempt was cut.

        Raises EngineError, OSError, and httpx2.HTTPError.
        """
        final = self._blobs / file.blob
        if final.exists():
            return
        part = self._blobs / f"{file.blob}.incomplete"
        with part.open("ab", buffering=0) as output:
            try:
                fcntl.lockf(output, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise JobFailed(
                    "Another finetop process is downloading this file.",
                    str(part),
                    "Wait until it finishes.",
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
                    "A downloaded file was corrupt and was deleted.",
                    f"{file.path}: its hash is not {file.blob[:12]}…",
                    "Run it again: complete files are kept.",
                )
            part.rename(final)

    def _receive(self, file: File, url: str, headers: Mapping[str, str], output: FileIO) -> None:
        """Append what is missing; a connection that is cut is taken up again at that place."""
        tries = 0
        while (have := output.seek(0, os.SEEK_END)) < file.size:
            failure: Exception = JobFailed("The Hub sends nothing of a file.", file.path)
            try:
                self._append(file, url, headers, output)
            except httpx2.TransportError as error:
                failure = error
            except HfHubHTTPError as error:
                if error.response.status_code not in _BUSY:
                    raise
                failure = error
            tries = 0 if output.tell() > have else tries + 1
            if tries == _TRIES:
                raise failure
            if output.tell() < file.size:
                time.sleep(WAIT_SECONDS * 2**tries)

    def _append(self, file: File, url: str, headers: Mapping[str, str], output: FileIO) -> None:
        have = output.tell()
        more = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with get_session().stream(
            "GET", url, headers={**headers, **more}, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        ) as response:
            hf_raise_for_status(response)
            if have and response.status_code != 206:  # it sends the whole file again
                output.seek(0)
                output.truncate()
                self.count(-have)
            for data in response.iter_bytes():
                if self.halted:
                    raise JobFailed("The download was stopped.")
                if output.tell() + len(data) > file.size:
                    raise JobFailed("The Hub sends more of a file than it has.", file.path)
                output.write(data)
                self.count(len(data))

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


def hash_file(path: Path, file: File) -> str:
    """What the Hub names a file by: SHA-256 of a large one, the hash that Git gives a small one."""
    with path.open("rb") as content:
        if len(file.blob) == 64:
            return hashlib.file_digest(content, "sha256").hexdigest()
        whole = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        while block := content.read(BLOCK):
            whole.update(block)
        return whole.hexdigest()
