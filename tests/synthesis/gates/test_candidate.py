"""A row as gates look at it, and which rows others are compared with."""

from pathlib import Path
from typing import cast

import pytest

from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import Pairs, RowField
from engine.synthesis.gates.candidate import (
    asks_text,
    make_candidate,
    standing_candidates,
)
from engine.synthesis.outcomes import Outcome, Reason, State, append_outcomes, read_outcomes
from engine.synthesis.reviews import Decision, Review
from tests.synthesis.gates.made_rows import RECIPE, candidate, source


def test_texts_are_those_of_texts_and_lists() -> None:
    recipe = SynthesizeRecipe(
        fields={
            "review": RowField(take="{text}"),
            "label": RowField(ask="?", type="label", choices=["a", "b"]),
            "stars": RowField(ask="?", type="integer"),
            "reasons": RowField(ask="?", type="list"),
        }
    )
    row = {"review": "It broke.", "label": "a", "stars": 3, "reasons": ["One.", "Two."]}
    made = make_candidate(recipe, source(), row, cut=4)
    assert made.texts == {"review": "It broke.", "reasons": "One.\nTwo."}
    assert made.asked == {"reasons": "One.\nTwo."}
    assert (made.row, made.cut) == (row, 4)


def test_what_the_recipe_writes_around_a_source_is_not_the_rows_own() -> None:
    made = candidate("A reply.", text="It broke.")
    assert made.texts["review"] == "Read this review:\nIt broke.\nThen reply."
    assert made.own["review"].split() == ["It", "broke."]
    assert made.own["reply"] == "A reply."


def test_of_pairs_both_answers_are_asked_for() -> None:
    recipe = SynthesizeRecipe(mode="pairs", pairs=Pairs(prompt="Reply to {text}"))
    row = {"prompt": "Reply to It broke.", "chosen": "Sorry.", "rejected": "So what."}
    made = make_candidate(recipe, source(), row)
    assert made.asked == {"chosen": "Sorry.", "rejected": "So what."}
    assert made.own["prompt"].strip() == "It broke."
    assert asks_text(recipe)


def test_a_recipe_of_labels_asks_for_no_text() -> None:
    label = RowField(ask="?", type="label", choices=["a", "b"])
    fields = {"review": RowField(take="{text}"), "label": label}
    assert not asks_text(SynthesizeRecipe(fields=fields))
    assert asks_text(RECIPE)


@pytest.mark.parametrize(
    ("state", "decision", "rounds", "reply"),
    [
        ("passed", None, 0, "made"),
        ("held back", None, 0, None),
        ("set aside", None, 0, None),
        ("passed", "reject", 0, None),
        ("passed", "ask again", 0, None),
        ("passed", "accept", 0, "made"),
        ("held back", "accept", 0, "made"),
        ("passed", "edit", 0, "edited"),
        ("held back", "edit", 0, "edited"),
        ("held back", "accept", 1, None),  # of an earlier round: it no longer holds
        ("passed", "reject", 1, "made"),
    ],
)
def test_rows_that_stand(
    state: State, decision: Decision | None, rounds: int, reply: str | None
) -> None:
    row = {} if state == "set aside" else {"reply": "made"}
    outcome = Outcome("r.jsonl:1", state, row, round=rounds)
    edited = {"reply": "edited"} if decision == "edit" else {}
    reviews = {"r.jsonl:1": Review("r.jsonl:1", 0, decision, edited)} if decision else {}
    found = standing_candidates(RECIPE, {"r.jsonl:1": source()}, [outcome], reviews)
    assert [made.row["reply"] for made in found] == ([reply] if reply else [])


def test_an_edit_stands_in_its_own_form_once_its_gates_pass_or_it_is_accepted() -> None:
    edited, held = {"reply": "edited"}, (Reason("length", "too long"),)
    for decision, stands in (("edit", []), ("accept", [edited])):
        review = Review("r.jsonl:1", 0, cast(Decision, decision), edited, held)
        outcome = Outcome("r.jsonl:1", "passed", {"reply": "made"})
        reviews = {"r.jsonl:1": review}
        found = standing_candidates(RECIPE, {"r.jsonl:1": source()}, [outcome], reviews)
        assert [made.row for made in found] == stands


def test_outcomes_keep_what_could_not_be_judged(tmp_path: Path) -> None:
    kept = Outcome("a", "passed", {"x": 1}, unjudged=(Reason("language", "too short"),))
    append_outcomes(tmp_path / "outcomes.jsonl", [kept])
    assert read_outcomes(tmp_path / "outcomes.jsonl") == {"a": kept}
