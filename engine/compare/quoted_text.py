"""Text that others wrote, inside a question to a model: it stays text, and is never obeyed.

Owns what keeps it apart: a mark that no such text holds, for the lines around it, and the special
tokens in it made harmless. The words that say so are the question's own. Whether a model follows
instructions that it is told to leave alone is for nobody here to promise.
"""

import hashlib
import re
from collections.abc import Iterable

_SPECIAL = re.compile(
    r"<[|｜][^<>\n]{1,60}[|｜]>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|"
    r"</?(?:s|bos|eos|pad|unk|mask|cls|sep|turn|think|(?:start|end)_of_[a-z]+|unused\d+)>|"
    r"<</?SYS>>|<[a-z]*_?turn[|]>|<[|][a-z]+>"
)
"""As the templates of Llama, Mistral, Gemma, Qwen, Phi, DeepSeek and others write them."""
_MARK = 8
"""Letters of a mark."""


def defuse(text: str) -> str:
    """The text without tokens that end a turn or begin one under some chat template: a tokenizer
    would take them for its own, whoever wrote them. Nor with halves of surrogate pairs."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _SPECIAL.sub(lambda match: f"({match[0][1:-1]})", whole)


def find_special(text: str) -> str:
    """The first token in the text that ends or begins a turn under some chat template; else
    empty."""
    match = _SPECIAL.search(text)
    return match[0] if match else ""


def quote(name: str, text: str, mark: str) -> str:
    """A text that is data, between two lines that it cannot end: `make_mark` of it, defused."""
    return f"[{name} {mark}]\n{defuse(text)}\n[end {mark}]\n"


def make_mark(texts: Iterable[str]) -> str:
    """What the lines between the texts are marked with: no text holds it, so none can end early.

    Of the texts alone, whichever stands first.
    """
    seen = "\n".join(sorted(texts)).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(seen).hexdigest()
    while digest[:_MARK].encode() in seen:
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest[:_MARK]
