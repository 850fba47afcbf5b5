"""The vocabulary of a GGUF file, from the tokenizer of a checkpoint.

Owns which token is which in llama.cpp's words: its text, type, score, and what ends an answer. The
tokenizer is read as transformers loads it, for that is what was trained with. Refuses, by name,
what llama.cpp cannot follow: its vocabulary loading is the source (src/llama-vocab.cpp).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gguf

from engine.errors import EngineError
from engine.text import one_line
from engine.worker.data.chat_template import leading_ids
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf.bos import adds_bos
from engine.worker.release.gguf.end_tokens import EndKeys, end_keys
from engine.worker.release.gguf.sentence_pieces import read_sentence_pieces
from engine.worker.tokenizers.pre_tokenizers import pre_tokenizer_of

ADAPTER_OR_MERGED = "Export adapter or merged."
_ROLES = ("bos", "unk", "pad", "sep", "mask")


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    """The keys `tokenizer.*` of a GGUF file."""

    model: Literal["llama", "gpt2"]
    """"llama": SentencePiece's BPE by scores; "gpt2": byte-level BPE by merges."""
    pre: str
    """`tokenizer.ggml.pre`: how text is cut into words before BPE; "default" of "llama"."""
    tokens: tuple[str, ...]
    """By id; as many as the embedding has rows."""
    token_types: tuple[int, ...]
    """By id, of `gguf.TokenType`."""
    scores: tuple[float, ...] = ()
    """By id; empty of "gpt2"."""
    merges: tuple[str, ...] = ()
    """"LEFT RIGHT", the first is merged first; empty of "llama"."""
    bos: int | None = None
    eos: int | None = None
    eot: int | None = None
    eom: int | None = None
    unknown: int | None = None
    pad: int | None = None
    separator: int | None = None
    mask: int | None = None
    add_bos: bool = False
    """Whether every prompt begins with BOS, which llama.cpp then adds by itself."""
    add_eos: bool = False
    """Never: a prompt does not end with EOS, also where the tokenizer puts it after a text."""
    add_space_prefix: bool = False
    chat_template: str = ""
    named_templates: tuple[tuple[str, str], ...] = ()
    """Further templates, by name."""
    strips_right: bool = False
    """Phi-3: control tokens swallow the white space after them. llama.cpp does so only where
    `general.name` holds "phi-3", and must not be led to it by any other model's name."""
    notes: tuple[str, ...] = ()
    """What a user should know of how llama.cpp reads texts otherwise; a clean sentence each."""

    def add_to(self, writer: gguf.GGUFWriter) -> None:
        """Add all keys to a file that is being written."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        if self.scores:
            writer.add_token_scores(self.scores)
        writer.add_token_types(self.token_types)
        if self.merges:
            writer.add_token_merges(self.merges)
        for add, token in (
            (writer.add_bos_token_id, self.bos),
            (writer.add_eos_token_id, self.eos),
            (writer.add_eot_token_id, self.eot),
            (writer.add_eom_token_id, self.eom),
            (writer.add_unk_token_id, self.unknown),
            (writer.add_pad_token_id, self.pad),
            (writer.add_sep_token_id, self.separator),
            (writer.add_mask_token_id, self.mask),
        ):
            if token is not None:
                add(token)
        # Always: several names of `pre`, and "llama", have llama.cpp add BOS by default.
        writer.add_add_bos_token(self.add_bos)
        writer.add_add_eos_token(self.add_eos)
        if self.model == "llama":
            writer.add_add_space_prefix(self.add_space_prefix)
        templates = [{"name": name, "template": text} for name, text in self.named_templates]
        if self.chat_template:
            templates.append({"name": "default", "template": self.chat_template})
        if templates:
            writer.add_chat_template(templates)


def vocabulary_of(checkpoint: Path, ends: Sequence[int], tokenizer: Any = None) -> GgufVocabulary:
    """The vocabulary of the model in `checkpoint`; `ends` are the ids that end an answer, first
    the one that ends a trained answer; `tokenizer` is its own, where it was read already. Raises
    EngineError."""
    tokenizer = tokenizer or load_tokenizer(checkpoint)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise refuse("It has no tokenizer.json.", type(tokenizer).__name__)
    rules: dict[str, Any] = json.loads(backend.to_str())
    model = rules["model"]
    if model.get("type") != "BPE":
        raise refuse(f"Its model is {model.get('type')}, not BPE.", str(checkpoint))
    size = _embedding_rows(checkpoint)
    template, named = _templates(tokenizer)
    notes: list[str] = []
    byte_level = _is_byte_level(rules)
    added = {int(one["id"]): one for one in rules.get("added_tokens", ())}
    _check_added(backend, added, template)
    tokens, types = _tokens(model, added, size, notes)
    if byte_level:
        _check_normalizer(rules.get("normalizer"), notes)
        row = pre_tokenizer_of(rules)
        pre = row.name
        if row.differs:
            notes.append(f"llama.cpp cuts some texts elsewhere: {row.differs}")
        merges = _merges(model)
        scores: tuple[float, ...] = ()
        prefix = False
    else:
        pieces = read_sentence_pieces(rules, size, bool(template))
        pre, merges = "default", ()
        scores, prefix = pieces.scores, pieces.add_space_prefix
        notes += pieces.notes
        for at in pieces.byte_ids:
            types[at] = gguf.TokenType.BYTE
        unknown = tokenizer.unk_token_id
        if unknown is not None and unknown < size:
            types[unknown] = gguf.TokenType.UNKNOWN
    add_bos = adds_bos(tokenizer)
    if leading_ids(tokenizer) and not add_bos:
        notes.append("a text without the chat template gets no BOS, as prompts have none")
    keys = _end_keys(tokenizer, ends, tokens, types)
    if keys.seen_as_ends:
        notes.append(f"llama.cpp also stops at {', '.join(map(one_line, keys.seen_as_ends))}")
    ids = {role: getattr(tokenizer, f"{role}_token_id", None) for role in _ROLES}
    ids = {role: at if at is not None and at < size else None for role, at in ids.items()}
    return GgufVocabulary(
        "gpt2" if byte_level else "llama",
        pre,
        tuple(tokens),
        tuple(int(one) for one in types),
        scores,
        merges,
        bos=ids["bos"],
        eos=keys.eos,
        eot=keys.eot,
        eom=keys.eom,
        unknown=ids["unk"],
        pad=ids["pad"],
        separator=ids["sep"],
        mask=ids["mask"],
        add_bos=add_bos,
        add_space_prefix=prefix,
        chat_template=template,
        named_templates=named,
        strips_right=_strips_right(added),
        notes=tuple(notes),
    )


def refuse(reason: str, detail: str = "", hint: str = ADAPTER_OR_MERGED) -> EngineError:
    """The error of a tokenizer that a GGUF file cannot hold."""
    return EngineError(f"llama.cpp cannot follow this tokenizer. {reason}", detail[:400], hint)


def _embedding_rows(checkpoint: Path) -> int:
    config = json.loads((checkpoint / "config.json").read_bytes())
    size = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    if not isinstance(size, int) or size < 1:
        raise refuse("config.json has no vocab_size.", str(checkpoint))
    return size


def _templates(tokenizer: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The chat template, and those that have other names."""
    own = tokenizer.chat_template
    if not isinstance(own, dict):
        return own or "", ()
    others = tuple((str(name), str(text)) for name, text in own.items() if name != "default")
    return str(own.get("default") or ""), others


