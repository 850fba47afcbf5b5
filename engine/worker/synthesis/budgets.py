"""When a job that makes data has spent what it may."""

from engine.recipes.synthesis_settings import Budget
from engine.synthesis.tally import find_price
from engine.worker.inference.endpoint_replies import TokenUsage


def find_reached(budget: Budget, rows: int, spent: TokenUsage, minutes: float) -> str:
    """The name of a budget that is used up; empty where there is none.

    `rows` that passed; `spent` by all answers, also of sources that are not finished; `minutes` of
    all attempts.
    """
    used = {
        "rows": (rows, budget.rows),
        "tokens": (spent.read + spent.written, budget.tokens),
        "minutes": (minutes, budget.minutes),
        "price": (find_price(spent.read, spent.written, budget) or 0.0, budget.price),
    }
    return next((name for name, (now, limit) in used.items() if limit and now >= limit), "")
