"""Controls are read beside the table, and change nothing of it."""

import json
import math
from typing import Any

import pytest

from engine.impact.changes.controls import ControlRow, read_controls
from engine.impact.changes.skill_table import build_table
from engine.impact.changes.stage_summary import summarize
from engine.impact.changes.table_json import table_to_json
from engine.impact.results.evaluation_results import NLL, read_results
from engine.impact.results.merged_results import merge_results
from tests.impact.made_results import measured, results_of, scores_of, suite_of, table_of

SUITES = {"facts": suite_of(40), "prose": suite_of(3, NLL)}
TEXTS = {"i0": 10.0, "i1": 20.0, "i2": 30.0}
TOKENS = dict.fromkeys(TEXTS, 10)


def prose(shift: float = 0.0) -> Any:
    nats = {item: value + 10 * shift for item, value in TEXTS.items()}
    return measured(nats, NLL, tokens=TOKENS)


def facts(right: int) -> Any:
    return measured(scores_of(right, 40))


ARMS: dict[str, Any] = {
    "base": {"facts": facts(30), "prose": prose()},
    "tuned": {"facts": facts(20), "prose": prose(0.5)},
}


def control(kind: str, of: str, **suites: Any) -> dict[str, Any]:
    return {"control": kind, "of": of, "suites": suites}


CONTROLS = {
    "base, again": control("identity", "base", facts=facts(30), prose=prose()),
    "tuned, null 1": control("null", "tuned", facts=facts(28), prose=prose(0.1)),
    "tuned, null 2": control("null", "tuned", facts=facts(30), prose=prose(0.2)),
    "tuned, null 3": control("null", "tuned", facts=facts(32), prose=prose(0.3)),
}


def rows_of(arms: dict[str, Any]) -> dict[str, ControlRow]:
    return {one.row.name: one for one in read_controls(build_table(results_of(SUITES, arms)))}


def test_no_table_summary_or_family_changes_when_controls_are_added() -> None:
    def whole(arms: dict[str, Any]) -> str:
        table = build_table(results_of(SUITES, arms))
        return json.dumps(table_to_json(table, summarize(table)))

    with_controls = whole(ARMS | CONTROLS)
    assert with_controls == whole(ARMS)
    assert "null" in with_controls
    assert "again" not in with_controls


def test_what_is_a_control_is_no_arm_of_the_results() -> None:
    results = results_of(SUITES, ARMS | CONTROLS)
    assert list(results.arms) == ["base", "tuned"]
    assert list(results.controls) == list(CONTROLS)
    assert results.controls["tuned, null 2"].of == "tuned"
    table = table_of(SUITES, ARMS | {"x": control("neither", "base")})
    with pytest.raises(ValueError, match="no known kind"):
        read_results(table)


def test_a_second_pass_that_gives_the_same_changes_nothing() -> None:
    (identity,) = rows_of(ARMS | CONTROLS)["facts"].identity
    assert (identity.of, identity.items, identity.changed) == ("base", 40, ())
    assert identity.largest == 0
    assert identity.verdict is not None
    assert identity.verdict.word != "lost"


def test_what_a_second_pass_changes_is_counted_item_by_item() -> None:
    noisy = {**TEXTS, "i1": 20.0 + 1e-6}
    again = control("identity", "base", facts=facts(28), prose=measured(noisy, NLL, tokens=TOKENS))
    rows = rows_of(ARMS | {"again": again})
    assert rows["facts"].identity[0].changed == ("i28", "i29")
    assert rows["facts"].identity[0].largest == 1
    assert rows["prose"].identity[0].changed == ("i1",)
    assert rows["prose"].identity[0].largest == pytest.approx(1e-7)


def test_a_text_that_diverged_twice_has_not_changed() -> None:
    diverged = measured({**TEXTS, "i0": None}, NLL, tokens=TOKENS)
    arms = {"base": {"prose": diverged}, "again": control("identity", "base", prose=diverged)}
    (identity,) = rows_of(arms)["prose"].identity
    assert identity.changed == ()
    assert identity.verdict is None


def test_null_adapters_give_mean_sd_and_z_by_hand() -> None:
    """Changes of 3 adapters against the base: −2, 0, +2 of 40; the arm's own: −10 of 40."""
    rows = rows_of(ARMS | CONTROLS)
    (null,) = rows["facts"].nulls
    assert null.changes == pytest.approx((-0.05, 0.0, 0.05))
    assert null.value == pytest.approx(-0.25)
    assert null.mean == pytest.approx(0)
    assert null.sd == pytest.approx(0.05)
    assert null.z == pytest.approx(-5)
    assert null.degrees == 2
    (texts,) = rows["prose"].nulls
    assert texts.mean == pytest.approx(0.2)
    assert texts.z == pytest.approx((0.5 - 0.2) / 0.1)


def test_fewer_items_of_null_adapters_are_those_of_the_arm_too() -> None:
    """The arm is right on 20 of 40 items, on 10 of the first 10 as the base is."""
    few = {f"null {at}": control("null", "tuned", facts=measured(scores_of(right, 10)))
           for at, right in enumerate((9, 10))}  # fmt: skip
    (null,) = rows_of(ARMS | few)["facts"].nulls
    assert (null.items, null.value) == (10, 0)
    assert null.changes == pytest.approx((-0.1, 0))


@pytest.mark.parametrize("rights", [(30,), (30, 30)])
def test_null_adapters_that_do_not_differ_give_no_z(rights: tuple[int, ...]) -> None:
    nulls = {
        f"null {at}": control("null", "tuned", facts=facts(right))
        for at, right in enumerate(rights)
    }
    (null,) = rows_of(ARMS | nulls)["facts"].nulls
    assert null.z is None
    assert not math.isnan(null.mean)


def test_controls_of_nothing_that_is_there_are_passed_over() -> None:
    assert not rows_of(ARMS | {"x": control("null", "gone", facts=facts(3))})
    assert not rows_of(ARMS)


def test_controls_of_several_evaluations_stay_with_their_arms() -> None:
    second = {
        "base": ARMS["base"],
        "tuned": {"suites": {"facts": facts(25)}, "arm": "tuned=run:another"},
        "tuned, null 1": {
            "arm": "n=run:another?null=1", **control("null", "tuned", facts=facts(29)),
        },
    }  # fmt: skip
    merged = merge_results([results_of(SUITES, ARMS | CONTROLS), results_of(SUITES, second)])
    assert list(merged.arms) == ["base", "tuned", "tuned (2)"]
    assert [one.of for one in merged.controls.values()] == ["base", *["tuned"] * 3, "tuned (2)"]
    (row,) = [one for one in read_controls(build_table(merged)) if one.row.name == "facts"]
    assert [(one.of, len(one.changes)) for one in row.nulls] == [("tuned", 3), ("tuned (2)", 1)]
