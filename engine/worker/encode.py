"""Rows to token ids and labels: the ONE function that preview, training and scoring share.

Learned are the assistant's answers and the token that ends each, nothing else. A row that does not
fit is cut or refused with a reason, never dropped in silence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jinja2.exceptions import TemplateError
from torch import Tensor

from engine.catalog.schemas import Message
from engine.worker.template import Said, Template, choose_template, render_prompt

__all__ = [
    "IGNORED",
    "Encoded",
    "Template",
    "choose_template",
    "collate",
    "encode",
    "encode_messages",
    "end_token_ids",
    "nll",
    "nll_by_row",
    "nll_of_logits",
    "render_prompt",
]

IGNORED = -100
"""The label of a token that is not learned."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as the model sees it. `labels[i]` is `input_ids[i]` or IGNORED, not yet shifted."""

    input_ids: list[int]
    labels: list[int]
    cut: int
    """Tokens beyond `max_length`, removed from the end."""
    kept: bool
    reason: str
    """Why the row is not kept; empty where it is."""

    @property
    def learned(self) -> int:
        """How many tokens the loss counts."""
        return sum(label != IGNORED for label in self.labels[1:])


Span = tuple[int, int]


def encode(example: Any, tokenizer: Any, template: Template, max_length: int) -> Encoded:
    """Encode an example (anything with `messages`). See `encode_messages`."""
    return encode_messages(example.messages, tokenizer, template, max_length)


def encode_messages(
    messages: Sequence[Said], tokenizer: Any, template: Template, max_length: int
) -> Encoded:
    """Token ids and labels of a conversation, at most `max_length` long.

    Never raises for a bad row: `kept` is False and `reason` says why.
    """
    try:
        text, spans = _answers(messages, tokenizer, template)
    except TemplateError as error:
        return _refused(f"the chat template refuses this row: {error}")
    except _Unreadable as error:
        return _refused(str(error))
    ids, labels = _tokenise(text, spans, tokenizer)
    cut = max(0, len(ids) - max_length)
    kept = any(label != IGNORED for label in labels[1:max_length])
    reason = ""
    if not kept:
        first = next((i for i, label in enumerate(labels) if label != IGNORED), len(labels))
        reason = f"the prompt alone has {first} tokens, and {max_length} is the limit"
    return Encoded(ids[:max_length], labels[:max_length], cut, kept, reason)


def collate(batch: Sequence[Encoded], pad_id: int = 0) -> dict[str, Tensor]:
    """`input_ids`, `attention_mask`, `labels`, each int64 of (rows, longest row), padded right.

    Padding is known by position alone, so a pad token that is also the end token does no harm.
    """
    longest = max(len(row.input_ids) for row in batch)
    ids = torch.full((len(batch), longest), pad_id)
    labels = torch.full((len(batch), longest), IGNORED)
    attention = torch.zeros((len(batch), longest), dtype=torch.int64)
    for index, row in enumerate(batch):
        length = len(row.input_ids)
        ids[index, :length] = torch.tensor(row.input_ids)
        labels[index, :length] = torch.tensor(row.labels)
        attention[index, :length] = 1
    return {"input_ids": ids, "attention_mask": attention, "labels": labels}


