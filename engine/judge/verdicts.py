"""A judge's verdicts: what one answer of it says, and what both orders of a pair come to.

A verdict is read or unreadable, never guessed. Nothing of this is on disk: it follows each time
from what the judge answered, or from the likelihoods of the labels.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.compare.samples import Sample
from engine.judge.questions import LABELS, Question

Verdict = Literal["first", "second", "tie"]
"""The answer that was shown first, the second one, neither."""
VERDICTS: tuple[Verdict, ...] = ("first", "second", "tie")
"""Of each of LABELS."""
Problem = Literal["", "unreadable", "cut", "refused", "missing"]
"""Why there is no verdict: the answer is not one of the labels; it was ended by its limit of
tokens; the judge or its context refused the question; it is not answered yet."""
Outcome = Literal["agree", "one tie", "by position", "incomplete"]
"""Of a pair: both orders say the same; one order says tie and the other does not; both prefer the
same place, so opposite answers; an order has no verdict."""

_FENCE = re.compile(r"\A```[^\n`]*\n(.*?)\n?```\Z", re.DOTALL)
_LEAD = re.compile(r"\A(?:final )?(?:answer|verdict)\b[\s:*_]*", re.IGNORECASE)
_AROUND = " \t\r\n*_`~#>\"'“”‘’()[]{}<.:!"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer of the judge says."""

    verdict: Verdict | None
    problem: Problem = ""
    text: str = ""
    """The answer where it is unreadable; untrusted."""
    margin: float | None = None
    """By likelihood, how much likelier the label of the first answer is than that of the second,
    in nats; None of an answer in words."""


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What a judge says of a pair under a rubric, from both orders."""

    pair: str
    rubric: str
    group: str
    left: str
    """The arm that is shown first in the first order."""
    right: str
    left_size: int
    right_size: int
    readings: tuple[Reading, Reading]
    """The left arm first, then the right arm first."""

    @property
    def outcome(self) -> Outcome:
        one, turned = (reading.verdict for reading in self.readings)
        if one is None or turned is None:
            return "incomplete"
        if "tie" in (one, turned):
            return "agree" if one == turned else "one tie"
        return "by position" if one == turned else "agree"

    @property
    def winner(self) -> str | None:
        """The arm that is preferred in both orders; None where there is none."""
        preferred = self.readings[0].verdict
        if self.outcome != "agree" or preferred == "tie":
            return None
        return self.left if preferred == "first" else self.right

    @property
    def averaged_margin(self) -> float | None:
        """By likelihood, how far the right arm is preferred on the mean of both orders, in nats;
        None where an order has no likelihoods.

        What a label gains by its place or its name cancels out: the balanced position calibration
        of Wang et al. 2023, "Large Language Models are not Fair Evaluators", arXiv 2305.17926.
        """
        left_first, right_first = (reading.margin for reading in self.readings)
        if left_first is None or right_first is None:
            return None
        return (right_first - left_first) / 2

    @property
    def change(self) -> int:
        """1 where the right arm is preferred, -1 where the left one is, else 0."""
        return {self.right: 1, self.left: -1}.get(self.winner or "", 0)


def read_answer(sample: Sample) -> Reading:
    """The verdict of an answer in words: one label, once reasoning, fences and markdown are off."""
    text = sample.spoken.strip()
    if sample.finish != "stop":
        return Reading(None, "cut", sample.text)
    fenced = _FENCE.match(text)
    bare = _LEAD.sub("", (fenced[1] if fenced else text).strip(_AROUND)).strip(_AROUND)
    labels = [label.casefold() for label in LABELS]
    if bare.casefold() not in labels or sample.parts.tool_calls:
        return Reading(None, "unreadable", sample.text)
    return Reading(VERDICTS[labels.index(bare.casefold())])


def read_likelihoods(nats: Sequence[float]) -> Reading:
    """The verdict of the log-probabilities of LABELS: the likeliest; none of a diverged model, and
    none where the two likeliest are exactly as likely."""
    if len(nats) != len(LABELS) or not all(map(math.isfinite, nats)):
        return Reading(None, "unreadable", "the likelihoods of the labels are not finite")
    best, margin = max(nats), nats[0] - nats[1]
    if list(nats).count(best) > 1:
        return Reading(None, "unreadable", "two labels are equally likely", margin)
    return Reading(VERDICTS[list(nats).index(best)], margin=margin)


def pair_up(
    questions: Sequence[Question], readings: Sequence[Reading]
) -> dict[str, list[PairVerdict]]:
    """By rubric, what each pair came to, in the order of the questions.

    `readings` are those of the questions. A question without its other order is left out.
    """
    known: dict[tuple[str, str], list[tuple[Question, Reading]]] = {}
    for question, reading in zip(questions, readings, strict=True):
        known.setdefault((question.rubric, question.pair), []).append((question, reading))
    pairs: dict[str, list[PairVerdict]] = {}
    for (rubric, pair), asked in known.items():
        if len(asked) != 2 or asked[0][0].first != asked[1][0].second:
            continue
        (first, one), (_, turned) = asked
        pairs.setdefault(rubric, []).append(
            PairVerdict(
                pair,
                rubric,
                first.group,
                first.first,
                first.second,
                first.first_size,
                first.second_size,
                (one, turned),
            )
        )
    return pairs
