"""Whether Ollama itself writes the prompts that were trained: asked where one answers locally.

Starts nothing, and asks no other machine: weights would have to be sent to it. The requests are
those of github.com/ollama/ollama, server/routes.go and api/types.go.
"""

import hashlib
import http.client
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from engine.chat import Message
from engine.compare.endpoint_keys import is_loopback
from engine.number_format import write_count
from engine.release.modelfile import Modelfile, read_modelfile
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.release.ollama.go_template import as_prompt

NAME = "prompts in Ollama"
DEFAULT = "127.0.0.1:11434"
NOT_PROVEN = (
    "The template of the Modelfile is not proven: {reason}. To be sure use llama.cpp with --jinja, "
    "which renders the model's own."
)
_ANSWERS_WITHIN = 2.0
"""Seconds for an Ollama that is there to say so."""
_PATIENCE = 300.0
"""Seconds for one request: the model is loaded for the first."""
_LARGEST = 16 << 20
"""Bytes of one reply."""
_SHOWN = 5


class _Unanswered(Exception):
    """Ollama is not there, or does not do what is asked."""


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    secure: bool


def prove_template(
    model_file: Path,
    modelfile: Path,
    conversations: Sequence[Sequence[Message]],
    texts: Sequence[str],
) -> Check:
    """Compare the prompts that Ollama makes of `conversations` with `texts`, which have no BOS that
    it adds (`bos.without_bos`). Conversations of another form than prompts are passed over.

    A model with a name of its own is created for it from the GGUF file and the Modelfile, and
    deleted again. "not proven" where no Ollama answers, or an old one.
    """
    settings = read_modelfile(modelfile)
    if not settings.template:
        return _not_proven("there is none")
    pairs = [(talk, text) for talk, text in zip(conversations, texts, strict=True)
             if as_prompt(talk) == list(talk)]  # fmt: skip
    if not pairs:
        return _not_proven("no conversation can be compared")
    try:
        address = find_address(os.environ.get("OLLAMA_HOST", ""))
        if not is_loopback(address.host):
            return _not_proven("OLLAMA_HOST names another machine, which is sent no weights")
        version = str(_ask(address, "GET", "/api/version", patience=_ANSWERS_WITHIN)["version"])
    except (_Unanswered, KeyError, TypeError):
        return _not_proven("no Ollama answers on this machine")
    name = f"finetop-proof-{secrets.token_hex(8)}"
    try:
        _create(address, name, model_file, settings)
        try:
            written = [_render(address, name, messages) for messages, _ in pairs]
        finally:
            with suppress(_Unanswered):
                _ask(address, "DELETE", "/api/delete", {"model": name, "name": name})
    except _Unanswered as error:
        return _not_proven(f"Ollama {one_line(version)} {error}")
    version = one_line(version)
    check = compare_prompts(NAME, f"in Ollama {version}", written, [text for _, text in pairs])
    return replace(check, facts={**check.facts, "ollama": version})


def find_address(setting: str) -> _Address:
    """Where Ollama is asked, by the value of OLLAMA_HOST; empty: on this machine."""
    scheme, mark, rest = (setting.strip() or DEFAULT).rpartition("://")
    parts = urlsplit(f"//{rest}")
    try:
        port = parts.port
    except ValueError:
        port = None
    usual = {"http": 80, "https": 443}.get(scheme, 11434) if mark else 11434
    host = parts.hostname or "127.0.0.1"
    # What a server listens on is no address to ask.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return _Address(host, port or usual, scheme == "https")


def _create(address: _Address, name: str, file: Path, settings: Modelfile) -> None:
    with file.open("rb") as source:
        digest = "sha256:" + hashlib.file_digest(source, "sha256").hexdigest()
    if not _is_there(address, digest):
        with file.open("rb") as source:
            _ask(address, "POST", f"/api/blobs/{digest}", upload=source)
    parameters: dict[str, Any] = {"stop": list(settings.stops)} if settings.stops else {}
    if settings.context:
        parameters["num_ctx"] = settings.context
    body = {
        "model": name,
        "files": {file.name: digest},
        "template": settings.template,
        "system": settings.system,
        "parameters": parameters,
        "stream": False,
    }
    reply = _ask(address, "POST", "/api/create", body)
    if not isinstance(reply, dict) or reply.get("status") != "success":
        raise _Unanswered(f"does not take the model ({one_line(str(reply))[:200]})")


