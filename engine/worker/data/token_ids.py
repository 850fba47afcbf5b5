"""Whether a model can read token ids: the ONE check of training, reports, prompts and scoring.

A tokenizer may have more tokens than the model has embeddings (Gemma 3 1B, CodeLlama 34B): harmless
until a text holds one of them, which ends in an IndexError, or on a GPU in an assertion that takes
the process along. Only ids that are used count, never the tokenizer's size.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.text import one_line
from engine.worker.data.encode import Encoded


def explain_unknown(ids: Sequence[int], tokenizer: Any, embeddings: int | None) -> str:
    """Why a model with so many embeddings cannot read `ids`, by the first such token.

    Empty where it can, or where `embeddings` is None: not known.
    """
    if embeddings is None or not ids or max(ids) < embeddings:
        return ""
    unknown = next(one for one in ids if one >= embeddings)
    text = tokenizer.convert_ids_to_tokens(unknown) if unknown < len(tokenizer) else None
    token = f"token id {unknown}" if text is None else f"token {one_line(text)} has id {unknown}"
    return f"{token}, and the model has {embeddings:,} embeddings"


def check_row(row: Encoded, tokenizer: Any, embeddings: int | None) -> Encoded:
    """The row as it is, or not kept, with the token that the model has no embedding for."""
    reason = explain_unknown(row.input_ids, tokenizer, embeddings) if row.kept else ""
    return replace(row, kept=False, reason=reason, cut=0) if reason else row


def readable_pad_id(tokenizer: Any, embeddings: int | None) -> int:
    """The token that fills short rows: the tokenizer's own, or 0 where the model cannot read that.

    Padding is known by position, so nothing is learned from it.
    """
    own = tokenizer.pad_token_id or 0
    return own if embeddings is None or own < embeddings else 0
