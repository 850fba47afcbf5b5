"""What came of the calls that an item asks for: each outcome, told from the others."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.answer_parts import AnswerParts, parts_of_reply, split_text
from engine.compare.call_checks import (
    CALL_CHECKS,
    OUTCOMES,
    explain_invalid,
    find_outcome,
    read_expected,
    say_expected,
)
from engine.compare.checks import met, problem, score
from engine.compare.item_reader import read_items
from engine.errors import EngineError


def written(*calls: tuple[str, dict[str, Any]]) -> str:
    return "".join(
        f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"
        for name, arguments in calls
    )


OSLO = ("get_weather", {"city": "Oslo", "days": 2})
NOW = ("now", dict[str, Any]())
TWO: list[Any] = ["now", {"name": "get_weather", "arguments": {"days": 2.0, "city": "Oslo"}}]
F_OF_1 = {"name": "f", "arguments": {"x": 1}}
CASES: list[tuple[str, dict[str, Any], str]] = [
    (written(OSLO), {"calls": "get_weather"}, "right call"),
    (written(OSLO), {"calls": {"name": "get_weather"}}, "right call"),
    (written(OSLO), {"calls": TWO[1]}, "right call"),
    (f"I look.\n{written(NOW, OSLO)}", {"calls": TWO}, "right call"),
    (written(OSLO, NOW), {"calls": TWO}, "wrong tool"),
    (written(NOW), {"calls": "get_weather"}, "wrong tool"),
    (written(("get_weather", {"city": "oslo", "days": 2})), {"calls": TWO[1]}, "wrong arguments"),
    (written(("get_weather", {"city": "Oslo"})), {"calls": TWO[1]}, "wrong arguments"),
    (written(("f", {"x": True})), {"calls": F_OF_1}, "wrong arguments"),
    ("It is 4 C.", {"calls": "get_weather"}, "missing call"),
    ("", {"calls": "get_weather"}, "missing call"),
    (written(NOW), {"calls": TWO}, "missing call"),
    (written(OSLO, NOW), {"calls": "get_weather"}, "unwanted call"),
    (written(OSLO), {"no_call": True}, "unwanted call"),
    ("<tool_call>{", {"calls": "get_weather"}, "malformed call"),
    ("<tool_call>{", {"no_call": True}, "malformed call"),
    (f"{written(OSLO)}<tool_call>{{", {"calls": "get_weather"}, "malformed call"),
    ("It is 4 C.", {"no_call": True}, "right without a call"),
    (written(OSLO), {"no_call": False}, "right call"),
    ("It is 4 C.", {"no_call": False}, "missing call"),
    ("It is 4 C.", {"words": 4}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "checks", "outcome"), CASES)
def test_each_outcome(text: str, checks: dict[str, Any], outcome: str) -> None:
    assert find_outcome(split_text(text), checks) == outcome
    for name, value in checks.items():
        if name in CALL_CHECKS:
            is_met = outcome.startswith("right")
            assert CALL_CHECKS[name][1](split_text(text), value) is is_met
            assert met(text, {name: value}) == is_met
            assert problem({name: value}) == ""


def test_a_call_that_the_server_s_parser_lost_is_an_outcome_of_its_own() -> None:
    lost = parts_of_reply(written(OSLO), "", [])
    assert find_outcome(lost, {"calls": "get_weather"}) == "lost call"
    assert find_outcome(lost, {"no_call": False}) == "lost call"
    assert find_outcome(lost, {"no_call": True}) == "unwanted call"
    garbled = parts_of_reply("", "", [{"function": {"name": "get_weather", "arguments": "{"}}])
    assert find_outcome(garbled, {"calls": "get_weather"}) == "malformed call"


def test_every_outcome_is_reached() -> None:
    reached = {outcome for *_, outcome in CASES} | {"lost call"}
    assert reached >= set(OUTCOMES)


def test_a_reference_that_is_calls_is_what_should_be_called() -> None:
    call = {"type": "function", "function": {"name": OSLO[0], "arguments": OSLO[1]}}
    reference = json.dumps([call])
    assert find_outcome(split_text(written(OSLO)), {}, reference) == "right call"
    assert find_outcome(split_text("4 C"), {}, reference) == "missing call"
    for text in ("", "4 C", "[1, 2]", '[{"a": 1}]', "[{", '[{"function": 3}]'):
        assert find_outcome(AnswerParts("4 C"), {}, text) == ""


@pytest.mark.parametrize("value", [[], "", {"arguments": {}}, [3], {"name": "f", "arguments": 3}])
def test_an_expectation_that_says_nothing_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="calls"):
        read_expected(value)
    assert explain_invalid("calls", value)
    assert problem({"calls": value}), "and so by its line, in a file"
    assert met(written(OSLO), {"calls": value}) == 0


def test_expectations_that_can_be_checked_are_not_refused() -> None:
    assert explain_invalid("calls", TWO) == explain_invalid("words", []) == ""


def test_expectations_in_words() -> None:
    assert say_expected("calls", TWO) == 'calls now, then get_weather(days=2.0, city="Oslo")'
    assert say_expected("no_call", True) == "no call"
    assert say_expected("words", 3) == ""


def test_a_row_asks_for_calls_by_its_checks_or_by_the_answer_that_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    call = {"type": "function", "function": {"name": OSLO[0], "arguments": OSLO[1]}}
    asked = {"role": "user", "content": "Weather?"}
    tools = [{"type": "function", "function": {"name": OSLO[0]}}]
    rows: list[dict[str, Any]] = [
        {"messages": [asked], "checks": {"calls": OSLO[0], "says": "look"}, "tools": tools},
        {"messages": [asked, {"role": "assistant", "tool_calls": [call]}], "tools": tools},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    by_checks, by_answer = read_items(path)
    assert by_checks.tools == by_answer.tools == tuple(tools)
    assert score(by_checks, f"I look.{written(OSLO)}") == 1
    assert score(by_checks, "I look.") == 0
    right = split_text(written(OSLO))
    assert find_outcome(right, by_answer.checks, by_answer.reference) == "right call"
    path.write_text(json.dumps(rows[0] | {"checks": {"calls": {"name": ""}}}))
    with pytest.raises(EngineError) as caught:
        read_items(path)
    assert f"{path}:1: 'calls': it names no tool" in caught.value.detail


def test_what_is_thought_and_called_is_no_part_of_what_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(json.dumps({"prompt": "2+2?", "gold": "4", "score": "number"}))
    (item,) = read_items(path)
    assert score(item, "<think>\n2 and 2, not 5.\n</think>\n\nIt is 4.") == 1
    assert score(item, "<think>\nIs it 4") == 0
    assert score(item, f"It is 4.{written(OSLO)}") == 1
