"""Whether a job that begins badly pauses, so that nothing more is spent on it unseen."""

from collections.abc import Iterable

from engine.synthesis.outcomes import Outcome


def count_leading_bad(outcomes: Iterable[Outcome]) -> int:
    """How many of the first outcomes gave no row that passed, up to the first that did."""
    count = 0
    for outcome in outcomes:
        if outcome.state == "passed":
            break
        count += 1
    return count


def must_pause(outcomes: Iterable[Outcome], pause_after: int) -> bool:
    """Whether at least `pause_after` outcomes (0: never), and all there are, are bad.

    `outcomes`: since the job began, or since it was resumed from a pause: who resumes it has seen
    the ones before. In the order in which they came.
    """
    if not pause_after:
        return False
    known = list(outcomes)
    return len(known) >= pause_after and count_leading_bad(known) == len(known)
