"""The two phases of pre-training: all skills alike, then more of those that are hard to learn."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.demo.making.corpus.stream import HARDER, MIX


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training with one mix of skills and one course of the learning rate."""

    steps: int
    step_tokens: int
    """Tokens read in one optimiser step, about."""
    mix: Mapping[str, int]
    top: float
    """Share of the highest learning rate, reached after 2 % of the phase."""
    level: float
    """Part of the phase until which the rate stays there, before it falls in a line."""
    end: float
    """Share of the highest learning rate at the end of the phase."""

    def share(self, progress: float) -> float:
        """The share of the highest learning rate at `progress`, 0 to 1, of the phase."""
        if progress < 0.02:
            return self.top * (progress + 1e-4) / 0.02
        fallen = max(0.0, progress - self.level) / (1 - self.level)
        return self.top + (self.end - self.top) * min(1.0, fallen)


PHASES = (
    Phase(960, 10_240, MIX, top=1.0, level=0.6, end=0.55),
    Phase(1205, 5_120, HARDER, top=0.6, level=0.2, end=0.0),
)
