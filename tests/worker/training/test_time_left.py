"""The time that is left of a run, by recorded times that are played to it."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from engine.worker.training.time_left import READ_SHARE, SAVE_SPEED, TimeLeft

TOKENS = 640
"""Of a step."""


@dataclass
class Recording:
    """A run as it went, in seconds."""

    steps: list[float]
    evaluations: dict[int, dict[str, list[float]]]
    """At a step: of each part the seconds of its batches. At 0: before the first step."""
    saves: dict[int, float]
    result: float = 0.0
    now: float = 0.0

    @property
    def total(self) -> int:
        return len(self.steps)

    def play(self, left: TimeLeft) -> Iterator[tuple[float, int, float | None]]:
        """At each step and each batch: the clock, the step, and what is said to be left."""
        self.now = 0.0
        for _ in self._evaluate(left, 0):
            pass
        planned = set(self.evaluations) - {0}
        left.begin(0, self.total, planned, set(self.saves), 0, self.now)
        for step, seconds in enumerate(self.steps, 1):
            self.now += seconds
            left.advance(step, step * TOKENS, self.now)
            yield self.now, step, left.left(self.now, pending=step in planned)
            yield from self._evaluate(left, step)
            if step in self.saves:
                left.start_saving(self.now)
                yield self.now, step, left.left(self.now)
                self.now += self.saves[step]
                left.end_saving(self.now)
        left.start_saving(self.now)
        yield self.now, self.total, left.left(self.now)
        yield self.now + self.result, self.total, 0.0

    def _evaluate(self, left: TimeLeft, step: int) -> Iterator[tuple[float, int, float | None]]:
        if step not in self.evaluations:
            return
        left.start_evaluation(self.now)
        for name, batches in self.evaluations[step].items():
            for done, seconds in enumerate(batches):
                left.tick(name, done, len(batches), self.now)
                yield self.now, step, left.left(self.now)
                self.now += seconds
        left.end_evaluation(self.now)


def even(evaluation: float = 30.0, step: float = 4.0, save: float = 2.0) -> Recording:
    """12 steps, evaluated at 0, 4, 8 and 12 in two parts, saved at 6 and 12."""
    parts = {"evaluating": [evaluation / 20] * 10, "measuring forgetting": [evaluation / 10] * 5}
    return Recording([step] * 12, dict.fromkeys((0, 4, 8, 12), parts), {6: save, 12: save}, save)


def within(recording: Recording, left: TimeLeft, factor: float, share: float) -> None:
    """From `share` of the time on, what is said is the truth within a factor."""
    said = list(recording.play(left))
    end = said[-1][0]
    checked = [(end - now, told) for now, _, told in said[:-2] if now >= share * end]
    assert checked
    for truth, told in checked:
        assert told is not None
        # Close to the end a second more or less is no matter.
        assert told <= truth * factor + 1, (truth, told)
        assert told >= truth / factor - 1, (truth, told)


def test_an_even_run_is_told_to_the_second_once_all_was_seen() -> None:
    within(even(), TimeLeft(saving=2.0), 1.001, 0.25)


@pytest.mark.parametrize("evaluation", [3.0, 30.0, 300.0])
def test_long_evaluations_count_from_the_first_step_on(evaluation: float) -> None:
    """At half of the time, and anywhere between, the truth is met within a factor of 1.1."""
    within(even(evaluation), TimeLeft(), 1.1, 0.5)
    within(even(evaluation), TimeLeft(), 1.25, 0.3)


def test_uneven_times_are_met_within_a_factor() -> None:
    """Steps, batches and saves that vary by a third, and rows that come by their length."""
    drawn = random.Random(5)

    def vary(seconds: float) -> float:
        return seconds * drawn.uniform(0.67, 1.33)

    evaluations = {
        step: {
            "evaluating": [vary(0.4 * (at + 1)) for at in range(10)],
            "measuring forgetting": [vary(3.0) for _ in range(8)],
            "writing samples": [vary(0.2) for _ in range(drawn.randint(10, 40))],
        }
        for step in range(0, 101, 20)
    }
    saves = {step: vary(5.0) for step in (50, 100)}
    recording = Recording([vary(1.5) for _ in range(100)], evaluations, saves, 5.0)
    within(recording, TimeLeft(), 1.35, 0.5)


def test_before_the_first_evaluation_an_estimate_or_an_earlier_attempt_is_taken() -> None:
    resumed = Recording([4.0] * 12, {8: {"evaluating": [6.0] * 10}}, {12: 2.0}, 2.0)

    def at_step(left: TimeLeft, step: int) -> float:
        told = [one for _, at, one in resumed.play(left) if at == step]
        assert told[0] is not None
        return told[0]

    earlier = TimeLeft(evaluation=60.0, saving=2.0)
    assert at_step(earlier, 4) == pytest.approx(8 * 4 + 60 + 4)
    estimated = TimeLeft(evaluation_tokens=TOKENS * 30, save_bytes=4 * SAVE_SPEED)
    assert at_step(estimated, 4) == pytest.approx(8 * 4 + 30 * READ_SHARE * 4.0 + 8)
    assert TimeLeft().basis == "evaluations estimated"
    fresh = TimeLeft(evaluation=60.0)
    assert fresh.basis == "evaluations as in an earlier attempt"
    list(resumed.play(fresh))
    assert fresh.basis == "evaluations measured"


def test_an_evaluation_says_its_own_time_and_never_nothing_while_it_goes_on() -> None:
    left = TimeLeft()
    left.begin(0, 1, {1}, (), 0, 0.0)
    left.advance(1, TOKENS, 4.0)
    left.start_evaluation(4.0)
    left.tick("evaluating", 0, 10, 4.0)
    assert left.part_left(4.0) is None
    for done in range(1, 10):
        now = 4.0 + 3 * done
        left.tick("evaluating", done, 10, now)
        assert left.part_left(now) == pytest.approx(3 * (10 - done))
        told = left.left(now)
        assert told is not None
        assert told == pytest.approx(3 * (10 - done))
    left.end_evaluation(34.0)
    assert left.evaluation.seconds == 30
    assert left.tokens_per_second(34.0) == TOKENS / 4, "of training alone"


def test_a_stop_between_measures_no_evaluation() -> None:
    left = TimeLeft(evaluation=9.0)
    left.begin(0, 4, {2}, (), 0, 0.0)
    left.start_evaluation(0.0)
    left.end_evaluation(1.0, whole=False)
    assert left.evaluation.seconds == 9
    left.advance(1, TOKENS, 5.0)
    assert left.tokens_per_second(5.0) == TOKENS / 4


def test_nothing_is_said_before_the_first_step() -> None:
    left = TimeLeft(evaluation=9.0)
    assert left.left(0.0) is None
    left.begin(0, 4, {4}, (), 0, 0.0)
    assert left.left(0.0) is None
    left.begin(4, 4, (), (), 0, 0.0)
    assert left.left(0.0) == 0
