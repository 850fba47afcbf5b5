"""What Ollama needs beside a GGUF file, and whether it writes the prompts that were trained.

Owns which conversations that is decided on: those without tools, whose roles Ollama knows; and the
context that is asked for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.chat import Message
from engine.checkpoints.describe import inspect
from engine.release.conversations import probe_conversations
from engine.release.modelfile import NAME, read_modelfile, write_modelfile
from engine.release.proof import Check
from engine.text import one_line
from engine.worker.data.chat_template import choose_template, own_template
from engine.worker.data.template_sandbox import Fault
from engine.worker.release.gguf.bos import without_bos
from engine.worker.release.gguf.rope import long_rope_context
from engine.worker.release.gguf.write import read_config
from engine.worker.release.ollama import go_evaluate
from engine.worker.release.ollama.go_template import as_prompt, go_template_of
from engine.worker.release.ollama.ollama_client import Tick
from engine.worker.release.ollama.template_proof import compare_prompts, prove_template

TEMPLATE = "template in Ollama"
READ = "prompts by the Modelfile"
_ROLES = frozenset({"system", "user", "assistant"})


def write_ollama_files(
    tokenizer: Any, checkpoint: Path, model_file: Path, ends: Sequence[int]
) -> tuple[str, ...]:
    """Write the Modelfile beside a GGUF file that was made of `checkpoint`, whose tokenizer is
    given; what the user should know of its template, a sentence each. `ends` are the ids that end
    an answer. Raises EngineError."""
    template = None
    if own_template(tokenizer) is not None:
        template = go_template_of(tokenizer, [messages for messages, _ in _render(tokenizer)])
    write_modelfile(
        model_file.parent,
        model_file.name,
        template=None if template is None else template.text,
        system="" if template is None else template.system,
        stops=[str(tokenizer.convert_ids_to_tokens(end)) for end in ends],
        context=_served_context(checkpoint),
    )
    return () if template is None else template.notes


def _served_context(checkpoint: Path) -> int:
    """Tokens; 0: unknown. Of LongRoPE those that its short factors are for: llama.cpp chooses the
    factors by the context that it is started with, and the long ones would answer short prompts
    otherwise than transformers does."""
    original = long_rope_context(read_config(checkpoint))
    return original or inspect(checkpoint).context_length or 0


def check_template(tokenizer: Any, model_file: Path, tick: Tick = lambda: None) -> list[Check]:
    """Whether the Modelfile beside a GGUF file has Ollama write the prompts of the chat template of
    the run's own `tokenizer`: as we read it, and by an Ollama on this machine. Nothing where there
    is no Modelfile. Raises EngineError for one that we did not write, and what `tick`
    raises, which is called several times a second."""
    modelfile = model_file.parent / NAME
    if not modelfile.is_file():
        return []
    if own_template(tokenizer) is None:
        return [Check(TEMPLATE, "not proven", "The model has no chat template.")]
    rendered = _render(tokenizer)
    talks = [messages for messages, _ in rendered]
    texts = [without_bos(text, tokenizer) for _, text in rendered]
    return [
        *_read_template(modelfile, talks, texts),
        prove_template(model_file, modelfile, talks, texts, tick),
    ]


def _read_template(
    modelfile: Path, talks: Sequence[Sequence[Message]], texts: Sequence[str]
) -> list[Check]:
    """The prompts that TEMPLATE and SYSTEM make, by our own reading; nothing where they say
    nothing."""
    settings = read_modelfile(modelfile)
    if not settings.template and not settings.system:
        return []
    written, wanted = [], []
    for talk, text in zip(talks, texts, strict=True):
        if as_prompt(talk) != list(talk):
            continue
        system = [Message("system", settings.system)] * bool(settings.system)
        asked = talk if talk[0].role == "system" else [*system, *talk]
        try:
            written.append(go_evaluate.render(settings.template, asked))
        except ValueError as error:
            line = one_line(str(error))
            return [Check(READ, "failed", "The Modelfile's template cannot be read.", {}, (line,))]
        wanted.append(text)
    return [compare_prompts(READ, "by the Modelfile", written, wanted)] if written else []


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
