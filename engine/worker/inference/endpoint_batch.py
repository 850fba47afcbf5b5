"""A set of prompts answered by an endpoint, a few of them at a time.

A prompt that the endpoint refuses is left out and told of; an endpoint that cannot be asked any
more ends the arm. Imports no library of models.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.chat import Tools
from engine.compare.arm_tools import offered_tools
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.inference.endpoint import Endpoint
from engine.worker.inference.endpoint_replies import EndpointGone

PAUSE = 0.02
"""Seconds between two looks at what an endpoint says."""
_CALLS = 4
"""Questions that an endpoint is asked at a time."""


class EndpointBatch:
    """The answers of an endpoint to a set of prompts; no `step` waits for it."""

    def __init__(
        self, arm: Arm, prompts: Sequence[Item], decode: Decode, tools: Tools = ()
    ) -> None:
        """`tools` are for prompts that bring none."""
        self.refused: dict[str, EngineError] = {}
        """Prompts that are left out, by id."""
        self._arm = arm
        self._decode = decode
        self._tools = tools
        self._waiting = list(reversed(prompts))
        self._calls: list[tuple[Item, Endpoint]] = []
        self._gone: EndpointGone | None = None

    @property
    def done(self) -> bool:
        return not (self._waiting or self._calls or self._gone)

    def step(self) -> list[Sample]:
        """The samples of the answers that ended since.

        Raises EndpointGone. Of an endpoint that is gone no more is asked; what runs may end.
        """
        if self._gone and not self._calls:
            raise self._gone
        while self._waiting and len(self._calls) < _CALLS:
            prompt = self._waiting.pop()
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

    def cancel(self) -> None:
        """Hang up."""
        for _, call in self._calls:
            call.cancel()

    @contextmanager
    def _refusing(self, prompt: Item) -> Iterator[None]:
        """Within it an error is this prompt's alone, but for one that ends the arm."""
        try:
            yield
        except EndpointGone as error:
            self._gone = self._gone or error
            self._waiting.clear()
        except EngineError as error:
            self.refused[prompt.id] = error


def combine(gone: Sequence[EndpointGone]) -> EndpointGone:
    """One error for the endpoints that are gone: it names each of them."""
    first = gone[0]
    if len(gone) == 1:
        return first
    hints = list(dict.fromkeys(error.hint for error in gone))
    return EndpointGone(
        f"{len(gone)} endpoints did not answer.",
        "\n".join(f"{error.detail} ({error.title.rstrip('.')})" for error in gone),
        " ".join(hints),
    )
