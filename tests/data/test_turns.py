"""What a turn says beside role and content: tool calls, reasoning, marks; in the forms in use."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message, ToolCall, message_from_json
from engine.data.rows import Reject, read
from engine.data.tool_fields import read_tools
from engine.data.turns import READ_KEYS, read_turn
from engine.data.values import BadRow
from engine.recipes.settings import Data

CALL = ToolCall("get_weather", '{"city": "Oslo"}')
FUNCTION = {"name": "get_weather", "arguments": {"city": "Oslo"}}
OPENAI = {"type": "function", "id": "c1", "function": FUNCTION}


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"role": "assistant", "tool_calls": [OPENAI]},
         Message("assistant", "", tool_calls=(ToolCall(CALL.name, CALL.arguments, "c1"),))),
        ({"role": "assistant", "content": None, "tool_calls": [{"function": {
            "name": "get_weather", "arguments": '{"city":"Oslo"}'}}]},
         Message("assistant", "", tool_calls=(CALL,))),
        ({"role": "assistant", "content": "I look.", "tool_calls": [FUNCTION]},
         Message("assistant", "I look.", tool_calls=(CALL,))),
        ({"role": "assistant", "content": "", "function_call": FUNCTION},
         Message("assistant", "", tool_calls=(CALL,))),
        ({"from": "function_call", "value": json.dumps(FUNCTION)},
         Message("assistant", "", tool_calls=(CALL,))),
        ({"from": "function_call", "value": json.dumps([FUNCTION, FUNCTION])},
         Message("assistant", "", tool_calls=(CALL, CALL))),
        # Of a table of objects each has the keys of all the others.
        ({"role": "assistant", "content": "a", "tool_calls": None, "function_call": None},
         Message("assistant", "a")),
        ({"role": "assistant", "content": "a", "tool_calls": []}, Message("assistant", "a")),
        ({"role": "assistant", "tool_calls": [{"function": {
            "name": "get_weather", "arguments": {"city": "Oslo", "expression": None}}}]},
         Message("assistant", "", tool_calls=(CALL,))),
        ({"role": "assistant", "tool_calls": [{"name": "now", "arguments": ""}]},
         Message("assistant", "", tool_calls=(ToolCall("now"),))),
        ({"role": "tool", "content": "4 C", "name": "get_weather", "tool_call_id": "c1"},
         Message("tool", "4 C", name="get_weather", tool_call_id="c1")),
        ({"role": "tool", "content": {"degrees": 4}}, Message("tool", '{"degrees": 4}')),
        ({"role": "tool", "content": [{"type": "text", "text": "4 C"}]}, Message("tool", "4 C")),
        ({"from": "observation", "value": "4 C"}, Message("tool", "4 C")),
        ({"role": "function", "name": "f", "content": "4"}, Message("tool", "4", name="f")),
        ({"role": "assistant", "content": "4", "reasoning_content": "2+2"},
         Message("assistant", "4", "2+2")),
        ({"role": "assistant", "content": "4", "thinking": "2+2"},
         Message("assistant", "4", "2+2")),
        ({"role": "assistant", "content": "4", "reasoning_content": None, "reasoning": "2+2"},
         Message("assistant", "4", "2+2")),
        ({"role": "assistant", "content": "a", "weight": 0},
         Message("assistant", "a", trained=False)),
        ({"role": "assistant", "content": "a", "weight": 1}, Message("assistant", "a")),
        ({"role": "assistant", "content": "a", "train": False},
         Message("assistant", "a", trained=False)),
        ({"from": "gpt", "value": "a", "loss": False}, Message("assistant", "a", trained=False)),
        ({"role": "assistant", "content": "a", "training": False, "weight": None},
         Message("assistant", "a", trained=False)),
        # A loss that was measured is no mark.
        ({"role": "assistant", "content": "a", "loss": 0.25}, Message("assistant", "a")),
    ],
)  # fmt: skip
def test_a_turn_is_read_with_all_that_it_says(turn: dict[str, Any], message: Message) -> None:
    assert read_turn(turn, "messages[0]") == message
    assert turn.keys() <= READ_KEYS


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"role": "assistant", "tool_calls": "none"}, "t: 'tool_calls' is not valid JSON"),
        ({"role": "assistant", "tool_calls": [1]},
         "t: 'tool_calls' must be a tool call, not a number"),
        ({"role": "assistant", "tool_calls": [{"arguments": {}}]},
         "t: 'tool_calls': a tool call without a name"),
        ({"role": "assistant", "tool_calls": [{"name": "f", "arguments": "Oslo"}]},
         "t: 'tool_calls': 'arguments' of f is not valid JSON"),
        ({"role": "assistant", "tool_calls": [{"name": "f", "arguments": [1]}]},
         "t: 'tool_calls': 'arguments' of f must be an object, not a list"),
        ({"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": float("inf")}}]},
         "t: 'tool_calls': 'arguments' of f cannot be written as JSON"),
        ({"from": "function_call", "value": "f(1)"}, "t: 'function_call' is not valid JSON"),
        ({"role": "assistant", "content": "a", "reasoning_content": ["x"]},
         "t: 'reasoning_content' must be text, not a list"),
        ({"role": "assistant", "content": "a", "weight": 0.5},
         "t: 'weight' must be 0 or 1, not 0.5"),
        ({"role": "assistant", "reasoning_content": "x", "content": ""}, "t: empty answer"),
        ({"role": "assistant", "content": "a", "reasoning_content": "\0"},
         "t: 'reasoning_content' contains a NUL character"),
        ({"role": "tool"}, "t: missing field 'content'"),
    ],
)  # fmt: skip
def test_a_turn_that_cannot_be_read_says_why(turn: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow) as raised:
        read_turn(turn, "t")
    assert str(raised.value) == reason


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object"}},
}


@pytest.mark.parametrize(
    "row",
    [
        {"tools": [TOOL]},
        {"tools": json.dumps([TOOL])},
        {"tools": [json.dumps(TOOL)]},
        {"tools": [TOOL["function"]]},
        {"functions": [TOOL["function"]]},
        {"tools": None, "functions": [TOOL["function"]]},
        {"tools": [{"type": "function", "function": {**TOOL["function"], "strict": None}}]},
    ],
)
def test_definitions_of_tools_are_read_in_each_form(row: dict[str, Any]) -> None:
    assert read_tools(row) == (TOOL,)


def test_a_column_of_that_name_with_another_use_is_left_alone() -> None:
    assert read_tools({"tools": "a hammer"}) == read_tools({"tools": []}) == ()
    with pytest.raises(BadRow, match=r"tools\[0\] must be a tool with a name"):
        read_tools({"tools": [{"parameters": {}}]})


def test_a_row_brings_its_tools_and_the_recipe_may_leave_parts_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "reasoning_content": "because"},
    ]
    path.write_text(json.dumps({"messages": turns, "tools": [TOOL]}) + "\n")
    (example,) = read(path).examples
    assert example.tools == (TOOL,)
    assert example.messages[1].reasoning == "because"
    (example,) = read(path, Data(reasoning="drop", tools="drop")).examples
    assert example.tools == ()
    assert example.messages[1] == Message("assistant", "a")


def test_broken_calls_are_rejects_and_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    good = [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [FUNCTION]}]
    bad = [good[0], {"role": "assistant", "tool_calls": [{"arguments": {}}]}]
    path.write_text("".join(json.dumps({"messages": turns}) + "\n" for turns in (good, bad, good)))
    rows = read(path)
    assert len(rows.examples) == 2
    assert [(one.line, one.reason) for one in rows.rejects] == [
        (2, "messages[1]: 'tool_calls': a tool call without a name")
    ]
    assert all(isinstance(one, Reject) for one in rows.rejects)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(READ_KEYS)), _VALUES, max_size=6))
def test_any_turn_is_a_message_that_survives_json_or_a_reason(turn: dict[str, Any]) -> None:
    message = None
    with suppress(BadRow):
        message = read_turn(turn, "t")
    if message is not None:
        assert message_from_json(json.loads(json.dumps(message.to_json()))) == message
