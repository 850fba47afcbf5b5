"""A set of prompts answered by one arm: in batches by a voice, several at a time by an endpoint.

A prompt that an arm cannot read, such as one longer than its context, is left out and told of.
"""

from collections.abc import Sequence

from engine.compare.arms import Arm, format_arm
from engine.compare.prompts import Prompt
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.jobs.settings import Decode
from engine.worker.answering.answers import Answers
from engine.worker.answering.bases import Voice
from engine.worker.answering.endpoint import Endpoint

ROWS = 16
"""Prompts answered side by side."""
_CALLS = 4
"""Questions that an endpoint is asked at a time."""

Coded = tuple[Prompt, list[int]]


class Chorus:
    """The answers of an arm to a set of prompts, a token each at every `step`."""

    def __init__(
        self, arm: Arm, voice: Voice | None, prompts: Sequence[Prompt], decode: Decode, rows: int
    ) -> None:
        """`voice` is None for an endpoint."""
        self.refused: dict[str, EngineError] = {}
        """Prompts that are left out, by id."""
        self._arm = arm
        self._voice = voice
        self._decode = decode
        self._batches = [] if voice is None else self._batched(voice, prompts, rows)
        self._batch: list[Coded] = []
        self._answers: Answers | None = None
        self._asked = list(reversed(prompts)) if voice is None else []
        self._calls: list[tuple[Prompt, Endpoint]] = []

    @property
    def done(self) -> bool:
        return not (self._batches or self._answers or self._asked or self._calls)

    @property
    def is_remote(self) -> bool:
        """Whether a step waits for nothing: the work is done elsewhere."""
        return self._voice is None

    def step(self) -> list[Sample]:
        """Go on by a token; the samples of a batch as it ends. Raises EngineError."""
        if self._voice is None:
            return self._hear()
        if self._answers is None:
            self._batch = self._batches.pop(0)
            self._answers = Answers(self._voice, [ids for _, ids in self._batch], self._decode)
        self._answers.step()
        if not self._answers.done:
            return []
        answers, self._answers = self._answers, None
        return [
            answers.sample(at, prompt.id, prompt.messages, format_arm(self._arm))
            for at, (prompt, _) in enumerate(self._batch)
        ]

    def cancel(self) -> None:
        """Hang up, where an endpoint is talking."""
        for _, call in self._calls:
            call.cancel()

    def _hear(self) -> list[Sample]:
        while self._asked and len(self._calls) < _CALLS:
            prompt = self._asked.pop()
            self._calls.append((prompt, Endpoint(self._arm, prompt.messages, self._decode)))
        try:
            for _, call in self._calls:
                call.more()
        except EngineError:
            self.cancel()
            raise
        ended = [(prompt, call) for prompt, call in self._calls if call.finish is not None]
        self._calls = [one for one in self._calls if one[1].finish is None]
        return [call.sample(prompt.id) for prompt, call in ended]

    def _batched(self, voice: Voice, prompts: Sequence[Prompt], rows: int) -> list[list[Coded]]:
        """Prompts with their ids, of like length together: padding costs time."""
        coded: list[Coded] = []
        for prompt in prompts:
            try:
                coded.append((prompt, voice.prompt(prompt.messages)))
            except EngineError as error:
                self.refused[prompt.id] = error
        coded.sort(key=lambda pair: len(pair[1]))
        return [coded[start : start + rows] for start in range(0, len(coded), rows)]
