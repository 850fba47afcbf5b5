"""An OpenAI-compatible endpoint on this machine, which answers whatever a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Server:
    """What it answers with, and what it was asked."""

    address: str = ""
    reply: bytes = b""
    answer: Callable[[Any], bytes] | None = None
    """What it answers to a body, in place of `reply`."""
    kind: str = "text/event-stream"
    status: int = 200
    busy: list[int] = field(default_factory=list)
    """Statuses of the next answers, which say nothing else."""
    refuses: str = ""
    """What is asked with this in it gets the status 400."""
    refusal: bytes | None = None
    """What is said then, in place of an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    holds: bool = False
    before_answer: Callable[[], object] = lambda: None
    """Called before each answer; it may wait."""
    hung_up: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving() -> Iterator[Server]:
    """An endpoint on this machine, for as long as it is asked."""
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            question = json.loads(body)
            made.asked.append((self.path, dict(self.headers), question))
            made.before_answer()
            asked = made.refuses and made.refuses in json.dumps(made.asked[-1][2])
            busy = made.busy.pop(0) if made.busy else 0
            self.send_response(busy or (400 if asked else made.status))
            self.send_header("Content-Type", made.kind)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                reply = made.answer(question) if made.answer else made.reply
                reply = made.refusal if asked and made.refusal is not None else reply
                self.wfile.write(b"" if busy else reply)
                while made.holds and not made.hold.wait(0.01):
                    self.wfile.write(b": still here\n\n")
            except OSError:
                made.hung_up.set()

        def log_message(self, *said: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    made.address = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield made
    finally:
        made.hold.set()
        http.shutdown()
        http.server_close()
        thread.join()


def stream(*parts: str, finish: str | None = "stop", end: bytes = b"data: [DONE]\n\n") -> bytes:
    """An answer in parts, as servers send it."""
    chunks: list[Any] = [{"choices": [{"delta": {"role": "assistant"}}]}]
    chunks += [{"choices": [{"delta": {"content": part}}]} for part in parts]
    chunks += [{"choices": [{"delta": {}, "finish_reason": finish}]}] if finish else []
    chunks += [{"choices": [], "usage": {"completion_tokens": len(parts)}}]
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in chunks) + end
