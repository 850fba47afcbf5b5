"""Documents as token ids: what is read, what is learned, and what goes into one step."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.demo.making.corpus.document import Document
from engine.demo.making.pretrain.tokens import CONTEXT, END, ROLES

ROW_TOKENS = 1_280
"""Tokens in one forward pass, padding included, about."""


@dataclass(frozen=True, slots=True)
class Row:
    """One document as token ids; only what the assistant says, and plain text, is learned."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]
    """For each token, whether it is to be predicted."""


def encode(tokenizer: PreTrainedTokenizerFast, document: Document) -> Row:
    """The document's tokens, cut at the context's length; the same ids as the chat template."""
    parts: list[tuple[str, bool]] = []
    if document.text:
        at = document.learned_from
        parts = [(document.text[:at], False), (document.text[at:] + END, True)]
    for role, content in document.messages:
        answer = role == "assistant"
        parts += [(ROLES[role], False), (content + END * answer, answer)]
    ids, learned = [tokenizer.bos_token_id], [False]
    for text, counts in parts:
        piece = tokenizer.encode(text, add_special_tokens=False) if text else []
        ids += piece
        learned += [counts] * len(piece)
    return Row(tuple(ids[:CONTEXT]), tuple(learned[:CONTEXT]))


@dataclass(slots=True)
class Batch:
    """The rows of one optimiser step, in parts of about the same length to save padding."""

    parts: list[list[Row]] = field(default_factory=list)
    tokens: int = 0
    learned: int = 0


def batches(
    tokenizer: PreTrainedTokenizerFast, source: Iterator[Document], step_tokens: int
) -> Iterator[Batch]:
    """Steps of about `step_tokens` tokens. A row is a document: nothing leaks between documents."""
    while True:
        rows: list[Row] = []
        batch = Batch()
        while batch.tokens < step_tokens:
            row = encode(tokenizer, next(source))
            rows.append(row)
            batch.tokens += len(row.ids)
            batch.learned += sum(row.learned)
        rows.sort(key=lambda row: len(row.ids))
        part: list[Row] = []
        for row in rows:
            if part and len(row.ids) * (len(part) + 1) > ROW_TOKENS:
                batch.parts.append(part)
                part = []
            part.append(row)
        batch.parts.append(part)
        yield batch


def loss_sum(model: LlamaForCausalLM, rows: list[Row]) -> Tensor:
    """The summed negative log-likelihood of the trained tokens, in nats.

    Padding stands at the end, where causal attention keeps it from every token before it.
    """
    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    learned = torch.zeros(len(rows), longest, dtype=torch.bool)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = torch.tensor(row.ids)
        learned[at, : len(row.ids)] = torch.tensor(row.learned)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    chosen = learned[:, 1:]
    logits = model.lm_head(hidden[:, :-1][chosen])
    return nn.functional.cross_entropy(logits, ids[:, 1:][chosen], reduction="sum")