def _is_there(address: _Address, digest: str) -> bool:
    """Whether Ollama has a file already."""
    connection = _connect(address, _PATIENCE)
    try:
        connection.request("HEAD", f"/api/blobs/{digest}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException) as error:
        raise _Unanswered(f"is gone ({one_line(str(error))})") from None
    finally:
        connection.close()


def _render(address: _Address, name: str, messages: Sequence[Message]) -> str:
    """The prompt of a conversation, which Ollama tells and does not answer."""
    body = {
        "model": name,
        "messages": [{"role": one.role, "content": one.content} for one in messages],
        "stream": False,
        "truncate": False,
        "keep_alive": 0,
        # An Ollama that does not know the next key would answer: at least it answers shortly.
        "options": {"num_predict": 1},
        "_debug_render_only": True,
    }
    reply = _ask(address, "POST", "/api/chat", body)
    details = reply.get("_debug_info") if isinstance(reply, dict) else None
    text = details.get("rendered_template") if isinstance(details, dict) else None
    if not isinstance(text, str):
        raise _Unanswered("does not tell its prompts")
    return text


def compare_prompts(name: str, where: str, written: Sequence[str], texts: Sequence[str]) -> Check:
    """Prompts that were `written`, as in "in Ollama 0.12", and the `texts` that they must be."""
    pairs = list(zip(written, texts, strict=True))
    different = [at for at, (one, other) in enumerate(pairs) if one != other]
    facts = {"prompts": len(pairs), "different": len(different)}
    if different:
        lines = tuple(_difference(at, *pairs[at]) for at in different[:_SHOWN])
        count = f"{len(different)} of {write_count(len(pairs), 'prompt')}"
        return Check(name, "failed", f"Different {where}: {count}.", facts, lines)
    return Check(name, "passed", f"Equal {where}: {write_count(len(pairs), 'prompt')}.", facts)


def _difference(at: int, written: str, wanted: str) -> str:
    start = next(
        (place for place, (one, other) in enumerate(zip(written, wanted, strict=False))
         if one != other),
        min(len(written), len(wanted)),
    )  # fmt: skip
    shown = [one_line(repr(text[start : start + 40])) for text in (written, wanted)]
    return f"conversation {at + 1}, character {start + 1}: {shown[0]} in place of {shown[1]}"


def _not_proven(reason: str) -> Check:
    return Check(NAME, "not proven", NOT_PROVEN.format(reason=reason))


def _connect(address: _Address, patience: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if address.secure else http.client.HTTPConnection
    return kind(address.host, address.port, timeout=patience)


def _ask(
    address: _Address,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    upload: IO[bytes] | None = None,
    patience: float = _PATIENCE,
) -> Any:
    """The reply as JSON, None where it is empty. Raises _Unanswered."""
    connection = _connect(address, patience)
    try:
        if upload is not None:
            size = str(os.fstat(upload.fileno()).st_size)
            connection.request(method, path, upload, {"Content-Length": size})
        else:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read(_LARGEST)
    except (OSError, http.client.HTTPException) as error:
        raise _Unanswered(f"is gone ({one_line(str(error))[:200]})") from None
    finally:
        connection.close()
    if reply.status not in (200, 201):
        text = one_line(data[:200].decode(errors="replace"))
        raise _Unanswered(f"refuses {path.split('/sha256')[0]} ({reply.status}: {text})")
    try:
        return json.loads(data) if data.strip() else None
    except (ValueError, RecursionError):
        raise _Unanswered("does not answer in JSON") from None
