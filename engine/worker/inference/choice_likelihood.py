"""How likely a model finds answers that it is given: those to choose from, or the right one alone.

An item's answers share its question, which is computed once. Each item has answers of its own, in
any number. Encoded as training encodes, so that an answer ends with its end token. Reads no file.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.chat import Message, Tools
from engine.errors import EngineError
from engine.worker.data.chat_template import Template, render_prompt
from engine.worker.data.encode import IGNORE_INDEX, Encoded, encode_messages, widest
from engine.worker.inference.models import LoadedArm, SharedModel

ROWS = 128
"""Questions of a batch at most."""
BATCH_BYTES = 1 << 28
"""Of a batch at most, its float32 logits and its keys and values each; one question is never
divided."""
BATCH_TOKENS = 1 << 13
"""Of a batch at most, so that a stop that is asked for comes soon."""
_ENDLESS = 1 << 30

Tick = Callable[[int], None]
"""Told how many items are done, after each batch; may raise to stop."""


@dataclass(frozen=True, slots=True)
class EncodedChoices:
    """One question before all its answers."""

    context: list[int]
    tails: list[list[int]]
    """Of each answer the tokens after the context, its end token too."""
    counted: list[list[bool]]
    """Which of these are of the answer itself."""

    @property
    def wide(self) -> int:
        """Tokens of the longest answer."""
        return max(map(len, self.tails))

    @property
    def longest(self) -> int:
        """Tokens of the longest of its rows."""
        return len(self.context) + self.wide

    @property
    def passes(self) -> int:
        """Tokens that are computed: nothing follows on the last one of an answer."""
        return len(self.context) + len(self.tails) * (self.wide - 1)

    def tokens(self, answer: int = 0) -> int:
        """How many tokens of an answer count."""
        return sum(self.counted[answer])


def encode_choices(
    messages: Sequence[Message],
    answers: Sequence[str],
    tokenizer: Any,
    template: Template | None,
    tools: Tools = (),
) -> EncodedChoices:
    """A question with its answers; without a template as raw text. Raises EngineError."""
    rows = [_encode(messages, answer, tokenizer, template, tools) for answer in answers]
    shared = min(
        next(at for at, label in enumerate(row.labels) if label != IGNORE_INDEX) for row in rows
    )
    while any(row.input_ids[:shared] != rows[0].input_ids[:shared] for row in rows):
        shared -= 1
    if not shared:
        raise EngineError("The question is empty.", hint="Each item needs a question.")
    return EncodedChoices(
        rows[0].input_ids[:shared],
        [row.input_ids[shared:] for row in rows],
        [[label != IGNORE_INDEX for label in row.labels[shared:]] for row in rows],
    )


def answer_logprobs(
    loaded_arm: LoadedArm, items: Sequence[EncodedChoices], tick: Tick
) -> list[list[float]]:
    """The log-probability of each answer of each item, in nats, summed over its tokens."""
    found: list[list[float]] = [[] for _ in items]
    done = 0
    for chosen in _batches(items, loaded_arm.model):
        with torch.inference_mode():
            sums = _measure(loaded_arm, [items[at] for at in chosen])
        for at, row in zip(chosen, sums, strict=True):
            found[at] = row
        done += len(chosen)
        tick(done)
    return found


def _encode(
    messages: Sequence[Message],
    answer: str,
    tokenizer: Any,
    template: Template | None,
    tools: Tools,
) -> Encoded:
    if template is None:
        context = render_prompt(messages, tokenizer, "raw")
        tail = list(tokenizer(answer, add_special_tokens=False)["input_ids"])
        tail.append(tokenizer.eos_token_id)
        labels = [IGNORE_INDEX] * len(context) + tail
        return Encoded([*context, *tail], labels, 0, kept=True, reason="")
    answered = [*messages, Message("assistant", answer)]
    # Where answers are rows of their own, the last one is that of this answer.
    row = encode_messages(answered, tokenizer, template, _ENDLESS, tools=tools)[-1]
    if not row.kept:
        raise EngineError("An item cannot be measured.", row.reason)
    return row


def _measure(loaded_arm: LoadedArm, items: Sequence[EncodedChoices]) -> list[list[float]]:
    """Of a batch: the questions with a cache, then each answer after a copy of its question's."""
    device = loaded_arm.model.device
    counts = [len(item.tails) for item in items]
    owner = torch.repeat_interleave(torch.arange(len(items)), torch.tensor(counts))
    context, mask = _padded([item.context for item in items], left=True)
    out = loaded_arm.forward(
        input_ids=context.to(device),
        attention_mask=mask.to(device),
        position_ids=_positions(mask).to(device),
        use_cache=True,
        **loaded_arm.model.last_only(),
    )
    tails, tail_mask = _padded([tail for item in items for tail in item.tails], left=False)
    # The first token of each answer follows its question: those logits are not copied.
    first = _logprobs(out.logits[:, -1:], tails[:, :1], owner)
    if tails.shape[1] > 1:
        out.past_key_values.batch_select_indices(owner.to(device))
        whole = torch.cat([mask[owner], tail_mask[:, :-1]], dim=1)
        after = loaded_arm.forward(
            input_ids=tails[:, :-1].to(device),
            attention_mask=whole.to(device),
            position_ids=_positions(whole)[:, mask.shape[1] :].to(device),
            past_key_values=out.past_key_values,
            use_cache=True,
        )
        picked = torch.cat([first, _logprobs(after.logits, tails[:, 1:])], dim=1)
    else:
        picked = first
    counted, _ = _padded([one for item in items for one in item.counted], left=False)
    # What is not counted may be infinite: it is left out, not multiplied by 0.
    sums = picked.cpu().to(widest(picked.device)).masked_fill(counted == 0, 0.0).sum(1)
    return [part.tolist() for part in torch.split(sums, counts)]


