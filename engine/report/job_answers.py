"""Answers of evaluate jobs for a report: those to chosen items whole, and what all are like.

One pass over `samples.jsonl` of each job; only lines of items that are needed are parsed. Owns how
many answers are compared in wording, which are drawn by the hash of their ids, and how long a
shown answer may be.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.compare.export import written_out
from engine.compare.metrics import Numbers, numbers_of
from engine.compare.paired_stats import Comparison, compare
from engine.compare.samples import Sample, from_table
from engine.impact.results.evaluation_results import STRICT, EvaluationResults
from engine.impact.results.item_answers import sample_id
from engine.jobs.directory import JobDirectory
from engine.safe_open import read_lines

MOST_COMPARED = 1000
"""Answers of an arm whose wording is compared with that of the first arm."""
LONGEST = 600
"""Characters of an answer that is shown."""
_PROMPT_ID = re.compile(rb'\{"prompt_id": ("(?:[^"\\]|\\.)*")')

ItemKey = tuple[str, str]
"""Skill and item."""


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """One arm's answer to one item, as much of it as is shown."""

    skill: str
    item: str
    arm: str
    text: str
    length: int
    """Characters of the whole answer."""
    finish: str


@dataclass(frozen=True, slots=True)
class AspectChange:
    """One number of the answers, paired with those of the first arm."""

    name: str
    group: str
    about: str
    before: float
    after: float
    low: float
    """95% interval of the difference; NaN for too few answers."""
    high: float
    items: int


@dataclass(frozen=True, slots=True)
class ArmAspects:
    """How the answers of an arm differ in wording from those of the first arm."""

    arm: str
    base: str
    items: int
    """Compared."""
    answered: int
    """Items that the first arm answered, of which those to compare are drawn."""
    same: int
    """Answers that are the very same."""
    rows: tuple[AspectChange, ...]


def read_job_answers(
    jobs: Sequence[JobDirectory],
    names: Sequence[Mapping[str, str]],
    results: EvaluationResults,
    arms: Sequence[str],
    chosen: Collection[ItemKey],
) -> tuple[list[ItemAnswer], list[ArmAspects]]:
    """Answers to the chosen items, and the aspects of each arm against the first.

    `names` are for each job its arms by their text. What several jobs answered is taken from the
    first one. Raises EngineError where a file cannot be read.
    """
    answered = _list_answered(results, arms[0])
    drawn = set(sorted(answered, key=_draw)[:MOST_COMPARED])
    wanted = {sample_id(*key): key for key in (*chosen, *drawn)}
    found: dict[str, dict[ItemKey, Sample]] = {arm: {} for arm in arms}
    for job, by_text in zip(jobs, names, strict=True):
        fresh: dict[str, dict[ItemKey, Sample]] = {arm: {} for arm in arms}
        for key, sample in _read_samples(job, wanted):
            arm = by_text.get(sample.arm)
            if arm in fresh:
                fresh[arm][key] = sample  # a later line replaces an earlier one
        for arm, samples in fresh.items():
            found[arm] = {**samples, **found[arm]}
    answers = [
        _cut(key, arm, found[arm][key]) for key in chosen for arm in arms if key in found[arm]
    ]
    return answers, list(_list_aspects(found, arms, drawn, len(answered)))


def _list_answered(results: EvaluationResults, arm: str) -> list[ItemKey]:
    """The items to which an arm has an answer: those whose answer ended, or was scored."""
    return [
        (name, item)
        for name, suite in results.arms[arm].suites.items()
        for item in suite.finish or suite.measures.get(STRICT, {})
    ]


def _draw(key: ItemKey) -> bytes:
    name = "\0".join(key).encode("utf-8", "surrogatepass")
    return hashlib.sha256(name).digest()


def _read_samples(
    job: JobDirectory, wanted: Mapping[str, ItemKey]
) -> Iterator[tuple[ItemKey, Sample]]:
    for line in read_lines(job.samples, "The answers"):
        if (read := _read_line(line, wanted)) is not None:
            yield read


def _read_line(line: bytes, wanted: Mapping[str, ItemKey]) -> tuple[ItemKey, Sample] | None:
    match = _PROMPT_ID.match(line)
    try:
        if match is not None and json.loads(match[1]) not in wanted:
            return None
        table: dict[str, Any] = json.loads(line)
        key = wanted.get(str(table["prompt_id"]))
        sample = from_table(table) if key is not None else None
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None  # cut by the death of its writer, or none of ours
    if key is None or sample is None:
        return None
    return key, replace(sample, prompt_ids=(), logprobs=())


def _cut(key: ItemKey, arm: str, sample: Sample) -> ItemAnswer:
    text = written_out(sample)
    return ItemAnswer(*key, arm, text[:LONGEST], len(text), sample.finish)


def _list_aspects(
    found: Mapping[str, Mapping[ItemKey, Sample]],
    arms: Sequence[str],
    drawn: Collection[ItemKey],
    answered: int,
) -> Iterator[ArmAspects]:
    first = {key: sample for key, sample in found[arms[0]].items() if key in drawn}
    measured: dict[int, Numbers] = {}

    def measure(sample: Sample) -> Numbers:
        """The first arm's answers are compared with those of every other arm."""
        if id(sample) not in measured:
            measured[id(sample)] = numbers_of(sample)
        return measured[id(sample)]

    for arm in arms[1:]:
        own = found[arm]
        keys = [key for key in first if key in own and own[key].asked == first[key].asked]
        if not keys:
            continue
        compared = compare([first[key] for key in keys], [own[key] for key in keys], measure)
        yield _to_aspects(arm, arms[0], compared, answered)


def _to_aspects(arm: str, base: str, compared: Comparison, answered: int) -> ArmAspects:
    rows = tuple(
        AspectChange(row.name, row.group, row.about, row.left, row.right, row.low, row.high,
                     row.prompts)
        for row in compared.rows
    )  # fmt: skip
    return ArmAspects(arm, base, compared.prompts, answered, compared.same, rows)
