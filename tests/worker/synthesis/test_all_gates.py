"""All gates of a job: the same verdicts when it is resumed, and of an edit in a review."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import Gates, RowField
from engine.synthesis.gates.candidate import (
    GateFindings,
    HeldOutText,
    RowCandidate,
    make_candidate,
)
from engine.synthesis.outcomes import Outcome, State
from engine.synthesis.reviews import Review
from engine.synthesis.source_rows import SourceRow
from engine.worker.synthesis.all_gates import make_gates, rebuild_gates
from tests.worker.synthesis.made_duplicates import KINDS, draw_pairs

HELD_OUT = [HeldOutText("e:1", "The quiet kettle leaked after a week, and then it never worked.")]
RECIPE = SynthesizeRecipe(
    fields={"text": RowField(take="{text}"), "reply": RowField(ask="?")},
    gates=Gates(language="en", judge="base", judge_question="Is it good?"),
)


def made_rows() -> list[RowCandidate]:
    """Near rows and others, a frequent opening, a refusal, a held-out text, a foreign language."""
    texts = [one for kind in KINDS for p in draw_pairs(kind, 2) for one in (p.first, p.second)]
    replies = [
        "Thank you for what you wrote; we are going to look at it with care soon.",
        "We looked at the matter with some care, and found what you had written.",
        "I cannot help with that.",
        "Wir haben uns die Sache angesehen und alles so gefunden, wie es geschrieben stand.",
        HELD_OUT[0].text,
    ]
    rows = []
    for number, text in enumerate(texts):
        source = SourceRow(f"r:{number}", f"r:{number}", "f", number, text, {"text": text})
        reply = replies[0] if number % 2 else replies[number // 2 % len(replies)]
        rows.append(make_candidate(RECIPE, source, {"text": text, "reply": f"{reply} {number}"}))
    return rows


def run(rows: Sequence[RowCandidate], killed_at: int = 0) -> list[GateFindings]:
    """What is said of each row; at `killed_at` the gates are made anew from the outcomes so far."""
    outcomes: list[Outcome] = []
    gates, found = make_gates(RECIPE, HELD_OUT, lambda *_: "yes"), []
    for number, each in enumerate(rows):
        if number == killed_at:
            sources = {one.source.id: one.source for one in rows}
            gates = rebuild_gates(RECIPE, sources, outcomes, None, HELD_OUT, lambda *_: "yes")
        found.append(gates.check(each))
        if not found[-1].reasons:
            gates.add(each)
        state: State = "held back" if found[-1].reasons else "passed"
        outcomes.append(Outcome(each.source.id, state, dict(each.row), found[-1].reasons))
    return found


def test_a_resumed_job_says_the_same_of_every_row() -> None:
    rows = made_rows()
    found = run(rows)
    assert {reason.name for each in found for reason in each.reasons} == {
        "refusal", "language", "near duplicate", "opening", "overlap",
    }  # fmt: skip
    for killed_at in (7, 20):
        assert run(rows, killed_at) == found


def test_an_edit_is_compared_with_all_accepted_rows_but_its_own() -> None:
    rows = made_rows()
    first, last, rejected = rows[0], rows[15], rows[2]
    sources = {one.source.id: one.source for one in rows}
    outcomes = [Outcome(one.source.id, "passed", dict(one.row)) for one in (first, last, rejected)]
    reviews = {rejected.source.id: Review(rejected.source.id, 0, "reject")}
    gates = rebuild_gates(RECIPE, sources, outcomes, reviews)
    assert gates.check(make_candidate(RECIPE, first.source, rejected.row)).reasons == ()
    assert gates.check(first).reasons == ()
    edited = make_candidate(RECIPE, first.source, last.row)
    (reason,) = gates.check(edited).reasons
    assert (reason.name, reason.detail) == ("near duplicate", "the same as the row of r:15")


def test_the_judge_is_asked_last_and_only_where_there_is_one() -> None:
    asked = []

    def ask(*question: object) -> str:
        asked.append(question)
        return "no"

    (first, *_), gates = made_rows(), make_gates(RECIPE, HELD_OUT, ask)
    assert [reason.name for reason in gates.check(first).reasons] == ["judge"]
    refusal = replace(first, asked={"reply": "I must decline."})
    assert "judge" not in [reason.name for reason in gates.check(refusal).reasons]
    assert len(asked) == 1
    assert make_gates(RECIPE, HELD_OUT).check(first).reasons == ()


def test_a_language_that_is_not_known_is_refused_before_any_row() -> None:
    with pytest.raises(EngineError):
        make_gates(replace(RECIPE, gates=Gates(language="xx")))
