"""Which rows are trained on, by what was made of a source and what a person decided."""

from dataclasses import replace

import pytest

from engine.data.source_groups import GROUP, find_group_column, name_group
from engine.synthesis.accepted_rows import AcceptedRow, accepted, find_standing, unite_groups
from engine.synthesis.outcomes import Outcome, Reason, State
from engine.synthesis.reviews import Review
from tests.synthesis.made_job import decide, make_outcome, make_source

EDIT = {"prompt": "p", "completion": "by hand", "opinion": "disagree"}
HELD = (Reason("length", "too long"),)


def accept(outcome: Outcome, review: Review | None, accept_all: bool = False) -> AcceptedRow | None:
    reviews = {review.source: review} if review else {}
    found = list(accepted([make_source(1)], {outcome.source: outcome}, reviews, accept_all))
    return found[0] if found else None


@pytest.mark.parametrize(
    ("state", "review", "alone", "all_passed"),
    [
        ("passed", None, "", "made"),
        ("held back", None, "", ""),
        ("set aside", None, "", ""),
        ("passed", decide(1, "accept"), "made", "made"),
        ("held back", decide(1, "accept"), "made", "made"),
        ("set aside", decide(1, "accept"), "", ""),
        ("passed", decide(1, "reject"), "", ""),
        ("passed", decide(1, "ask again"), "", ""),
        ("passed", decide(1, "undo"), "", "made"),
        ("passed", decide(1, "edit", row=EDIT), "edited", "edited"),
        ("held back", decide(1, "edit", row=EDIT), "edited", "edited"),
        ("set aside", decide(1, "edit", row=EDIT), "edited", "edited"),
        ("held back", decide(1, "edit", row=EDIT, reasons=HELD), "", ""),
        ("held back", decide(1, "accept", row=EDIT, reasons=HELD), "edited", "edited"),
        ("set aside", decide(1, "accept", row=EDIT), "edited", "edited"),
    ],
)
def test_what_is_accepted(state: State, review: Review | None, alone: str, all_passed: str) -> None:
    texts = {"made": "the answer to review 1", "edited": "by hand"}
    for accept_all, expected in ((False, alone), (True, all_passed)):
        found = accept(make_outcome(1, state), review, accept_all)
        assert (found.row["completion"] if found else None) == texts.get(expected)
        if found is not None:
            assert found.edited == (expected == "edited")
            assert (found.review is None) == (review is None or review.decision == "undo")


def test_an_edit_that_fails_its_gates_is_not_what_stands_for_the_row() -> None:
    """Not even with all rows accepted: somebody looked at the row and found it wanting."""
    review = decide(1, "edit", row=EDIT, reasons=HELD)
    assert find_standing(make_outcome(1), review) == "edit held back"
    assert accept(make_outcome(1), review, accept_all=True) is None


def test_a_decision_holds_for_the_round_that_was_looked_at() -> None:
    assert accept(make_outcome(1, round=1), decide(1, "accept")) is None
    assert accept(make_outcome(1, round=1), decide(1, "reject"), accept_all=True) is not None


def test_what_was_accepted_in_spite_of_gates_is_kept() -> None:
    made = accept(make_outcome(1, "held back", reasons=["copy"]), decide(1, "accept"))
    assert made is not None
    assert [one.name for one in made.overruled] == ["copy"]
    held = make_outcome(1, "held back", reasons=["copy"])
    edit = accept(held, decide(1, "edit", row=EDIT))
    assert edit is not None
    assert edit.overruled == ()
    forced = accept(held, decide(1, "accept", row=EDIT, reasons=HELD))
    assert forced is not None
    assert forced.overruled == HELD


def test_rows_come_in_the_order_of_their_sources_with_their_group_last() -> None:
    sources = [make_source(2, group="ann"), make_source(1, group="ann"), make_source(3)]
    outcomes = {f"reviews.jsonl:{n}": make_outcome(n) for n in (1, 2, 3)}
    rows = [one.row for one in accepted(sources, outcomes, {}, accept_all=True)]
    assert [row["prompt"][-1] for row in rows] == ["2", "1", "3"]
    assert [list(row)[-1] for row in rows] == ["group"] * 3
    assert {find_group_column(row) for row in rows} == {GROUP}
    groups = [row[GROUP] for row in rows]
    assert groups[0] == groups[1] == name_group("ann") != groups[2]
    assert "ann" not in groups[0]


def test_sources_with_the_same_text_are_one_source() -> None:
    sources = [
        make_source(1, "the same", "a"),
        make_source(2, "  the\nsame ", "b"),
        make_source(3, "b again", "b"),
        make_source(4, "b again", "c"),
        make_source(5, "alone", "d"),
    ]
    sources += [replace(make_source(at, "x", group), text=" ") for at, group in enumerate("ef", 6)]
    united = unite_groups(sources)
    assert len({united[name] for name in "abc"}) == 1
    assert [united[name] for name in "def"] == ["d", "e", "f"]
