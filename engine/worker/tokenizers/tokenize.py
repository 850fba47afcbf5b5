"""One text or conversation through one tokenizer: every token, what it stands for, what it costs.

Knows no files. Changes nothing of the text but characters that are half a pair.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.chat import Message
from engine.errors import EngineError
from engine.tokenizers.tokenizer_output import (
    MOST_CHARACTERS,
    MOST_TOKENS,
    OWN_TEMPLATE,
    Count,
    Mark,
    RenderedTemplate,
    Token,
    Tokenized,
    describe_loss,
)
from engine.words import count_words
from engine.worker.data.chat_template import choose_template, leading_ids, own_template, prompt_text
from engine.worker.data.preview import special_ids
from engine.worker.data.template_sandbox import Fault
from engine.worker.tokenizers.detokenize import pieces_of

_SURROGATES = re.compile("[\ud800-\udfff]")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACES = "▁Ġ"


def kind_of(tokenizer: Any) -> str:
    """How it cuts, in a word or two."""
    if not tokenizer.is_fast:
        return str(type(tokenizer).__name__)
    backend = tokenizer.backend_tokenizer
    name = type(backend.model).__name__
    if name == "BPE":
        if _is_byte_level(backend):
            return "byte-level BPE"
        return "BPE with bytes" if backend.model.byte_fallback else "BPE"
    return str(name)


def added_around(tokenizer: Any) -> tuple[str, ...]:
    """The tokens that it puts around a text by itself."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    if len(whole) == len(plain):
        return ()
    special = special_ids(tokenizer)
    return tuple(str(tokenizer.convert_ids_to_tokens(token)) for token in whole if token in special)


def tokenize(tokenizer: Any, name: str, text: str) -> Tokenized:
    """One text, bounded; characters that are half a pair are replaced first."""
    cut = max(0, len(text) - MOST_CHARACTERS)
    text = _SURROGATES.sub("�", text[:MOST_CHARACTERS])
    ids = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    unknown = getattr(tokenizer, "unk_token_id", None)
    back = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    count = Count(
        name,
        len(text),
        len(text.encode()),
        count_words(text),
        len(ids),
        sum(1 for token in ids if token == unknown),
        describe_loss(text, str(back)),
        cut,
    )
    return Tokenized(count, tuple(cut_up(tokenizer, text)))


def render(
    tokenizer: Any, messages: Sequence[Message], form: str, *, answer_next: bool
) -> RenderedTemplate:
    """The conversation as one template writes it. What it refuses stands in `trouble`."""
    try:
        name, text, notes = _write(tokenizer, messages, form, answer_next=answer_next)
    except EngineError as error:
        reason = f"{error.title} {error.detail}".strip()
        return RenderedTemplate(form, form or OWN_TEMPLATE, "", (), 0, (), reason)
    except Fault as error:
        return RenderedTemplate(
            form, form or OWN_TEMPLATE, "", (), 0, (), f"Template error: {error.reason}"
        )
    text = _SURROGATES.sub("�", text[:MOST_CHARACTERS])
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    tokens = tuple(cut_up(tokenizer, text))
    return RenderedTemplate(form, name, text, tokens, len(ids), notes)


def _write(
    tokenizer: Any, messages: Sequence[Message], form: str, *, answer_next: bool
) -> tuple[str, str, tuple[str, ...]]:
    """Name of the template, what it writes, and what the user should know of it."""
    if form == "raw":
        text = prompt_text(messages, tokenizer, form)
        lead = str(tokenizer.decode(leading_ids(tokenizer)))
        return "raw", text if text.startswith(lead) else lead + text, ()
    template = choose_template(tokenizer, form or None)
    text = template.render(messages, tokenizer, answer_next=answer_next)
    lacks = not form and own_template(tokenizer) is None
    more = ("it has no chat template",) if lacks else ()
    return template.name, text, (*template.notes, *more)


def cut_up(tokenizer: Any, text: str) -> Iterator[Token]:
    """The tokens of `text` in order, the first MOST_TOKENS; joined, their texts are the text.

    Tokens that only together make a character come together.
    """
    special = special_ids(tokenizer)
    unknown = getattr(tokenizer, "unk_token_id", None)

    def mark(ids: Sequence[int]) -> Mark:
        if ids[0] == unknown:
            return "unknown"
        return "special" if ids[0] in special else ""

    if not tokenizer.is_fast:
        ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])[:MOST_TOKENS]
        for piece, some in pieces_of(tokenizer, ids):
            spelled = tokenizer.convert_ids_to_tokens(some)
            yield Token(piece, tuple(map(str, spelled)), tuple(some), mark(some))
        return
    yield from _by_offsets(tokenizer, text, mark)


def _by_offsets(
    tokenizer: Any, text: str, mark: Callable[[Sequence[int]], Mark]
) -> Iterator[Token]:
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = list(coded["input_ids"])[:MOST_TOKENS]
    spelled = [str(piece) for piece in tokenizer.convert_ids_to_tokens(ids)]
    spans = list(coded["offset_mapping"])[: len(ids)]
    is_part = _part_test(tokenizer)
    at = done = 0
    while at < len(ids):
        upto = at + 1
        start, end = spans[at]
        # Bytes of one character, or of several that overlap, are shown as what they make.
        while (
            upto < len(ids)
            and is_part(spelled[upto - 1])
            and is_part(spelled[upto])
            and (spans[upto][0] < end or (spans[upto][0] == end and not _whole(spelled[at:upto])))
        ):
            end = max(end, spans[upto][1])
            upto += 1
        start, end = max(start, done), max(end, done)
        piece = spelled[at]
        if not piece.strip(_SPACES) and text[start:end].strip(" "):
            end = start  # a space that was put before the text
        if start > done and (piece[:1] in _SPACES) and text[done:start].isspace():
            start = done
        if start > done:
            yield Token(text[done:start], (), (), "none")
        yield Token(text[start:end], tuple(spelled[at:upto]), tuple(ids[at:upto]), mark(ids[at:]))
        at, done = upto, end
    if done < len(text) and len(ids) < MOST_TOKENS:
        yield Token(text[done:], (), (), "none")


def _part_test(tokenizer: Any) -> Callable[[str], bool]:
    """Whether a piece may be only some bytes of a character."""
    if _is_byte_level(tokenizer.backend_tokenizer):

        def is_part(piece: str) -> bool:
            return any(_ALPHABET.get(letter, 0) >= 0x80 for letter in piece)

        return is_part
    return lambda piece: _BYTE.fullmatch(piece) is not None


def _whole(pieces: Sequence[str]) -> bool:
    """Whether the bytes of `pieces` are whole characters."""
    data = b"".join(
        bytes([int(match[1], 16)])
        if (match := _BYTE.fullmatch(piece))
        else bytes(_ALPHABET.get(letter, 0x20) for letter in piece)
        for piece in pieces
    )
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_byte_level(backend: Any) -> bool:
    return "ByteLevel" in repr(backend.pre_tokenizer) or "ByteLevel" in repr(backend.decoder)


def _make_alphabet() -> dict[str, int]:
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain}
    return letters | {chr(256 + at): byte for at, byte in enumerate(others)}


_ALPHABET = _make_alphabet()
"""The letters with which byte-level vocabularies spell bytes (Radford et al. 2019)."""