def nll_of_logits(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Sum of NLL in nats (a scalar in the `widest` format) and the number of predicted tokens.

    `logits` is (rows, length, vocabulary), `labels` (rows, length); position i predicts label
    i + 1. Perplexity is exp(sum / tokens), summed over all batches first.
    """
    sums, counts = nll_by_row(logits, labels)
    return sums.sum(), int(counts.sum())


def nll_by_row(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The same for each row: sums, `widest` of (rows,), and tokens, int64 of (rows,)."""
    targets = labels[:, 1:]
    counted = targets != IGNORED
    # Picking the counted positions first keeps the float32 copy small: prompts have no loss.
    logs = torch.log_softmax(logits[:, :-1][counted].float(), dim=-1)
    picked = logs.gather(-1, targets[counted].unsqueeze(-1)).squeeze(-1)
    wide = widest(logits.device)
    sums = torch.zeros(len(labels), dtype=wide, device=logits.device)
    return sums.index_add(0, counted.nonzero()[:, 0], -picked.to(wide)), counted.sum(1)


def widest(device: torch.device) -> torch.dtype:
    """The format to sum in: float64, which Apple's GPUs lack."""
    return torch.float32 if device.type == "mps" else torch.float64


def nll(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    """`nll_of_logits` of a `collate`d batch, moved to the model's device."""
    moved = {name: tensor.to(model.device) for name, tensor in batch.items()}
    labels = moved.pop("labels")
    return nll_of_logits(model(**moved, use_cache=False).logits, labels)


def end_token_ids(tokenizer: Any, template: Template | None) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's own, and the one the template closes with.

    They differ where a base model was taught to chat: its eos ends documents, not turns.
    """
    ends = {tokenizer.eos_token_id} - {None}
    if template is not None:
        probe = [Message("user", "a"), Message("assistant", "b")]
        labels = encode_messages(probe, tokenizer, template, 1 << 30).labels
        ends |= set(labels[-1:]) & set(tokenizer.added_tokens_decoder)
    return frozenset(ends)


class _Unreadable(Exception):
    """A row whose answers cannot be found again in what the template made of it."""


def _refused(reason: str) -> Encoded:
    return Encoded([], [], cut=0, kept=False, reason=reason)


def _answers(
    messages: Sequence[Said], tokenizer: Any, template: Template
) -> tuple[str, list[Span]]:
    """The text up to the last answer's end, and the characters of each answer and its end token."""
    turns = [index for index, message in enumerate(messages) if message.role == "assistant"]
    if not turns:
        raise _Unreadable("the row has no answer to learn")
    if turns[0] == 0:
        raise _Unreadable("the row starts with an answer: there is nothing that it answers")
    text = template.render(messages[: turns[-1] + 1], tokenizer)
    spans: list[Span] = []
    for index in turns:
        prompt = template.render(messages[:index], tokenizer, answer_next=True)
        if not text.startswith(prompt):
            raise _Unreadable(f"the chat template rewrites what stands before answer {index}")
        last = index == turns[-1]
        upto = text if last else template.render(messages[: index + 1], tokenizer)
        start = len(prompt)
        if text.startswith(upto):
            end = _end_within(text, start, len(upto), tokenizer)
        else:
            end = _end_by_content(text, start, messages[index].content.strip(), tokenizer)
        spans.append((start, end))
    start, end = spans[-1]
    text = text[:end]
    if not _end_marks(tokenizer).search(text, start):
        # The template ends no answer: without this the model would never learn to stop.
        text += tokenizer.eos_token
        spans[-1] = (start, len(text))
    return text, spans


def _end_within(text: str, start: int, end: int, tokenizer: Any) -> int:
    """The end of the first of the special tokens that close text[start:end]."""
    tail = _end_marks(tokenizer).search(text, start, end)
    return tail.end(1) if tail else end


def _end_by_content(text: str, start: int, content: str, tokenizer: Any) -> int:
    """The same for an answer that a later turn made the template write differently (reasoning)."""
    at = text.find(content, start)
    if at < 0:
        raise _Unreadable("the chat template rewrites an earlier answer")
    end = at + len(content)
    following = re.compile(rf"\s*(?:{_marks(tokenizer)})").match(text, end)
    return following.end() if following else end


@lru_cache(maxsize=16)
def _marks(tokenizer: Any) -> str:
    """A pattern that matches any one special or added token."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    words = {word for word in added | set(tokenizer.all_special_tokens) if not word.isspace()}
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


@lru_cache(maxsize=16)
def _end_marks(tokenizer: Any) -> re.Pattern[str]:
    """A run of special tokens at the end; group 1 is the first of them."""
    marks = _marks(tokenizer)
    return re.compile(rf"({marks})(?:\s*(?:{marks}))*\s*\Z")


def _tokenise(text: str, spans: Sequence[Span], tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids and labels of the whole text; BOS is what the template wrote, never added again."""
    if not tokenizer.is_fast:
        return _tokenise_parts(text, spans, tokenizer)
    coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(coded["input_ids"])
    labels = [IGNORED] * len(ids)
    pending = list(spans)
    for index, (begin, end) in enumerate(coded["offset_mapping"]):
        while pending and begin >= pending[0][1] and end > pending[0][1]:
            pending.pop(0)
        # A token of trimmed white space is empty (begin == end), and belongs to what it ends in.
        if pending and pending[0][0] < end <= pending[0][1]:
            labels[index] = ids[index]
    return ids, labels


def _tokenise_parts(
    text: str, spans: Sequence[Span], tokenizer: Any
) -> tuple[list[int], list[int]]:
    """The same, part by part, for tokenizers that cannot say which characters a token came from."""
    ids: list[int] = []
    labels: list[int] = []
    at = 0
    for start, end in spans:
        context = tokenizer(text[at:start], add_special_tokens=False)["input_ids"]
        answer = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
        ids += [*context, *answer]
        labels += [*([IGNORED] * len(context)), *answer]
        at = end
    return ids, labels
