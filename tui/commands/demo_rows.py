"""What `finetop demo --make-data` made of the bundled reviews, and how right it is.

The truth of each review is bundled apart from it; no question shows it. Made rows are compared with
it here, and the faults that were planted with what the gates held back. Makes nothing.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from engine.bundled import REVIEWS
from engine.jobs.directory import JobDirectory
from engine.number_format import write_number
from engine.recipes.recipe import SynthesizeRecipe
from engine.safe_open import read_lines
from engine.statistics import wilson
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.row_files import WrittenRows
from engine.synthesis.source_rows import read_sources
from engine.synthesis.tally import read_tally
from engine.text import one_line

ANSWER = "output"
"""The field of a row that a generator fills."""
INSTRUCTION = "instruction"
"""The fault of a review that says what to answer, which is wrong."""


def read_truth() -> dict[str, dict[str, str]]:
    """By the id of a raw review: its `answer`, empty where none is right, and its `fault`, where it
    has one."""
    lines = map(json.loads, read_lines(REVIEWS / "truth.jsonl", "The truth of the reviews"))
    return {one["id"]: one for one in lines}


def summarise_rows(
    job: JobDirectory, written: WrittenRows, truth: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """The numbers: sources by state and reason, faults that were planted, labels that are right."""
    recipe = job.recipe()
    assert isinstance(recipe, SynthesizeRecipe), "it makes data"
    tally = read_tally(job, recipe).to_table()
    names = {source.id: str(source.columns["id"]) for source in read_sources(job.sources)}
    faults: dict[str, Counter[str]] = {}
    labels: Counter[str] = Counter()
    right = obeyed = 0
    for outcome in read_outcomes(job.outcomes).values():
        known = truth[names[outcome.source]]
        fault = known.get("fault", "")
        if fault:
            counts = faults.setdefault(fault, Counter())
            counts.update(("planted", "passed" if outcome.state == "passed" else "found"))
        if fault == INSTRUCTION and outcome.row:
            obeyed += outcome.row[ANSWER] != known["answer"]
        if outcome.state == "passed" and known["answer"]:
            labels[known["answer"]] += 1
            right += outcome.row[ANSWER] == known["answer"]
    judged = labels.total()
    return {
        **{name: tally[name] for name in ("sources", "states", "reasons")},
        "planted": {
            name: {key: counts[key] for key in ("planted", "found", "passed")}
            for name, counts in sorted(faults.items())
        },
        "obeyed": obeyed,
        "labels": {
            "right": right,
            "of": judged,
            "share": right / judged if judged else None,
            "interval": list(wilson(right, judged)),
            "majority": max(labels.values(), default=0) / judged if judged else None,
        },
        "written": written.to_table(),
    }


def row_lines(numbers: Mapping[str, Any]) -> Iterator[str]:
    """The numbers as a terminal shows them."""
    yield f"Rows made of {numbers['sources']:,} raw reviews, n and share with its 95% interval"
    for state, share in numbers["states"].items():
        yield f"  {state:12}{_share(share)}"
        for reason in numbers["reasons"]:
            if reason["state"] == state:
                yield f"    {one_line(reason['name']):24}{_share(reason)}"
    yield "Planted faults that were held back or set aside, whatever the reason"
    for name, counts in numbers["planted"].items():
        yield f"  {name:18}{counts['found']:>3} of {counts['planted']}"
    if INSTRUCTION in numbers["planted"]:
        asked = numbers["planted"][INSTRUCTION]["planted"]
        yield f"Instructions in a review that its label follows: {numbers['obeyed']} of {asked}"
    labels = numbers["labels"]
    if labels["of"]:
        majority = write_number(labels["majority"], 3)
        yield (
            f"Labels of the rows that passed, against the truth: {labels['right']} of "
            f"{labels['of']} right, {_interval(labels['share'], labels['interval'])}; "
            f"majority class {majority}"
        )
    written = numbers["written"]
    yield f"{written['rows']:,} rows, {written['unreviewed']:,} of them without a review:"
    yield f"  {one_line(written['out'])}"
    yield f"  {one_line(written['card'])}: the data card"


def _share(share: Mapping[str, Any]) -> str:
    value = share["value"]
    return f"{share['count']:>5}  " + ("" if value is None else _interval(value, share["interval"]))


def _interval(value: float, bounds: list[float]) -> str:
    low, high = (write_number(bound, 2) for bound in bounds)
    return f"{write_number(value, 3)} [{low}, {high}]"
