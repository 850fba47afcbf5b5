"""What two arms' numbers and the votes on them say, in words: the same on screens and in commands.

Pure text, clean: names are cleaned here.
"""

from collections.abc import Mapping, Sequence
from math import isfinite

from engine.compare.call_checks import OUTCOMES
from engine.compare.paired_stats import BEGINS_WITH, MOST_KINDS, Kinds, PairedDifference
from engine.compare.votes import Vote, VoteCounts, agreement, mean_ratings, tally, tally_all
from engine.number_format import write_number, write_percent
from engine.text import one_line

SPOKEN_ONLY = "text metrics: answer text only"
_NOISE = 1e-9
"""Less than a difference of two means can be, but for rounding."""
_KINDS = 4
"""Of one side on a line, at most."""


def value(number: float, *, signed: bool = False) -> str:
    """A mean in at most seven cells."""
    if not isfinite(number):
        return "?"
    if abs(number) < _NOISE:
        number = 0.0
    return write_number(number, 1 if abs(number) >= 100 else 2, signed=signed)


def span(row: PairedDifference) -> str:
    """The interval of a difference; words where it would tell nothing or mislead."""
    if not isfinite(row.low):
        return "too few pairs"
    if row.low == row.high:
        return "no difference" if not row.low else "constant difference"
    return f"{value(row.low, signed=True)} to {value(row.high, signed=True)}"


def kinds_line(one: Kinds, arrow: str, ellipsis: str, width: int) -> str:
    """How many pairs differ, and the commonest kinds of each side, as many as `width` holds; none
    where those that it holds are the same on both sides.

    3 of 4 pairs differ: English 1, unknown 3 → English 1, unknown 3
    """
    quoted = one.name == BEGINS_WITH  # words, which may end in a number
    if one.prompts == 1:
        left, right = (next(iter(side), "unknown") for side in (one.left, one.right))
        return one_line(left if left == right else f"{left} {arrow} {right}")
    head = f"{len(one.drivers)} of {one.prompts} pairs differ" if one.drivers else (
        f"same in all {one.prompts} pairs"
    )  # fmt: skip
    sides = (one.left, one.right) if one.drivers else (one.left,)
    of_calls = one.group == "tool calls"  # where nothing is told, nothing was asked
    for most in range(len(OUTCOMES) if of_calls else _KINDS, 0, -1):
        counted = (sum(side.values()) if of_calls else one.prompts for side in sides)
        told = [
            _kinds(side, count, most, ellipsis, quoted=quoted)
            for side, count in zip(sides, counted, strict=True)
        ]
        text = f"{head}: " + f" {arrow} ".join(told)
        if len(text) <= width and (len(told) == 1 or told[0] != told[1]):
            return text
    return head


def _kinds(
    counts: Mapping[str, int], prompts: int, most: int, ellipsis: str, *, quoted: bool
) -> str:
    """English 8, French 2; those of which nothing can be told are unknown."""
    unknown = prompts - sum(counts.values()) if len(counts) < MOST_KINDS else 0
    named = [(f"“{name}”" if quoted else name, count) for name, count in counts.items()]
    named += [("unknown", unknown)] if unknown > 0 else []
    shown = [f"{one_line(name)} {count}" for name, count in named[:most]]
    return ", ".join(shown) + (ellipsis if len(named) > most else "")


def outcome(judges: Mapping[str, Sequence[Vote]], arm: str, against: str) -> list[str]:
    """What all voters say of `arm` and of the arm that it is judged `against`; the arms by name."""
    whole = tally_all(judges, arm, against)
    name, name_against = one_line(arm), one_line(against)
    if not whole.decided and not whole.ties and not whole.both_bad:
        return [f"No votes on {name} and {name_against} yet."]
    lines = [f"{name} vs {name_against}", f"  {name} {_rate(whole)}"]
    lines += [f"  {_undecided(whole)}"] if whole.decided else []
    lines.append(f"  {_deciding(whole)}")
    same, repeated = whole.consistent
    if repeated:
        pairs = f"{repeated} pair{'s' * (repeated != 1)}"
        lines.append(f"  {pairs} shown twice, counted once: {same} with the same vote both times")
    else:
        lines.append("  no pair was repeated yet, so consistency is unknown")
    if len(judges) > 1:
        for judge, votes in judges.items():
            counts = tally(votes, arm, against)
            undecided = f", {_undecided(counts)}" if counts.decided else ""
            lines.append(f"  {one_line(judge)}: {_rate(counts)}{undecided}")
        agreed, several = agreement(judges)
        if several:
            lines.append(f"  voters agree on {agreed} of {several} pairs with several voters")
    votes = [
        vote
        for each in judges.values()
        for vote in each
        if {vote.left, vote.right} == {arm, against}
    ]
    ours, theirs = mean_ratings(votes, arm), mean_ratings(votes, against)
    for rubric in dict.fromkeys((*ours, *theirs)):
        cells = [
            f"{rated} {mean:.1f} (n={count})"
            for rated, ratings in ((name, ours), (name_against, theirs))
            for mean, count in [ratings.get(rubric, (0.0, 0))]
            if count
        ]
        lines.append(f"  {one_line(rubric)}, 1 to 5: {', '.join(cells)}")
    return lines


def _rate(votes: VoteCounts) -> str:
    if votes.rate is None:
        return f"no preference: {_undecided(votes)}"
    return (
        f"preferred in {votes.wins} of {votes.decided} decided votes, {write_percent(votes.rate)} "
        f"(95% CI {write_percent(votes.low)} to {write_percent(votes.high)})"
    )


def _undecided(votes: VoteCounts) -> str:
    return f"{votes.ties} tie{'s' * (votes.ties != 1)}, {votes.both_bad} both bad"


def _deciding(votes: VoteCounts) -> str:
    if votes.more_votes is None:
        return "an even split: more votes like these will not show a winner"
    if not votes.more_votes:
        return "decided: the interval excludes 50%"
    more = votes.more_votes
    return f"undecided: needs about {more:,} more vote{'s' * (more != 1)} with this split"
