"""Votes and ratings as lines of the matrix, each with its n and its judges. Pure text, clean."""

from collections.abc import Mapping, Sequence

from engine.compare.arms import parse_arm
from engine.compare.votes import Vote, mean_ratings, tally_all
from engine.errors import EngineError
from engine.number_format import write_percent
from engine.text import one_line

Judges = Mapping[str, Sequence[Vote]]


def vote_lines(judges: Judges, names: Mapping[str, str]) -> tuple[str, ...]:
    """A line for every two arms that were voted on, then one a rubric.

    `names` are those of the arms by their texts, in the order of the evaluation.
    """
    cast = [vote for votes in judges.values() for vote in votes]
    order = {arm: at for at, arm in enumerate(names)}
    voted = dict.fromkeys(arm for vote in cast for arm in (vote.left, vote.right))
    arms = sorted(voted, key=lambda arm: order.get(arm, len(order)))
    who = f"{len(judges)} judge{'s' * (len(judges) != 1)}"
    lines = []
    for at, other in enumerate(arms):
        for arm in arms[at + 1 :]:
            if any({vote.left, vote.right} == {arm, other} for vote in cast):
                lines.append(_tally(judges, arm, other, names, who))
    return (*lines, *_ratings(cast, arms, names, who))


def _tally(judges: Judges, arm: str, other: str, names: Mapping[str, str], who: str) -> str:
    counts = tally_all(judges, arm, other)
    undecided = f"{who}, {counts.ties} tied, {counts.both_bad} both bad"
    head = f"votes: {_name(arm, names)} against {_name(other, names)}"
    if counts.rate is None:
        return f"{head}: none decided, {undecided}"
    interval = f"[{write_percent(counts.low)}, {write_percent(counts.high)}]"
    share = f"{counts.wins} of {counts.decided}, {write_percent(counts.rate)}"
    return f"{head}: {share} {interval}, {undecided}"


def _ratings(
    cast: Sequence[Vote], arms: Sequence[str], names: Mapping[str, str], who: str
) -> list[str]:
    means = {arm: mean_ratings(cast, arm) for arm in arms}
    rubrics = dict.fromkeys(rubric for of_arm in means.values() for rubric in of_arm)
    lines = []
    for rubric in rubrics:
        rated = [
            f"{_name(arm, names)} {mean:.1f} (n = {count})"
            for arm in arms
            for mean, count in [means[arm].get(rubric, (0.0, 0))]
            if count
        ]
        lines.append(f"rating {one_line(rubric)}, 1 to 5: {', '.join(rated)}, {who}")
    return lines


def _name(arm: str, names: Mapping[str, str]) -> str:
    if arm in names:
        return one_line(names[arm])
    try:
        return one_line(parse_arm(arm).name)
    except EngineError:  # a file may hold any text
        return one_line(arm)
