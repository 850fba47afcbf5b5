"""A Hub on this machine: the few endpoints that fetching needs, with the troubles of a real one."""

import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests import patience

COMMIT = "a" * 40
OTHER = "b" * 40
LARGE = 10_000
"""Bytes above which a file is kept outside of Git."""


class Hub:
    """Repositories by `models/NAME` or `datasets/NAME`, each revision a table of files.

    Use as a context manager; `requests` holds what was asked, with its headers.
    """

    def __init__(self, repositories: Mapping[str, Mapping[str, Mapping[str, bytes]]]) -> None:
        self.repositories = repositories
        self.refs: dict[str, str] = {"main": COMMIT, "old": OTHER}
        self.gated: set[str] = set()
        self.token = ""
        """Without it everything is forbidden, where it is set."""
        self.cut_after: int | None = None
        """Bytes of a body after which the connection is cut; None: never."""
        self.cuts_left = 10**9
        self.stall_after: int | None = None
        """Bytes of a body after which nothing more comes, on a line that stays open."""
        self.closing = threading.Event()
        self.damage = False
        self.busy = 0
        """So many requests for content are put off."""
        self.ranges = True
        """Whether a part of a file is given where a part is asked for."""
        self.content_at = ""
        """The address of another server that content is fetched from, as of the Hub's CDN."""
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def bodies(self) -> list[tuple[str, str | None]]:
        """The files whose content was asked for, each with the range."""
        return [
            (path.rpartition("/")[2], headers.get("Range"))
            for method, path, headers in self.requests
            if method == "GET" and "/resolve/" in path
        ]


class _Handler(BaseHTTPRequestHandler):
    owner: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).strip("/")
        self.owner.requests.append((self.command, path, dict(self.headers.items())))
        if self.owner.token and self.headers.get("Authorization") != f"Bearer {self.owner.token}":
            self._send(401, b'{"error": "Invalid credentials in Authorization header"}')
        elif path.startswith("api/"):
            self._answer_api(path.removeprefix("api/").split("/"), parse_qs(parts.query))
        elif "/resolve/" in path:
            self._answer_file(path)
        else:
            self._send(404, b"{}")

    def _answer_api(self, path: list[str], query: Mapping[str, list[str]]) -> None:
        name, rest = "/".join(path[:3]), path[3:]
        if name not in self.owner.repositories:
            self._fail(404, "RepoNotFound")
            return
        revision = rest[1] if len(rest) > 1 else "main"
        commit = self.owner.refs.get(revision, revision)
        files = self.owner.repositories[name].get(commit)
        if files is None:
            self._fail(404, "RevisionNotFound")
        elif rest[:1] == ["tree"]:
            self._json([_entry(path, content) for path, content in files.items()])
        else:
            self._json({"id": "/".join(path[1:3]), "sha": commit, "siblings": []})

    def _answer_file(self, path: str) -> None:
        front, _, back = path.partition("/resolve/")
        name = front if front.startswith("datasets/") else f"models/{front}"
        revision, _, file = back.partition("/")
        if name in self.owner.gated:
            self._fail(403, "GatedRepo")
            return
        whole = self.owner.repositories[name][self.owner.refs.get(revision, revision)][file]
        content = whole
        start = 0
        if self.owner.busy and self.command == "GET":
            self.owner.busy -= 1
            self._send(503, b"{}")
            return
        if self.owner.content_at and self.command == "GET":
            self._send(302, b"", ("Location", f"{self.owner.content_at}{self.path}"))
            return
        given = self.headers.get("Range") if self.owner.ranges else None
        if given:
            start = int(given.removeprefix("bytes=").partition("-")[0])
        if self.owner.damage:
            content = bytes(len(content))
        self.send_response(206 if given else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{_blob(whole)}"')
        self.send_header("X-Repo-Commit", self.owner.refs.get(revision, revision))
        if given:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        stall = self.owner.stall_after
        if stall is not None and len(content) - start > stall:
            self.wfile.write(content[start : start + stall])
            self.wfile.flush()
            self.owner.closing.wait(patience.PROCESS_SECONDS)
            self.close_connection = True
            return
        cut = self.owner.cut_after
        if cut is not None and len(content) - start > cut and self.owner.cuts_left > 0:
            self.owner.cuts_left -= 1
            self.wfile.write(content[start : start + cut])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(content[start:])

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode())

    def _fail(self, status: int, code: str) -> None:
        self._send(status, b'{"error": "no"}', ("X-Error-Code", code), ("X-Error-Message", code))

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    """A file as the Hub's tree lists it: large ones by their SHA-256."""
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if len(content) > LARGE:
        entry["lfs"] = {"oid": _blob(content), "size": len(content), "pointerSize": 130}
    return entry


def _blob(content: bytes) -> str:
    """The name of a file in the cache, which the Hub also gives as its ETag."""
    if len(content) > LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
