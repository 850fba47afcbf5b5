"""Who puts BOS before a prompt: the template's text, or llama.cpp and Ollama by a flag. Never both.

Owns the one decision that a GGUF file's vocabulary and a Modelfile's template must share.
"""

from typing import Any

from engine.chat import Message
from engine.worker.data.chat_template import choose_template, leading_ids


def adds_bos(tokenizer: Any) -> bool:
    """Whether llama.cpp and Ollama have to put BOS before every text.

    Where the chat template writes none although the tokenizer puts one before a plain text, none is
    added: conversations decide, for they were trained. Where the template alone writes one, it
    stays in the prompt's text. Raises EngineError for a template that does not render.
    """
    if not leading_ids(tokenizer):
        return False
    return tokenizer.chat_template is None or template_writes_bos(tokenizer)


def template_writes_bos(tokenizer: Any) -> bool:
    """Whether the chat template begins a conversation with BOS."""
    template = choose_template(tokenizer, "chat")
    text = template.render([Message("user", "a")], tokenizer, answer_next=True)
    return bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)


def without_bos(text: str, tokenizer: Any) -> str:
    """A rendered prompt as llama.cpp and Ollama are given it: without the BOS that they add."""
    return text.removeprefix(tokenizer.bos_token) if adds_bos(tokenizer) else text
