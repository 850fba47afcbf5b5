"""The tokenizers that a proof of texts compares: the run's, and that of what is shipped.

Owns how each is opened. A GGUF file's is made of its header alone, as llama.cpp reads it; llama.cpp
itself is asked by `llama_tokenize` where it is installed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checkpoints.gguf_header import read_gguf_values
from engine.text import one_line
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.proving.proof_spec import ProofSpec
from engine.worker.tokenizers import gguf, load
from engine.worker.tokenizers.vocabulary import CONTROL, Vocabulary

_LONGEST_SHOWN = 60
"""Characters of a string in a difference."""
MOST_SHOWN = 5
"""Differences that are told of one check."""


@dataclass(frozen=True, slots=True)
class GgufTexts:
    """What the header of a GGUF file says of texts."""

    header: Mapping[str, Any]
    vocabulary: Vocabulary


@dataclass(frozen=True, slots=True)
class TextPair:
    """The run's tokenizer and the shipped one."""

    run: Any
    rules: dict[str, Any]
    """The run's tokenizer.json, read for a GGUF file; empty where it has none."""
    shipped: Any
    gguf: GgufTexts | None
    """None: a folder is shipped."""

    @property
    def composes(self) -> bool:
        """Whether the run's tokenizer composes characters first (NFC), which llama.cpp never
        does."""
        return self.gguf is not None and '"NFC"' in json.dumps(self.rules.get("normalizer"))

    @property
    def words(self) -> list[str]:
        """The run's added tokens, those that the shipped vocabulary has no place for left out."""
        added = self.run.added_tokens_decoder
        end = len(self.gguf.vocabulary.pieces) if self.gguf else None
        return [str(added[at]) for at in sorted(added) if end is None or at < end]


def open_texts(spec: ProofSpec, run: Any) -> TextPair:
    """The run's tokenizer and the shipped one. Raises EngineError where that cannot be opened."""
    if not spec.target.startswith("gguf"):
        return TextPair(run, {}, load_tokenizer(spec.shipped), None)
    backend = getattr(run, "backend_tokenizer", None)
    rules = json.loads(backend.to_str()) if backend is not None else {}
    header = read_gguf_values(spec.shipped)
    vocabulary = gguf.vocabulary_in(header, spec.shipped)
    shipped, _ = load.open_vocabulary(vocabulary, spec.shipped)
    with_tools = header.get("tokenizer.chat_template.tool_use")
    if vocabulary.template and isinstance(with_tools, str):
        shipped.chat_template = {"default": vocabulary.template, "tool_use": with_tools}
    return TextPair(run, rules, shipped, GgufTexts(header, vocabulary))


def open_conversion(path: Path) -> Any:
    """The tokenizer that transformers itself makes of a GGUF file. Raises what it raises.

    By the two functions that `AutoTokenizer` calls: it reads the header twice more, which of
    262,144 tokens takes 15 s in place of 4.
    """
    from transformers import PreTrainedTokenizerFast
    from transformers.integrations.gguf import gguf_tokenizer_mapping

    library: Any = gguf_tokenizer_mapping
    architecture, vocabulary, _ = library.get_gguf_tokenizer(str(path))
    backend, _ = library.convert_gguf_tokenizer(architecture, vocabulary)
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=backend)


def plain_control(pair: TextPair) -> str | None:
    """A special token of both that takes no white space along, and stands for itself in a text."""
    added = pair.run.added_tokens_decoder
    types = pair.gguf.vocabulary.types if pair.gguf else ()
    for at, token in sorted(added.items()):
        strips = token.lstrip or token.rstrip or token.single_word
        if not token.special or strips or at == pair.run.unk_token_id:
            continue
        if pair.gguf is None or (at < len(types) and types[at] == CONTROL):
            return str(token)
    return None


def encode_all(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, without what the tokenizer itself puts around it."""
    if not texts:
        return []
    return [list(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]


def show(text: str) -> str:
    """A string as it can be typed again, cut where it is long, in one clean line."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return one_line(repr(cut))


def first_difference(expected: Sequence[Any], found: Sequence[Any]) -> int:
    """The first place in which they differ; they do."""
    for at, (left, right) in enumerate(zip(expected, found, strict=False)):
        if left != right:
            return at
    return min(len(expected), len(found))


def tell_ids(pair: TextPair, expected: Sequence[int], found: Sequence[int]) -> str:
    """Where two lists of ids part, with the three tokens from there on of each side."""
    at = first_difference(expected, found)
    return (
        f"token {at + 1}: run {_tokens(pair.run, expected[at : at + 3])}, "
        f"shipped {_tokens(pair.shipped, found[at : at + 3])}"
    )


def _tokens(tokenizer: Any, ids: Sequence[int]) -> str:
    if not ids:
        return "nothing"
    size = len(tokenizer)
    names = [
        one_line(str(tokenizer.convert_ids_to_tokens(one))) if one < size else "?" for one in ids
    ]
    return " ".join(f"{one} {name!r}" for one, name in zip(ids, names, strict=True))