def _logprobs(logits: Tensor, ids: Tensor, owner: Tensor | None = None) -> Tensor:
    """Log-probabilities of ids, float32 of (rows, tokens); `owner` says which row of the logits
    each row of the ids belongs to, where that is not its own."""
    total = torch.logsumexp(logits.float(), dim=-1)
    rows = torch.arange(len(ids)) if owner is None else owner
    at = rows.to(logits.device)[:, None]
    places = torch.arange(ids.shape[1], device=logits.device)[None, :]
    return logits[at, places, ids.to(logits.device)].float() - total[at, places]


def _batches(items: Sequence[EncodedChoices], model: SharedModel) -> Iterator[list[int]]:
    """Indices, those of like answers together, the longest first; as many as memory allows."""
    order = sorted(range(len(items)), key=lambda at: (-items[at].wide, -len(items[at].context)))
    batch: list[int] = []
    answers, longest = 0, 0
    for at in order:
        count, tokens = len(items[at].tails), max(longest, items[at].longest)
        wide = items[batch[0] if batch else at].wide
        logits = (answers + count) * wide * model.vocabulary * 4
        kept = (answers + count) * model.answer_size(tokens)
        passes = (len(batch) + 1) * tokens + (answers + count) * wide
        full = len(batch) == ROWS or passes > BATCH_TOKENS or max(logits, kept) > BATCH_BYTES
        if batch and full:
            yield batch
            batch, answers, tokens = [], 0, items[at].longest
        batch.append(at)
        answers, longest = answers + count, tokens
    if batch:
        yield batch


def _padded(rows: Sequence[Sequence[int | bool]], *, left: bool) -> tuple[Tensor, Tensor]:
    """Rows as one int64 tensor, and a mask that is 1 where they are."""
    longest = max(map(len, rows))
    values = torch.zeros((len(rows), longest), dtype=torch.int64)
    mask = torch.zeros_like(values)
    for at, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        values[at, place] = torch.tensor(row, dtype=torch.int64)
        mask[at, place] = 1
    return values, mask


def _positions(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)
