"""What a run measured of its suites: lines read back, scores, changes, halves, items lost."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.compare.items import Item
from engine.impact.results.evaluation_results import LIKELIHOOD, NLL, STRICT, SuiteItem
from engine.impact.watched.skill_alarms import find_alarms
from engine.impact.watched.skill_log import (
    SkillLog,
    WatchedSuite,
    find_losses,
    half_of,
    read_skill_log,
    result_line,
)
from engine.statistics import paired_proportions
from tests.impact.damage import VALUES, list_places, replace_value

FOUR = ("a", "b", "c", "d")


def make_suite(
    name: str = "facts", items: Sequence[str] = FOUR, measure: str = STRICT
) -> WatchedSuite:
    asked = tuple(
        Item(item, (Message("user", f"ask {item}"),), score="exact", gold=("x",)) for item in items
    )
    return WatchedSuite(name, name, measure, asked, 8)


def make_log(
    suite: WatchedSuite, tokens: Mapping[str, int] = MappingProxyType({}), **steps: dict[str, float]
) -> SkillLog:
    log = SkillLog()
    log.add(suite.to_line())
    for step, values in steps.items():
        log.add(result_line(suite.name, int(step.removeprefix("at")), values, tokens=tokens))
    return log


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    item = Item(
        "a", (Message("system", "Be short."), Message("user", "Who?")), "feelings",
        gold=("joy",), choices=("joy", "fear"), group="group", weight=2.0, score="choices",
        reference="joy",
    )  # fmt: skip
    suite = WatchedSuite("f", "f=x.jsonl?template=raw", LIKELIHOOD, (item,))
    lines = [suite.to_line(), result_line("f", 0, {"a": 1.0}, picked={"a": "joy"}, finish={})]
    path = tmp_path / "skills.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 4, "sui')
    log = read_skill_log(path)
    assert log.suites == {"f": suite}
    facts = log.suites["f"].facts
    assert facts.items == {
        "a": SuiteItem("Who?", ("joy",), ("joy", "fear"), "group", 2.0, "choices")
    }
    assert facts.digest == lines[0]["digest"]
    assert log.values == {"f": {0: {"a": 1.0}}}
    assert lines[1] == {"step": 0, "suite": "f", "values": {"a": 1.0}, "picked": {"a": "joy"}}
    assert read_skill_log(tmp_path / "none") == SkillLog()


@pytest.mark.parametrize(
    "line",
    ["[]", "{}", "7", '{"step": "x", "suite": "f"}', '{"step": 0, "suite": "other", "values": {}}',
     '{"step": -1, "suite": "f"}', '{"step": 1, "suite": "f", "values": {"a": []}}'],
)  # fmt: skip
def test_a_line_that_is_none_is_left_out(tmp_path: Path, line: str) -> None:
    path = tmp_path / "skills.jsonl"
    good = [make_suite("f").to_line(), result_line("f", 0, {"a": 1.0})]
    path.write_text("\n".join([json.dumps(good[0]), line, json.dumps(good[1])]))
    assert read_skill_log(path).values == {"f": {0: {"a": 1.0}}}


def test_scores_and_changes_of_answers() -> None:
    log = make_log(
        make_suite(),
        at0={"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0},
        at5={"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0},
    )
    assert log.score("facts", 5) == 0.25
    change = log.change("facts", 5)
    assert change is not None
    assert change.difference == -0.5
    assert change.interval() == paired_proportions(0, 2, 4)
    assert log.change("facts", 6) is None
    assert math.isnan(log.score("facts", 6))


def test_texts_are_scored_in_nats_per_token_and_fall_where_these_rise() -> None:
    log = make_log(
        make_suite("prose", ("a", "b"), NLL),
        {"a": 10, "b": 30},
        at0={"a": 20.0, "b": 60.0},
        at5={"a": 30.0, "b": 60.0},
        at9={"a": math.inf, "b": 60.0},
    )
    assert log.score("prose", 0) == 2.0
    change = log.change("prose", 5)
    assert change is not None
    assert change.difference == pytest.approx(-10 / 40)
    diverged = log.change("prose", 9)
    assert diverged is not None
    assert math.isnan(diverged.difference)
    assert log.loss_steps("prose") == {}


def test_an_item_is_lost_at_the_first_of_two_agreeing_steps() -> None:
    log = make_log(
        make_suite(),
        at0={"a": 1.0, "b": 1.0, "c": 0.0, "d": 1.0},
        at5={"a": 0.0, "b": 0.0, "c": 0.0, "d": 1.0},
        at9={"a": 1.0, "b": 0.0, "c": 0.0, "d": 1.0},
        at12={"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.0},
    )
    assert log.loss_steps("facts") == {"b": 5}


def test_losses_are_those_of_the_same_items_by_the_same_measure() -> None:
    lost = {"a": 0.0, "b": 0.0, "c": 1.0, "d": 0.0}
    log = make_log(make_suite(), at0=dict.fromkeys(FOUR, 1.0), at5=lost, at9=lost)
    first, second, third, fourth = log.suites["facts"].items
    items = [first, replace(second, gold=("y",)), third, replace(fourth, id="e")]
    assert find_losses(log, items, STRICT) == {"a": 5}
    assert find_losses(log, items, LIKELIHOOD) == {}
    assert find_losses(SkillLog(), items, STRICT) == {}


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.sampled_from(["", "g"]))
def test_the_halves_part_the_items_and_stay_as_they_are(items: list[str], group: str) -> None:
    asked = tuple(Item(one, group=group) for one in items)
    whole = WatchedSuite("s", "s", STRICT, asked)
    first, second = whole.half("selection"), whole.half("report")
    assert first | second == set(items)
    assert not first & second
    if group:
        assert not first or not second, "items of one group go together"
    fewer = WatchedSuite("s", "s", STRICT, asked[:1])
    assert (items[0] in first) == (items[0] in fewer.half("selection")), "whichever others"


def test_the_halves_are_pinned() -> None:
    ids = [f"facts-{number:03}" for number in range(1, 321)]
    count = sum(half_of(one) == "selection" for one in ids)
    assert count == 168
    assert [half_of(one)[0] for one in ids[:8]] == list("rsrsrsrr")


def test_a_line_with_a_wrong_value_is_left_out(tmp_path: Path) -> None:
    """Of whatever type and size; what is left answers every question."""
    suites = [make_suite(), make_suite("texts", FOUR, NLL)]
    lines = [suite.to_line() for suite in suites]
    for suite in suites:
        for step in (0, 5, 10):
            values = {item: float(item > "b" or step < 5) for item in FOUR}
            lines.append(result_line(suite.name, step, values, tokens=dict.fromkeys(FOUR, 3)))
    path = tmp_path / "skills.jsonl"
    for number in (0, 2, 3):
        for place in list_places(lines[number]):
            for value in VALUES:
                damaged = replace_value(lines[number], place, value)
                written = [*lines[:number], damaged, *lines[number + 1 :]]
                path.write_text("".join(json.dumps(line) + "\n" for line in written))
                log = read_skill_log(path)
                find_alarms(log, 0.05)
                for name, suite in log.suites.items():
                    assert suite.facts.items
                    assert suite.every > 0
                    for step in log.steps(name):
                        log.score(name, step, "report")
                        log.change(name, step)
