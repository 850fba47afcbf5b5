"""What asks a model, wherever it runs: questions go in, replies come out in the order they end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from engine.chat import Message
from engine.compare.arms import Arm
from engine.compare.samples import Sample
from engine.synthesis.questions import SourceQuestion
from engine.worker.inference.endpoint_replies import TokenUsage

Trouble = Literal["", "no answer", "refused", "too long for the context"]
"""Why a question has no answer: the server failed on the way to one, it refuses the question, or
the question leaves no room in the model's context."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one question: an answer, or why there is none."""

    question: SourceQuestion
    sample: Sample | None = None
    usage: TokenUsage = TokenUsage(0, 0)
    trouble: Trouble = ""
    detail: str = ""
    """Untrusted where it quotes a server."""
    grammar: str = ""
    """What held the answer to its form, with its version; empty: nothing."""
    share: float | None = None
    """Of a question that is too long, how much of its tokens would fit; None where nobody says."""


class Generator(Protocol):
    """An arm that writes."""

    arm: Arm

    @property
    def notes(self) -> dict[str, None]:
        """What the user should know of how it was asked, in the order in which it was found."""
        ...

    @property
    def room(self) -> int:
        """How many more questions it takes now."""
        ...

    def ask(self, question: SourceQuestion) -> None:
        """Take a question; never waits for its answer. Raises EngineError that ends the job."""
        ...

    def step(self) -> list[Reply]:
        """The replies since; waits for a moment at most. Raises EngineError that ends the job."""
        ...

    def cancel(self) -> None:
        """Hang up; nothing of an answer in flight is kept."""
        ...

    def count(self, text: str) -> int:
        """The size of a text, in tokens; of an endpoint in characters."""
        ...

    def find_excess(self, messages: Sequence[Message]) -> int:
        """By how much a conversation is too long for the context, as `count` counts; 0 where it
        fits, or nobody knows before it is asked."""
        ...
