"""A job that made data, with its files and without a worker."""

from collections.abc import Sequence
from pathlib import Path

from engine.jobs.directory import JobDirectory, create
from engine.recipes.recipe import SynthesizeRecipe, parse
from engine.synthesis.outcomes import (
    AnswerRecord,
    Outcome,
    Reason,
    Repair,
    State,
    append_outcomes,
)
from engine.synthesis.reviews import Review, append_review
from engine.synthesis.source_rows import SourceRow, write_sources

RECIPE = {
    "kind": "synthesize",
    "name": "opinions",
    "source": {"data": "reviews.jsonl", "license": "cc-by-4.0"},
    "asking": {"generator": "writer=bundled:demo-base"},
    "fields": {
        "prompt": {"take": "{text}"},
        "completion": {"ask": "What would one answer?"},
        "opinion": {"ask": "Which?", "type": "label", "choices": ["agree", "disagree"]},
    },
}


def read_recipe(**changes: object) -> SynthesizeRecipe:
    recipe = parse({**RECIPE, **changes})
    assert isinstance(recipe, SynthesizeRecipe)
    return recipe


def make_source(number: int, text: str = "", group: str = "") -> SourceRow:
    name = f"reviews.jsonl:{number}"
    text = text or f"review number {number}"
    return SourceRow(name, group or name, "reviews.jsonl", number, text, {"text": text})


def make_outcome(
    number: int,
    state: State = "passed",
    *,
    reasons: Sequence[str] = (),
    repairs: Sequence[str] = (),
    faults: Sequence[str] = (),
    opinion: str = "agree",
    completion: str = "",
    round: int = 0,
    tokens: tuple[int, int] = (30, 10),
) -> Outcome:
    """One of a source that `make_source` made, with an answer a fault and one that was used."""
    source = f"reviews.jsonl:{number}"
    row = {
        "prompt": f"review number {number}",
        "completion": completion or f"the answer to review {number}",
        "opinion": opinion,
    }
    answers = [
        AnswerRecord(f"{source}/completion#{at}", "writer=bundled:demo-base", "completion",
                     f"{number:064x}", at, fault)
        for at, fault in enumerate((*faults, *([""] if state != "set aside" else [])), 1)
    ]  # fmt: skip
    return Outcome(
        source,
        state,
        row if state != "set aside" else {},
        reasons=tuple(Reason(name, "why") for name in reasons),
        repairs=tuple(Repair("completion", kind) for kind in repairs),
        answers=tuple(answers),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        seconds=1.0,
        round=round,
    )


def make_job(
    root: Path,
    sources: Sequence[SourceRow] = (),
    outcomes: Sequence[Outcome] = (),
    reviews: Sequence[Review] = (),
    **changes: object,
) -> JobDirectory:
    job = create(root, read_recipe(**changes))
    write_sources(job.sources, sources)
    append_outcomes(job.outcomes, outcomes)
    for review in reviews:
        append_review(job.reviews, review)
    return job


def decide(number: int, decision: str, **changes: object) -> Review:
    return Review(f"reviews.jsonl:{number}", 0, decision, **changes)  # type: ignore[arg-type]
