"""Token shift and KL by position, with one forward pass of each arm over an answer."""

import torch
from torch import Tensor

from engine.compare.arms import format_arm
from engine.compare.samples import Sample
from engine.compare.shift import TOP, Candidate, Shift, ShiftedToken
from engine.errors import EngineError
from engine.worker.answering.bases import Voice


def measure_shift(base: Voice, tuned: Voice, sample: Sample) -> Shift:
    """What `base` would have said at each token of `sample`, an answer of `tuned`.

    Both read the very token ids that the answer was made with, so their templates do not matter;
    their vocabularies do. Raises EngineError where they differ, or the answer does not fit.
    """
    if base.tokenizer.get_vocab() != tuned.tokenizer.get_vocab():
        raise EngineError(
            "These two arms have different tokenizers.",
            f"{base.arm.name} and {tuned.arm.name}",
            "Token shift compares token by token; read the answers side by side instead.",
        )
    ids = [*sample.prompt_ids, *sample.output_ids]
    if len(ids) > base.base.context:
        raise EngineError(
            "The answer does not fit the base's context.",
            f"{len(ids)} tokens; {base.arm.checkpoint} takes {base.base.context}",
        )
    if not sample.output_ids:
        return _shift(base, tuned, sample, ())
    before, after = (_logs(voice, ids, len(sample.output_ids)) for voice in (base, tuned))
    return _shift(base, tuned, sample, _tokens(tuned, sample.output_ids, before, after))


def _logs(voice: Voice, ids: list[int], answered: int) -> Tensor:
    """Log-probabilities before each token of the answer: float64 of (answered, vocabulary)."""
    inputs = torch.tensor([ids[:-1]], device=voice.base.device)
    with torch.inference_mode():
        logits = voice.forward(input_ids=inputs, use_cache=False).logits[0, -answered:]
        return torch.log_softmax(logits.float().cpu().double(), dim=-1)


def _tokens(
    voice: Voice, said: tuple[int, ...], before: Tensor, after: Tensor
) -> tuple[ShiftedToken, ...]:
    chosen = torch.tensor(said).unsqueeze(-1)
    base, tuned = before.gather(-1, chosen), after.gather(-1, chosen)
    ranks = (before > base).sum(-1) + 1
    probability = before.exp()
    # Where the base gives no probability at all, nothing is added: 0 · log 0 is 0.
    kl = torch.where(probability > 0, probability * (before - after), 0.0).sum(-1).clamp(min=0)
    tops = [_tops(voice, logs) for logs in (before, after)]
    return tuple(
        ShiftedToken(
            token,
            _piece(voice, token),
            int(ranks[at]),
            float(base[at].exp()),
            float(tuned[at].exp()),
            float(kl[at]),
            tops[0][at],
            tops[1][at],
        )
        for at, token in enumerate(said)
    )


def _tops(voice: Voice, logs: Tensor) -> list[tuple[Candidate, ...]]:
    values, ids = logs.topk(min(TOP, logs.shape[-1]), dim=-1)
    return [
        tuple(
            Candidate(token, _piece(voice, token), probability)
            for token, probability in zip(tokens, probabilities, strict=True)
        )
        for tokens, probabilities in zip(ids.tolist(), values.exp().tolist(), strict=True)
    ]


def _piece(voice: Voice, token: int) -> str:
    return str(voice.tokenizer.decode([token], clean_up_tokenization_spaces=False))


def _shift(base: Voice, tuned: Voice, sample: Sample, tokens: tuple[ShiftedToken, ...]) -> Shift:
    greedy = sample.decode.temperature == 0
    return Shift(format_arm(base.arm), format_arm(tuned.arm), sample.prompt_id, greedy, tokens)
