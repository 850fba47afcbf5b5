"""Measuring an arm: labels by likelihood, texts by perplexity, items of suites by their answers.

Every measure keeps its value item by item, so that two arms can be compared in pairs. Batches hold
rows of like length; nothing here samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from engine.chat import Message, apply_prompt_options
from engine.compare import checks
from engine.compare.items import Item
from engine.errors import EngineError
from engine.events.summary import perplexity
from engine.recipes.settings import Decode
from engine.worker.data.encode import IGNORE_INDEX, Encoded, collate, encode_messages, nll_by_row
from engine.worker.inference.decoding import answer_all
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.score_log import NO_MEMORY, Row, ScoreMemory
from engine.worker.inference.shared_prefix import ROWS as ROWS
from engine.worker.inference.shared_prefix import (
    PrefixCase,
    find_batch,
    score_cases,
    split_by_length,
)
from engine.worker.inference.text_windows import own_windows, rolling_windows

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
    *,
    rolling: bool = False,
) -> Read:
    """The likelihood of plain texts, each token predicted once.

    A text that is longer than the window is read window by window (`text_windows`); `rolling` reads
    as lm-evaluation-harness does with `max_length=window`.
    """
    window = min(window, loaded_arm.model.context)
    divide = rolling_windows if rolling else own_windows
    pieces: list[tuple[str, Encoded]] = []
    for name, text in texts.items():
        for piece in divide(text, loaded_arm.tokenizer, window):
            loaded_arm.check_ids(piece.input_ids, name)
            pieces.append((name, piece))
    nll, tokens = dict.fromkeys(texts, 0.0), dict.fromkeys(texts, 0)
    done = 0
    for chosen in split_by_length([len(piece.input_ids) for _, piece in pieces], loaded_arm):
        inputs: list[Row] = [(at, pieces[at][1].input_ids) for at in chosen]
        read = find_batch(memory, inputs)
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
    # The last token is predicted and never read: a window may have one more than the context.
    width = max(1, labels.shape[1] - 1)
    moved = {name: tensor[:, :width] for name, tensor in moved.items()}
    with torch.inference_mode():
        sums, counts = nll_by_row(loaded_arm.forward(**moved, use_cache=False).logits, labels)
    return [[total, count] for total, count in zip(sums.tolist(), counts.tolist(), strict=True)]


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
    for chosen in split_by_length([len(case.context) for case in cases], loaded_arm):
        inputs: list[Row] = [(at, [cases[at].context, cases[at].tails]) for at in chosen]
        rows = find_batch(memory, inputs)
        if rows is None:
            rows = score_cases(loaded_arm, [cases[at] for at in chosen])
            memory.add(zip(inputs, rows, strict=True))
        for at, row in zip(chosen, rows, strict=True):
            scores[at] = row
        done += len(chosen)
        tick(done)
    return scores


def _case(
    loaded_arm: LoadedArm, conversation: Sequence[Message], labels: Sequence[str]
) -> PrefixCase:
    rows = [_encode_label(loaded_arm, conversation, label) for label in labels]
    counted = [[one != IGNORE_INDEX for one in row.labels] for row in rows]
    case = PrefixCase.of(
        [row.input_ids for row in rows], [row.index(True) for row in counted], counted
    )
    case.check(loaded_arm)
    return case


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
