"""Prompts in Ollama, whose requests a small server on the loopback answers as Ollama does."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.chat import Message
from engine.release.modelfile import write_modelfile
from engine.worker.attempt import Stopped
from engine.worker.release.ollama import go_evaluate, ollama_client
from engine.worker.release.ollama.ollama_client import find_address
from engine.worker.release.ollama.template_proof import prove_template

TEMPLATE = (
    "{{ range $at, $message := .Messages }}<|{{ .Role }}|>{{ .Content }}{{ end }}<|assistant|>"
)
TALKS = [
    [Message("user", "hello")],
    [Message("system", "Be brief."), Message("user", "a\n b"), Message("assistant", "c"),
     Message("user", "d")],
]  # fmt: skip
TEXTS = ["<|user|>hello<|assistant|>",
         "<|system|>Be brief.<|user|>a\n b<|assistant|>c<|user|>d<|assistant|>"]  # fmt: skip


class Ollama(ThreadingHTTPServer):
    """Version, blobs, create, chat and delete, as the server's source has them."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.old = False
        """Knows no debugging option, and answers."""
        self.wrong = ""
        """Written after each prompt."""
        self.error = ""
        """Of every creation."""
        self.silent = ""
        """The request that is not answered before the server ends."""
        self.ended = threading.Event()
        self.nonsense: dict[str, bytes] = {}
        """By path: what is sent, the line of the status too."""
        super().__init__(("127.0.0.1", 0), _Requests)

    def reply(self, method: str, path: str, data: bytes) -> tuple[int, Any]:
        self.calls.append((method, path))
        if path == "/api/version":
            return 200, {"version": "0.12.0"}
        if path.startswith("/api/blobs/"):
            digest = path.removeprefix("/api/blobs/")
            if method == "HEAD":
                return (200 if digest in self.blobs else 404), None
            if digest != "sha256:" + hashlib.sha256(data).hexdigest():
                return 400, {"error": "digest mismatch"}
            self.blobs[digest] = data
            return 201, None
        body = json.loads(data)
        name = body["model"]
        if path == "/api/create":
            if self.error:
                return 500, {"error": self.error}
            assert set(body["files"].values()) <= self.blobs.keys()
            self.models[name] = body
            return 200, {"status": "success"}
        if path == "/api/delete":
            return (200, None) if self.models.pop(name, None) else (404, {"error": "not found"})
        messages = [Message(one["role"], one["content"]) for one in body["messages"]]
        if self.old:
            return 200, {"message": {"role": "assistant", "content": "x"}, "done": True}
        assert body["_debug_render_only"] is True
        text = go_evaluate.render(self.models[name]["template"], messages) + self.wrong
        return 200, {"_debug_info": {"rendered_template": text}}


class _Requests(BaseHTTPRequestHandler):
    server: Ollama

    def answer(self) -> None:
        if self.path == self.server.silent:
            self.server.calls.append((self.command, self.path))
            self.server.ended.wait()
            return
        if self.path in self.server.nonsense:
            self.wfile.write(self.server.nonsense[self.path])
            self.close_connection = True
            return
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body = self.server.reply(self.command, self.path, data)
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


for _method in ("GET", "POST", "HEAD", "DELETE"):
    setattr(_Requests, f"do_{_method}", _Requests.answer)


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ollama]:
    server = Ollama()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_port}")
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A GGUF file, as far as a server that opens none is concerned, and its Modelfile."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    modelfile = write_modelfile(
        tmp_path, file.name, template=TEMPLATE, stops=["<|end|>"], context=512, system="Be kind."
    )
    return file, modelfile


def test_prompts_are_compared_in_a_model_that_is_deleted_again(
    ollama: Ollama, files: tuple[Path, Path]
) -> None:
    asked: list[dict[str, Any]] = []
    ollama.models = _Kept(asked)

    check = prove_template(*files, TALKS, TEXTS)

    assert (check.status, check.summary) == ("passed", "Equal in Ollama 0.12.0: 2 prompts.")
    assert asked[0]["template"] == TEMPLATE
    assert asked[0]["parameters"] == {"stop": ["<|end|>"], "num_ctx": 512}
    assert asked[0]["system"] == "Be kind."
    assert ollama.models == {}
    assert list(ollama.blobs.values()) == [files[0].read_bytes()]


class _Kept(dict[str, dict[str, Any]]):
    """Models that were ever created stay in a list."""

    def __init__(self, created: list[dict[str, Any]]) -> None:
        super().__init__()
        self._created = created

    def __setitem__(self, name: str, body: dict[str, Any]) -> None:
        self._created.append(body)
        super().__setitem__(name, body)


def test_a_file_that_ollama_has_is_not_sent_again(ollama: Ollama, files: tuple[Path, Path]) -> None:
    prove_template(*files, TALKS, TEXTS)
    prove_template(*files, TALKS, TEXTS)

    sent = [path for method, path in ollama.calls if method == "POST" and "blobs" in path]
    assert len(sent) == 1


def test_a_prompt_that_differs_fails_with_its_place(
    ollama: Ollama, files: tuple[Path, Path]
) -> None:
    ollama.wrong = "!\x1b[2J"

    check = prove_template(*files, TALKS, TEXTS)

    assert check.status == "failed"
    assert check.facts["different"] == 2
    assert check.differences[0].startswith(f"conversation 1, character {len(TEXTS[0]) + 1}: ")
    assert "\x1b" not in check.differences[0]
    assert ollama.models == {}


