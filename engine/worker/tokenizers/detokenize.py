"""Text out of token ids: whole, token by token, or as it grows."""

from collections.abc import Sequence
from typing import Any


def decode_ids(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of token ids, special tokens as they are written, spaces as they are."""
    text = tokenizer.decode(
        list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return str(text)


def pieces_of(tokenizer: Any, ids: Sequence[int]) -> list[tuple[str, list[int]]]:
    """The text of each token; tokens that only together make a character come together."""
    pieces = StreamDecoder(tokenizer)
    groups: list[tuple[str, list[int]]] = []
    pending: list[int] = []
    for token in ids:
        pending.append(token)
        if piece := pieces.feed(token):
            groups.append((piece, pending))
            pending = []
    return [*groups, (decode_ids(tokenizer, pending), pending)] if pending else groups


class StreamDecoder:
    """Text as it grows: what `feed` returns never ends inside a character."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._shown = 0
        self._from = 0
        """Decoding starts a piece early: some tokenizers drop a first token's leading space."""

    def feed(self, token: int) -> str:
        """The text that `token` completes; empty while a character is unfinished."""
        self._ids.append(token)
        before = decode_ids(self._tokenizer, self._ids[self._from : self._shown])
        after = decode_ids(self._tokenizer, self._ids[self._from :])
        if after.endswith("�") or len(after) <= len(before):
            return ""
        self._from, self._shown = self._shown, len(self._ids)
        return after[len(before) :]
