"""A BPE by merges with byte fallback, as SentencePiece's BPE by scores, which llama.cpp has.

Owns when the two are the same: every way to join two pieces to a third is a merge, and merges are
sorted by what they make. Then the score of a piece is minus the rank of its first merge. Refuses
any other one; runs of one letter, as Llama's of spaces, may share a score.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError

SPACE = "▁"
NO_MERGE = -1e6
"""The score of a piece that no merge makes."""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True, slots=True)
class SentencePieces:
    scores: tuple[float, ...]
    """By id, as many as the embedding has rows."""
    byte_ids: tuple[int, ...]
    """Of the 256 pieces that stand for one byte each."""
    add_space_prefix: bool
    """Whether a space is put before a text, and after each special token in it."""
    notes: tuple[str, ...]


def read_sentence_pieces(rules: Mapping[str, Any], size: int, in_chats: bool) -> SentencePieces:
    """Of a tokenizer.json. `size`: rows of the embedding; `in_chats`: it has a chat template.
    Raises EngineError."""
    model = rules["model"]
    vocabulary: dict[str, int] = model["vocab"]
    bytes_of = {int(found[1], 16): at for piece, at in vocabulary.items()
                if (found := _BYTE.fullmatch(piece))}  # fmt: skip
    if not model.get("byte_fallback") or len(bytes_of) != 256:
        raise _refuse("It is not byte-level and has no byte fallback.")
    if model.get("ignore_merges"):
        raise _refuse("It has byte fallback and ignore_merges.")
    merges = [tuple(one) if isinstance(one, list) else tuple(one.split(" ", 1))
              for one in model.get("merges", ())]  # fmt: skip
    ranks = _ranks(vocabulary, merges)
    scores = [NO_MERGE] * size
    for piece, rank in ranks.items():
        if vocabulary[piece] < size:
            scores[vocabulary[piece]] = -float(rank)
    prefix, notes = _prefix(rules, in_chats, vocabulary)
    return SentencePieces(tuple(scores), tuple(sorted(bytes_of.values())), prefix, notes)


def _ranks(vocabulary: Mapping[str, int], merges: list[tuple[str, ...]]) -> dict[str, int]:
    """The rank of each piece's first merge, of pieces that are merged by turns that of all.
    Raises EngineError where scores cannot say it."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    pairs = {pair: rank for rank, pair in enumerate(merges)}
    for (left, right), rank in pairs.items():
        first.setdefault(left + right, rank)
        last[left + right] = rank
    for piece in vocabulary:
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocabulary and right in vocabulary and (left, right) not in pairs:
                raise _refuse("Scores would join what it does not.", f"{left!r} and {right!r}")
    blocks: list[list[str]] = []
    end = -1
    for piece, rank in first.items():
        if rank > end:
            blocks.append([])
        blocks[-1].append(piece)
        end = max(end, last[piece])
    ranks = {piece: first[block[0]] for block in blocks for piece in block}
    for block in blocks:
        if len(block) > 1:
            _check_tied(block, pairs, ranks)
    return ranks


def _check_tied(
    pieces: list[str], pairs: Mapping[tuple[str, ...], int], ranks: Mapping[str, int]
) -> None:
    """Refuse pieces of one score that SentencePiece, from left to right, would join otherwise.

    Llama's runs of spaces have one score; that it makes no difference is tried on longer runs.
    """
    letters = set("".join(pieces))
    if len(letters) > 1:
        raise _refuse("Its merges are not sorted by what they make.", ", ".join(pieces[:4]))
    letter = letters.pop()
    for count in range(2, 2 * max(map(len, pieces)) + 2):
        by_score = _join(letter * count, lambda left, right: ranks.get(left + right))
        if _join(letter * count, lambda left, right: pairs.get((left, right))) != by_score:
            raise _refuse("Scores would join it otherwise.", f"{count} times {letter!r}")


def _join(text: str, rank: Callable[[str, str], int | None]) -> list[str]:
    """`text` once no two neighbours have a rank: the lowest is joined first, of equals the left."""
    parts = list(text)
    while True:
        ranked = [
            (found, at)
            for at in range(len(parts) - 1)
            if (found := rank(parts[at], parts[at + 1])) is not None
        ]
        if not ranked:
            return parts
        _, at = min(ranked)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def _prefix(
    rules: Mapping[str, Any], in_chats: bool, vocabulary: Mapping[str, int]
) -> tuple[bool, tuple[str, ...]]:
    """Whether llama.cpp puts a space first, and what it then reads otherwise."""
    normal = _parts(rules.get("normalizer"), "normalizers")
    kinds = [str(one.get("type")) for one in normal]
    replaces = [one for one in normal if one.get("type") == "Replace"]
    if any(one.get("pattern") != {"String": " "} or one.get("content") != SPACE
           for one in replaces):  # fmt: skip
        raise _refuse("Its normalizer replaces text.")
    cuts = _parts(rules.get("pre_tokenizer"), "pretokenizers")
    spaces = [one for one in cuts if one.get("type") == "Metaspace"]
    others = [one for one in cuts if one not in spaces and not _cuts_nothing(one, bool(replaces))]
    if set(kinds) - {"Replace", "Prepend"} or others or len(spaces) > 1:
        names = [str(one.get("type")) for one in (*normal, *cuts)]
        raise _refuse("Its rules are not those of SentencePiece.", ", ".join(names))
    if not spaces and not replaces:
        raise _refuse("It does not write spaces as ▁.")
    inside = any(SPACE in piece[1:] for piece in vocabulary)
    if spaces and spaces[0].get("split", True) and inside:
        raise _refuse("It cuts at spaces (Metaspace) and has pieces that go across one.")
    scheme = str(spaces[0].get("prepend_scheme", "always")) if spaces else "never"
    if "Prepend" in kinds or scheme == "always":
        return True, ()
    if scheme == "never":
        return False, ()
    if not in_chats:
        return True, ("a space is put after special tokens in a text too, not at its start alone",)
    return False, ("a text without the chat template gets no space before its first word",)


def _cuts_nothing(rule: Mapping[str, Any], spaces_replaced: bool) -> bool:
    """Gemma's rule: it cuts at spaces, once none is left."""
    return (
        spaces_replaced and rule.get("type") == "Split" and rule.get("pattern") == {"String": " "}
    )


def _parts(rule: Any, key: str) -> list[Mapping[str, Any]]:
    if not isinstance(rule, Mapping):
        return []
    return [part for one in rule[key] for part in _parts(one, key)] if key in rule else [rule]


def _refuse(reason: str, detail: str = "") -> EngineError:
    return EngineError(
        f"llama.cpp cannot follow this tokenizer. {reason}",
        detail[:400],
        "Export adapter or merged.",
    )
