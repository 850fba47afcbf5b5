"""A set of prompts answered by one arm: in batches by a model, several at a time by an endpoint.

A prompt that an arm cannot read, such as one longer than its context, or that an endpoint refuses,
is left out and told of; an endpoint that cannot be asked any more ends the arm.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.chat import Tools
from engine.compare.arm_tools import offered_tools
from engine.compare.arms import Arm, format_arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.endpoint import Endpoint
from engine.worker.inference.endpoint_replies import EndpointGone
from engine.worker.inference.models import LoadedArm
from engine.worker.inference.weight_files import free_on

ROWS = 32
"""Prompts answered side by side, where there is memory: each then costs a fraction of one alone."""
_SHARE = 4
"""The part of the free memory that they may take: one in so many."""
_CALLS = 4
"""Questions that an endpoint is asked at a time."""

Coded = tuple[Item, list[int]]


class PromptBatch:
    """The answers of an arm to a set of prompts, a token each at every `step`."""

    def __init__(
        self,
        arm: Arm,
        loaded_arm: LoadedArm | None,
        prompts: Sequence[Item],
        decode: Decode,
        rows: int,
        tools: Tools = (),
    ) -> None:
        """`loaded_arm` is None for an endpoint; `tools` are for prompts that bring none."""
        self.refused: dict[str, EngineError] = {}
        """Prompts that are left out, by id."""
        self._arm = arm
        self._loaded_arm = loaded_arm
        self._decode = decode
        self._tools = tools
        self._batches = [] if loaded_arm is None else self._batched(loaded_arm, prompts, rows)
        self._batch: list[Coded] = []
        self._answers: BatchDecoder | None = None
        self._asked = list(reversed(prompts)) if loaded_arm is None else []
        self._calls: list[tuple[Item, Endpoint]] = []
        self._gone: EndpointGone | None = None

    @property
    def done(self) -> bool:
        return not (self._batches or self._answers or self._asked or self._calls or self._gone)

    @property
    def is_remote(self) -> bool:
        """Whether a step waits for nothing: the work is done elsewhere."""
        return self._loaded_arm is None

    def step(self) -> list[Sample]:
        """Go on by a token; the samples of the answers that ended. Raises EngineError."""
        if self._loaded_arm is None:
            return self._poll_endpoint()
        if self._answers is None:
            self._batch = self._batches.pop(0)
            self._answers = BatchDecoder(
                self._loaded_arm, [ids for _, ids in self._batch], self._decode
            )
        answers = self._answers
        ended = [(at, self._batch[at][0]) for at in answers.step()]
        if answers.done:
            self._answers = None
        return [
            answers.sample(
                at,
                prompt.id,
                prompt.messages,
                format_arm(self._arm),
                offered_tools(prompt, self._tools),
            )
            for at, prompt in ended
        ]

    def cancel(self) -> None:
        """Hang up, where an endpoint is talking."""
        for _, call in self._calls:
            call.cancel()

    def _poll_endpoint(self) -> list[Sample]:
        """Answers that ended. Of an endpoint that is gone no more is asked; what runs may end."""
        if self._gone and not self._calls:
            raise self._gone
        while self._asked and len(self._calls) < _CALLS:
            prompt = self._asked.pop()
            with self._refusing(prompt):
                tools = offered_tools(prompt, self._tools)
                call = Endpoint(self._arm, prompt.messages, self._decode, tools)
                self._calls.append((prompt, call))
        calls, self._calls, made = self._calls, [], []
        for prompt, call in calls:
            with self._refusing(prompt):
                call.more()
                if call.finish is None:
                    self._calls.append((prompt, call))
                else:
                    made.append(call.sample(prompt.id))
        return made

    @contextmanager
    def _refusing(self, prompt: Item) -> Iterator[None]:
        """Within it an error is this prompt's alone, but for one that ends the arm."""
        try:
            yield
        except EndpointGone as error:
            self._gone = self._gone or error
            self._asked.clear()
        except EngineError as error:
            self.refused[prompt.id] = error

    def _batched(
        self, loaded_arm: LoadedArm, prompts: Sequence[Item], rows: int
    ) -> list[list[Coded]]:
        """Prompts with their ids, of like length together, as many as `rows` and memory allow."""
        coded: list[Coded] = []
        for prompt in prompts:
            try:
                tools = offered_tools(prompt, self._tools)
                coded.append((prompt, loaded_arm.prompt(prompt.messages, tools=tools)))
            except EngineError as error:
                self.refused[prompt.id] = error
        coded.sort(key=lambda pair: -len(pair[1]))
        free, batches = free_on(loaded_arm.model.device) // _SHARE, []
        while coded:
            longest = len(coded[0][1]) + self._decode.max_new_tokens
            fitting = free // loaded_arm.model.answer_size(min(longest, loaded_arm.model.context))
            count = max(1, min(rows, fitting))
            batches.append(coded[:count])
            coded = coded[count:]
        return batches[::-1]
