"""A row as training sees it, for people: its tokens, which are trained on, what was cut off.

Shows what `engine.worker.data.encode` made and changes none of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engine.data.rows import Example
from engine.errors import EngineError
from engine.recipes import validation
from engine.recipes.settings import Data, Replay
from engine.worker.data.encode import (
    IGNORE_INDEX,
    Encoded,
    Template,
    choose_template,
    encode,
    encode_messages,
    fit,
)
from engine.worker.data.pair_rows import answer_start, mask_before, pair_rows
from engine.worker.data.token_ids import check_row
from engine.worker.tokenizers.detokenize import decode_ids, pieces_of

MOST_TEXT = 2000
"""Characters of a text that is shown beside the rows."""
WHOLE = 1 << 30
"""A limit that nothing reaches."""

Shown = dict[str, Any]
T = TypeVar("T", Data, Replay)


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """An example, encoded: all of it, and as much as training takes."""

    example: Example
    whole: Encoded
    taken: Encoded
    rejected: Encoded | None = None
    """Of a preference pair, the conversation with the other answer, as much as is taken."""
    part: int = 1
    """Which one it is of the training rows of its example, from 1."""
    parts: int = 1

    @property
    def removed(self) -> list[int]:
        """Token ids that the limit takes away."""
        return self.whole.input_ids[len(self.taken.input_ids) :]

    @property
    def removed_target_tokens(self) -> int:
        """How many tokens are no longer trained on: of a row that is dropped, all."""
        return self.whole.target_tokens - (self.taken.target_tokens if self.taken.kept else 0)


def encode_rows(
    example: Example,
    tokenizer: Any,
    template: Template,
    data: Data,
    embeddings: int | None = None,
    objective: str = "sft",
) -> list[PreviewRow]:
    """The rows that training makes of this example under the recipe's data settings.

    A row with a token that the model, with so many `embeddings`, does not know is not taken. Where
    pairs are the `objective`, neither is one whose other answer cannot be used, and rows that both
    conversations have are left out.
    """
    rows = encode(example, tokenizer, template, WHOLE)
    taken = [
        check_row(fit(row, data.max_length, data.too_long), tokenizer, embeddings) for row in rows
    ]
    encoded = (
        encode_messages(
            example.rejected,
            tokenizer,
            template,
            data.max_length,
            data.too_long,
            example.tools,
        )
        if example.rejected
        else []
    )
    others = [check_row(row, tokenizer, embeddings) for row in encoded]
    if objective == "dpo":
        pairs = pair_rows(taken, others, example)
        return [
            _compare(PreviewRow(example, rows[index], taken[index], other, part, len(pairs)))
            for part, (index, other) in enumerate(pairs, 1)
        ]
    # Answers are compared from the last one on, as training compares them.
    other = dict(zip(range(len(rows), 0, -1), reversed(others), strict=False))
    return [
        PreviewRow(example, row, taken[part - 1], other.get(part), part, len(rows))
        for part, row in enumerate(rows, 1)
    ]


def _compare(row: PreviewRow) -> PreviewRow:
    """A pair's row as DPO takes it: not at all where its other cannot be used."""
    taken, other = row.taken, row.rejected
    if other is None or not taken.kept:
        return row
    if not other.kept:
        refused = replace(taken, kept=False, reason=other.reason, cut=other.cut)
        return replace(row, taken=refused)
    start = answer_start(taken, other)
    whole, taken, other = (mask_before(one, start) for one in (row.whole, taken, other))
    return replace(row, whole=whole, taken=taken, rejected=other)


def show_row(row: PreviewRow, tokenizer: Any, *, replayed: bool = False) -> Shown:
    """The row as JSON: tokens with a flag each, and what is not there and why."""
    return {
        "source": row.example.source,
        "part": row.part,
        "parts": row.parts,
        "replayed": replayed,
        "kept": row.taken.kept,
        "reason": row.taken.reason,
        "cut": row.taken.cut,
        "learned": row.taken.target_tokens,
        "tokens": show_tokens(row.taken, tokenizer),
        "rejected": show_tokens(row.rejected, tokenizer) if row.rejected else [],
        "removed": decode_ids(tokenizer, row.removed)[:MOST_TEXT] if row.taken.cut else "",
    }


def show_tokens(row: Encoded, tokenizer: Any) -> list[Shown]:
    """Each token's text, ids (several, where only together they make a character) and flags."""
    special = special_ids(tokenizer)
    shown, at = [], 0
    for text, ids in pieces_of(tokenizer, row.input_ids):
        is_target = row.labels[at] != IGNORE_INDEX
        shown.append({"text": text, "ids": ids, "learned": is_target, "special": ids[0] in special})
        at += len(ids)
    return shown


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Tokens that mean something by themselves: BOS, end, the marks of turns."""
    return frozenset(tokenizer.added_tokens_decoder) | frozenset(tokenizer.all_special_ids)


def side_by_side(
    example: Example,
    tokenizer: Any,
    data: Data,
    forms: Sequence[str],
    embeddings: int | None = None,
) -> list[Shown]:
    """One example, whole, under several templates in their order; one that cannot be says why.

    Where the recipe has a system prompt, each comes without it and, as the next, with it.
    """
    shown: list[Shown] = []
    for form in forms:
        for system in dict.fromkeys(("", data.system)):
            try:
                template = choose_template(tokenizer, form, system)
            except EngineError as error:
                shown.append({"template": {"name": form, "system": system}, "reason": error.title})
                continue
            # Where answers are rows of their own, the last one has the most of the conversation.
            whole = replace(data, max_length=WHOLE)
            row = encode_rows(example, tokenizer, template, whole, embeddings)[-1]
            shown.append({"template": about(template)} | show_row(row, tokenizer))
    return shown


def about(template: Template) -> Shown:
    """A template's name, hash and notes as JSON."""
    return {
        "name": template.name,
        "hash": template.hash,
        "system": template.system,
        "notes": list(template.notes),
    }


def read_data(value: object, max_length: object = None) -> Data:
    """The data table of a recipe, or only the name of a data set. Raises EngineError."""
    table = {"train": value} if isinstance(value, str) else value
    if not isinstance(table, dict):
        raise EngineError("The request needs data, a name or a recipe table.", repr(value))
    if max_length is not None:
        table = table | {"max_length": max_length}
    return _read(Data, "data", table)


def read_replay(value: object) -> Replay:
    """The replay table of a recipe; None mixes nothing in. Raises EngineError."""
    if value is not None and not isinstance(value, dict):
        raise EngineError("The replay of a request must be a recipe table.", repr(value))
    return _read(Replay, "replay", value or {})


def _read(cls: type[T], name: str, table: dict[str, Any]) -> T:
    wrong = validation.errors(cls, table)
    if wrong:
        reasons = "\n".join(f"{name}.{key}: {reason}" for key, reason in wrong.items())
        raise EngineError(f"Invalid {name} setting.", reasons)
    return validation.build(cls, table)
