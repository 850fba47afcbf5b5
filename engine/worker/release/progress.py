"""How far an export is: its steps, what is done of the one at work, and the time that is left.

Steps differ in length, so each has a weight: one is taken to last as those of its kind did that
have ended, by their weights, or where none has, as all did. Before the first, nothing is said.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.worker.attempt import Attempt, Stopped

_TELLING = 0.1
"""The share of a step from which on it says how long the rest of it takes."""


@dataclass(frozen=True, slots=True)
class ExportStep:
    name: str
    """As it is shown: "merging", "proving gguf:q8_0"."""
    kind: str
    """Steps of one kind take as long for the same weight."""
    weight: float
    """How long it takes, in units of any kind that all steps share."""


class ExportProgress:
    """Of one attempt: it begins its steps in their order."""

    def __init__(self, attempt: Attempt, steps: Sequence[ExportStep]) -> None:
        self._attempt = attempt
        self._steps = steps
        self._at = -1
        self._step_began = time.monotonic()
        self._spent: list[float] = []
        """Seconds of each step that has ended."""

    def begin(self, name: str) -> None:
        """The next step, which must be this one. Raises Stopped."""
        now = time.monotonic()
        if self._at >= 0:
            self._spent.append(now - self._step_began)
        self._at += 1
        assert self._steps[self._at].name == name, "steps are done in their order"
        self._step_began = now
        self._attempt.log(name)
        self.tick(0, 0)

    def tick(self, done: int, total: int) -> None:
        """So much of the step is done; `total` is 0 where nobody knows. Raises Stopped."""
        self._show("", done, total, done / total if total else 0.0)

    def tick_part(self, part: str, done: int, total: int) -> None:
        """So much of one part of the step is done, of parts that nobody counted. Raises
        Stopped."""
        self._show(part, done, total, 0.0)

    def _show(self, part: str, done: int, total: int, share: float) -> None:
        if self._attempt.stop_requested():
            raise Stopped
        step = self._steps[self._at]
        now = time.monotonic()
        share = min(1.0, share)
        of_step = (now - self._step_began) * (1 - share) / share if share else None
        self._attempt.show_activity(part or step.name, done, total, of_step)
        message = f"{step.name}: {part}" if part else step.name
        left = self._left(share, now)
        self._attempt.progress(self._at, len(self._steps), message=message, eta_seconds=left)

    def end(self) -> None:
        """All is done."""
        self._attempt.show_activity("")
        self._attempt.progress(len(self._steps), len(self._steps), message="published")

    def _left(self, share: float, now: float) -> float | None:
        """Seconds until the last step ends; None where no step has ended."""
        if not self._spent:
            return None
        spent = now - self._step_began
        here = spent * (1 - share) / share if share > _TELLING else None
        if here is None:
            here = max(0.0, self._expect(self._steps[self._at]) - spent)
        return here + sum(self._expect(step) for step in self._steps[self._at + 1 :])

    def _expect(self, step: ExportStep) -> float:
        """Seconds that a step takes, by those that have ended."""
        ended = [*zip(self._steps, self._spent, strict=False)]
        alike = [(one, seconds) for one, seconds in ended if one.kind == step.kind] or ended
        weight = sum(one.weight for one, _ in alike)
        return step.weight * sum(seconds for _, seconds in alike) / weight
