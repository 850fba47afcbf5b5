"""What models judged of a job's answers, frozen: each verdict, and what people preferred.

Owns how verdicts lose paths, hosts and voters' names: the arms of a pair are `left` and `right`,
and what voters prefer stands in order of the word. Numbers follow from it at rendering.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.compare.arms import parse_arm
from engine.compare.votes import Vote, judges_of
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.judge.family import describe_family
from engine.judge.human_votes import agree_among_voters, labels_of_ratings, labels_of_votes
from engine.judge.judge_result import JudgeResult, measure_rubric
from engine.judge.judgements import find_judges, read_judgements
from engine.judge.verdicts import PairVerdict, Problem, Reading
from engine.recipes.recipe import JudgeRecipe
from engine.report.run_facts import read_state
from engine.report.short_names import ShortNames, name_endpoint

LEFT, RIGHT = "left", "right"
Labels = Mapping[str, tuple[str, ...]]
"""By pair what each voter prefers: `left`, `right` or `tie`."""


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """What a judge said of a pair in one order."""

    verdict: Literal["first", "second", "tie", ""]
    """Of the answers by their places; empty: none."""
    problem: Problem
    """Why there is none."""
    margin: float | None
    """By likelihood, how much likelier the first answer's label is than the second's, in nats."""


@dataclass(frozen=True, slots=True)
class JudgedPair:
    pair: str
    group: str
    left_size: int
    """Characters of the left arm's answer, as the judge saw it."""
    right_size: int
    left_first: OrderVerdict
    right_first: OrderVerdict


@dataclass(frozen=True, slots=True)
class JudgedRubric:
    rubric: str
    pairs: tuple[JudgedPair, ...]
    ratings: Labels = field(hash=False)
    """By the voters' ratings under the rubric of this name."""


@dataclass(frozen=True, slots=True)
class JudgeFacts:
    """One judge job on the answers of a reported job."""

    id: str
    judged: str
    """The id of the job whose answers are judged."""
    state: str
    name: str
    model: str
    reading: str
    """`answer` or `likelihood`."""
    prompt: str
    """SHA-256 of the wording of its questions."""
    left: str
    """The arms by their names in the report."""
    right: str
    rubrics: tuple[JudgedRubric, ...]
    votes: Labels = field(hash=False)
    voters: int
    """People who voted on these two arms."""
    notes: tuple[str, ...]


def read_judges(
    judged: JobDirectory,
    by_text: Mapping[str, str],
    shown: Sequence[str],
    names: ShortNames,
    runs: Sequence[Path],
) -> Iterator[JudgeFacts]:
    """Every judge of this job's answers between two arms that are shown, the oldest first.

    `by_text` are the arms by their text; `runs` those that a judge's family is traced through.
    A judge job that cannot be read comes with that as a note and without rubrics.
    """
    votes: Mapping[str, Sequence[Vote]] | None = None
    for job in find_judges(judged):
        recipe = job.recipe()
        if not isinstance(recipe, JudgeRecipe) or len(recipe.arms) != 2:
            continue
        left, right = (by_text.get(text, "") for text in recipe.arms)
        if left in shown and right in shown:
            votes = judges_of(judged.path) if votes is None else votes
            yield _read_judge(job, judged, recipe, (left, right), names, runs, votes)


def measure_facts(facts: JudgeFacts) -> JudgeResult:
    """The numbers that follow from the verdicts, as `engine.judge.judge_result` owns them."""
    pairs = {one.rubric: [_to_verdict(one.rubric, pair) for pair in one.pairs]
             for one in facts.rubrics}  # fmt: skip
    rubrics = tuple(
        measure_rubric(one.rubric, pairs[one.rubric], facts.votes, one.ratings)
        for one in facts.rubrics
    )
    every = next(iter(pairs.values()), [])
    among = agree_among_voters(every, facts.votes) if facts.voters > 1 else None
    return JudgeResult(LEFT, RIGHT, rubrics, facts.voters, among)


def _read_judge(
    job: JobDirectory,
    judged: JobDirectory,
    recipe: JudgeRecipe,
    arms: tuple[str, str],
    names: ShortNames,
    runs: Sequence[Path],
    votes: Mapping[str, Sequence[Vote]],
) -> JudgeFacts:
    left, right = recipe.arms
    own = [
        [vote for vote in cast if {vote.left, vote.right} == {left, right}]
        for cast in votes.values()
    ]
    by_voter = {str(at): cast for at, cast in enumerate(own) if cast}
    rubrics: list[JudgedRubric] = []
    notes = [_rename(note, recipe, arms, names)
             for note in describe_family(recipe.judge, recipe.arms, runs)]  # fmt: skip
    try:
        for rubric, pairs in read_judgements(job).pairs.items():
            ratings = labels_of_ratings(by_voter, (left, right), rubric)
            frozen = tuple(map(_freeze_pair, pairs))
            rubrics.append(JudgedRubric(rubric, frozen, _freeze_labels(ratings, left, right)))
    except EngineError as error:
        notes.append(f"{error.title.rstrip('.')}: it is left out")
    labels = labels_of_votes(by_voter, (left, right))
    return JudgeFacts(
        job.path.name,
        judged.path.name,
        read_state(job),
        *_name_judge(recipe.judge, names),
        recipe.reading,
        recipe.prompt,
        *arms,
        tuple(rubrics),
        _freeze_labels(labels, left, right),
        len(by_voter),
        tuple(notes),
    )


def _freeze_pair(one: PairVerdict) -> JudgedPair:
    left_first, right_first = (
        OrderVerdict(reading.verdict or "", reading.problem, reading.margin)
        for reading in one.readings
    )
    return JudgedPair(one.pair, one.group, one.left_size, one.right_size, left_first, right_first)


def _to_verdict(rubric: str, pair: JudgedPair) -> PairVerdict:
    one, turned = (
        Reading(order.verdict or None, order.problem, "", order.margin)
        for order in (pair.left_first, pair.right_first)
    )
    return PairVerdict(pair.pair, rubric, pair.group, LEFT, RIGHT, pair.left_size,
                       pair.right_size, (one, turned))  # fmt: skip


def _freeze_labels(labels: Mapping[str, Sequence[str]], left: str, right: str) -> Labels:
    words = {left: LEFT, right: RIGHT}
    return {
        pair: tuple(sorted(words.get(label, label) for label in labels[pair]))
        for pair in sorted(labels)
    }


def _name_judge(judge: str, names: ShortNames) -> tuple[str, str]:
    """A judge's name and what its weights, or an endpoint's model, are called."""
    try:
        arm = parse_arm(judge)
    except EngineError:
        text = names.clear_text(judge)
        return text, text
    model = arm.model or names.name_ref(arm.checkpoint)
    name = name_endpoint(arm, ())
    return name, f"{model} + {names.name_ref(arm.adapter)}" if arm.adapter else model


def _rename(note: str, recipe: JudgeRecipe, arms: tuple[str, str], names: ShortNames) -> str:
    """A sentence on arms, by their names in the report."""
    for text, name in zip(recipe.arms, arms, strict=True):
        own = parse_arm(text).name
        if own != name:
            note = note.replace(own, name)
    return names.clear_text(note)
