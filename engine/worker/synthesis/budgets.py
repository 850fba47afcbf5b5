"""What a job that makes data may spend, what it has spent, and how fast it comes along."""

import time
from dataclasses import dataclass, field

from engine.recipes.synthesis_settings import Budget
from engine.worker.inference.endpoint_replies import TokenUsage


def find_price(spent: TokenUsage, budget: Budget) -> float | None:
    """What so many tokens cost; None where the recipe names no price."""
    if not budget.input_price and not budget.output_price:
        return None
    return (spent.read * budget.input_price + spent.written * budget.output_price) / 1e6


def find_reached(budget: Budget, rows: int, spent: TokenUsage, minutes: float) -> str:
    """The name of a budget that is used up; empty where there is none."""
    price = find_price(spent, budget) or 0.0
    used = {
        "rows": (rows, budget.rows),
        "tokens": (spent.read + spent.written, budget.tokens),
        "minutes": (minutes, budget.minutes),
        "price": (price, budget.price),
    }
    return next((name for name, (now, limit) in used.items() if limit and now >= limit), "")


@dataclass(slots=True)
class Pace:
    """How many sources were finished since this attempt asked its first question."""

    began: float = field(default_factory=time.monotonic)
    finished: int = 0
    passed: int = 0

    @property
    def seconds(self) -> float:
        return max(1e-6, time.monotonic() - self.began)

    @property
    def passed_per_minute(self) -> float:
        return 60 * self.passed / self.seconds

    def find_seconds_left(self, sources: int, rows: int | None) -> float | None:
        """Until so many sources are finished, or so many rows passed, whichever is first."""
        times = [sources * self.seconds / self.finished] if self.finished else []
        if rows is not None and self.passed:
            times.append(rows * self.seconds / self.passed)
        return min(times, default=None)
