"""Which `tokenizer.ggml.pre` a tokenizer.json needs: how llama.cpp has to cut text before BPE.

Owns the table. The rules of the tokenizer decide, not its vocabulary, so that one with added tokens
or a small one is known too. What is not in the table is refused: a wrong name cuts digits and
spaces elsewhere, and nothing says so. Tests compare token ids with llama.cpp for every row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _SPACES
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_QWEN35 = (
    _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"
    + _SPACES
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _SPACES
)
_GPT4O = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _SPACES
)
_SEED = (
    _CONTRACTIONS
    + "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+"
    + "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)
_HAN = "[一-龥\u0800-一가-\ud7ff]+"
_DEEPSEEK_V3 = (
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

Step = tuple[str, ...]
"""One rule that cuts text: its kind, then what it cuts at."""
_GPT2: Step = ("gpt2",)
_DIGITS: Step = ("digits", "one by one")


def _cut(regex: str) -> Step:
    # Line ends stand in some files as they are, in others by their escapes.
    return ("split", regex.replace("\r", "\\r").replace("\n", "\\n"))


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """A row of the table."""

    name: str
    """`tokenizer.ggml.pre`."""
    steps: tuple[Step, ...]
    whole_words: bool = False
    """Whether a word of the vocabulary is one token whatever the merges say (`ignore_merges`):
    llama.cpp decides it by the name."""
    differs: str = ""
    """The texts that llama.cpp cuts elsewhere all the same; empty: none is known."""


_CASES = "combining marks, and words of both cases in letters beyond ASCII"
TABLE = (
    PreTokenizer("gpt-2", (_GPT2,)),
    PreTokenizer("smollm", (_DIGITS, _GPT2)),
    PreTokenizer("llama-bpe", (_cut(_LLAMA3),), whole_words=True),
    PreTokenizer("dbrx", (_cut(_LLAMA3),)),
    PreTokenizer("qwen2", (_cut(_QWEN2),)),
    PreTokenizer("qwen35", (_cut(_QWEN35),)),
    PreTokenizer("tekken", (_cut(_TEKKEN),), whole_words=True, differs=_CASES),
    PreTokenizer("gpt-4o", (_cut(_GPT4O),), differs=_CASES),
    PreTokenizer("seed-coder", (_cut(_SEED),)),
    PreTokenizer(
        "deepseek-coder",
        (_cut("[\r\n]"), _cut(r"\s?\p{L}+"), _cut(r"\s?\p{P}+"), _cut(_HAN), _DIGITS),
        differs="wide spaces (U+3000)",
    ),
    PreTokenizer(
        "deepseek-v3",
        (_cut(r"\p{N}{1,3}"), _cut("[一-龥\u3040-ゟ゠-ヿ]+"), _cut(_DEEPSEEK_V3)),
    ),
)


def pre_tokenizer_of(tokenizer: Mapping[str, Any]) -> PreTokenizer:
    """The row for a byte-level tokenizer.json, as its parsed JSON. Raises EngineError."""
    steps = tuple(_steps(tokenizer.get("pre_tokenizer")))
    model = tokenizer.get("model") or {}
    whole = bool(model.get("ignore_merges"))
    rows = [row for row in TABLE if row.steps == steps]
    for row in rows:
        if row.whole_words == whole:
            return row
    if rows:
        known = ", ".join(row.name for row in rows)
        raise _refuse(f"ignore_merges is {str(whole).lower()}, which {known} does not allow")
    raise _refuse("; ".join(" ".join(step) for step in steps) or "it has no pre_tokenizer")


def _refuse(reason: str) -> EngineError:
    known = ", ".join(row.name for row in TABLE)
    return EngineError(
        "The pre-tokenizer is in no table of llama.cpp that is proven here.",
        reason[:400],
        f"Known: {known}. Export adapter or merged, or name a llama.cpp that knows it by "
        "FINETOP_LLAMACPP.",
    )


def _steps(rule: Any) -> list[Step]:
    """The steps of a `pre_tokenizer`; how bytes are written as letters is no step."""
    if not isinstance(rule, Mapping):
        return []
    kind = str(rule.get("type"))
    if kind == "Sequence":
        return [step for one in rule.get("pretokenizers", ()) for step in _steps(one)]
    if kind == "ByteLevel":
        if rule.get("add_prefix_space"):
            return [("ByteLevel with add_prefix_space",)]
        return [_GPT2] if rule.get("use_regex", True) else []
    if kind == "Digits":
        return [_DIGITS if rule.get("individual_digits") else ("digits", "together")]
    pattern = rule.get("pattern")
    if kind == "Split" and isinstance(pattern, Mapping):
        regex, behavior = pattern.get("Regex"), rule.get("behavior")
        # What lies between two matches is a piece too: removed or isolated, but never turned over.
        if isinstance(regex, str) and behavior == "Isolated" and not rule.get("invert"):
            return [_cut(regex)]
        if isinstance(regex, str) and behavior == "Removed" and rule.get("invert"):
            return [_cut(regex)]
    return [(kind, str(pattern), str(rule.get("behavior")))]
