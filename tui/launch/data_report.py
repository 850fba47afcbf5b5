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
RequestT = TypeVar("RequestT")


@dataclass(frozen=True, slots=True)
class DataReportRequest:
    """What is learned of this data, split by this seed, with that mixed in, by this checkpoint?"""

    checkpoint: str
    data: Data
    seed: int
    replay: Replay = Replay()


@dataclass(frozen=True, slots=True)
class CountRequest:
    """How many parameters has this model, and how many does this method learn?"""

    checkpoint: str
    method: Method


class _CompanionClient(Generic[RequestT]):
    """One request at a time; the newest answer is kept, an older request is cancelled."""

    def __init__(self, companion: "Callable[[], Companion]", on_change: Callable[[], None]) -> None:
        """`on_change` is called whenever there is something else to show."""
        self._companion = companion
        self._on_change = on_change
        self._request: RequestT | None = None
        self._task: asyncio.Task[None] | None = None
        self.answered_request: RequestT | None = None
        """The request that the answer, or the trouble, is the answer to."""
        self.answer: Mapping[str, Any] | None = None
        self.trouble: EngineError | None = None

    def send(self, companion: "Companion", request: RequestT) -> "Stream":
        """Send the request."""
        raise NotImplementedError

    @property
    def current(self) -> bool:
        """Whether what is known answers what was asked last."""
        return self._request is not None and self.answered_request == self._request

    def ask(self, request: RequestT) -> None:
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

    async def _answer(self, request: RequestT) -> None:
        await asyncio.sleep(STILL_SECONDS)
        answer, trouble = None, None
        try:
            answer = await self.send(self._companion(), request).last()
        except EngineError as error:
            trouble = error
        self.answer, self.trouble, self.answered_request = answer, trouble, request
        self._on_change()


class DataReportClient(_CompanionClient[DataReportRequest]):
    def send(self, companion: "Companion", request: DataReportRequest) -> "Stream":
        return companion.inspect(
            request.checkpoint,
            dataclasses.asdict(request.data),
            rows=ROWS,
            templates=True,
            seed=request.seed,
            replay=dataclasses.asdict(request.replay),
        )

    @property
    def report(self) -> Report | None:
        """Of the newest request that was answered, as `engine.worker.data.report` makes it."""
        return self.answer["report"] if self.answer is not None else None


class CountClient(_CompanionClient[CountRequest]):
    def send(self, companion: "Companion", request: CountRequest) -> "Stream":
        return companion.count(request.checkpoint, dataclasses.asdict(request.method))

    @property
    def counted(self) -> Counted | None:
        """Of the newest request; nothing where it cannot be counted, as the launch will tell."""
        if self.answer is None or self.answered_request is None or not self.current:
            return None
        return counted(self.answer, self.answered_request.method)
