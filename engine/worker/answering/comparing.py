"""The companion's requests that compare arms: what each reads, and what the differences are."""

from collections.abc import Iterator
from typing import Any

from engine.compare.arms import Arm
from engine.compare.samples import Sample, Timings
from engine.compare.shift import to_table
from engine.errors import EngineError
from engine.jobs.settings import Decode
from engine.worker.answering import asked
from engine.worker.answering.answers import decode_ids, pieces_of
from engine.worker.answering.shift import Reading, Words, compare, read
from engine.worker.answering.stock import Stock
from engine.worker.rows.template import render_prompt
from engine.worker.serve import Cancelled, Event, Request


class Comparing:
    """Answers requests about several arms. What it raises as EngineError is the answer."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock

    def shift(self, request: Request, cancelled: Cancelled) -> Iterator[Event | None]:
        """{"base", "tuned", "sample"}: how far each token of an answer is from the base's choice.

        In place of `sample`: "messages" or "text", and "output_ids" (and "prompt_ids" where they
        are known). `done` holds the `shift`: {"base", "tuned", "prompt_id", "greedy", "kl",
        "shares": {kind: part}, "tokens": [{"id", "piece", "special", "kind", "rank", "tuned_rank",
        "base_probability", "tuned_probability", "kl", "base_top", "tuned_top"}]}, null where it was
        cancelled; a top is up to five of {"id", "piece", "probability"}; kinds are unshifted,
        marginal and shifted. `engine.compare.shift.from_table` reads it. One forward pass an arm.
        """
        base, tuned = asked.arm(request, "base"), asked.arm(request, "tuned")
        sample = asked.sample(request) if "sample" in request else self._sample(request, tuned)
        readings: list[Reading] = []
        for arm in (base, tuned):
            voice = yield from self._stock.voice(arm, cancelled)
            if voice is None:
                yield {"event": "done", "shift": None}
                return
            with self._stock.speaking(voice):
                readings.append(read(voice, sample.prompt_ids, sample.output_ids))
            del voice  # so that its base can make room for the next
        before, after = readings
        yield {"event": "done", "shift": to_table(compare(before, after, sample))}

    def pieces(self, request: Request, cancelled: Cancelled) -> Iterator[Event]:
        """{"arm", "ids"}: what token ids are, by the arm's tokenizer; no model is loaded.

        `done` holds `text`, and `tokens`, one for each id: {"id", "token" (as the vocabulary writes
        it), "piece" (its own text), "special"}, and `spans`, the text in whole characters:
        {"text", "ids"}, where ids that only together make a character come together.
        """
        arm, ids = asked.arm(request), asked.token_ids(request, "ids")
        tokenizer = self._stock.tokenizer(arm)
        yield {"event": "done"} | describe(tokenizer, ids)

    def _sample(self, request: Request, tuned: Arm) -> Sample:
        """The answer that a request spells out."""
        messages = asked.messages(request)
        if "prompt_ids" in request:
            prompt = asked.token_ids(request, "prompt_ids")
        else:
            tokenizer = self._stock.tokenizer(tuned)
            prompt = render_prompt(messages, tokenizer, tuned.form, tuned.system, tuned.prefix)
        return Sample(
            prompt_id=asked.text(request, "prompt_id", ""),
            messages=tuple(messages),
            arm="",
            seed=0,
            template_hash="",
            prompt_ids=tuple(prompt),
            output_ids=tuple(asked.token_ids(request, "output_ids")),
            text="",
            finish="stop",
            logprobs=(),
            decode=asked.decode(request) if "decoding" in request else Decode(),
            timings=Timings(0.0, 0.0),
        )


def describe(tokenizer: Any, ids: list[int]) -> Event:
    """Token ids as `Comparing.pieces` tells them. Raises EngineError for one that there is not."""
    if ids and max(ids) >= len(tokenizer):
        raise EngineError(
            "There is no such token.", f"{max(ids)}; this tokenizer has {len(tokenizer)}"
        )
    words = Words(tokenizer)
    return {
        "text": decode_ids(tokenizer, ids),
        "tokens": [
            {
                "id": one,
                "token": str(tokenizer.convert_ids_to_tokens(one)),
                "piece": words.piece(one),
                "special": words.is_special(one),
            }
            for one in ids
        ],
        "spans": [{"text": text, "ids": group} for text, group in pieces_of(tokenizer, ids)],
    }
