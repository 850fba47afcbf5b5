"""The vocabulary and chat template in the header of a GGUF file, the format of llama.cpp.

Owns what the keys of its tokenizer mean; `engine.checkpoints.gguf_header` reads them. Raises
EngineError for a file without a tokenizer, and for one of an unknown kind.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.checkpoints.gguf_header import read_gguf_values
from engine.errors import EngineError
from engine.worker.tokenizers.vocabulary import CONTROL, Kind, Vocabulary

_KINDS: dict[str, Kind] = {
    "gpt2": "byte-level BPE",
    "llama": "SentencePiece BPE",
    "t5": "Unigram",
    "bert": "WordPiece",
}


def read_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary of a GGUF file. Raises EngineError."""
    return vocabulary_in(read_gguf_values(path), path)


def vocabulary_in(table: Mapping[str, Any], path: Path) -> Vocabulary:
    """The vocabulary in the header of `path`. Raises EngineError."""
    model = table.get("tokenizer.ggml.model")
    kind = _KINDS.get(model) if isinstance(model, str) else None
    pieces = _list(table, "tokens", str)
    if kind is None or not pieces:
        named = isinstance(model, str) and model[:40]
        what = f"unsupported tokenizer model {named!r}" if named else "it has no tokenizer"
        known = ", ".join(_KINDS)
        raise EngineError(f"{path.name} cannot be used: {what}", str(path), f"Known: {known}.")
    scores, types = _list(table, "scores", float), _list(table, "token_type", int)
    whole = [one for one in (scores, types) if one and len(one) != len(pieces)]
    if whole:
        raise EngineError(
            f"{path.name} cannot be used: its token lists differ in length", str(path)
        )
    if kind == "Unigram" and not scores:
        raise EngineError(f"{path.name} cannot be used: its pieces have no scores", str(path))
    merges = [tuple(one.split(" ", 1)) for one in _list(table, "merges", str) if " " in one[1:]]
    charsmap = _list(table, "precompiled_charsmap", int)
    name = str(table.get("general.name", ""))
    split, template = table.get("tokenizer.ggml.pre"), table.get("tokenizer.chat_template")
    return Vocabulary(
        kind,
        tuple(pieces),
        tuple(scores),
        tuple(types),
        tuple((one[0], one[1]) for one in merges),
        split if isinstance(split, str) else "",
        bos=_token(table, "bos", len(pieces)),
        eos=_token(table, "eos", len(pieces)),
        unknown=_token(table, "unknown", len(pieces)),
        pad=_token(table, "padding", len(pieces)),
        adds_bos=_flag(table, "add_bos_token", kind == "SentencePiece BPE"),
        adds_eos=_flag(table, "add_eos_token", kind == "Unigram"),
        leading_space=_flag(table, "add_space_prefix", True),
        squeezes_spaces=_flag(table, "remove_extra_whitespaces", False),
        # No key says so: llama.cpp goes by the model's name.
        strips_right=any(mark in name.lower() for mark in ("phi-3", "phi3")),
        charsmap=bytes(one & 255 for one in charsmap),
        template=template if isinstance(template, str) else "",
        notes=() if CONTROL in types else ("it marks no special tokens",),
    )


def _list(table: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    value = table.get(f"tokenizer.ggml.{name}", [])
    right = isinstance(value, list) and all(isinstance(one, kind) for one in value)
    return value if right else []


def _token(table: Mapping[str, Any], name: str, count: int) -> int | None:
    value = table.get(f"tokenizer.ggml.{name}_token_id")
    return value if isinstance(value, int) and 0 <= value < count else None


def _flag(table: Mapping[str, Any], name: str, default: bool) -> bool:
    value = table.get(f"tokenizer.ggml.{name}", default)
    return value if isinstance(value, bool) else default
