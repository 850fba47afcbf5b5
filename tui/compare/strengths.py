"""One adapter at several strengths, for one prompt: made once, then looked through with keys."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.answer_parts import AnswerParts
from engine.compare.answer_length import Behaviour
from tui.glyphs import Glyphs
from tui.screens.answer_lines import answer_lines
from tui.screens.answer_side import parts_of_sample
from tui.styled_text import Line, Piece

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class StrengthAnswer:
    """An answer at a strength."""

    strength: float
    parts: AnswerParts = AnswerParts("")
    behaviour: Behaviour | None = None
    """None: it is not there yet."""
    sample: Mapping[str, Any] | None = None
    """The answer as the companion keeps it."""


@dataclass(frozen=True, slots=True)
class StrengthSweep:
    """The answers that there are; `at` is which of them is looked at."""

    answers: tuple[StrengthAnswer, ...] = tuple(map(StrengthAnswer, STRENGTHS))
    trouble: str = ""
    subject: object = None
    """What it is made for: another prompt or arm needs another sweep."""

    @property
    def busy(self) -> bool:
        """Whether more of them are being made."""
        made = all(answer.behaviour is not None for answer in self.answers)
        return bool(self.subject) and not self.trouble and not made

    def cancelled(self) -> "StrengthSweep":
        """What there is stays; whoever asks again has all of them made anew."""
        return replace(self, trouble="cancelled", subject=None) if self.busy else self

    def heard(self, event: Mapping[str, Any]) -> "StrengthSweep":
        """With the answer at one strength, as the companion tells of it."""
        strength, sample = event["strength"], event["sample"]
        new = StrengthAnswer(
            strength, parts_of_sample(sample), Behaviour(**event["behaviour"]), sample
        )
        return replace(
            self,
            answers=tuple(
                new if answer.strength == strength else answer for answer in self.answers
            ),
        )

    def lines(self, at: int, glyphs: Glyphs) -> list[Line]:
        answer = self.answers[at]
        if answer.behaviour is None:
            return [[(self.trouble or "generating...", "warn" if self.trouble else "dim")]]
        return answer_lines(answer.parts, glyphs)

    def foot(self, at: int) -> Line:
        answer = self.answers[at]
        behaviour = answer.behaviour
        words = f"{behaviour.words} word{'s' * (behaviour.words != 1)}" if behaviour else "pending"
        line: list[Piece] = [(f" strength {answer.strength:g}: {words}", "dim")]
        return [*line, (f", {behaviour.ended}", "dim")] if behaviour else line

    def panel(self, at: int, name: Piece) -> list[Line]:
        """The strengths, the chosen one between marks, those that are not there yet faint."""
        line: list[Piece] = [(" strength of ", "strong"), name, ("  ", "")]
        for place, answer in enumerate(self.answers):
            there = answer.behaviour is not None
            text = f"{answer.strength:g}"
            if place == at:
                line.append((f"[{text}]", "pick"))
            else:
                line.append((f" {text} ", "" if there else "dim"))
        made = sum(answer.behaviour is not None for answer in self.answers)
        if self.trouble:
            line.append((f"  {self.trouble}", "warn"))
        elif not self.subject:
            line.append(("  send first: ctrl+s", "dim"))
        elif made < len(self.answers):
            line.append((f"  {made} of {len(self.answers)} generated, esc cancel", "dim"))
        else:
            line.append((f"  {self._turns()}", "dim"))
        return [line]

    def _turns(self) -> str:
        """Between which strengths the answer turns."""
        turns = [
            f"{low.strength:g}-{high.strength:g}"
            for low, high in itertools.pairwise(self.answers)
            if low.parts != high.parts
        ]
        if not turns:
            return "the answer does not change"
        pairs = itertools.combinations(self.answers, 2)
        if all(one.parts != other.parts for one, other in pairs):
            return f"all {len(self.answers)} answers differ"
        return f"the answer changes at {', '.join(turns)}"
