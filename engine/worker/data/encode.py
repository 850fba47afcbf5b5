"""Rows to token ids and labels: the ONE function that preview, training and scoring share.

Trained on are the assistant's answers and the token that ends each, nothing else. A row that does
not fit is cut or refused with a reason, never dropped in silence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.chat import Message, Tools
from engine.worker.data.answer_context import Unreadable
from engine.worker.data.chat_template import (
    Template,
    choose_template,
    plain_ids,
    render_prompt,
)
from engine.worker.data.loss_spans import IGNORE_INDEX, find_answers, tokenise
from engine.worker.data.template_sandbox import Fault

__all__ = [
    "IGNORE_INDEX",
    "Encoded",
    "Template",
    "choose_template",
    "collate",
    "encode",
    "encode_messages",
    "end_token_ids",
    "fit",
    "render_prompt",
    "suggest_remedy",
]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as the model sees it. `labels[i]` is `input_ids[i]` or IGNORE_INDEX, unshifted."""

    input_ids: list[int]
    labels: list[int]
    cut: int
    """Tokens beyond `max_length`, removed from the end."""
    kept: bool
    reason: str
    """Why the row is not kept; empty where it is."""
    answers: tuple[int, ...] = ()
    """Which messages of its conversation are trained on."""

    @property
    def target_tokens(self) -> int:
        """How many tokens the loss counts."""
        return sum(label != IGNORE_INDEX for label in self.labels[1:])


def encode(
    example: Any, tokenizer: Any, template: Template, max_length: int, too_long: str = "truncate"
) -> list[Encoded]:
    """The training rows of an example: `messages` and `tools`, or a plain `text` and no messages.

    Of a conversation the answers are trained on, of a text all but its first token. There is one
    row, but where the template writes earlier answers in other words when the conversation goes on:
    then each answer is learned in the context in which it would be given, in a row for each such
    context, in order. Never raises for a bad example: its one row has `kept` False and a `reason`.
    `too_long` is as for `fit`.
    """
    if not example.messages and example.text:
        return [fit(_encode_text(example.text, tokenizer), max_length, too_long)]
    return encode_messages(
        example.messages, tokenizer, template, max_length, too_long, example.tools
    )


def encode_messages(
    messages: Sequence[Message],
    tokenizer: Any,
    template: Template,
    max_length: int,
    too_long: str = "truncate",
    tools: Tools = (),
) -> list[Encoded]:
    """The training rows of a conversation, at most `max_length` tokens long. See `encode`."""
    try:
        texts = find_answers(messages, tokenizer, template, tools)
    except Fault as error:
        return [_refused(f"the chat template rejects this row: {error.reason}")]
    except Unreadable as error:
        return [_refused(str(error))]
    rows = [
        Encoded(*tokenise(one.text, one.spans, tokenizer), 0, True, "", one.answers)
        for one in texts
    ]
    return [fit(row, max_length, too_long) for row in rows]


def fit(whole: Encoded, max_length: int, too_long: str = "truncate") -> Encoded:
    """A whole row, at most `max_length` long: its end is cut off, or it is not kept (`drop`)."""
    if not whole.kept:
        return whole
    cut = max(0, len(whole.input_ids) - max_length)
    row = replace(
        whole, input_ids=whole.input_ids[:max_length], labels=whole.labels[:max_length], cut=cut
    )
    if cut and too_long == "drop":
        reason = f"{len(whole.input_ids)} tokens, more than max_length {max_length}"
        return replace(row, kept=False, reason=reason)
    if row.target_tokens:
        return row
    first = next((at for at, label in enumerate(whole.labels) if label != IGNORE_INDEX), None)
    reason = f"the prompt alone has {first} tokens, max_length is {max_length}"
    return replace(row, kept=False, reason=reason if first else "no token to train on")


def collate(batch: Sequence[Encoded], pad_id: int = 0) -> dict[str, Tensor]:
    """`input_ids`, `attention_mask`, `labels`, each int64 of (rows, longest row), padded right.

    Padding is known by position alone, so a pad token that is also the end token does no harm.
    """
    longest = max(len(row.input_ids) for row in batch)
    ids = torch.full((len(batch), longest), pad_id)
    labels = torch.full((len(batch), longest), IGNORE_INDEX)
    attention = torch.zeros((len(batch), longest), dtype=torch.int64)
    for index, row in enumerate(batch):
        length = len(row.input_ids)
        ids[index, :length] = torch.tensor(row.input_ids)
        labels[index, :length] = torch.tensor(row.labels)
        attention[index, :length] = 1
    return {"input_ids": ids, "attention_mask": attention, "labels": labels}


def widest(device: torch.device) -> torch.dtype:
    """The format to sum in: float64, which Apple's GPUs lack."""
    return torch.float32 if device.type == "mps" else torch.float64


def end_token_ids(tokenizer: Any, template: Template | None) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's own, and the one the template closes with.

    They differ where a base model was taught to chat: its eos ends documents, not turns.
    """
    ends = {tokenizer.eos_token_id} - {None}
    if template is not None:
        probe = [Message("user", "a"), Message("assistant", "b")]
        labels = encode_messages(probe, tokenizer, template, 1 << 30)[-1].labels
        ends |= set(labels[-1:]) & set(tokenizer.added_tokens_decoder)
    return frozenset(ends)


def suggest_remedy(reasons: Iterable[str]) -> str:
    """What helps where examples are refused for these reasons, as one sentence."""
    text = "\n".join(reasons)
    remedies = ["correct the rows"]
    if "max_length" in text:
        remedies.insert(0, "increase data.max_length")
    if "does not write reasoning" in text:
        remedies.insert(0, "set data.reasoning = drop")
    if "the definitions of tools" in text:
        remedies.insert(0, "set data.tools = drop where they do not matter")
    if "chat template" in text:
        remedies.insert(0, "set data.template = chatml, or to a Jinja file that takes these rows")
    sentence = ", or ".join(remedies)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _encode_text(text: str, tokenizer: Any) -> Encoded:
    """BOS where the tokenizer puts one, the text, the end token; the first token is no target."""
    ids = plain_ids(text, tokenizer)
    if ids[-1:] != [tokenizer.eos_token_id]:
        ids.append(tokenizer.eos_token_id)
    return Encoded(ids, [IGNORE_INDEX, *ids[1:]], 0, kept=True, reason="")


def _refused(reason: str) -> Encoded:
    return Encoded([], [], cut=0, kept=False, reason=reason)
