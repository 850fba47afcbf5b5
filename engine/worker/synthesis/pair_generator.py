"""Two arms as one generator: one writes the chosen answers of pairs, one the rejected ones."""

from collections.abc import Sequence

from engine.chat import Message
from engine.synthesis.questions import REJECTED, SourceQuestion
from engine.worker.synthesis.generator import Generator, Reply


class PairGenerator:
    """The answers of both; see `Generator`. What a source is cut to fits both, so that they see the
    same of it."""

    def __init__(self, chosen: Generator, rejected: Generator) -> None:
        self.arm = chosen.arm
        self._chosen = chosen
        self._rejected = rejected

    @property
    def notes(self) -> dict[str, None]:
        return {**self._chosen.notes, **self._rejected.notes}

    @property
    def room(self) -> int:
        return min(self._chosen.room, self._rejected.room)

    def ask(self, question: SourceQuestion) -> None:
        (self._rejected if question.field == REJECTED else self._chosen).ask(question)

    def step(self) -> list[Reply]:
        return self._chosen.step() + self._rejected.step()

    def cancel(self) -> None:
        self._chosen.cancel()
        self._rejected.cancel()

    def count(self, text: str) -> int:
        return self._chosen.count(text)

    def find_excess(self, messages: Sequence[Message]) -> int:
        return max(one.find_excess(messages) for one in (self._chosen, self._rejected))
