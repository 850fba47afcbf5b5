"""How long a run has still to go: its steps, evaluations and saves, by what each took until now.

It is told what happens and when, and reads no clock, so that recorded times can be played to it.
Before its first evaluation and save a run takes what they took in an earlier attempt, else an
estimate: a token that is read costs a third of one that is trained on, a save its bytes at
`SAVE_SPEED`. What such an evaluation answers in samples is not in the estimate. Whether the run
will end early nobody knows.
"""

from collections.abc import Collection
from dataclasses import dataclass

from engine.jobs.status import MEASURED

READ_SHARE = 1 / 3
"""Of the time of a token that is trained on, forward and backward, that reading it takes."""
SAVE_SPEED = 2e8
"""Bytes a second of a disk, before a save was measured."""


@dataclass(slots=True)
class Cost:
    """What something takes each time, in seconds."""

    expected: float = 0.0
    """Before it was measured; 0 where nothing is known."""
    spent: float = 0.0
    count: int = 0

    @property
    def seconds(self) -> float:
        """The mean of what was measured, else what is expected."""
        return self.spent / self.count if self.count else self.expected

    def add(self, seconds: float) -> None:
        self.spent += seconds
        self.count += 1


@dataclass(slots=True)
class _Part:
    """A part of an evaluation that is under way."""

    name: str
    began: float
    done: int = 0
    total: int = 0


class TimeLeft:
    """Of one attempt. All times are seconds of one monotonic clock."""

    def __init__(
        self,
        *,
        evaluation: float = 0.0,
        saving: float = 0.0,
        evaluation_tokens: int = 0,
        save_bytes: float = 0.0,
    ) -> None:
        """`evaluation` and `saving` are seconds in an earlier attempt, 0 where there was none;
        `evaluation_tokens` are those that an evaluation reads."""
        self.evaluation, self.saving = Cost(evaluation), Cost(saving or save_bytes / SAVE_SPEED)
        self._evaluation_tokens = evaluation_tokens
        self._parts: dict[str, float] = {}
        """What each part of the last evaluation took, in order."""
        self._ended: set[str] = set()
        """Parts of the evaluation that is under way."""
        self._part: _Part | None = None
        self._evaluating = self._saving = -1.0
        """When it began; below 0 where it is not under way."""
        self._began, self._paused = 0.0, 0.0
        self._first = self._step = self._total = 0
        self._first_tokens = self._tokens = 0
        self._evaluations: Collection[int] = ()
        self._saves: Collection[int] = ()
        self._last_save = -1
        self.has_begun = False

    def begin(
        self,
        step: int,
        total: int,
        evaluations: Collection[int],
        saves: Collection[int],
        tokens: int,
        now: float,
    ) -> None:
        """Training begins after `step`, which has seen `tokens`; the others are steps."""
        self._first = self._step = step
        self._total, self._evaluations, self._saves = total, evaluations, saves
        self._first_tokens = self._tokens = tokens
        self._began, self._paused, self._last_save = now, 0.0, step
        self.has_begun = True

    def advance(self, step: int, tokens: int, now: float) -> None:
        """A step has ended."""
        self._step, self._tokens = step, tokens

    def start_evaluation(self, now: float) -> None:
        self._evaluating, self._part = now, None
        self._ended.clear()

    def tick(self, name: str, done: int, total: int, now: float) -> None:
        """So much of a part of the evaluation is done; `total` is 0 where nobody knows."""
        if self._part is None or self._part.name != name:
            self._end_part(now)
            self._part = _Part(name, now)
        self._part.done, self._part.total = done, total

    def end_evaluation(self, now: float, *, whole: bool = True) -> None:
        """It has ended; not `whole` where a stop came between."""
        if self._evaluating < 0:
            return
        self._end_part(now)
        seconds = now - self._evaluating
        self._paused += seconds
        self._evaluating = -1.0
        if whole:
            self.evaluation.add(seconds)

    def start_saving(self, now: float) -> None:
        self._saving = now

    def end_saving(self, now: float) -> None:
        self.saving.add(now - self._saving)
        self._paused += now - self._saving
        self._saving, self._last_save = -1.0, self._step

    def tokens_per_second(self, now: float) -> float:
        """Of training itself, without evaluations and saves; 0 before the first step."""
        steps, training = self._step - self._first, self._training(now)
        return (self._tokens - self._first_tokens) / training if steps and training > 0 else 0.0

    def part_left(self, now: float) -> float | None:
        """Of the part of the evaluation that is under way, or the save; None where not known."""
        if self._saving >= 0:
            return max(0.0, self.saving.seconds - (now - self._saving))
        part = self._part
        if self._evaluating < 0 or part is None:
            return None
        spent, past = now - part.began, self._parts.get(part.name, 0.0)
        if past > spent:  # rows come by their length, so what is done tells less at first
            return past - spent
        if part.done and part.total and spent > 0:
            return spent / part.done * max(0, part.total - part.done)
        return 0.0 if past else None

    def left(self, now: float, *, pending: bool = False) -> float | None:
        """Of all that is to come, the save of the result too; None before the first step.

        `pending` is whether the evaluation of this step is still to begin.
        """
        steps = self._step - self._first
        if not self.has_begun or (not steps and self._step < self._total):
            return None
        each = self._training(now) / steps if steps else 0.0
        evaluations = sum(step > self._step for step in self._evaluations)
        evaluations += pending and self._evaluating < 0
        saves = sum(step > self._last_save for step in self._saves) + 1
        if self._saving >= 0 and (self._step in self._saves or self._step >= self._total):
            saves -= 1  # this one; that of a best step comes beside those that are planned
        return (
            each * (self._total - self._step)
            + self._evaluation_seconds(now) * evaluations
            + self._evaluation_left(now)
            + self.saving.seconds * saves
            + (self.part_left(now) or 0.0 if self._saving >= 0 else 0.0)
        )

    @property
    def basis(self) -> str:
        """What the time of an evaluation was taken from, in words."""
        if self.evaluation.count:
            return MEASURED
        if self.evaluation.expected:
            return "evaluations as in an earlier attempt"
        return "evaluations estimated"

    def _training(self, now: float) -> float:
        """Seconds of steps alone since training began."""
        under_way = max(self._evaluating, self._saving)
        return (now if under_way < 0 else under_way) - self._began - self._paused

    def _evaluation_seconds(self, now: float) -> float:
        if self.evaluation.count or self.evaluation.expected:
            return self.evaluation.seconds
        speed = self.tokens_per_second(now)
        return self._evaluation_tokens * READ_SHARE / speed if speed else 0.0

    def _evaluation_left(self, now: float) -> float:
        """Of the evaluation under way: its part, and those parts that the last one had as well."""
        if self._evaluating < 0:
            return 0.0
        under_way = self._part.name if self._part else ""
        others = sum(
            seconds
            for name, seconds in self._parts.items()
            if name not in self._ended and name != under_way
        )
        part = self.part_left(now)
        if part is None or not self._parts:  # the first one: its other parts are not known
            whole = self._evaluation_seconds(now) - (now - self._evaluating)
            return max(0.0, whole, part or 0.0)
        return part + others

    def _end_part(self, now: float) -> None:
        if self._part is not None:
            self._parts[self._part.name] = now - self._part.began
            self._ended.add(self._part.name)
        self._part = None
