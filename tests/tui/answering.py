"""What the companion answers beside answers, in its shapes: shifts, pieces, strengths."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from engine.compare.shift import Candidate, Shift, ShiftedToken, to_table
from engine.errors import EngineError

OTHER_TOKENIZERS = EngineError("These two arms have different tokenizers.", "base and tuned")


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


class FakeScale:
    """An answer at each strength, which says how strong it is."""

    def __init__(self, strengths: Sequence[float]) -> None:
        self._strengths = strengths

    def cancel(self) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for strength in self._strengths:
            yield {"event": "text", "text": "at", "strength": strength}
            text = f"said at {strength:g}"
            behaviour = {"words": 3, "sentences": 1, "lines": 1, "tokens": 3, "seconds": 0.1,
                         "finish": "stop"}  # fmt: skip
            sample = {"text": text}
            yield {"event": "answer", "sample": sample, "behaviour": behaviour,
                   "strength": strength}  # fmt: skip
        yield {"event": "done", "samples": []}


def shift_of(words: Sequence[str], ranks: Sequence[int]) -> dict[str, Any]:
    """A token shift in the companion's shape: a word a token, their ranks in turn."""
    tokens = tuple(
        ShiftedToken(
            at, f"{' ' * bool(at)}{word}", ranks[at % len(ranks)], 0.25, 0.75, 0.5 * at,
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
