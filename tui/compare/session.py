"""Asks the companion for the answers of up to four arms, and for what is measured of them.

Owns the sides and the requests that are under way; draws nothing. All methods belong to the event
loop, and none of them waits for a model. What comes for a question that is over is not heard.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.chat import Message, Tools
from engine.compare import samples
from engine.compare.arms import format_arm, parse_arm
from engine.compare.samples import Sample
from engine.compare.token_shift import from_table
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.text import one_line
from tui.compare.difference_strip import Facts
from tui.compare.strengths import STRENGTHS, StrengthSweep
from tui.screens.answer_side import Side, Span, TokenPieces, spans_of, told

if TYPE_CHECKING:
    from tui.companion import Companion, Stream

MOST_ARMS = 4


class CompareSession:
    """The sides of a comparison. `changed` is called, often, whenever one of them is another."""

    def __init__(self, companion: "Callable[[], Companion]", changed: Callable[[], None]) -> None:
        self.sides: list[Side] = []
        self._companion = companion
        self._changed = changed
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams: set[Stream] = set()
        self.sweep = StrengthSweep()
        """The strengths of one side's adapter, once somebody has asked for them."""
        self._series: Stream | None = None
        """What makes them; an earlier one is not heard."""
        self.facts: Facts | None = None
        """How the arms differ, as far as the companion has told."""
        self._tools: Tools = ()
        """The prompt's own."""
        self._round = 0
        """Counts questions: an event of an earlier one changes nothing."""

    @property
    def busy(self) -> bool:
        return any(side.busy for side in self.sides)

    def set_sides(self, sides: Sequence[Side]) -> None:
        """Others answer from now on."""
        self.cancel()
        self._round += 1
        self.sweep = StrengthSweep()
        if [side.arm for side in self.sides] != [side.arm for side in sides]:
            self.facts = None
        self.sides = list(sides)

    def clear(self) -> None:
        """The same sides, with nothing asked yet."""
        self.set_sides([Side(side.arm, side.label) for side in self.sides])

    def ask(self, messages: tuple[Message, ...], decode: Decode, tools: Tools = ()) -> None:
        """A new prompt; `tools` are its own, for arms of which some may have others."""
        self._tools = tools
        self._begin([side.asked(messages) for side in self.sides], decode)

    def follow(self, text: str, decode: Decode) -> None:
        """The next turn of every conversation."""
        self._begin([side.followed(text) for side in self.sides], decode)

    def cancel(self) -> None:
        """End what is asked, at once: a model in the middle of a step is not waited for."""
        for stream in self._streams:
            stream.cancel()
        self.sweep, self._series = self.sweep.cancelled(), None
        self.sides = [side.cancelled() for side in self.sides]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def measure(self) -> list[asyncio.Task[None]]:
        """The token shift of every answer against the first side, where it is not known yet."""
        return [
            self._start(self._measure(at, self._round))
            for at, side in enumerate(self.sides)
            if at and side.shift is None and not side.shift_trouble
        ]

    def rate(self, at: int, decode: Decode) -> None:
        """The answers of a side's adapter at several strengths, where they are not there yet."""
        subject = (self._round, at)
        if self.sweep.subject != subject and self.sides[at].said:
            self.sweep = StrengthSweep(subject=subject)
            self._start(self._read_sweep(at, self._round, decode))

    def spell(self) -> None:
        """The token ids and pieces of every answer."""
        for at, side in enumerate(self.sides):
            if side.sample is not None and not side.pieces.answer:
                self._start(self._spell(at, self._round))

    def _begin(self, sides: list[Side], decode: Decode) -> None:
        self.cancel()
        self._round += 1
        self.sweep = StrengthSweep()
        self.sides = sides
        self._start(self._read_facts(self._round, decode))
        for at in range(len(sides)):
            self._start(self._answer(at, self._round, decode))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, at: int, asked_in: int, decode: Decode) -> None:
        """Stream one side's answer; the last to end has them measured."""
        side = self.sides[at]
        decoding = dataclasses.asdict(side.arm.decoding(decode))
        stream = self._companion().generate(
            format_arm(side.arm), _table(side.said), decoding, tools=self._tools
        )
        self._streams.add(stream)
        try:
            async for event in stream:
                if self._round != asked_in:
                    stream.cancel()
                    continue
                self.sides[at] = told(self.sides[at], event)
                self._changed()
        except EngineError as error:
            if self._round == asked_in:
                trouble = (error.title, error.detail, error.hint)
                self.sides[at] = self.sides[at].failed(trouble)
                self._changed()
        finally:
            self._streams.discard(stream)
        cut = any(side.behaviour and side.behaviour.finish == "cancelled" for side in self.sides)
        if self._round == asked_in and not self.busy and not cut:
            self._start(self._weigh(asked_in, decode))

    async def _weigh(self, asked_in: int, decode: Decode) -> None:
        """What takes the models a pass, once all have answered: first what a view waits for."""
        await asyncio.gather(*self.measure())
        if self._round == asked_in and sum(not side.arm.is_endpoint for side in self.sides) > 1:
            await self._read_facts(asked_in, decode, probe=True)

    async def _read_facts(self, asked_in: int, decode: Decode, *, probe: bool = False) -> None:
        """What differs between the arms; with `probe`, which of them have the same weights."""
        arms, messages = [format_arm(side.arm) for side in self.sides], _asked(self.sides[0])
        settings = dataclasses.asdict(decode)
        stream = self._companion().facts(
            arms, _table(messages), settings, probe=probe, tools=self._tools
        )
        try:
            event = await self._last(stream)
        except EngineError:
            return  # the panes say what is wrong
        if self._round == asked_in and "differences" in event:
            self.facts = event
            self._changed()

    async def _measure(self, at: int, asked_in: int) -> None:
        first, side = self.sides[0], self.sides[at]
        if first.arm.is_endpoint or not _has_ids(side):
            return
        assert side.sample is not None
        shift, trouble = None, ""
        arms = format_arm(first.arm), format_arm(side.arm)
        try:
            event = await self._last(self._companion().shift(*arms, side.sample))
            if event["shift"] is not None:
                shift = from_table(event["shift"])
        except EngineError as error:
            trouble = " ".join(part for part in (error.title, error.detail) if part)
        if self._round == asked_in and self.sides[at].sample is side.sample:
            new = replace(self.sides[at], shift=shift, shift_trouble=one_line(trouble))
            self.sides[at] = new
            self._changed()

    async def _spell(self, at: int, asked_in: int) -> None:
        side = self.sides[at]
        assert side.sample is not None
        arm = format_arm(side.arm)
        try:
            prompt, answer = [
                spans_of(await self._companion().pieces(arm, list(side.sample[ids])))
                for ids in ("prompt_ids", "output_ids")
            ]
        except EngineError as error:
            prompt, answer = (), (Span(f"{error.title} {error.detail}", ()),)
        if self._round == asked_in and self.sides[at].sample is side.sample:
            self.sides[at] = replace(self.sides[at], pieces=TokenPieces(prompt, answer))
            self._changed()

    async def _read_sweep(self, at: int, asked_in: int, decode: Decode) -> None:
        side = self.sides[at]
        decoding = dataclasses.asdict(side.arm.decoding(decode))
        stream = self._companion().strengths(
            format_arm(side.arm), _table(_asked(side)), decoding, STRENGTHS, tools=self._tools
        )
        self._streams.add(stream)
        try:
            async for event in stream:
                if self._round != asked_in:
                    stream.cancel()
                elif event["event"] == "answer":
                    self.sweep = self.sweep.heard(event)
                    self._changed()
        except EngineError as error:
            if self._round == asked_in and self._series is stream:
                self.sweep = replace(self.sweep, trouble=one_line(error.title))
                self._changed()
        finally:
            self._streams.discard(stream)

    async def _last(self, stream: "Stream") -> dict[str, Any]:
        """The `done` of a request, which ends early where the question is over."""
        self._streams.add(stream)
        try:
            return await stream.last()
        finally:
            self._streams.discard(stream)


def _table(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [message.to_json() for message in messages]


def _asked(side: Side) -> tuple[Message, ...]:
    """The conversation that a side's last answer was given to."""
    return side.said[:-1] if side.answered else side.said


def _has_ids(side: Side) -> bool:
    return side.sample is not None and bool(side.sample.get("output_ids"))


def round_of(sides: Sequence[Side], sweep: StrengthSweep, prompt_id: str) -> list[Sample]:
    """All that was answered in this round, arm by arm. At a strength an arm is called by that."""
    answers = [samples.from_table(side.sample) for side in sides if side.sample is not None]
    for answer in sweep.answers:
        if answer.sample is not None:
            sample = samples.from_table(answer.sample)
            arm = parse_arm(sample.arm)
            arm = replace(arm, name=f"{arm.name} at {answer.strength:g}")
            answers.append(replace(sample, arm=format_arm(arm)))
    return [replace(sample, prompt_id=prompt_id) for sample in answers]
