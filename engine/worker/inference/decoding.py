"""Answering, token by token: one forward pass a step, with a cache, over one prompt or many.

Greedy, or sampled with a generator of its own, so that no other random numbers move. Ignores a
checkpoint's own habits (repetition penalties and the like): what is asked for is what is run.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from engine.answer_parts import opens_reasoning, split_answer, split_text
from engine.chat import Message, Tools
from engine.compare.samples import Finish, Sample, Timings
from engine.recipes.settings import Decode
from engine.worker.inference.grammar import AnswerMask
from engine.worker.inference.models import LoadedArm
from engine.worker.tokenizers.detokenize import decode_ids

PROMPT_TAIL = 16
"""Tokens in which a prompt may open reasoning."""
_PAYS = 8
"""A copy of the cache costs about this part of a step; rows that are done cost theirs at each."""


@dataclass(slots=True)
class DecodedAnswer:
    """One answer as it grows."""

    prompt_ids: list[int]
    limit: int
    """Tokens that it may have: the wanted length, or what the context leaves."""
    output_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Finish | None = None
    """None: it is not done."""
    first_token: float = 0.0
    total: float = 0.0


class BatchDecoder:
    """Answers of one arm to one or more prompts, a token each at every `step`.

    One prompt alone is run without padding or mask, exactly as the model would run by itself.
    Several are padded left, with positions that skip the padding.
    """

    def __init__(
        self,
        loaded_arm: LoadedArm,
        prompts: Sequence[list[int]],
        decode: Decode,
        seeds: Sequence[int] = (),
        masks: Sequence[AnswerMask | None] = (),
    ) -> None:
        """`seeds`: one for each prompt; none: that of `decode` for all of them. `masks`: what holds
        each answer to a grammar, None what leaves it free; none: all are."""
        self.loaded_arm = loaded_arm
        self.decode = decode
        self._masks = list(masks) or [None] * len(prompts)
        self.answers = [
            DecodedAnswer(ids, min(decode.max_new_tokens, loaded_arm.model.context - len(ids)))
            for ids in prompts
        ]
        self._began = time.monotonic()
        self._ends = loaded_arm.ends
        self._rows = list(range(len(prompts)))
        """Which answer each row of the cache is."""
        self._seeds = list(seeds) or [decode.seed] * len(prompts)
        self._generators = [torch.Generator().manual_seed(seed) for seed in self._seeds]
        self._cache: Any = None
        self._inputs, self._mask = _pad_left(prompts, loaded_arm.model.device)

    @property
    def done(self) -> bool:
        return all(answer.finish is not None for answer in self.answers)

    def step(self) -> list[int]:
        """Add one token to every answer that is not done; the numbers of those that it ended."""
        with torch.inference_mode():
            logits = self._forward()
            logs = torch.log_softmax(logits, dim=-1)
            tokens = self._choose(self._hold(logits))
            picked = logs.gather(-1, tokens.to(logs.device).unsqueeze(-1)).squeeze(-1).tolist()
        now, ended = time.monotonic() - self._began, []
        for index, token, logprob in zip(self._rows, tokens.tolist(), picked, strict=True):
            answer = self.answers[index]
            if answer.finish is not None:
                continue
            answer.output_ids.append(token)
            answer.logprobs.append(logprob)
            if (mask := self._masks[index]) is not None:
                mask.take(token)
            answer.first_token = answer.first_token or now
            answer.total = now
            if token in self._ends:
                answer.finish = "stop"
            elif len(answer.output_ids) >= answer.limit:
                answer.finish = "length"
            if answer.finish is not None:
                ended.append(index)
        self._inputs = tokens.unsqueeze(-1).to(self.loaded_arm.model.device)
        self._drop_finished()
        return ended

    def cancel(self) -> None:
        """End every answer that is not done where it is."""
        for answer in self.answers:
            answer.finish = answer.finish or "cancelled"

    def sample(
        self,
        index: int,
        prompt_id: str,
        messages: Sequence[Message],
        arm: str,
        tools: Tools = (),
    ) -> Sample:
        """Answer `index`, done, as the record of it; `tools` are what its prompt offered."""
        answer = self.answers[index]
        assert answer.finish is not None, "an answer is a sample once it is done"
        template, text = self.loaded_arm.template, self.text(index)
        prompt_end = decode_ids(self.loaded_arm.tokenizer, answer.prompt_ids[-PROMPT_TAIL:])
        parts = split_answer(text, tools, reasoning_is_open=opens_reasoning(prompt_end))
        return Sample(
            prompt_id=prompt_id,
            messages=tuple(messages),
            arm=arm,
            seed=self._seeds[index],
            template_hash=template.hash if template else "",
            prompt_ids=tuple(answer.prompt_ids),
            output_ids=tuple(answer.output_ids),
            text=text,
            finish=answer.finish,
            logprobs=tuple(answer.logprobs),
            decode=replace(self.decode, seed=self._seeds[index]),
            timings=Timings(round(answer.first_token, 4), round(answer.total, 4)),
            dtype=self.loaded_arm.model.dtype,
            batch=len(self.answers),
            tools=tools,
            known_parts=None if parts == split_text(text) else parts,
        )

    def text(self, index: int) -> str:
        """The text of answer `index`, without its end token; other special tokens stay visible."""
        answer = self.answers[index]
        ids = answer.output_ids[:-1] if answer.finish == "stop" else answer.output_ids
        return decode_ids(self.loaded_arm.tokenizer, ids)

    def _forward(self) -> Tensor:
        """Logits of the next token, float32 of (rows, vocabulary)."""
        extra: dict[str, Any] = self.loaded_arm.model.last_only()
        if self._mask is not None:
            positions = (self._mask.cumsum(-1) - 1).clamp(min=0)
            extra["attention_mask"] = self._mask
            extra["position_ids"] = positions[:, -self._inputs.shape[1] :]
        out = self.loaded_arm.forward(
            input_ids=self._inputs, past_key_values=self._cache, use_cache=True, **extra
        )
        self._cache = out.past_key_values
        if self._mask is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._rows), 1)], dim=1)
        return torch.as_tensor(out.logits[:, -1].float())

    def _hold(self, logits: Tensor) -> Tensor:
        """The logits to choose by: those of tokens that an answer's grammar rules out are -inf."""
        if not any(self._masks):
            return logits
        logits = logits.clone()
        for at, index in enumerate(self._rows):
            mask = self._masks[index]
            if mask is None or self.answers[index].finish is not None:
                continue
            allowed = mask.find_allowed(logits.shape[-1])
            if allowed is not None:
                logits[at].masked_fill_(~allowed.to(logits.device), -torch.inf)
        return logits

    def _choose(self, logits: Tensor) -> Tensor:
        """A token for each row, int64 on the CPU; of a diverged model, whose row is no
        distribution, what the greedy choice would be."""
        greedy = logits.argmax(-1).cpu()
        if self.decode.temperature == 0:
            return greedy
        shares = probabilities(logits.cpu(), self.decode)
        draws = [
            torch.multinomial(row, 1, generator=self._generators[index])
            if torch.isfinite(row).all()
            else greedy[at : at + 1]
            for at, (row, index) in enumerate(zip(shares, self._rows, strict=True))
        ]
        return torch.cat(draws)

    def _drop_finished(self) -> None:
        """Take finished rows out of the cache, once there are enough to pay for the copy."""
        going = [at for at, row in enumerate(self._rows) if self.answers[row].finish is None]
        ended = len(self._rows) - len(going)
        if self._mask is None or not going or ended * _PAYS < len(self._rows) or not ended:
            return
        keep = torch.tensor(going, device=self._inputs.device)
        self._cache.batch_select_indices(keep)
        self._inputs, self._mask = self._inputs[keep], self._mask[keep]
        self._rows = [self._rows[at] for at in going]


def probabilities(logits: Tensor, decode: Decode) -> Tensor:
    """The distribution to draw from: temperature, then top k, then the nucleus of top p.

    The nucleus is the smallest set of tokens that holds `top_p` (Holtzman et al. 2020). Each row
    sums to 1.
    """
    shares = torch.softmax(logits / decode.temperature, dim=-1)
    if 0 < decode.top_k < shares.shape[-1]:
        least = shares.topk(decode.top_k, dim=-1).values[:, -1:]
        shares = shares.masked_fill(shares < least, 0)
        shares = shares / shares.sum(-1, keepdim=True)
    if decode.top_p < 1:
        ranked, order = shares.sort(-1, descending=True)
        beyond = ranked.cumsum(-1) - ranked >= decode.top_p
        shares = shares.masked_fill(beyond.gather(-1, order.argsort(-1)), 0)
    return shares / shares.sum(-1, keepdim=True)


def _pad_left(prompts: Sequence[list[int]], device: torch.device) -> tuple[Tensor, Tensor | None]:
    if len(prompts) == 1:
        return torch.tensor([prompts[0]], device=device), None
    longest = max(map(len, prompts))
    ids = torch.zeros((len(prompts), longest), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
