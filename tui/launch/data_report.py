"""What the companion says of the data and the model that are chosen: asked once one stops choosing.

Belongs to the event loop of a screen. Holds the newest answers only.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from engine.errors import EngineError
from engine.estimates.parameters import Counted
from engine.recipes.settings import Data, Method, Replay
from tui.launch.fit_lines import counted

if TYPE_CHECKING:
    from tui.companion import Companion, Stream

STILL_SECONDS = 0.7
"""Without a change before anything is asked: whoever only passes by starts no process."""
ROWS = 20

Report = Mapping[str, Any]
Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class Question:
    """What is learned of this data, split by this seed, with that mixed in, by this checkpoint?"""

    checkpoint: str
    data: Data
    seed: int
    replay: Replay = Replay()


@dataclass(frozen=True, slots=True)
class Count:
    """How many parameters has this model, and how many does this method learn?"""

    checkpoint: str
    method: Method


class _Asking(Generic[Q]):
    """One question at a time; the newest answer is kept, an older question is cancelled."""

    def __init__(self, companion: "Callable[[], Companion]", tell: Callable[[], None]) -> None:
        """`tell` is called whenever there is something else to show."""
        self._companion = companion
        self._tell = tell
        self._asked: Q | None = None
        self._task: asyncio.Task[None] | None = None
        self.answers: Q | None = None
        """The question that the answer, or the trouble, is the answer to."""
        self.answer: Mapping[str, Any] | None = None
        self.trouble: EngineError | None = None

    def put(self, companion: "Companion", question: Q) -> "Stream":
        """The question as a request."""
        raise NotImplementedError

    @property
    def current(self) -> bool:
        """Whether what is known answers what was asked last."""
        return self._asked is not None and self.answers == self._asked

    def ask(self, question: Q) -> None:
        """Ask soon, unless that was asked already."""
        if self._asked == question:
            return
        self.stop()
        self._asked = question
        self._task = asyncio.create_task(self._answer(question))

    def stop(self) -> None:
        """Ask no more, and want no answer."""
        self._asked = None
        if self._task is not None:
            self._task.cancel()

    async def _answer(self, question: Q) -> None:
        await asyncio.sleep(STILL_SECONDS)
        answer, trouble = None, None
        try:
            answer = await self.put(self._companion(), question).last()
        except EngineError as error:
            trouble = error
        self.answer, self.trouble, self.answers = answer, trouble, question
        self._tell()


class Inspector(_Asking[Question]):
    def put(self, companion: "Companion", question: Question) -> "Stream":
        return companion.inspect(
            question.checkpoint,
            dataclasses.asdict(question.data),
            rows=ROWS,
            templates=True,
            seed=question.seed,
            replay=dataclasses.asdict(question.replay),
        )

    @property
    def report(self) -> Report | None:
        """Of the newest question that was answered, as `engine.worker.data.report` makes it."""
        return self.answer["report"] if self.answer is not None else None


class Counter(_Asking[Count]):
    def put(self, companion: "Companion", question: Count) -> "Stream":
        return companion.count(question.checkpoint, dataclasses.asdict(question.method))

    @property
    def counted(self) -> Counted | None:
        """Of the newest question; nothing where it cannot be counted, as the launch will tell."""
        if self.answer is None or self.answers is None or not self.current:
            return None
        return counted(self.answer, self.answers.method)
