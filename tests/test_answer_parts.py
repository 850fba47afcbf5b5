"""Reasoning, calls and speech of an answer, told apart; and the parts of a server's reply."""

import json

import pytest

from engine.answer_parts import (
    AnswerParts,
    opens_reasoning,
    parts_from_table,
    parts_of_message,
    parts_of_reply,
    split_answer,
)
from engine.chat import Message, ToolCall
from engine.tool_calls import MalformedCall, equal_json, format_call

CALL = ToolCall("f", '{"x": 1}')
WRITTEN = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'


@pytest.mark.parametrize(
    ("text", "reasoning", "spoken"),
    [
        ("It is 4.", "", "It is 4."),
        ("  It is 4.\n", "", "  It is 4.\n"),
        ("<think>\nTwo and two.\n</think>\n\nIt is 4.", "Two and two.", "It is 4."),
        ("<think>\n\n</think>\n\nIt is 4.", "", "It is 4."),
        ("[THINK]Two.[/THINK]It is 4.", "Two.", "It is 4."),
        ("<think>\nTwo and", "Two and", ""),
        ("Two and two.\n</think>\n\nIt is 4.", "Two and two.", "It is 4."),
        ("<think>a</think>\n<think>b</think>c", "a\n\nb", "c"),
        ("Write </think> to end it.", "", "Write </think> to end it."),
        ("Write <think> first,\nthen </think>\n", "", "Write <think> first,\nthen </think>\n"),
        (f"<think>I could {WRITTEN}</think>No.", f"I could {WRITTEN}", "No."),
    ],
)
def test_reasoning_is_told_from_speech(text: str, reasoning: str, spoken: str) -> None:
    parts = split_answer(text)
    assert (parts.reasoning, parts.spoken) == (reasoning, spoken)
    assert (parts.tool_calls, parts.malformed) == ((), ())
    assert parts.is_plain is not bool(reasoning)


def test_a_prompt_may_have_opened_the_reasoning() -> None:
    assert opens_reasoning("<｜User｜>2+2?<｜Assistant｜><think>\n")
    assert not opens_reasoning("<think>\n\n</think>\n\n")
    assert split_answer("Two and", reasoning_is_open=True).reasoning == "Two and"
    parts = split_answer("Two and two.</think>It is 4.", reasoning_is_open=True)
    assert (parts.reasoning, parts.spoken) == ("Two and two.", "It is 4.")


def test_all_parts_at_once() -> None:
    parts = split_answer(f"<think>Look.</think>\nI look.\n{WRITTEN}\n<tool_call>{{</tool_call>")
    assert parts.reasoning == "Look."
    assert parts.spoken == "I look."
    assert parts.tool_calls == (CALL,)
    assert [one.text for one in parts.malformed] == ["<tool_call>{</tool_call>"]


def test_parts_come_back_from_json() -> None:
    parts = AnswerParts("s", "r", (CALL,), (MalformedCall("<", "why"),), (ToolCall("g"),))
    assert parts_from_table(json.loads(json.dumps(parts.to_table()))) == parts
    assert AnswerParts("s").to_table() == {"spoken": "s"}


def reply_call(name: str, arguments: str, identity: str = "c1") -> dict[str, object]:
    function = {"name": name, "arguments": arguments}
    return {"id": identity, "type": "function", "function": function}


def test_a_reply_s_calls_are_read_and_those_that_do_not_parse_are_malformed() -> None:
    calls = [reply_call("f", '{"x": 1}'), reply_call("f", '{"x": '), reply_call("", "{}")]
    parts = parts_of_reply("Hm.", "Think.", calls)
    assert parts.tool_calls == (ToolCall("f", '{"x": 1}', "c1"),)
    assert [one.reason for one in parts.malformed] == [
        "it ends before its JSON does", "it names no tool",
    ]  # fmt: skip
    assert (parts.reasoning, parts.spoken, parts.lost) == ("Think.", "Hm.", ())


def test_a_valid_call_in_the_text_is_lost_where_the_server_does_not_deliver_it() -> None:
    parts = parts_of_reply(f"I look. {WRITTEN}", "", [])
    assert (parts.lost, parts.tool_calls, parts.spoken) == ((CALL,), (), "I look.")
    both = parts_of_reply(WRITTEN, "", [reply_call("f", '{"x": 1.0}')])
    assert both.lost == (), "it is delivered as well"
    malformed = parts_of_reply("<tool_call>{</tool_call>", "", [])
    assert (malformed.lost, len(malformed.malformed)) == ((), 1)


def test_an_earlier_answer_has_its_own_parts_or_those_of_its_text() -> None:
    assert parts_of_message(Message("assistant", WRITTEN)).tool_calls == (CALL,)
    message = Message("assistant", "I look.", "Hm.", (CALL,))
    assert parts_of_message(message) == AnswerParts("I look.", "Hm.", (CALL,))


def test_a_call_on_one_line() -> None:
    call = ToolCall("get_weather", '{"city": "Os\\nlo", "days": [1, null]}')
    assert format_call(call) == 'get_weather(city="Os\\nlo", days=[1, null])'
    assert format_call(ToolCall("now")) == "now()"


def test_json_values_are_compared_as_json() -> None:
    assert equal_json({"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0})
    assert not equal_json({"a": 1}, {"a": True})
    assert not equal_json([0], [False])
    assert not equal_json("Oslo", "oslo")
    assert not equal_json({"a": None}, {})