def _is_byte_level(rules: Mapping[str, Any]) -> bool:
    return '"ByteLevel"' in json.dumps([rules.get("pre_tokenizer"), rules.get("decoder")])


def _tokens(
    model: Mapping[str, Any],
    added: Mapping[int, Mapping[str, Any]],
    size: int,
    notes: list[str],
) -> tuple[list[str], list[gguf.TokenType]]:
    """Texts and types by id, as llama.cpp's own converter decides them."""
    texts = {int(at): str(piece) for piece, at in model["vocab"].items()}
    texts |= {at: str(one["content"]) for at, one in added.items()}
    beyond = sorted(at for at in texts if at >= size)
    if beyond:
        lost = ", ".join(one_line(texts[at]) for at in beyond[:4])
        notes.append(f"{len(beyond)} tokens have no row in the embedding and are left out: {lost}")
    tokens = [texts.get(at) or f"[PAD{at}]" for at in range(size)]
    types = [
        gguf.TokenType.NORMAL if texts.get(at) else gguf.TokenType.UNUSED for at in range(size)
    ]
    for at, one in added.items():
        if at < size:
            looks = one.get("special") or looks_special(tokens[at])
            types[at] = gguf.TokenType.CONTROL if looks else gguf.TokenType.USER_DEFINED
    twice = len(tokens) - len(set(tokens))
    if twice:
        raise refuse(f"{twice} of its tokens have a text that another one has.")
    return tokens, types


