"""What a judge's verdicts come to: wins under each rubric, its biases, its agreement with people.

A judge is a measure with errors: every number here has its n and its interval, and the errors of
the judge (place, length, unreadable answers) stand beside its wins. Biases after Zheng et al. 2023,
arXiv 2306.05685, section 3.3.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.compare.paired_stats import LEAST_PROMPTS
from engine.impact.changes.score_estimate import ScoreEstimate, estimate_score
from engine.judge.human_votes import (
    TIE,
    Agreement,
    Votes,
    agree_among_voters,
    agree_averaged,
    agree_with,
    labels_of_ratings,
    labels_of_votes,
    take_majority,
)
from engine.judge.judgements import Judgements
from engine.judge.verdicts import PairVerdict, Problem, Reading
from engine.statistics import PairedTest, paired_test

_EXAMPLES = 3
CAUTION = (
    "A judge is a model and makes errors: a win is an answer that it prefers in both orders, all "
    "else counts as a tie. Votes of people are counted apart."
)
PLACE_DECIDES = "position decides more often than the answer"


@dataclass(frozen=True, slots=True)
class LengthBias:
    """How often the longer answer is preferred, of the pairs with a winner and unlike lengths."""

    share: ScoreEstimate
    judge_on_voted: ScoreEstimate | None = None
    """The same on the pairs on which people had a preference as well; None without such pairs."""
    voters_on_voted: ScoreEstimate | None = None
    """How often people preferred the longer answer of these pairs."""
    difference: PairedTest | None = None
    """Of the last two, judge minus people, pair by pair; None for fewer than 6 pairs."""


@dataclass(frozen=True, slots=True)
class RubricResult:
    """One rubric: the verdicts of the right arm against the left one."""

    rubric: str
    pairs: int
    """With a verdict in both orders: the n of all that follows."""
    wins: int
    """Pairs on which both orders prefer the right arm."""
    losses: int
    """On which both prefer the left one."""
    ties: int
    """On which both say tie."""
    one_tie: int
    """On which one order says tie and the other prefers an arm: counted as ties."""
    by_position: int
    """On which both prefer the same place, so opposite answers: counted as ties."""
    incomplete: int
    """Pairs without a verdict in some order."""
    difference: PairedTest | None
    """(wins - losses) / pairs, groups respected; None for fewer than 6 pairs."""
    consistency: ScoreEstimate | None
    """Share of the pairs on which both orders say the same; None without pairs."""
    first_shown: ScoreEstimate | None
    """Share of the verdicts for an answer that prefer the one shown first: .5 is no bias."""
    length: LengthBias | None
    """None where no pair with a winner has answers of unlike length."""
    averaged: ScoreEstimate | None
    """By likelihood, share of the pairs on which the mean of both orders prefers the right arm;
    those that it finds equal are left out. None of a judge that answers in words."""
    problems: Mapping[Problem, int]
    """Questions without a verdict, by reason."""
    examples: tuple[str, ...]
    """Of answers that are unreadable or cut; untrusted."""
    votes: Agreement | None
    """With the preference of voters; None where nobody voted on these two arms."""
    averaged_votes: Agreement | None
    """The same of the mean of both orders; None where `averaged` or `votes` is."""
    ratings: Agreement | None
    """With the voters' ratings under the rubric of this name; None where there are none."""

    @property
    def place_decides(self) -> bool:
        """Whether both orders agree on less than half of the pairs, with 95% confidence."""
        return self.consistency is not None and (self.consistency.high or 1) < 0.5


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """A judge job in numbers."""

    left: str
    """The arms in the grammar."""
    right: str
    rubrics: tuple[RubricResult, ...]
    voters: int
    """People who voted on these two arms."""
    among_voters: Agreement | None
    """None where fewer than two people voted."""


