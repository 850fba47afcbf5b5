"""What the companion says of the data that is chosen: asked once one stops choosing.

Belongs to the event loop of a screen. Holds the newest report only; an older question is cancelled.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.jobs.settings import Data, Replay

if TYPE_CHECKING:
    from tui.companion import Companion, Stream

STILL_SECONDS = 0.7
"""Without a change before anything is asked: whoever only passes by starts no process."""
ROWS = 20

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is learned of this data, split by this seed, with that mixed in, by this checkpoint?"""

    checkpoint: str
    data: Data
    seed: int
    replay: Replay = Replay()


class Inspector:
    """One question at a time."""

    def __init__(self, companion: "Callable[[], Companion]", tell: Callable[[], None]) -> None:
        """`tell` is called whenever there is something else to show."""
        self._companion = companion
        self._tell = tell
        self._asked: Question | None = None
        self._task: asyncio.Task[None] | None = None
        self.report: Report | None = None
        """Of the newest question that was answered, as `engine.worker.rows.inspection` makes it."""
        self.answers: Question | None = None
        """The question that the report, or the trouble, is the answer to."""
        self.trouble: EngineError | None = None

    @property
    def current(self) -> bool:
        """Whether what is known answers what was asked last."""
        return self._asked is not None and self.answers == self._asked

    def ask(self, question: Question) -> None:
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

    async def _answer(self, question: Question) -> None:
        await asyncio.sleep(STILL_SECONDS)
        report, trouble = None, None
        try:
            stream: Stream = self._companion().inspect(
                question.checkpoint,
                dataclasses.asdict(question.data),
                rows=ROWS,
                templates=True,
                seed=question.seed,
                replay=dataclasses.asdict(question.replay),
            )
            report = (await stream.last())["report"]
        except EngineError as error:
            trouble = error
        self.report, self.trouble, self.answers = report, trouble, question
        self._tell()
