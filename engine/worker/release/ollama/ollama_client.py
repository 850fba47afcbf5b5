"""Requests to an Ollama on this machine, which a stop does not wait for.

A request blocks a thread of its own; its caller goes on ticking, and closes the connection where
that raises or the time for all requests is over. The requests are those of
github.com/ollama/ollama, server/routes.go and api/types.go.
"""

import hashlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from engine.text import one_line

Tick = Callable[[], None]
"""Called several times a second; may raise, to stop."""
DEFAULT = "127.0.0.1:11434"
ANSWERS_WITHIN = 2.0
"""Seconds for an Ollama that is there to say so."""
CLEANS_WITHIN = 10.0
"""Seconds for it to delete a model, which nothing waits for any longer."""
PATIENCE = 600.0
"""Seconds for all requests together: the model is loaded for the first prompt."""
_POLL_SECONDS = 0.1
_LARGEST = 16 << 20
"""Bytes of one reply."""
_BLOCK = 1 << 22


class Unanswered(Exception):
    """Ollama is not there, or does not do what is asked."""


@dataclass(frozen=True, slots=True)
class OllamaAddress:
    host: str
    port: int
    secure: bool


@dataclass(slots=True)
class _Reply:
    """What a request came to; all of it is written by its thread before `done` is set."""

    done: threading.Event
    status: int = 0
    data: bytes = b""
    error: str = ""
    late: bool = False


def find_address(setting: str) -> OllamaAddress:
    """Where Ollama is asked, by the value of OLLAMA_HOST; empty: on this machine."""
    scheme, mark, rest = (setting.strip() or DEFAULT).rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        named, port = parts.hostname, parts.port
    except ValueError:
        named, port = rest.partition(":")[0], None
    usual = {"http": 80, "https": 443}.get(scheme, 11434) if mark else 11434
    host = named or "127.0.0.1"
    # What a server listens on is no address to ask.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return OllamaAddress(host, port or usual, scheme == "https")


class OllamaClient:
    """The requests of one proof."""

    def __init__(self, address: OllamaAddress, tick: Tick) -> None:
        self._address = address
        self._tick = tick
        self._until = time.monotonic() + PATIENCE

    def version(self) -> str:
        """Its version. Raises Unanswered soon where none answers, and what `tick` raises."""
        reply = self.ask("GET", "/api/version", seconds=ANSWERS_WITHIN)
        if not isinstance(reply, dict) or not isinstance(reply.get("version"), str):
            raise Unanswered("tells no version")
        return one_line(reply["version"])[:40]

    def send_file(self, file: Path) -> str:
        """Bring it a file that it does not have yet; the digest by which it is named. Raises
        Unanswered, OSError, and what `tick` raises."""
        sums = hashlib.sha256()
        with file.open("rb") as source:
            while block := source.read(_BLOCK):
                sums.update(block)
                self._tick()
        digest = f"sha256:{sums.hexdigest()}"
        if self._request("HEAD", f"/api/blobs/{digest}").status != 200:
            with file.open("rb") as source:
                self.ask("POST", f"/api/blobs/{digest}", upload=source)
        return digest

    def delete(self, name: str) -> None:
        """Delete a model, also where the proof was stopped; soon, or not at all."""
        self._tick, self._until = (lambda: None), time.monotonic() + CLEANS_WITHIN
        with suppress(Unanswered):
            self.ask("DELETE", "/api/delete", {"model": name, "name": name})

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        upload: IO[bytes] | None = None,
        seconds: float | None = None,
    ) -> Any:
        """The reply as JSON, None where it is empty. Raises Unanswered, and what `tick` raises."""
        content = upload if upload is not None or body is None else json.dumps(body)
        reply = self._request(method, path, content, seconds)
        if reply.status not in (200, 201):
            text = one_line(reply.data[:200].decode(errors="replace"))
            raise Unanswered(f"refuses {path.split('/sha256')[0]} ({reply.status}: {text})")
        try:
            return json.loads(reply.data) if reply.data.strip() else None
        except (ValueError, RecursionError):
            raise Unanswered("does not answer in JSON") from None

    def _request(
        self,
        method: str,
        path: str,
        content: IO[bytes] | str | None = None,
        seconds: float | None = None,
    ) -> _Reply:
        now = time.monotonic()
        until = self._until if seconds is None else min(self._until, now + seconds)
        address = self._address
        kind = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
        connection = kind(address.host, address.port, timeout=max(0.1, until - now))
        reply = _Reply(threading.Event())
        work = (connection, method, path, content, reply)
        threading.Thread(target=_exchange, args=work, name="ollama", daemon=True).start()
        try:
            while not reply.done.wait(_POLL_SECONDS):
                self._tick()
                if time.monotonic() > until:
                    reply.late = True
                    break
        finally:
            _cut(connection)
        if reply.late:
            raise Unanswered("takes too long")
        if reply.error:
            raise Unanswered(f"is gone ({reply.error})")
        return reply


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    content: IO[bytes] | str | None,
    reply: _Reply,
) -> None:
    headers = {} if content is None else {"Content-Type": "application/json"}
    if content is not None and not isinstance(content, str):
        headers = {"Content-Length": str(os.fstat(content.fileno()).st_size)}
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        reply.data, reply.status = answer.read(_LARGEST), answer.status
    except TimeoutError:
        reply.late = True
    # A connection that is cut meanwhile, or a file that is closed, is any of these.
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        reply.error = one_line(str(error))[:200] or type(error).__name__
    finally:
        connection.close()
        reply.done.set()


def _cut(connection: http.client.HTTPConnection) -> None:
    """End a connection under the thread that waits for it, which `close` alone would not wake."""
    link = connection.sock
    if link is not None:
        with suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)
