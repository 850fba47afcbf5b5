"""Answers scored side by side after what they have in common, which is computed once.

A case is one question with the token ids of all its answers. Owns the two forward passes and the
batches of cases of like length; refuses to know how questions and answers became token ids.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.score_log import Row, ScoreMemory

ROWS = 128
"""Rows of a batch, where they are short."""
LOGITS = 1 << 26
"""Values of the logits of a batch, where it has more than one row."""
CACHE = 1 << 30
"""Bytes of the keys and values of the tails that are run at once, where it is more than one."""


@dataclass(frozen=True, slots=True)
class PrefixCase:
    """A question before all its answers: a shared context, then a tail for each."""

    context: list[int]
    tails: list[list[int]]
    is_target: list[list[bool]]
    """Which tokens of each tail are counted."""

    @classmethod
    def of(
        cls, rows: Sequence[Sequence[int]], starts: Sequence[int], counted: Sequence[Sequence[bool]]
    ) -> "PrefixCase":
        """The case of whole rows: their longest common prefix before the first counted token.

        `starts` are the places of these tokens, `counted` says it of every token of a row.
        """
        shared = min(starts)
        while any(row[:shared] != rows[0][:shared] for row in rows):
            shared -= 1
        return cls(
            list(rows[0][:shared]),
            [list(row[shared:]) for row in rows],
            [list(one[shared:]) for one in counted],
        )

    @property
    def counts(self) -> tuple[int, ...]:
        """Of each tail, how many tokens are counted."""
        return tuple(map(sum, self.is_target))

    @property
    def longest(self) -> int:
        """Tokens of the longest whole row."""
        return len(self.context) + max(map(len, self.tails))

    def check(self, loaded_arm: LoadedArm, name: str = "") -> None:
        """Raise EngineError where the model cannot read it; `name` is what an error calls it."""
        if not self.context or self.longest > loaded_arm.model.context:
            raise EngineError(
                "A row is longer than the model's context.",
                f"{name}{': ' if name else ''}{self.longest} tokens of {loaded_arm.model.context}",
            )
        for tail in self.tails:
            loaded_arm.check_ids([*self.context, *tail], name)


def score_cases(loaded_arm: LoadedArm, cases: Sequence[PrefixCase]) -> list[list[float]]:
    """Of each case the sum of the log-probabilities of each tail's counted tokens, in nats."""
    counts = [len(case.tails) for case in cases]
    owners = torch.repeat_interleave(torch.arange(len(cases)), torch.tensor(counts))
    tails = [tail for case in cases for tail in case.tails]
    counted = [one for case in cases for one in case.is_target]
    context, mask = _padded([case.context for case in cases], left=True)
    size = loaded_arm.model.answer_size(mask.shape[1] + max(map(len, tails)))
    rows = max(1, CACHE // size)
    sums: list[float] = []
    with torch.inference_mode():
        out = loaded_arm.forward(
            input_ids=context.to(loaded_arm.model.device),
            attention_mask=mask.to(loaded_arm.model.device),
            position_ids=_positions(mask).to(loaded_arm.model.device),
            use_cache=True,
            **loaded_arm.model.last_only(),
        )
        first, cache = out.logits[:, -1:], out.past_key_values
        for start in range(0, len(tails), rows):
            part = slice(start, start + rows)
            # The tails grow the cache: whoever comes after them needs it as it was.
            own = cache if len(tails) <= rows else copy.deepcopy(cache)
            found = _score_tails(loaded_arm, first, own, mask, owners[part], tails[part])
            is_target, _ = _padded(counted[part], left=False)
            sums += (found * is_target).sum(1).tolist()
    each = iter(sums)
    return [list(islice(each, count)) for count in counts]


def _score_tails(
    loaded_arm: LoadedArm,
    first: Tensor,
    cache: Any,
    mask: Tensor,
    owners: Tensor,
    rows: Sequence[Sequence[int]],
) -> Tensor:
    """Log-probability of each token of tails, float64 of (tails, longest), after their contexts.

    `first` are the logits of the first tokens, (contexts, 1, vocabulary), `owners` says which
    context each tail follows. The cache is changed.
    """
    device = loaded_arm.model.device
    tails, tail_mask = _padded(rows, left=False)
    logits = first.index_select(0, owners.to(device))
    if tails.shape[1] > 1:
        cache.batch_select_indices(owners.to(device))
        whole = torch.cat([mask[owners], tail_mask[:, :-1]], dim=1)
        after = loaded_arm.forward(
            input_ids=tails[:, :-1].to(device),
            attention_mask=whole.to(device),
            position_ids=_positions(whole)[:, mask.shape[1] :].to(device),
            past_key_values=cache,
            use_cache=True,
        )
        logits = torch.cat([logits, after.logits], dim=1)
    logs = torch.log_softmax(logits.float(), dim=-1)
    return logs.gather(-1, tails.to(device).unsqueeze(-1)).squeeze(-1).cpu().double()


def split_by_length(
    lengths: Sequence[int],
    loaded_arm: LoadedArm,
    tails: Sequence[tuple[int, int]] = (),
    most: int = ROWS,
) -> Iterator[list[int]]:
    """Indices in batches of like length, the longest first; fewer where logits would be large.

    `tails` says how many rows of logits each brings after its length, and of what length; by
    default one of its own, without a cache. A single one is a batch, however large.
    """
    model = loaded_arm.model
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    while order:
        taken = rows = longest = 0
        for at in order:
            count, length = tails[at] if tails else (1, max(1, lengths[at]))
            rows, longest = rows + count, max(longest, length)
            cached = model.answer_size(lengths[order[0]] + longest) * rows if tails else 0
            logits = rows * longest * model.vocabulary
            if taken and (rows > most or logits > LOGITS or cached > CACHE):
                break
            taken += 1
        yield order[:taken]
        order = order[taken:]


def find_batch(memory: ScoreMemory, inputs: Sequence[Row]) -> list[list[float]] | None:
    """What was measured of the rows of a batch; None where one is missing: it is read as one."""
    known = [memory.find(row) for row in inputs]
    return None if None in known else known


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
