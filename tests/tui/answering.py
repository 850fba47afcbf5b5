"""What the companion answers beside answers, in its shapes: shifts, pieces, strengths."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from engine.compare.token_shift import Candidate, Shift, ShiftedToken, to_table
from engine.errors import EngineError

OTHER_TOKENIZERS = EngineError("base and tuned have different tokenizers.", "")


class FakeLast:
    """A request that is answered by one event, or refused."""

    def __init__(self, event: dict[str, Any] | EngineError) -> None:
        self._event = event

    def cancel(self) -> None:
        pass

    async def last(self) -> dict[str, Any]:
        if isinstance(self._event, EngineError):
            raise self._event
        return self._event


class Holding(Protocol):
    """Who can keep answers back."""

    held: bool


class FakeScale:
    """An answer at each strength, which says how strong it is; held after the first."""

    def __init__(
        self,
        companion: Holding,
        arm: str,
        messages: list[dict[str, str]],
        strengths: Sequence[float],
    ) -> None:
        self._companion = companion
        self._arm = arm
        self._messages = messages
        self._strengths = strengths
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for strength in self._strengths:
            while strength and self._companion.held and not self._cancelled:
                await asyncio.sleep(0.01)
            if self._cancelled:
                break
            yield {"event": "text", "text": "at", "strength": strength}
            text = f"said at {strength:g}"
            behaviour = {"words": 3, "sentences": 1, "lines": 1, "tokens": 3, "seconds": 0.1,
                         "finish": "stop"}  # fmt: skip
            sample = sample_of(f"{self._arm}@{strength!r}", text, self._messages)
            yield {"event": "answer", "sample": sample, "behaviour": behaviour,
                   "strength": strength}  # fmt: skip
        yield {"event": "done", "samples": []}


def sample_of(
    arm: str, text: str, messages: list[dict[str, str]], finish: str = "stop"
) -> dict[str, Any]:
    """An answer as the companion keeps it."""
    return {
        "prompt_id": "",
        "messages": messages,
        "arm": arm,
        "seed": 7,
        "template_hash": "abc",
        "prompt_ids": [1, 2],
        "output_ids": list(range(len(text.split()))),
        "text": text,
        "finish": finish,
        "logprobs": [-0.5] * len(text.split()),
        "decode": {"max_new_tokens": 128, "temperature": 0.0},
        "timings": {"first_token": 0.1, "total": 0.5},
        "dtype": "float32",
        "batch": 1,
    }


def shift_of(words: Sequence[str], ranks: Sequence[int]) -> dict[str, Any]:
    """A token shift in the companion's shape: a word a token, their ranks in turn."""
    tokens = tuple(
        ShiftedToken(
            at, f"{' ' * bool(at)}{word}", ranks[at % len(ranks)], 0.25, 0.75, 0.5 * at,
            (Candidate(at, word, 0.41), Candidate(51, " My", 0.22))
            if ranks[at % len(ranks)] == 1 else
            (Candidate(50, "Dear", 0.41), Candidate(51, " My", 0.22)), (Candidate(at, word, 0.9),),
        )
        for at, word in enumerate(words)
    )  # fmt: skip
    return to_table(Shift("base", "tuned", "", True, tokens))


def pieces_of(ids: Sequence[int], words: Sequence[str]) -> dict[str, Any]:
    """What the companion says of the ids of these words, from 0, or of others; 1 is special."""
    pieces = [f"{' ' * bool(at)}{word}" for at, word in enumerate(words)]
    if list(ids) != list(range(len(words))):
        pieces = [f" t{one}" for one in ids]
    tokens = [
        {"id": one, "token": f"t{one}", "piece": piece, "special": one == 1}
        for one, piece in zip(ids, pieces, strict=True)
    ]
    return {
        "event": "done",
        "text": "".join(pieces),
        "tokens": tokens,
        "spans": [{"text": one["piece"], "ids": [one["id"]]} for one in tokens],
    }