def test_an_old_ollama_proves_nothing_and_keeps_nothing(
    ollama: Ollama, files: tuple[Path, Path]
) -> None:
    ollama.old = True

    check = prove_template(*files, TALKS, TEXTS)

    assert check.status == "not proven"
    assert "does not tell its prompts" in check.summary
    assert ollama.models == {}


def test_an_ollama_that_refuses_the_model_proves_nothing(
    ollama: Ollama, files: tuple[Path, Path]
) -> None:
    ollama.error = "no\nspace"

    check = prove_template(*files, TALKS, TEXTS)

    assert check.status == "not proven"
    assert "500" in check.summary
    assert "\n" not in check.summary


def test_conversations_that_ollama_joins_are_passed_over(
    ollama: Ollama, files: tuple[Path, Path]
) -> None:
    joined = [Message("user", "a"), Message("user", "b")]

    check = prove_template(*files, [*TALKS, joined], [*TEXTS, "<|user|>a<|user|>b<|assistant|>"])
    alone = prove_template(*files, [joined], [""])

    assert check.summary == "Equal in Ollama 0.12.0: 2 prompts."
    assert alone.status == "not proven"


def test_where_no_ollama_answers_nothing_is_proven(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 1 of the loopback: nobody listens there.
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")

    check = prove_template(*files, TALKS, TEXTS)

    assert check.status == "not proven"
    assert check.summary == (
        "The template of the Modelfile is not proven: no Ollama answers on this machine. To be "
        "sure use llama.cpp with --jinja, which renders the model's own."
    )


@pytest.mark.parametrize("path", ["/api/version", "/api/create", "/api/chat"])
def test_a_stop_does_not_wait_for_an_answer(
    ollama: Ollama, files: tuple[Path, Path], path: str
) -> None:
    ollama.silent = path
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if any(call[1] == path for call in ollama.calls) and len(ticks) > 2:
            raise Stopped

    with pytest.raises(Stopped):
        prove_template(*files, TALKS, TEXTS, tick)
    assert ollama.models == {}, "the model is deleted again"


def test_one_that_takes_too_long_proves_nothing(
    ollama: Ollama, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ollama.silent = "/api/chat"
    monkeypatch.setattr(ollama_client, "PATIENCE", 2.0)
    check = prove_template(*files, TALKS, TEXTS)
    assert check.status == "not proven"
    assert "Ollama 0.12.0 takes too long. To be sure use llama.cpp" in check.summary
    assert ollama.models == {}

    ollama.silent = "/api/version"
    monkeypatch.setattr(ollama_client, "ANSWERS_WITHIN", 0.1)
    check = prove_template(*files, TALKS, TEXTS)
    assert (check.status, "no Ollama answers" in check.summary) == ("not proven", True)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[[[[",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b'HTTP/1.1 200 OK\r\n\r\n["a"]',
        b"HTTP/1.1 200 OK\r\n\r\n7",
        b'HTTP/1.1 200 OK\r\n\r\n{"version": {}, "_debug_info": 3, "status": []}',
        b"",
    ],
)
@pytest.mark.parametrize("path", ["/api/version", "/api/create", "/api/chat"])
def test_nonsense_proves_nothing(
    ollama: Ollama, files: tuple[Path, Path], path: str, sent: bytes
) -> None:
    ollama.nonsense = {path: sent}
    check = prove_template(*files, TALKS, TEXTS)
    assert check.status == "not proven"
    assert check.summary.isprintable()
    assert ollama.models == {}


def test_another_machine_is_sent_nothing(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be asked")

    monkeypatch.setattr("http.client.HTTPConnection", connect)
    for host in ("gpu.example", "http://10.0.0.7:11434"):
        monkeypatch.setenv("OLLAMA_HOST", host)
        check = prove_template(*files, TALKS, TEXTS)
        assert check.status == "not proven"
        assert "OLLAMA_HOST names another machine" in check.summary


def test_without_a_template_nobody_is_asked(ollama: Ollama, tmp_path: Path) -> None:
    modelfile = write_modelfile(tmp_path, "a.gguf", template=None, stops=[], context=8)

    check = prove_template(tmp_path / "a.gguf", modelfile, TALKS, TEXTS)

    assert check.status == "not proven"
    assert ollama.calls == []


@pytest.mark.parametrize(
    ("setting", "host", "port", "secure"),
    [
        ("", "127.0.0.1", 11434, False),
        ("0.0.0.0", "127.0.0.1", 11434, False),
        ("[::]:5000", "::1", 5000, False),
        ("gpu.example:99", "gpu.example", 99, False),
        ("http://gpu.example", "gpu.example", 80, False),
        ("https://gpu.example/path", "gpu.example", 443, True),
        ("127.0.0.1:x", "127.0.0.1", 11434, False),
        ("[::1", "[", 11434, False),
    ],
)
def test_an_address_is_read_as_ollama_reads_it(
    setting: str, host: str, port: int, secure: bool
) -> None:
    found = find_address(setting)

    assert (found.host, found.port, found.secure) == (host, port, secure)
