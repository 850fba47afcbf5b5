"""All gates together: their order, what could not be judged, and which of them are on."""

from dataclasses import replace
from typing import get_args

import pytest

from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import Gates, RowField
from engine.synthesis.gates.candidate import Gate, GateName, HeldOutText, NotJudged, RowCandidate
from engine.synthesis.gates.gate_set import GateSet
from engine.synthesis.gates.light_gates import gate_settings, light_gates
from engine.synthesis.outcomes import Reason
from tests.synthesis.gates.made_rows import RECIPE, candidate

HELD_OUT = [HeldOutText("e:1", "What of it?")]


def _gate(name: GateName, detail: str = "", unjudged: str = "") -> tuple[Gate, list[RowCandidate]]:
    seen: list[RowCandidate] = []

    def check(row: RowCandidate) -> str:
        seen.append(row)
        if unjudged:
            raise NotJudged(unjudged)
        return detail

    return Gate(name, check), seen


def test_all_reasons_are_listed_in_order() -> None:
    gates = [_gate("length", "long")[0], _gate("copy")[0], _gate("overlap", "e:1")[0]]
    found = GateSet(gates).check(candidate())
    assert found.reasons == (Reason("length", "long"), Reason("overlap", "e:1"))


def test_what_no_gate_could_judge_passes_and_is_recorded() -> None:
    found = GateSet([_gate("language", unjudged="too short")[0]]).check(candidate())
    assert (found.reasons, found.unjudged) == ((), (Reason("language", "too short"),))


@pytest.mark.parametrize(("detail", "asked"), [("", 1), ("long", 0)])
def test_the_last_gates_are_asked_of_rows_that_pass_the_others(detail: str, asked: int) -> None:
    judge, seen = _gate("judge", "no")
    first = [_gate("length", detail)[0], _gate("copy", unjudged="short")[0]]
    found = GateSet(first, [judge]).check(candidate())
    assert len(seen) == asked
    assert [reason.name for reason in found.reasons] == (["length"] if detail else ["judge"])
    assert found.unjudged == (Reason("copy", "short"),)


def test_rows_are_taken_up_and_forgotten_by_gates_that_compare() -> None:
    gates = GateSet(light_gates(RECIPE))
    rows = [candidate(f"Thank you for all {at}.", name=f"r:{at}") for at in range(5)]
    gates.add_all(rows)
    new = candidate("Thank you for this.", name="new")
    assert [reason.name for reason in gates.check(new).reasons] == ["opening"]
    gates.remove("r:3")
    assert gates.check(new).reasons == ()


def test_a_recipe_as_it_comes() -> None:
    off = {each.name: each.off for each in gate_settings(RECIPE, 0) if each.off}
    assert off == {
        "same answer": "no pairs are made",
        "language": "not set",
        "cut source": "not set",
        "overlap": "no rows of the evaluation side are named",
        "judge": "not set",
    }
    limits = {each.name: each.limit for each in gate_settings(RECIPE, 3) if each.limit}
    assert limits["copy"] == "at most 90% of the words in one run"
    assert limits["overlap"] == "no 13 words in a row"
    assert "evaluation side" in limits["near duplicate"]
    assert [each.name for each in gate_settings(RECIPE, 0)] == list(get_args(GateName))


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("copy", Gates(copy=0)),
        ("refusal", Gates(refusals=False)),
        ("special token", Gates(special_tokens=False)),
        ("overlap", Gates(overlap=0)),
        ("near duplicate", Gates(near_duplicates=0)),
        ("opening", Gates(openings=0)),
    ],
)
def test_each_gate_can_be_switched_off(name: GateName, gates: Gates) -> None:
    before = light_gates(RECIPE, HELD_OUT)
    after = light_gates(replace(RECIPE, gates=gates), HELD_OUT)
    assert {each.name for each in before} - {each.name for each in after} <= {name}
    settings = gate_settings(replace(RECIPE, gates=gates), 1)
    always = ("same answer", "language", "cut source", "judge")
    assert [each.name for each in settings if each.off] == [
        each for each in get_args(GateName) if each in (name, *always)
    ]


def test_gates_on_what_is_written_are_off_where_only_labels_are_asked_for() -> None:
    label = RowField(ask="?", type="label", choices=["a", "b"])
    recipe = SynthesizeRecipe(fields={"review": RowField(take="{text}"), "label": label})
    assert [gate.name for gate in light_gates(recipe, HELD_OUT)] == ["special token", "overlap"]
    length = gate_settings(recipe, 1)[0]
    assert (length.limit, length.off) == ("", "no text is asked for")
