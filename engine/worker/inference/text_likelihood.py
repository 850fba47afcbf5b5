"""How likely an arm finds plain texts, each token predicted once: perplexity, text by text.

Batches hold pieces of like length; nothing here samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from engine.events.summary import perplexity
from engine.worker.data.encode import IGNORE_INDEX, Encoded, collate
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.score_log import NO_MEMORY, Row, ScoreMemory
from engine.worker.inference.shared_prefix import ROWS, find_batch, split_by_length
from engine.worker.inference.text_windows import own_windows, rolling_windows

Tick = Callable[[int], None]
"""Told how many items are done, after each batch; may raise to stop."""


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


def read_texts(
    loaded_arm: LoadedArm,
    texts: dict[str, str],
    tick: Tick = lambda done: None,
    window: int = 512,
    memory: ScoreMemory = NO_MEMORY,
    *,
    rolling: bool = False,
    most: int = ROWS,
) -> Read:
    """The likelihood of plain texts, each token predicted once.

    A text that is longer than the window is read window by window (`text_windows`); `rolling` reads
    as lm-evaluation-harness does with `max_length=window`. At most `most` windows are read at once.
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
    lengths = [len(piece.input_ids) for _, piece in pieces]
    for chosen in split_by_length(lengths, loaded_arm, most=most):
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
        sums, counts = loaded_arm.nll_by_row(moved, labels)
    return [[total, count] for total, count in zip(sums.tolist(), counts.tolist(), strict=True)]
