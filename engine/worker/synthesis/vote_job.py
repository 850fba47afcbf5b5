"""What becomes of the pairs that people voted on: nobody is asked, votes and gates decide."""

from collections.abc import Sequence

from engine.synthesis.outcomes import Outcome, append_outcomes
from engine.synthesis.remaining import RemainingSource
from engine.synthesis.vote_pairs import decide_pair
from engine.worker.attempt import Attempt, Stopped
from engine.worker.synthesis.row_judging import RowJudging


def decide_votes(
    attempt: Attempt,
    remaining: Sequence[RemainingSource],
    judging: RowJudging,
    outcomes: dict[str, Outcome],
) -> None:
    """Add the outcomes of the sources that remain. Raises Stopped, and OSError."""
    total = len(outcomes) + len(remaining)
    for one in remaining:
        if attempt.stop_requested():
            raise Stopped
        outcome = _decide(one, judging)
        append_outcomes(attempt.directory.outcomes, [outcome])
        outcomes[outcome.source] = outcome
        attempt.progress(len(outcomes), total, message="deciding by votes")


def _decide(one: RemainingSource, judging: RowJudging) -> Outcome:
    decided = decide_pair(one.source, one.round)
    if not decided.row:
        judging.forget(one.source)
        return decided
    findings = judging.judge(one.source, decided.row, cut=0)
    return Outcome(
        decided.source,
        "held back" if findings.reasons else "passed",
        decided.row,
        reasons=findings.reasons,
        unjudged=findings.unjudged,
        round=decided.round,
    )
