"""Preference pairs out of the blind votes of people on a job's answers: who won, and with whom.

A prompt that two arms answered and somebody voted on is a source, pinned with both answers and the
count of the votes, without names of voters; what becomes of it follows from the source alone. Votes
of repeats, which measure a voter, do not count. Refuses to prefer where not more than half of the
voters do, and to make a pair of what is no whole answer or has calls.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from engine.compare import votes
from engine.compare.answer_pairs import Collection, names, of_job
from engine.compare.samples import Sample
from engine.compare.votes import Vote
from engine.data.messages import is_transcript
from engine.errors import EngineError
from engine.jobs.directory import RUN, JobDirectory
from engine.jobs.store import open_store
from engine.recipes.recipe import AnswersRecipe, SynthesizeRecipe
from engine.synthesis.outcomes import Outcome, Reason
from engine.synthesis.questions import CHOSEN, PROMPT, REJECTED
from engine.synthesis.source_rows import SourceRow

JOB, PROMPT_ID = "job", "prompt_id"
"""Columns of such a source that name the job that was voted on, and the prompt there."""
TIE = "tie"
BOTH_BAD = "both bad"


@dataclass(frozen=True, slots=True)
class VotedPair:
    """What two arms answered to one prompt, and how many voters preferred which."""

    left: Sample
    right: Sample
    counts: Mapping[str, int]
    """Of each label that a voter gave: an arm in the grammar, TIE, BOTH_BAD."""


def find_voted_job(recipe: SynthesizeRecipe, root: Path) -> JobDirectory:
    """The job whose answers were voted on, by the recipe's `pairs.job`; `root`: where jobs are.

    Raises EngineError where it is not there, or has no answers.
    """
    if not recipe.pairs.job:
        raise EngineError(
            "No votes.", "pairs.job is empty", "Name the job that was voted on: run:ID."
        )
    job = open_store(root).find(recipe.pairs.job.removeprefix(RUN))
    if not isinstance(job.recipe(), AnswersRecipe):
        raise EngineError(
            "This job has no answers to vote on.",
            f"pairs.job: {job.path.name}",
            "Name a job of answers: finetop generate, or finetop evaluate.",
        )
    return job


def read_voted_pairs(job: JobDirectory, rubric: str = "") -> list[VotedPair]:
    """The pairs of a job's answers that somebody voted on, in the order of its prompts.

    `rubric`: which answer a voter rated higher under it counts, two equal ratings as a tie; empty:
    which answer the voter chose. Raises EngineError where nobody voted, or not under that rubric.
    """
    by_voter = votes.judges_of(job.path)
    cast_votes = [vote for each in by_voter.values() for vote in each if not vote.again]
    rated = sorted({name for vote in cast_votes for own in vote.ratings.values() for name in own})
    if not cast_votes or (rubric and rubric not in rated):
        raise EngineError(
            f"There are no ratings under {rubric!r}." if cast_votes else "There are no votes.",
            f"{job.path.name}; rubrics that were rated: {', '.join(rated) or 'none'}",
            "Vote in Compare: press v on two arms.",
        )
    labels: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for vote in cast_votes:
        label = _label_of(vote, rubric)
        if label:
            left, right = sorted((vote.left, vote.right))
            labels[vote.prompt_id, left, right].append(label)
    collection = of_job(job)
    collection.poll()
    return [
        VotedPair(left, right, Counter(given))
        for (prompt, *arms), given in _in_order(labels, collection)
        for left, right in [[collection.samples[arm, prompt] for arm in arms]]
    ]


def make_vote_sources(job: JobDirectory, pairs: Sequence[VotedPair]) -> list[SourceRow]:
    """A source for each pair; those of one prompt share a group, as prompts of one group do."""
    collection = of_job(job)
    collection.poll()
    as_text = all(_is_plain(pair.left) for pair in pairs)
    several = Counter(pair.left.prompt_id for pair in pairs)
    arm_names = names(collection.arms)
    numbers: Counter[str] = Counter()
    sources = []
    for line, pair in enumerate(pairs, 1):
        prompt = pair.left.prompt_id
        numbers[prompt] += 1
        group = collection.prompt(pair.left).group or prompt
        sources.append(
            SourceRow(
                id=f"{prompt}#{numbers[prompt]}" if several[prompt] > 1 else prompt,
                group=f"{job.path.name}/{group}",
                file=str(job.samples),
                line=line,
                text="\n\n".join(one.content for one in pair.left.messages),
                columns={
                    JOB: job.path.name,
                    PROMPT_ID: prompt,
                    PROMPT: pair.left.messages[0].content
                    if as_text
                    else [message.to_json() for message in pair.left.messages],
                    "answers": [_write(one, arm_names) for one in (pair.left, pair.right)],
                    "votes": dict(pair.counts),
                    "problem": _find_problem(pair),
                },
            )
        )
    return sources


def decide_pair(source: SourceRow, round: int = 0) -> Outcome:
    """What becomes of a source, before any gate looks at it: a row, or why there is none."""
    columns = cast(Mapping[str, Any], source.columns)
    counts: Mapping[str, int] = columns["votes"]
    first, second = columns["answers"]
    words = ", ".join(f"{count} {label}" for label, count in count_votes(columns).items())
    winner = _find_majority(counts)
    reason = None
    if columns["problem"]:
        reason = Reason(columns["problem"])
    elif winner in (TIE, BOTH_BAD):
        reason = Reason(winner, words)
    elif not winner:
        reason = Reason("voters disagree", words)
    if reason is not None:
        return Outcome(source.id, "set aside", reasons=(reason,), round=round)
    chosen, rejected = (first, second) if first["arm"] == winner else (second, first)
    row = {PROMPT: columns[PROMPT], CHOSEN: chosen["text"], REJECTED: rejected["text"]}
    return Outcome(source.id, "passed", row, round=round)


def count_votes(columns: Mapping[str, Any]) -> dict[str, int]:
    """Of the columns of such a source, the votes by the names of arms, ties among them."""
    arm_names = {one["arm"]: one["name"] for one in columns["answers"]}
    return {arm_names.get(one, one): count for one, count in sorted(columns["votes"].items())}


def _find_majority(counts: Mapping[str, int]) -> str:
    """The label that more than half of the voters gave; empty where there is none."""
    voters = sum(counts.values())
    return next((label for label, count in counts.items() if 2 * count > voters), "")


def _label_of(vote: Vote, rubric: str) -> str:
    """What a voter prefers; empty where they did not rate both answers under the rubric."""
    if not rubric:
        return vote.winner or (BOTH_BAD if vote.choice == BOTH_BAD else TIE)
    left, right = (vote.ratings.get(arm, {}).get(rubric) for arm in (vote.left, vote.right))
    if not isinstance(left, int) or not isinstance(right, int):
        return ""
    return TIE if left == right else vote.left if left > right else vote.right


def _in_order(
    labels: Mapping[tuple[str, str, str], list[str]], collection: Collection
) -> list[tuple[tuple[str, str, str], list[str]]]:
    """The votes on answers that are there, in the order of their prompts."""
    there = {key: given for key, given in labels.items() if _has_both(key, collection)}
    order = {prompt: at for at, (_, prompt) in enumerate(collection.samples)}
    return sorted(there.items(), key=lambda one: (order[one[0][0]], one[0]))


def _has_both(key: tuple[str, str, str], collection: Collection) -> bool:
    prompt, left, right = key
    return (left, prompt) in collection.samples and (right, prompt) in collection.samples


def _find_problem(pair: VotedPair) -> str:
    """Why no pair can be made of two answers, whatever the votes say; empty where one can."""
    if pair.left.messages != pair.right.messages:
        return "different conversations"  # each arm answers to its own earlier words
    if any(one.finish != "stop" for one in (pair.left, pair.right)):
        return "cut"
    if any(_has_calls(one) for one in (pair.left, pair.right)):
        return "tool calls"
    return "" if pair.left.spoken.strip() and pair.right.spoken.strip() else "empty"


def _has_calls(sample: Sample) -> bool:
    parts = sample.parts
    return bool(parts.tool_calls or parts.malformed or parts.lost)


def _is_plain(sample: Sample) -> bool:
    """Whether its prompt is one text, and no reader takes that for a conversation."""
    if len(sample.messages) != 1 or sample.messages[0].role != "user":
        return False
    return not is_transcript(sample.messages[0].content)


def _write(sample: Sample, arm_names: Mapping[str, str]) -> dict[str, str]:
    name = arm_names.get(sample.arm, sample.arm)
    return {"arm": sample.arm, "name": name, "text": sample.spoken.strip()}