def measure_judge(judgements: Judgements, votes: Votes) -> JudgeResult:
    """The numbers of a judge beside these votes, which it does not change."""
    left, right = judgements.recipe.arms
    own = {
        voter: [vote for vote in cast if {vote.left, vote.right} == {left, right}]
        for voter, cast in votes.items()
    }
    own = {voter: cast for voter, cast in own.items() if cast}
    labels = labels_of_votes(own, (left, right))
    rubrics = tuple(
        measure_rubric(rubric, pairs, labels, labels_of_ratings(own, (left, right), rubric))
        for rubric, pairs in judgements.pairs.items()
    )
    every = next(iter(judgements.pairs.values()), ())
    among = agree_among_voters(every, labels) if len(own) > 1 else None
    return JudgeResult(left, right, rubrics, len(own), among)


def measure_rubric(
    rubric: str,
    pairs: Sequence[PairVerdict],
    labels: Mapping[str, Sequence[str]],
    ratings: Mapping[str, Sequence[str]],
) -> RubricResult:
    """The numbers of one rubric. `labels` and `ratings` are by pair what each voter prefers of the
    two arms, by vote and by ratings under this rubric: an arm, or a tie."""
    whole = [one for one in pairs if one.outcome != "incomplete"]
    readings = [reading for one in pairs for reading in one.readings]
    groups = [one.group for one in whole]
    changes = [one.change for one in whole]
    if not pairs:
        labels = ratings = {}
    outcomes, averaged = Counter(one.outcome for one in whole), _averaged(pairs)
    return RubricResult(
        rubric,
        len(whole),
        changes.count(1),
        changes.count(-1),
        outcomes["agree"] - changes.count(1) - changes.count(-1),
        outcomes["one tie"],
        outcomes["by position"],
        len(pairs) - len(whole),
        paired_test(changes, groups) if len(whole) >= LEAST_PROMPTS else None,
        _share([float(one.outcome == "agree") for one in whole], groups),
        _first_shown(whole),
        _length_bias(whole, take_majority(labels)),
        averaged,
        Counter(reading.problem for reading in readings if reading.problem),
        _examples(readings),
        agree_with(pairs, labels) if labels else None,
        agree_averaged(pairs, labels) if labels and averaged else None,
        agree_with(pairs, ratings) if ratings else None,
    )


def _share(values: Sequence[float], groups: Sequence[str]) -> ScoreEstimate | None:
    return estimate_score(values, groups) if values else None


def _first_shown(pairs: Sequence[PairVerdict]) -> ScoreEstimate | None:
    """Over the verdicts of both orders, ties left out; those of one group are no independent
    observations, which those of one pair are not either."""
    decided = [
        (float(reading.verdict == "first"), one.group)
        for one in pairs
        for reading in one.readings
        if reading.verdict != "tie"
    ]
    return _share([value for value, _ in decided], [group for _, group in decided])


def _averaged(pairs: Sequence[PairVerdict]) -> ScoreEstimate | None:
    margins = [(one.averaged_margin, one.group) for one in pairs if one.averaged_margin]
    values = [float(margin is not None and margin > 0) for margin, _ in margins]
    return _share(values, [group for _, group in margins])


def _length_bias(pairs: Sequence[PairVerdict], voted: Mapping[str, str]) -> LengthBias | None:
    decided = [one for one in pairs if one.winner and one.left_size != one.right_size]
    share = _share([_is_longer(one, one.winner) for one in decided], [one.group for one in decided])
    if share is None:
        return None
    both = [one for one in decided if voted.get(one.pair, TIE) != TIE]
    groups = [one.group for one in both]
    judge = [_is_longer(one, one.winner) for one in both]
    people = [_is_longer(one, voted[one.pair]) for one in both]
    differences = [ours - theirs for ours, theirs in zip(judge, people, strict=True)]
    test = paired_test(differences, groups) if len(both) >= LEAST_PROMPTS else None
    return LengthBias(share, _share(judge, groups), _share(people, groups), test)


def _is_longer(pair: PairVerdict, arm: str | None) -> float:
    return float((pair.right_size > pair.left_size) == (arm == pair.right))


def _examples(readings: Sequence[Reading]) -> tuple[str, ...]:
    texts = (one.text for one in readings if one.problem in ("unreadable", "cut") and one.text)
    return tuple(dict.fromkeys(texts))[:_EXAMPLES]
