"""The rows that are trained on: what was made and what a person decided of it, put together.

Owns which rows are accepted. A decision counts for the round of the outcome that was looked at. An
edit takes the row's place where it passes the gates; one that does not, and a row that a gate holds
back, counts where the reviewer accepted it all the same. Writing them is for
`engine.synthesis.row_files`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.data.source_groups import GROUP, name_group
from engine.synthesis.outcomes import Outcome, Reason
from engine.synthesis.reviews import Review
from engine.synthesis.source_rows import SourceRow

Standing = Literal["accepted", "edited", "edit held back", "rejected", "ask again", "undecided"]
"""What a person's decision makes of an outcome. `edit held back`: by a gate, and not accepted all
the same. `undecided`: there is no decision, or none that holds."""


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """A row as it is written, and what it comes from."""

    row: dict[str, Any]
    """Its fields in order, then `group`."""
    source: SourceRow
    outcome: Outcome
    review: Review | None
    """None: reviewed by nobody, and written because all rows that passed are."""

    @property
    def edited(self) -> bool:
        return self.review is not None and bool(self.review.row)

    @property
    def overruled(self) -> tuple[Reason, ...]:
        """Gates that the row does not pass, in spite of which the reviewer accepted it."""
        if self.review is not None and self.review.row:
            return self.review.reasons
        return self.outcome.reasons


def find_standing(outcome: Outcome, review: Review | None) -> Standing:
    """What a decision makes of an outcome; `undecided` where it was on an earlier round, and where
    a row is accepted that there is not."""
    if review is None or review.round != outcome.round:
        return "undecided"
    match review.decision:
        case "reject":
            return "rejected"
        case "ask again":
            return "ask again"
        case "edit" if review.row:
            return "edit held back" if review.reasons else "edited"
        case "accept" if review.row:
            return "edited"
        case "accept" if outcome.row:
            return "accepted"
        case _:
            return "undecided"


def accepted(
    sources: Sequence[SourceRow],
    outcomes: Mapping[str, Outcome],
    reviews: Mapping[str, Review],
    accept_all: bool = False,
) -> Iterator[AcceptedRow]:
    """The accepted rows in the order of their sources.

    Outcomes and reviews are by source, as `read_outcomes` and `read_reviews` give them.
    `accept_all`: undecided rows that passed every gate as well.
    """
    groups = unite_groups(sources)
    for source in sources:
        outcome = outcomes.get(source.id)
        if outcome is None:
            continue
        review = reviews.get(source.id)
        is_decided = find_standing(outcome, review) != "undecided"
        row = find_row(outcome, review) if is_decided or accept_all else {}
        if row:
            fields = {name: value for name, value in row.items() if name != GROUP}
            group = name_group(groups[source.group])
            yield AcceptedRow(
                {**fields, GROUP: group}, source, outcome, review if is_decided else None
            )


def find_row(outcome: Outcome, review: Review | None) -> Mapping[str, Any]:
    """The row that stands for a source: as a person accepted it, or as it passed where none has
    decided; else empty."""
    standing = find_standing(outcome, review)
    if standing == "edited" and review is not None:
        return review.row
    is_row = standing == "accepted" or (standing == "undecided" and outcome.state == "passed")
    return outcome.row if is_row else {}


def unite_groups(sources: Sequence[SourceRow]) -> dict[str, str]:
    """The group of each source's group: the same for all that have a text in common, since a text
    that was read twice is one source. An empty one says nothing."""
    first_with: dict[str, str] = {}
    parents: dict[str, str] = {}
    for source in sources:
        parents.setdefault(source.group, source.group)
        text = " ".join(source.text.split())
        other = first_with.setdefault(text, source.group) if text else source.group
        one, other = _find_root(parents, source.group), _find_root(parents, other)
        parents[one] = other
    return {group: _find_root(parents, group) for group in parents}


def _find_root(parents: dict[str, str], group: str) -> str:
    while parents[group] != group:
        parents[group] = group = parents[parents[group]]
    return group
