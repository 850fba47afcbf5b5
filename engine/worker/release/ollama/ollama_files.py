"""What Ollama needs beside a GGUF file, and whether it writes the prompts that were trained.

Owns which conversations that is decided on: those without tools, whose roles Ollama knows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.chat import Message
from engine.checkpoints.describe import inspect
from engine.release.conversations import probe_conversations
from engine.release.modelfile import write_modelfile
from engine.release.proof import Check
from engine.worker.data.chat_template import choose_template, own_template
from engine.worker.data.template_sandbox import Fault
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf.bos import without_bos
from engine.worker.release.ollama.go_template import go_template_of
from engine.worker.release.ollama.ollama_client import Tick
from engine.worker.release.ollama.template_proof import prove_template

TEMPLATE = "template in Ollama"
_ROLES = frozenset({"system", "user", "assistant"})


def write_ollama_files(
    checkpoint: Path, model_file: Path, ends: Sequence[int]
) -> tuple[Path, tuple[str, ...]]:
    """Write the Modelfile beside a GGUF file that was made of `checkpoint`, and what the user
    should know of its template; `ends` are the ids that end an answer. Raises EngineError."""
    tokenizer = load_tokenizer(checkpoint)
    template = None
    if own_template(tokenizer) is not None:
        template = go_template_of(tokenizer, [messages for messages, _ in _render(tokenizer)])
    modelfile = write_modelfile(
        model_file.parent,
        model_file.name,
        template=None if template is None else template.text,
        system="" if template is None else template.system,
        stops=[str(tokenizer.convert_ids_to_tokens(end)) for end in ends],
        context=inspect(checkpoint).context_length or 0,
    )
    return modelfile, () if template is None else template.notes


def check_template(checkpoint: Path, model_file: Path, modelfile: Path, tick: Tick) -> Check:
    """Whether an Ollama on this machine writes the prompts of the chat template. Raises what `tick`
    raises, which is called several times a second."""
    tokenizer = load_tokenizer(checkpoint)
    if own_template(tokenizer) is None:
        return Check(TEMPLATE, "not proven", "The model has no chat template.")
    rendered = _render(tokenizer)
    texts = [without_bos(text, tokenizer) for _, text in rendered]
    talks = [messages for messages, _ in rendered]
    return prove_template(model_file, modelfile, talks, texts, tick)


def _render(tokenizer: Any) -> list[tuple[Sequence[Message], str]]:
    """Conversations that open an answer, each with its prompt; not those that the template
    refuses."""
    template = choose_template(tokenizer)
    rendered: list[tuple[Sequence[Message], str]] = []
    for probe in probe_conversations():
        plain = not probe.tools and all(
            message.role in _ROLES and not message.reasoning for message in probe.messages
        )
        if not (plain and probe.answer_next):
            continue
        try:
            text = template.render(probe.messages, tokenizer, answer_next=True)
        except Fault:
            continue
        rendered.append((probe.messages, text))
    return rendered
