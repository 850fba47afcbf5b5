"""Measuring an arm: labels by likelihood, texts by perplexity, items of suites by their answers.

Every measure keeps its value item by item, so that two arms can be compared in pairs. Batches hold
rows of like length; nothing here samples.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.chat import Message, apply_prompt_options
from engine.compare import checks
from engine.compare.items import Item
from engine.errors import EngineError
from engine.events.summary import perplexity
from engine.recipes.settings import Decode
from engine.worker.data.chat_template import leading_ids
from engine.worker.data.encode import IGNORE_INDEX, Encoded, collate, encode_messages, nll_by_row
from engine.worker.inference.decoding import answer_all
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.score_log import NO_MEMORY, Row, ScoreMemory

ROWS = 128
"""Rows of a batch, where they are short."""
ENDLESS = 1 << 30
ANSWER_TOKENS = 128

Tick = Callable[[int], None]
"""Told how many items are done, after each batch; may raise to stop."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The items of one skill, answered and scored."""

    scores: dict[str, float]
    """Item id to 0.0 … 1.0; open items have none."""
    answers: dict[str, str]

    @property
    def right(self) -> int:
        return sum(value >= 1.0 for value in self.scores.values())


@dataclass(frozen=True, slots=True)
class Read:
    """Texts, read and not answered."""

    nll: dict[str, float]
    """Text id to the sum of its negative log-likelihood, in nats."""
    tokens: dict[str, int]

    @property
    def perplexity(self) -> float:
        """exp(sum of NLL / number of predicted tokens), over all texts; of a diverged model it may
        be infinite or no number."""
        return perplexity(sum(self.nll.values()) / max(1, sum(self.tokens.values())))


def score_items(
    loaded_arm: LoadedArm,
    items: Sequence[Item],
    tick: Tick = lambda done: None,
    limit: int = ANSWER_TOKENS,
    memory: ScoreMemory = NO_MEMORY,
) -> Scored:
    """Greedy answers of at most `limit` tokens; those of items with a right answer are scored."""
    prompts = [loaded_arm.prompt(item.messages, item.id, item.tools) for item in items]
    texts = answer_all(loaded_arm, prompts, Decode(max_new_tokens=limit), ROWS, tick, memory)
    pairs = list(zip(items, texts, strict=True))
    return Scored(
        {item.id: checks.score(item, text) for item, text in pairs if item.score != "open"},
        {item.id: text for item, text in pairs},
    )


def read_texts(
    loaded_arm: LoadedArm,
    texts: dict[str, str],
    tick: Tick = lambda done: None,
    window: int = 512,
    memory: ScoreMemory = NO_MEMORY,
) -> Read:
    """The likelihood of plain texts, each token predicted once.

    A text that is longer than the window is read window by window, which share one token: the last
    of one is the context of the next. A text's first token is predicted from BOS or not at all.
    """
    window = min(window, loaded_arm.model.context)
    lead = leading_ids(loaded_arm.tokenizer)
    pieces: list[tuple[str, Encoded]] = []
    for name, text in texts.items():
        ids = lead + list(loaded_arm.tokenizer(text, add_special_tokens=False)["input_ids"])
        loaded_arm.check_ids(ids, name)
        for start in range(0, max(1, len(ids) - 1), window - 1):
            part = ids[start : start + window]
            pieces.append((name, Encoded(part, part, 0, kept=True, reason="")))
    nll, tokens = dict.fromkeys(texts, 0.0), dict.fromkeys(texts, 0)
    done = 0
    for chosen in _by_length([len(piece.input_ids) for _, piece in pieces], loaded_arm):
        inputs: list[Row] = [(at, pieces[at][1].input_ids) for at in chosen]
        read = _known_batch(memory, inputs)
        if read is None:
            read = _read_pieces(loaded_arm, [pieces[at][1] for at in chosen])
            memory.add(zip(inputs, read, strict=True))
        for at, (total, count) in zip(chosen, read, strict=True):
            nll[pieces[at][0]] += total
            tokens[pieces[at][0]] += int(count)
        done += len(chosen)
        tick(done)
    return Read(nll, tokens)


def _read_pieces(loaded_arm: LoadedArm, pieces: Sequence[Encoded]) -> list[list[float]]:
    """Of each piece the sum of its negative log-likelihood, in nats, and of how many tokens."""
    batch = collate(pieces)
    moved = {name: tensor.to(loaded_arm.model.device) for name, tensor in batch.items()}
    labels = moved.pop("labels").masked_fill(moved["attention_mask"] == 0, IGNORE_INDEX)
    with torch.inference_mode():
        sums, counts = nll_by_row(loaded_arm.forward(**moved, use_cache=False).logits, labels)
    return [[total, count] for total, count in zip(sums.tolist(), counts.tolist(), strict=True)]


def _known_batch(memory: ScoreMemory, inputs: Sequence[Row]) -> list[list[float]] | None:
    """What was measured of the rows of a batch; None where one is missing: it is read as one."""
    known = [memory.find(row) for row in inputs]
    return None if None in known else known


