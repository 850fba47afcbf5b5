"""What two arms' numbers and the votes on them say, in words: the same on screens and in commands.

Pure text, clean: names are cleaned here.
"""

from collections.abc import Mapping, Sequence
from math import isfinite

from engine.compare.paired_stats import Kinds, PairedDifference
from engine.compare.votes import Vote, VoteCounts, agreement, mean_ratings, tally, tally_all
from engine.text import one_line


def value(number: float, *, signed: bool = False) -> str:
    """A mean in at most seven cells."""
    if not isfinite(number):
        return "?"
    digits = 1 if abs(number) >= 100 else 2
    text = f"{number:+.{digits}f}" if signed else f"{number:.{digits}f}"
    return text.replace("+0.00", "0.00").replace("-0.00", "0.00")


def span(row: PairedDifference) -> str:
    """The interval of a difference; words where it would tell nothing or mislead."""
    if not isfinite(row.low):
        return "too few pairs"
    if row.low == row.high:
        return "same in all" if not row.low else "alike in all"
    return f"{value(row.low, signed=True)} to {value(row.high, signed=True)}"


def kinds(one: Mapping[str, int], most: int = 3) -> str:
    """English 8, French 2."""
    shown = [f"{one_line(name)} {count}" for name, count in list(one.items())[:most]]
    return ", ".join(shown) or "none told"


def kinds_line(one: Kinds, arrow: str) -> str:
    change = f"{kinds(one.left)} {arrow} {kinds(one.right)}"
    return f"{len(one.drivers)} of {one.prompts} differ: {change}"


def outcome(judges: Mapping[str, Sequence[Vote]], arm: str, other: str) -> list[str]:
    """What all judges say of `arm` against `other`; the arms by name."""
    whole = tally_all(judges, arm, other)
    one, two = one_line(arm), one_line(other)
    if not whole.decided and not whole.ties and not whole.both_bad:
        return [f"No vote on {one} and {two} yet."]
    lines = [f"{one} against {two}", f"  {_rate(whole)}", f"  {_deciding(whole)}"]
    same, asked = whole.consistent
    if asked:
        lines.append(f"  asked twice, {same} of {asked} got the same answer again")
    else:
        lines.append("  no pair was asked twice yet, so the judge is not measured")
    if len(judges) > 1:
        for judge, votes in judges.items():
            lines.append(f"  {one_line(judge)}: {_rate(tally(votes, arm, other))}")
        agreed, several = agreement(judges)
        if several:
            lines.append(f"  the judges agree on {agreed} of {several} pairs that several saw")
    votes = [
        vote for each in judges.values() for vote in each if {vote.left, vote.right} == {arm, other}
    ]
    ours, theirs = mean_ratings(votes, arm), mean_ratings(votes, other)
    for rubric in dict.fromkeys((*ours, *theirs)):
        cells = [
            f"{name} {mean:.1f} ({count})"
            for name, found in ((one, ours), (two, theirs))
            for mean, count in [found.get(rubric, (0.0, 0))]
            if count
        ]
        lines.append(f"  {one_line(rubric)}, 1 to 5: {', '.join(cells)}")
    return lines


def _rate(found: VoteCounts) -> str:
    undecided = f"{found.ties} tie{'s' * (found.ties != 1)}, {found.both_bad} both bad"
    if found.rate is None:
        return f"preferred in none: {undecided}"
    return (
        f"preferred in {found.wins} of {found.decided}, {found.rate:.0%} "
        f"(95% interval {found.low:.0%} to {found.high:.0%}); {undecided}"
    )


def _deciding(found: VoteCounts) -> str:
    if found.more_votes is None:
        return "even: at this rate no number of votes would decide"
    if not found.more_votes:
        return "decided: the interval leaves out one half"
    more = found.more_votes
    return f"not decided: about {more:,} more vote{'s' * (more != 1)} at this rate would"
