"""Which sources of a job are still to be asked about: those without an outcome, those that a
reviewer wants asked again, and those whose generator did not answer.

The same for the worker, which asks them, and for whoever says whether there is anything to resume.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.jobs.directory import JobDirectory
from engine.synthesis.outcomes import Outcome, read_outcomes
from engine.synthesis.reviews import Review, read_reviews
from engine.synthesis.source_rows import SourceRow, read_sources

NO_ANSWER = "no answer"
"""The reason of a source whose questions the generator's server failed to answer: nothing is wrong
of the source, so that resuming asks about it again."""


@dataclass(frozen=True, slots=True)
class RemainingSource:
    source: SourceRow
    round: int = 0
    """How often a reviewer had it asked again."""
    before: Outcome | None = None
    """The outcome that no longer holds."""


def find_remaining(
    sources: Iterable[SourceRow], outcomes: Mapping[str, Outcome], reviews: Mapping[str, Review]
) -> list[RemainingSource]:
    """The sources that are still to be asked about, in order."""
    remaining = []
    for source in sources:
        outcome, review = outcomes.get(source.id), reviews.get(source.id)
        if outcome is None:
            remaining.append(RemainingSource(source))
        elif (
            review is not None and review.decision == "ask again" and review.round == outcome.round
        ):
            remaining.append(RemainingSource(source, outcome.round + 1, outcome))
        elif is_unanswered(outcome):
            remaining.append(RemainingSource(source, outcome.round, outcome))
    return remaining


def is_unanswered(outcome: Outcome) -> bool:
    """Whether it was set aside for nothing but a server that did not answer."""
    return outcome.state == "set aside" and {one.name for one in outcome.reasons} == {NO_ANSWER}


def read_remaining(job: JobDirectory) -> list[RemainingSource]:
    """The same of a job's own files. Raises EngineError."""
    return find_remaining(
        read_sources(job.sources), read_outcomes(job.outcomes), read_reviews(job.reviews)
    )
