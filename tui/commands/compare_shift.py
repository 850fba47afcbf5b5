"""`finetop compare shift`: the token shift of a set of answers, in total and by position."""

import asyncio
from collections.abc import Sequence
from math import isfinite
from typing import Any

from engine.compare.answer_pairs import AnswerPair
from engine.compare.arms import parse_arm
from engine.compare.paired_stats import interval
from engine.compare.samples import to_table
from engine.compare.token_shift import KINDS, Shift, by_position, from_table
from engine.errors import EngineError, JobFailed
from engine.number_format import write_number, write_percent
from engine.text import one_line
from tui.formatting import NONE


async def measure(
    pairs: Sequence[AnswerPair], runs: str
) -> tuple[list[Shift], dict[str, EngineError]]:
    """The shift of each right answer against the left arm, one forward pass of each; and what
    could not be measured, by prompt. Raises EngineError where nothing could."""
    from tui.companion import Companion

    companion = Companion(runs=runs, warm=False)
    found: list[Shift] = []
    refused: dict[str, EngineError] = {}
    try:
        for pair in pairs:
            if any(parse_arm(one.arm).is_endpoint for one in (pair.left, pair.right)):
                raise EngineError("An endpoint returns no token ids and no logits.", pair.right.arm)
            try:
                asked = companion.shift(pair.left.arm, pair.right.arm, to_table(pair.right))
                found.append(from_table((await asked.last())["shift"]))
            except JobFailed:
                raise
            except EngineError as error:
                refused[pair.id] = error
    finally:
        await companion.close()
    if not found:
        raise next(iter(refused.values()), EngineError("No prompt has answers from both arms."))
    return found, refused


def report(shifts: Sequence[Shift], refused: dict[str, EngineError], bins: int) -> dict[str, Any]:
    """Shares of all tokens, their mean divergence, and the shifted ones by place in the answer.

    The interval is of the mean over answers of their share of shifted tokens.
    """
    tokens = [token for one in shifts for token in one.tokens]
    shares = [one.shares["shifted"] for one in shifts if one.tokens]
    low, high = interval(shares) if shares else (-float("inf"), float("inf"))
    return {
        "answers": len(shifts),
        "tokens": len(tokens),
        "greedy": all(one.greedy for one in shifts),
        "shares": {
            kind: sum(token.kind == kind for token in tokens) / max(1, len(tokens))
            for kind in KINDS
        },
        "kl": sum(token.kl for token in tokens) / max(1, len(tokens)),
        "shifted_by_answer": {
            "mean": sum(shares) / max(1, len(shares)), "low": low, "high": high, "n": len(shares),
        },
        "positions": [
            {"from": at / bins, "to": (at + 1) / bins, "tokens": count, "shifted": share}
            for at, (count, share) in enumerate(by_position(shifts, bins))
        ],
        "left_out": {prompt: str(error) for prompt, error in refused.items()},
    }  # fmt: skip


def lines(table: dict[str, Any], base: str, tuned: str) -> list[str]:
    """The report in words; names are clean."""
    shares = ", ".join(f"{kind} {write_percent(table['shares'][kind])}" for kind in KINDS)
    each = table["shifted_by_answer"]
    bounds = f"95% interval {write_percent(each['low'])} to {write_percent(each['high'])}"
    told = bounds if isfinite(each["low"]) else "too few for an interval"
    drawn = "" if table["greedy"] else "; sampled, so ranks are of sampled tokens"
    return [
        f"{tuned} under {base}: {table['tokens']:,} tokens of {table['answers']:,} answers{drawn}",
        f"{shares}; KL {write_number(table['kl'], 3)} nats/token",
        f"shifted in an answer: {write_percent(each['mean'])} ({told}, n={each['n']})",
        f"{'part of the answer':20}{'tokens':>8}{'shifted':>9}",
        *(
            f"{one['from']:>8.0%} to {one['to']:<8.0%}{one['tokens']:>8,}"
            + f"{NONE if one['shifted'] is None else write_percent(one['shifted']):>9}"
            for one in table["positions"]
        ),
        *(f"skipped: {one_line(f'{name}: {why}')}" for name, why in table["left_out"].items()),
    ]


def run(pairs: Sequence[AnswerPair], runs: str, bins: int) -> dict[str, Any]:
    """Measure and report. Raises EngineError."""
    return report(*asyncio.run(measure(pairs, runs)), bins)
