"""A judge beside the people who voted on the same pairs: how far they agree, and people among
themselves.

Reads votes and never changes or counts them: a tally of people's votes is `engine.compare.votes`
and knows nothing of judges.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from engine.compare.votes import Vote
from engine.judge.krippendorff import alpha, interval
from engine.judge.verdicts import PairVerdict

TIE = "tie"
FEWEST = 20
"""Pairs that both judged: with fewer nothing is called agreement, and the pairs are named."""
Votes = Mapping[str, Sequence[Vote]]
"""By voter."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two coders, or several, on the pairs that they have in common: an arm or a tie each."""

    pairs: int
    """That two coders or more judged."""
    same: int
    """Of these, how many got one label alone."""
    alpha: float | None
    """Krippendorff's, nominal; None with a reason."""
    low: float | None
    """Of its 95% interval; None where there is none."""
    high: float | None
    reason: str
    """Why there is no alpha, or no interval."""
    differing: tuple[str, ...]
    """The pairs with more than one label."""


def measure_agreement(
    labels: Mapping[str, Sequence[str]], groups: Mapping[str, Hashable]
) -> Agreement:
    """`labels`: by pair those that its coders gave, `groups` by pair which go together."""
    common = {pair: given for pair, given in labels.items() if len(given) > 1}
    differing = tuple(pair for pair, given in common.items() if len(set(given)) > 1)
    same = len(common) - len(differing)
    if len(common) < FEWEST:
        reason = f"fewer than {FEWEST} pairs in common"
        return Agreement(len(common), same, None, None, None, reason, differing)
    units = list(common.values())
    value = alpha(units)
    if value is None:
        reason = "all labels are the same: chance alone would agree as well"
        return Agreement(len(common), same, None, None, None, reason, differing)
    bounds = interval(units, [groups.get(pair, pair) for pair in common])
    low, high = bounds or (None, None)
    reason = "" if bounds else "too little variation for an interval"
    return Agreement(len(common), same, value, low, high, reason, differing)


def labels_of_votes(votes: Votes, arms: tuple[str, str]) -> dict[str, list[str]]:
    """By pair what each voter prefers of these two arms: an arm, or a tie, which both bad is too.

    A pair that was shown to a voter again counts once, as in the tally.
    """
    by_pair: dict[str, list[str]] = {}
    for cast in votes.values():
        own = {
            vote.prompt_id: vote.winner or TIE
            for vote in cast
            if {vote.left, vote.right} == {*arms} and not vote.again
        }
        for pair, label in own.items():
            by_pair.setdefault(pair, []).append(label)
    return by_pair


def labels_of_ratings(votes: Votes, arms: tuple[str, str], rubric: str) -> dict[str, list[str]]:
    """By pair the arm that each voter rated higher under a rubric, or a tie."""
    by_pair: dict[str, list[str]] = {}
    one, other = arms
    for cast in votes.values():
        own = {}
        for vote in cast:
            if {vote.left, vote.right} != {*arms} or vote.again:
                continue
            ours, theirs = (vote.ratings.get(arm, {}).get(rubric) for arm in arms)
            if isinstance(ours, int) and isinstance(theirs, int):
                own[vote.prompt_id] = TIE if ours == theirs else one if ours > theirs else other
        for pair, label in own.items():
            by_pair.setdefault(pair, []).append(label)
    return by_pair


def take_majority(labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """By pair the label that most voters gave; a tie where no label has more than any other."""
    majority = {}
    for pair, given in labels.items():
        (first, times), *rest = Counter(given).most_common(2)
        majority[pair] = TIE if rest and rest[0][1] == times else first
    return majority


def agree_with(pairs: Sequence[PairVerdict], labels: Mapping[str, Sequence[str]]) -> Agreement:
    """A judge beside the majority of voters, on the pairs that both have judged.

    The judge's label is the arm that both orders prefer, and a tie where they do not agree.
    """
    own = {one.pair: one.winner or TIE for one in pairs if one.outcome != "incomplete"}
    return _beside_majority(own, pairs, labels)


def agree_averaged(pairs: Sequence[PairVerdict], labels: Mapping[str, Sequence[str]]) -> Agreement:
    """The same by the mean of both orders' likelihoods, which prefers an arm on each pair."""
    own = {
        one.pair: one.right if one.averaged_margin > 0 else one.left
        for one in pairs
        if one.averaged_margin
    }
    return _beside_majority(own, pairs, labels)


def _beside_majority(
    own: Mapping[str, str], pairs: Sequence[PairVerdict], labels: Mapping[str, Sequence[str]]
) -> Agreement:
    majority = take_majority(labels)
    both = {pair: (label, majority[pair]) for pair, label in own.items() if pair in majority}
    return measure_agreement(both, {one.pair: one.group for one in pairs})


def agree_among_voters(
    pairs: Sequence[PairVerdict], labels: Mapping[str, Sequence[str]]
) -> Agreement:
    """The voters among themselves on the judged pairs: the most that a judge can be held to."""
    of_pairs = {one.pair: labels.get(one.pair, []) for one in pairs}
    return measure_agreement(of_pairs, {one.pair: one.group for one in pairs})
