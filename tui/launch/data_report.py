"""What the companion says of the data and the model that are chosen: asked once one stops choosing.

Belongs to the event loop of a screen. Holds the newest answers only. What is asked, and how the
answer is read, stands in a request.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

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
AnswerT = TypeVar("AnswerT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class CompanionRequest(Protocol[AnswerT_co]):
    """Two that ask for the same are equal."""

    def send(self, companion: "Companion") -> "Stream":
        """Ask; the stream ends with the event that holds the answer."""

    def parse(self, event: Mapping[str, Any]) -> AnswerT_co:
        """The answer that this event holds."""


@dataclass(frozen=True, slots=True)
class DataReportRequest:
    """What is learned of this data, split by this seed, with that mixed in, by this checkpoint,
    for this objective?
    """

    checkpoint: str
    data: Data
    seed: int
    replay: Replay = Replay()
    objective: str = "sft"

    def send(self, companion: "Companion") -> "Stream":
        return companion.inspect(
            self.checkpoint,
            dataclasses.asdict(self.data),
            rows=ROWS,
            templates=True,
            seed=self.seed,
            objective=self.objective,
            replay=dataclasses.asdict(self.replay),
        )

    def parse(self, event: Mapping[str, Any]) -> Report:
        """As `engine.worker.data.report` makes it."""
        report: Report = event["report"]
        return report


@dataclass(frozen=True, slots=True)
class CountRequest:
    """How many parameters has this model, and how many does this method learn?"""

    checkpoint: str
    method: Method

    def send(self, companion: "Companion") -> "Stream":
        return companion.count(self.checkpoint, dataclasses.asdict(self.method))

    def parse(self, event: Mapping[str, Any]) -> Counted:
        return counted(event, self.method)


class CompanionClient(Generic[AnswerT]):
    """One request at a time; the newest answer is kept, an older request is cancelled."""

    def __init__(self, companion: "Callable[[], Companion]", on_change: Callable[[], None]) -> None:
        """`on_change` is called whenever there is something else to show."""
        self._companion = companion
        self._on_change = on_change
        self._request: CompanionRequest[AnswerT] | None = None
        self._task: asyncio.Task[None] | None = None
        self._answered_request: CompanionRequest[AnswerT] | None = None
        """The request that the answer, or the error, is the answer to."""
        self.answer: AnswerT | None = None
        """To the newest request that was answered."""
        self.error: EngineError | None = None

    @property
    def current(self) -> bool:
        """Whether what is known answers what was asked last."""
        return self._request is not None and self._answered_request == self._request

    @property
    def current_answer(self) -> AnswerT | None:
        """The answer, where it is to what was asked last."""
        return self.answer if self.current else None

    def ask(self, request: CompanionRequest[AnswerT]) -> None:
        """Ask soon, unless that was asked already."""
        if self._request == request:
            return
        self.stop()
        self._request = request
        self._task = asyncio.create_task(self._answer(request))

    def stop(self) -> None:
        """Ask no more, and want no answer."""
        self._request = None
        if self._task is not None:
            self._task.cancel()

    async def _answer(self, request: CompanionRequest[AnswerT]) -> None:
        await asyncio.sleep(STILL_SECONDS)
        answer, error = None, None
        try:
            answer = request.parse(await request.send(self._companion()).last())
        except EngineError as failure:
            error = failure
        self.answer, self.error, self._answered_request = answer, error, request
        self._on_change()
