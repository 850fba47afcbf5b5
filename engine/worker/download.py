"""Fetching a model or a data set from the Hub: the one worker that may use the network.

`huggingface_hub` lists, names and links what there is, in its own cache and layout. The content of
files comes by `engine.worker.blob_transfer`, for what the library cannot do: it writes each attempt
under a new name, so a download that was killed begins again and leaves its part behind; it counts
no bytes over several files, does not stop the others when one fails, and compares no content with
its hash. Says what it does as JSON lines.
"""

import contextlib
import errno
import json
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
from huggingface_hub import HfApi, constants, errors, hf_hub_download, hf_hub_url
from huggingface_hub.hf_api import RepoFile

from engine import atomic
from engine.checkpoints.hub_files import choose_files
from engine.errors import EngineError, JobFailed
from engine.worker.blob_transfer import File, Say, Transfer

AT_ONCE = 4
"""Files fetched at the same time."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def main(text: str) -> int:
    """Fetch what a request says: {id, kind, revision, include}, as JSON; the exit code."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is written stays: nothing to clean up
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
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    api = HfApi(token=token)
    commit = _hash(str(api.repo_info(name, repo_type=kind, revision=revision).sha))
    tree = api.list_repo_tree(name, recursive=True, revision=commit, repo_type=kind)
    files = {one.path: _file(one) for one in tree if isinstance(one, RepoFile)}
    chosen = choose_files({one.path: one.size for one in files.values()}, kind, request["include"])
    cache = Path(constants.HF_HUB_CACHE).expanduser()
    store = cache / "--".join([f"{kind}s", *name.split("/")])
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    copies: dict[str, list[File]] = {}
    for path in chosen:
        copies.setdefault(files[path].blob, []).append(files[path])
    transfer = Transfer(store / "blobs", [same[0] for same in copies.values()], say)
    transfer.check()

    def bring(same: list[File]) -> None:
        url = hf_hub_url(name, same[0].path, repo_type=kind, revision=commit)
        transfer.bring(same[0], url, headers)
        for file in same:  # its content is here by now: this links it
            hf_hub_download(
                name, file.path, repo_type=kind, revision=commit, cache_dir=cache, token=token
            )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            # The small ones first: a picker then knows what the large one is about to be.
            for _ in pool.map(bring, sorted(copies.values(), key=lambda same: same[0].size)):
                pass
        except BaseException:
            transfer.halted = True
            pool.shutdown(cancel_futures=True)
            raise
    if revision != commit:  # last, so that a branch never means a snapshot that is half here
        ref = store / "refs" / _inside(revision)
        ref.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(ref, commit)
    return store / "snapshots" / commit


@contextlib.contextmanager
def explained(request: Mapping[str, Any]) -> Iterator[None]:
    """The library's errors in words that a user can act on. Raises EngineError, JobFailed."""
    name, what = request["id"], "dataset" if request["kind"] == "dataset" else "model"
    other = "without --data" if what == "dataset" else "with --data"
    again = "Downloaded files are kept: run it again to continue."
    try:
        yield
    except EngineError:
        raise
    except errors.LocalEntryNotFoundError as error:
        # So the library wraps what kept it from asking; whether the file is here does not matter.
        with explained(request):
            raise error.__cause__ or OSError(_first_line(error)) from None
    except errors.GatedRepoError as error:
        raise EngineError(
            f"{name} is gated: its terms must be accepted first.",
            _first_line(error),
            "Accept them on its page, and set HF_TOKEN to a token of that account.",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise EngineError(
            f"No {what} {name} on the Hub.",
            "It does not exist, or it is private and HF_TOKEN has no access.",
            f"Check the name, or try {other}.",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise EngineError(
            f"{name} has no revision {request['revision']}.",
            _first_line(error),
            "Use a branch, tag or commit.",
        ) from error
    except errors.HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403):
            raise EngineError(
                "The Hub rejected the token, or requires one.",
                _first_line(error),
                "Set HF_TOKEN to a token with read access.",
            ) from error
        raise JobFailed("The Hub returned an error.", _first_line(error), again) from error
    except (OSError, httpx2.HTTPError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"Free disk space, or set HF_HOME to a larger disk. {again}"
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
        raise JobFailed("The Hub returned a file without a hash.", text)
    return text


def _inside(path: str) -> PurePosixPath:
    """A path of a repository, that must not lead out of it."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise JobFailed("The repository contains a path outside of itself.", path)
    return parts


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
