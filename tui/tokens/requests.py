"""What the companion makes of texts and a conversation: asked anew whenever the request changes.

Belongs to the event loop of a screen. Holds the newest request's readings; an older is cancelled.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.chat import Message
from engine.errors import EngineError
from engine.tokenizers.tokenizer_output import TokenizerOutput, from_table

if TYPE_CHECKING:
    from tui.companion import Companion, Stream

FORMS = ("", "raw", "chatml", "instruct")
"""Templates that are asked for; "" is each tokenizer's own."""


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """What do these tokenizers make of these texts, and of this conversation?"""

    refs: tuple[str, ...]
    texts: tuple[tuple[str, str], ...] = ()
    """Names and texts."""
    messages: tuple[Message, ...] = ()
    answer_next: bool = False
    """Whether templates open an answer at the end."""
    forms: tuple[str, ...] = FORMS

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "tokenizers": list(self.refs),
            "texts": [list(pair) for pair in self.texts],
            "messages": [one.to_json() for one in self.messages],
            "forms": list(self.forms),
            "answer_next": self.answer_next,
        }


class TokenizeClient:
    """One request at a time; `on_change` is called whenever there is something else to show."""

    def __init__(self, companion: "Callable[[], Companion]", on_change: Callable[[], None]) -> None:
        self._companion = companion
        self._on_change = on_change
        self._request: TokenizeRequest | None = None
        self._task: asyncio.Task[None] | None = None
        self.readings: dict[str, TokenizerOutput] = {}
        """By ref. What was read before stays until the new reading is there."""
        self.trouble: EngineError | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    def ask(self, request: TokenizeRequest) -> None:
        """Ask, unless that was asked already and went well."""
        if self._request == request and self.trouble is None:
            return
        self.stop()
        self._request = request
        self.trouble = None
        self._task = asyncio.create_task(self._read(request))

    def stop(self) -> None:
        """Want no answer any more."""
        self._request = None
        if self._task is not None:
            self._task.cancel()

    async def _read(self, request: TokenizeRequest) -> None:
        stream: Stream = self._companion().tokenize(request.fields)
        try:
            async for event in stream:
                if event["event"] == "reading":
                    reading = from_table(event["reading"])
                    self.readings[reading.ref] = reading
                    self._on_change()
        except EngineError as error:
            self.trouble = error
        self._task = None
        self._on_change()