def label_scores(
    loaded_arm: LoadedArm,
    conversations: Sequence[Sequence[Message]],
    labels: Sequence[str],
    tick: Tick = lambda done: None,
    memory: ScoreMemory = NO_MEMORY,
) -> list[list[float]]:
    """Log-probability of each label, with its end token, as the answer to each conversation.

    Rows as `conversations`, columns as `labels`, in nats; encoded as training encodes. What the
    labels have in common is computed once a conversation.
    """
    cases = [_case(loaded_arm, conversation, labels) for conversation in conversations]
    scores: list[list[float]] = [[] for _ in cases]
    done = 0
    for chosen in _by_length([len(case.context) for case in cases], loaded_arm):
        inputs: list[Row] = [(at, [cases[at].context, cases[at].tails]) for at in chosen]
        rows = _known_batch(memory, inputs)
        if rows is None:
            with torch.inference_mode():
                rows = _score_cases(loaded_arm, [cases[at] for at in chosen])
            memory.add(zip(inputs, rows, strict=True))
        for at, row in zip(chosen, rows, strict=True):
            scores[at] = row
        done += len(chosen)
        tick(done)
    return scores


@dataclass(frozen=True, slots=True)
class _Case:
    """One conversation before all its labels: a shared context, then a tail for each."""

    context: list[int]
    tails: list[list[int]]
    is_target: list[list[bool]]


def _case(loaded_arm: LoadedArm, conversation: Sequence[Message], labels: Sequence[str]) -> _Case:
    rows = [_encode_label(loaded_arm, conversation, label) for label in labels]
    shared = min(
        next(at for at, one in enumerate(row.labels) if one != IGNORE_INDEX) for row in rows
    )
    while any(row.input_ids[:shared] != rows[0].input_ids[:shared] for row in rows):
        shared -= 1
    if not shared or max(len(row.input_ids) for row in rows) > loaded_arm.model.context:
        raise EngineError(
            "A row is longer than the model's context.",
            f"{max(len(row.input_ids) for row in rows)} tokens of {loaded_arm.model.context}",
        )
    for row in rows:
        loaded_arm.check_ids(row.input_ids)
    return _Case(
        rows[0].input_ids[:shared],
        [row.input_ids[shared:] for row in rows],
        [[one != IGNORE_INDEX for one in row.labels[shared:]] for row in rows],
    )


def _encode_label(loaded_arm: LoadedArm, conversation: Sequence[Message], label: str) -> Encoded:
    template = loaded_arm.template
    if template is None:
        context = loaded_arm.prompt(conversation)
        tail = list(loaded_arm.tokenizer(label, add_special_tokens=False)["input_ids"])
        tail.append(loaded_arm.tokenizer.eos_token_id)
        ids = [*context, *tail]
        return Encoded(ids, [IGNORE_INDEX] * len(context) + tail, 0, kept=True, reason="")
    answered = [
        *apply_prompt_options(conversation, loaded_arm.arm.system, loaded_arm.arm.prefix),
        Message("assistant", label),
    ]
    # Where answers are rows of their own, the last one is that of the label.
    row = encode_messages(answered, loaded_arm.tokenizer, template, ENDLESS)[-1]
    if not row.kept:
        raise EngineError("A row cannot be scored.", row.reason)
    return row


def _score_cases(loaded_arm: LoadedArm, cases: Sequence[_Case]) -> list[list[float]]:
    device, labels = loaded_arm.model.device, len(cases[0].tails)
    context, mask = _padded([case.context for case in cases], left=True)
    out = loaded_arm.forward(
        input_ids=context.to(device),
        attention_mask=mask.to(device),
        position_ids=_positions(mask).to(device),
        use_cache=True,
        **loaded_arm.model.last_only(),
    )
    logits = out.logits[:, -1:].repeat_interleave(labels, dim=0)
    tails, tail_mask = _padded([tail for case in cases for tail in case.tails], left=False)
    if tails.shape[1] > 1:
        out.past_key_values.batch_repeat_interleave(labels)
        whole = torch.cat([mask.repeat_interleave(labels, dim=0), tail_mask[:, :-1]], dim=1)
        positions = _positions(whole)[:, mask.shape[1] :]
        after = loaded_arm.forward(
            input_ids=tails[:, :-1].to(device),
            attention_mask=whole.to(device),
            position_ids=positions.to(device),
            past_key_values=out.past_key_values,
            use_cache=True,
        )
        logits = torch.cat([logits, after.logits], dim=1)
    logs = torch.log_softmax(logits.float(), dim=-1)
    picked = logs.gather(-1, tails.to(device).unsqueeze(-1)).squeeze(-1).cpu().double()
    counted, _ = _padded([one for case in cases for one in case.is_target], left=False)
    return (picked * counted).sum(1).view(len(cases), labels).tolist()


def _padded(rows: Sequence[Sequence[Any]], *, left: bool) -> tuple[Tensor, Tensor]:
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


def _by_length(lengths: Sequence[int], loaded_arm: LoadedArm) -> Iterator[list[int]]:
    """Indices in batches of like length, the longest first; fewer where logits would be large."""
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    while order:
        wide = max(1, lengths[order[0]]) * loaded_arm.model.vocabulary
        rows = max(1, min(ROWS, (1 << 26) // wide))
        yield order[:rows]
        order = order[rows:]