def looks_special(text: str) -> bool:
    """Whether llama.cpp's converter takes an added token for a control token by its text alone."""
    if text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]"):
        return True
    pairs = (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))
    return any(text.startswith(first) and text.endswith(last) for first, last in pairs)


def _merges(model: Mapping[str, Any]) -> tuple[str, ...]:
    pairs = [tuple(one) if isinstance(one, list) else tuple(one.split(" ", 1))
             for one in model.get("merges", ())]  # fmt: skip
    if not pairs:
        raise refuse("It has no merges.")
    if any(" " in part for pair in pairs for part in pair):
        raise refuse("A merge contains a space.")
    return tuple(" ".join(pair) for pair in pairs)


def _check_normalizer(normalizer: Any, notes: list[str]) -> None:
    """A byte-level vocabulary of llama.cpp reads text as it is."""
    kinds = []
    if isinstance(normalizer, Mapping):
        parts = normalizer.get("normalizers", [normalizer])
        kinds = [str(one.get("type")) for one in parts if isinstance(one, Mapping)]
    if kinds == ["NFC"]:
        notes.append("llama.cpp does not compose characters (NFC): text that is not composed "
                     "gets other tokens")  # fmt: skip
    elif kinds:
        raise refuse(f"It has the normalizer {', '.join(kinds)}.")


_NOT_STRIPPED = ("<unk>", "<s>", "<|endoftext|>")


def _strips_right(added: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether its tokens swallow white space exactly as llama.cpp has it for Phi-3."""
    texts = {str(one["content"]): bool(one.get("rstrip")) for one in added.values()}
    return (
        {*_NOT_STRIPPED, "</s>"} <= texts.keys()
        and any(texts.values())
        and all(strips is (text not in _NOT_STRIPPED) for text, strips in texts.items())
    )


def _check_added(backend: Any, added: Mapping[int, Mapping[str, Any]], template: str) -> None:
    """Refuse an added token that is not simply its text, wherever that stands."""
    phi3 = _strips_right(added)
    for one in added.values():
        text = str(one["content"])
        strips = one.get("lstrip") or (one.get("rstrip") and not phi3) or one.get("single_word")
        if strips and (not one.get("special") or text in template):
            raise refuse(
                "It has an added token with lstrip, rstrip or single_word.", one_line(text)
            )
        normalizer = backend.normalizer
        if one.get("normalized") and normalizer and normalizer.normalize_str(text) != text:
            raise refuse(
                "It has an added token that the normalizer changes.",
                one_line(text),
                "Add it with normalized=False (AddedToken), or export adapter or merged.",
            )


def _end_keys(
    tokenizer: Any, ends: Sequence[int], tokens: Sequence[str], types: Sequence[gguf.TokenType]
) -> EndKeys:
    wanted = [at for at in dict.fromkeys(ends) if at < len(tokens)]
    if not wanted and tokenizer.eos_token_id is not None:
        wanted = [tokenizer.eos_token_id]
    if not wanted:
        raise refuse("It has no end token.")
    keys = end_keys(wanted, tokens)
    if keys.left:
        raise refuse(
            f"It can stop at {len(wanted) - len(keys.left)} of {len(wanted)} end tokens.",
            "Not at " + ", ".join(one_line(tokens[at]) for at in keys.left),
        )
    return keys
