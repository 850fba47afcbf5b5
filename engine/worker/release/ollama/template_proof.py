"""Whether Ollama itself writes the prompts that were trained: asked where one answers locally.

Starts nothing, and asks no other machine: weights would have to be sent to it.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.chat import Message
from engine.compare.endpoint_keys import is_loopback
from engine.number_format import write_count
from engine.release.modelfile import Modelfile, read_modelfile
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.release.ollama.go_template import as_prompt
from engine.worker.release.ollama.ollama_client import (
    OllamaClient,
    Tick,
    Unanswered,
    find_address,
)

NAME = "prompts in Ollama"
NOT_PROVEN = (
    "The template of the Modelfile is not proven: {reason}. To be sure use llama.cpp with --jinja, "
    "which renders the model's own."
)
_SHOWN = 5


def prove_template(
    model_file: Path,
    modelfile: Path,
    conversations: Sequence[Sequence[Message]],
    texts: Sequence[str],
    tick: Tick = lambda: None,
) -> Check:
    """Compare the prompts that Ollama makes of `conversations` with `texts`, which have no BOS that
    it adds (`bos.without_bos`). Conversations of another form than prompts are passed over.

    A model with a name of its own is created for it from the GGUF file and the Modelfile, and
    deleted again, also where `tick` raises. "not proven" where no Ollama answers, or an old one.
    """
    settings = read_modelfile(modelfile)
    if not settings.template:
        return _not_proven("there is none")
    pairs = [(talk, text) for talk, text in zip(conversations, texts, strict=True)
             if as_prompt(talk) == list(talk)]  # fmt: skip
    if not pairs:
        return _not_proven("no conversation can be compared")
    address = find_address(os.environ.get("OLLAMA_HOST", ""))
    if not is_loopback(address.host):
        return _not_proven("OLLAMA_HOST names another machine, which is sent no weights")
    client = OllamaClient(address, tick)
    try:
        version = client.version()
    except Unanswered:
        return _not_proven("no Ollama answers on this machine")
    name = f"finetop-proof-{secrets.token_hex(8)}"
    try:
        digest = client.send_file(model_file)
        try:
            _create(client, name, model_file.name, digest, settings)
            written = [_render(client, name, messages) for messages, _ in pairs]
        finally:
            client.delete(name)
    except Unanswered as error:
        return _not_proven(f"Ollama {version} {error}")
    check = compare_prompts(NAME, f"in Ollama {version}", written, [text for _, text in pairs])
    return replace(check, facts={**check.facts, "ollama": version})


def _create(client: OllamaClient, name: str, file: str, digest: str, settings: Modelfile) -> None:
    parameters: dict[str, Any] = {"stop": list(settings.stops)} if settings.stops else {}
    if settings.context:
        parameters["num_ctx"] = settings.context
    body = {
        "model": name,
        "files": {file: digest},
        "template": settings.template,
        "system": settings.system,
        "parameters": parameters,
        "stream": False,
    }
    reply = client.ask("POST", "/api/create", body)
    if not isinstance(reply, dict) or reply.get("status") != "success":
        raise Unanswered(f"does not take the model ({one_line(str(reply))[:200]})")


def _render(client: OllamaClient, name: str, messages: Sequence[Message]) -> str:
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
    reply = client.ask("POST", "/api/chat", body)
    details = reply.get("_debug_info") if isinstance(reply, dict) else None
    text = details.get("rendered_template") if isinstance(details, dict) else None
    if not isinstance(text, str):
        raise Unanswered("does not tell its prompts")
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
