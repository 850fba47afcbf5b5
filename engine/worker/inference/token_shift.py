"""Token shift and KL by position, with one forward pass of each arm over an answer.

The two arms need not be in memory at once: each is read by itself, then their logits are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.compare.arms import Arm, format_arm
from engine.compare.samples import Sample
from engine.compare.token_shift import TOP, Candidate, Shift, ShiftedToken
from engine.errors import EngineError
from engine.worker.inference.models import LoadedArm

_ROWS = 64
"""Places compared at a time: their distributions are spread out in float64."""


@dataclass(frozen=True, slots=True)
class ArmLogits:
    """What one arm would have said at each token of an answer."""

    arm: Arm
    tokenizer: Any
    logits: Tensor
    """float32 of (tokens of the answer, vocabulary), on the CPU."""


def measure_shift(base: LoadedArm, tuned: LoadedArm, sample: Sample) -> Shift:
    """What `base` would have said at each token of `sample`, an answer of `tuned`.

    Raises EngineError where the vocabularies differ, or the answer does not fit.
    """
    ids, output = sample.prompt_ids, sample.output_ids
    return compare(read(base, ids, output), read(tuned, ids, output), sample)


def read(loaded_arm: LoadedArm, prompt: Sequence[int], output: Sequence[int]) -> ArmLogits:
    """One forward pass over an answer and the prompt it was given to, by the ids of both.

    Raises EngineError where they do not fit the context, or are not of this vocabulary.
    """
    ids = [*prompt, *output]
    if len(ids) > loaded_arm.model.context:
        raise EngineError(
            "The answer is longer than the context.",
            f"{len(ids)} tokens; the context of {loaded_arm.arm.checkpoint} is "
            f"{loaded_arm.model.context}",
        )
    loaded_arm.check_ids(ids)
    if not prompt and output:
        raise EngineError(
            "The prompt is empty.", hint="Token shift needs at least one prompt token."
        )
    if not output:
        return ArmLogits(
            loaded_arm.arm, loaded_arm.tokenizer, torch.zeros((0, loaded_arm.model.vocabulary))
        )
    inputs = torch.tensor([ids[:-1]], device=loaded_arm.model.device)
    with torch.inference_mode():
        out = loaded_arm.forward(
            input_ids=inputs, use_cache=False, **loaded_arm.model.last_only(len(output))
        )
        logits = out.logits[0, -len(output) :].float().cpu()
    return ArmLogits(loaded_arm.arm, loaded_arm.tokenizer, logits)


def compare(base: ArmLogits, tuned: ArmLogits, sample: Sample) -> Shift:
    """The token shift of an answer that both have read. Raises EngineError: other vocabularies."""
    if base.tokenizer.get_vocab() != tuned.tokenizer.get_vocab():
        raise EngineError(
            f"{base.arm.name} and {tuned.arm.name} have different tokenizers.",
            "",
            "Token shift needs one tokenizer; compare the answers side by side instead.",
        )
    # The wider one has rows that only pad it.
    width = min(base.logits.shape[-1], tuned.logits.shape[-1])
    words, tokens = TokenSpelling(tuned.tokenizer), []
    for start in range(0, len(sample.output_ids), _ROWS):
        rows = slice(start, start + _ROWS)
        before, after = (
            torch.log_softmax(one.logits[rows, :width].double(), dim=-1) for one in (base, tuned)
        )
        tokens += _tokens(words, sample.output_ids[rows], before, after)
    greedy = sample.decode.temperature == 0
    arms = format_arm(base.arm), format_arm(tuned.arm)
    return Shift(*arms, sample.prompt_id, greedy, tuple(tokens))


def mean_kl(base: Tensor, tuned: Tensor) -> float:
    """KL(base‖tuned) in nats per place, of logits of (places, vocabulary)."""
    total = 0.0
    for start in range(0, len(base), _ROWS):
        rows = slice(start, start + _ROWS)
        before, after = (torch.log_softmax(one[rows].double(), -1) for one in (base, tuned))
        total += float(_kl(before, after).sum())
    return total / max(1, len(base))


def _kl(before: Tensor, after: Tensor) -> Tensor:
    """Of each row. Where the base gives no probability at all, nothing is added: 0 · log 0 is 0."""
    probability = before.exp()
    return torch.where(probability > 0, probability * (before - after), 0.0).sum(-1).clamp(min=0)


def _tokens(
    words: "TokenSpelling", output: Sequence[int], before: Tensor, after: Tensor
) -> list[ShiftedToken]:
    chosen = torch.tensor(output).unsqueeze(-1)
    base, tuned = before.gather(-1, chosen), after.gather(-1, chosen)
    ranks, own = ((logs > one).sum(-1) + 1 for logs, one in ((before, base), (after, tuned)))
    kl = _kl(before, after)
    tops = [_tops(words, logs) for logs in (before, after)]
    return [
        ShiftedToken(
            token,
            words.piece(token),
            int(ranks[at]),
            float(base[at].exp()),
            float(tuned[at].exp()),
            float(kl[at]),
            tops[0][at],
            tops[1][at],
            int(own[at]),
            words.is_special(token),
        )
        for at, token in enumerate(output)
    ]


def _tops(words: "TokenSpelling", logs: Tensor) -> list[tuple[Candidate, ...]]:
    values, ids = logs.topk(min(TOP, logs.shape[-1]), dim=-1)
    return [
        tuple(
            Candidate(token, words.piece(token), probability)
            for token, probability in zip(tokens, probabilities, strict=True)
        )
        for tokens, probabilities in zip(ids.tolist(), values.exp().tolist(), strict=True)
    ]


class TokenSpelling:
    """The texts of single tokens, each decoded once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)
        self._pieces: dict[int, str] = {}

    def piece(self, token: int) -> str:
        if token not in self._pieces:
            text = self._tokenizer.decode([token], clean_up_tokenization_spaces=False)
            self._pieces[token] = str(text)
        return self._pieces[token]

    def is_special(self, token: int) -> bool:
        return token in self._special
