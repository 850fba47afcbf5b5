"""What the companion makes of texts and a conversation: asked anew whenever the question changes.

Belongs to the event loop of a screen. Holds the newest question's readings; an older is cancelled.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.chat import Message
from engine.errors import EngineError
from engine.tokenizers.readings import TokenizerOutput, from_table

if TYPE_CHECKING:
    from tui.companion import Companion, Stream

FORMS = ("", "raw", "chatml", "instruct")
"""Templates that are asked for; "" is each tokenizer's own."""


@dataclass(frozen=True, slots=True)
class Question:
    """What do these tokenizers make of these texts, and of this conversation?"""

    refs: tuple[str, ...]
    texts: tuple[tuple[str, str], ...] = ()
    """Names and texts."""
    messages: tuple[Message, ...] = ()
    answer_next: bool = False
    """Whether templates open an answer at the end."""
    forms: tuple[str, ...] = FORMS

    @property
    def request(self) -> dict[str, Any]:
        return {
            "tokenizers": list(self.refs),
            "texts": [list(pair) for pair in self.texts],
            "messages": [dataclasses.asdict(one) for one in self.messages],
            "forms": list(self.forms),
            "answer_next": self.answer_next,
        }


class Asker:
    """One question at a time; `tell` is called whenever there is something else to show."""

    def __init__(self, companion: "Callable[[], Companion]", tell: Callable[[], None]) -> None:
        self._companion = companion
        self._tell = tell
        self._asked: Question | None = None
        self._task: asyncio.Task[None] | None = None
        self.readings: dict[str, TokenizerOutput] = {}
        """By ref. What was read before stays until the new reading is there."""
        self.trouble: EngineError | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def ask(self, question: Question) -> None:
        """Ask, unless that was asked already and went well."""
        if self._asked == question and self.trouble is None:
            return
        self.stop()
        self._asked = question
        self.trouble = None
        self._task = asyncio.create_task(self._read(question))

    def stop(self) -> None:
        """Want no answer any more."""
        self._asked = None
        if self._task is not None:
            self._task.cancel()

    async def _read(self, question: Question) -> None:
        stream: Stream = self._companion().tokenize(question.request)
        try:
            async for event in stream:
                if event["event"] == "reading":
                    reading = from_table(event["reading"])
                    self.readings[reading.ref] = reading
                    self._tell()
        except EngineError as error:
            self.trouble = error
        self._task = None
        self._tell()
