"""A chat template in Ollama's language, Go's text/template, found by what the Jinja one writes.

Owns a small subset: a head, then a header, the content and an end for each role. Refuses (None) a
template that does anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.chat import Message


@dataclass(frozen=True, slots=True)
class GoTemplate:
    text: str
    """For `TEMPLATE` of a Modelfile; without BOS, which llama.cpp and Ollama add."""
    conversations: int
    """How many it was compared on, byte for byte."""

    def render(self, messages: Sequence[Message]) -> str:
        """What Ollama makes of it, up to the answer; without BOS."""
        raise NotImplementedError


def go_template_of(tokenizer: Any, conversations: Sequence[Sequence[Message]]) -> GoTemplate | None:
    """The tokenizer's chat template for Ollama; None where it is not proven to be the same on
    `conversations` and on probes of our own."""
    raise NotImplementedError
