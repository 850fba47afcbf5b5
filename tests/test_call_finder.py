"""Tool calls in texts: each published format, what is malformed and why, and hostile texts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.call_finder import MOST_CALLS, find_calls
from engine.chat import ToolCall

OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
}


def calls_of(text: str, tools: tuple[Any, ...] = ()) -> list[tuple[str, Any]]:
    found = find_calls(text, tools)
    assert found.malformed == ()
    return [(call.name, json.loads(call.arguments)) for call in found.calls]


ONE = [("get_weather", {"city": "Oslo"})]
TWO = [("get_weather", {"city": "Oslo"}), ("now", {})]
FORMATS: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "hermes": (
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>',
        ONE,
    ),
    "hermes, two": (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>\n'
        '<tool_call>\n{"name": "now"}\n</tool_call>',
        TWO,
    ),
    "hermes, not closed": (
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}',
        ONE,
    ),
    "hermes, two in one mark": (
        '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}\n{"name": "no'
        'w", "arguments": null}</tool_call>',
        TWO,
    ),
    "arguments as text": (
        '<tool_call>{"name": "get_weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}</tool_call>',
        ONE,
    ),
    "openai's form": (
        '<tool_call>{"type": "function", "function": {"name": "get_weather", "arguments'
        '": {"city": "Oslo"}}}</tool_call>',
        ONE,
    ),
    "qwen3-coder": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</funct"
        "ion>\n</tool_call>",
        ONE,
    ),
    "qwen3-coder, two": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</funct"
        "ion>\n<function=now>\n</function>\n</tool_call>",
        TWO,
    ),
    "qwen3-coder without a tag": (
        "<function=get_weather><parameter=city>Oslo</parameter></function></tool_call>",
        ONE,
    ),
    "llama 3.1 custom": (
        '<function=get_weather>{"city": "Oslo"}</function>',
        ONE,
    ),
    "glm": (
        "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</t"
        "ool_call>",
        ONE,
    ),
    "glm without arguments": (
        "<tool_call>now\n</tool_call>",
        [("now", {})],
    ),
    "mistral": (
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        ONE,
    ),
    "mistral, two": (
        '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": '
        '"now", "arguments": {}, "id": "abcdef123"}]',
        TWO,
    ),
    "mistral v11": (
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}[TOOL_CALLS]now[ARGS]{}',
        TWO,
    ),
    "mistral v11 with an id": (
        '[TOOL_CALLS]get_weather[CALL_ID]abcdef123[ARGS]{"city": "Oslo"}',
        ONE,
    ),
    "llama 3 tag": (
        '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Oslo"}}',
        ONE,
    ),
    "llama 3 tag, two": (
        '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Oslo"}}; {"name"'
        ': "now", "parameters": {}}',
        TWO,
    ),
    "llama 3 built-in": (
        '<|python_tag|>brave_search.call(query="Oslo")',
        [("brave_search.call", {"query": "Oslo"})],
    ),
    "llama 3 bare": (
        '{"name": "get_weather", "parameters": {"city": "Oslo"}}',
        ONE,
    ),
    "llama 3 bare, typed": (
        '\n{"type": "function", "name": "get_weather", "parameters": {"city": "Oslo"}}\n',
        ONE,
    ),
    "granite": (
        '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        ONE,
    ),
    "granite 3": (
        '<tool_call>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        ONE,
    ),
    "phi-4": (
        '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]<|/tool_call|>',
        ONE,
    ),
    "phi-4 mini": (
        'functools[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        ONE,
    ),
    "a bare list": (
        '[{"name": "get_weather", "arguments": {"city": "Oslo"}}]',
        ONE,
    ),
    "llama 4": (
        '<|python_start|>[get_weather(city="Oslo"), now()]<|python_end|>',
        TWO,
    ),
    "a bare python list": (
        "[get_weather(city='Oslo'), now()]",
        TWO,
    ),
    "gemma": (
        '```tool_code\nprint(get_weather(city="Oslo"))\n```',
        ONE,
    ),
    "gemma, a list": (
        '```tool_code\n[get_weather(city="Oslo")]\n```',
        ONE,
    ),
    "olmo 3": (
        '<function_calls>\nget_weather(city="Oslo")\nnow()\n</function_calls>',
        TWO,
    ),
    "deepseek v3.1": (
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}'
        "<｜tool▁call▁end｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁c"
        "alls▁end｜>",
        TWO,
    ),
    "deepseek v3": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json"
        '\n{"city": "Oslo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        ONE,
    ),
    "deepseek, plain bars": (
        '<|tool▁calls▁begin|><|tool▁call▁begin|>get_weather<|tool▁sep|>{"city": "Oslo"}'
        "<|tool▁call▁end|><|tool▁calls▁end|>",
        ONE,
    ),
    "deepseek, one alone": (
        '<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Oslo"}<｜tool▁call▁end｜>',
        ONE,
    ),
}


@pytest.mark.parametrize(("text", "expected"), FORMATS.values(), ids=FORMATS)
def test_each_format_is_read_and_taken_out(text: str, expected: list[tuple[str, Any]]) -> None:
    assert calls_of(text) == expected
    assert find_calls(text).rest == ""


@pytest.mark.parametrize("name", [name for name in FORMATS if "bare" not in name])
def test_what_stands_around_calls_is_left(name: str) -> None:
    text, expected = FORMATS[name]
    before = find_calls(f"I look it up.\n{text}")
    assert len(before.calls) == len(expected)
    assert before.rest == "I look it up."


def test_the_words_after_a_call_are_left() -> None:
    found = find_calls(f"First.\n<tool_call>{OSLO}</tool_call>\nThen.")
    assert found.rest == "First.\n\nThen."


def test_ids_are_kept() -> None:
    assert find_calls("[TOOL_CALLS]f[CALL_ID]abc[ARGS]{}").calls == (ToolCall("f", "{}", "abc"),)
    (call,) = find_calls('[TOOL_CALLS][{"name": "f", "arguments": {}, "id": "x1"}]').calls
    assert call.id == "x1"


def test_arguments_that_are_written_as_text_get_their_type() -> None:
    text = (
        "<tool_call><function=get_weather><parameter=city>\n007\n</parameter>"
        "<parameter=days>\n3\n</parameter></function></tool_call>"
    )
    assert calls_of(text, (WEATHER,)) == [("get_weather", {"city": "007", "days": 3})]
    assert calls_of(text.replace("007", "7")) == [("get_weather", {"city": 7, "days": 3})]
    more = "<function=f><parameter=a>True</parameter><parameter=b>[1, {}]</parameter></function>"
    assert calls_of(more) == [("f", {"a": True, "b": [1, {}]})]
    code = "<function=f><parameter=c>\nif x:\n    print('</function>')\n</parameter></function>"
    assert calls_of(code) == [("f", {"c": "if x:\n    print('</function>')"})]


def test_python_values_are_those_of_json() -> None:
    text = "[f(a=-1, b=[1.5, None, true], c={'x': (1, 2)}, d='it\\'s', e=False)]"
    assert calls_of(text) == [
        ("f", {"a": -1, "b": [1.5, None, True], "c": {"x": [1, 2]}, "d": "it's", "e": False})
    ]


MANY = '{"name": 3, "parameters": 1},'
DEEP = "[" * 70 + "]" * 70
MALFORMED = {
    f"<tool_call>{OSLO[:-1]}</tool_call>": "not valid JSON: Expecting ',' delimiter",
    f"<tool_call>{OSLO[:42]}": "it ends before its JSON does",
    '<tool_call>{"arguments": {}}</tool_call>': "it names no tool",
    '<tool_call>{"name": "f", "arguments": [1]}</tool_call>': "its arguments are not a JSON object",
    '<tool_call>{"name": "f", "arguments": "city: Oslo"}</tool_call>': "not valid JSON",
    '<tool_call>{"name": "f", "arguments": {"x": NaN}}</tool_call>': "not valid JSON: NaN",
    '<tool_call>{"name": "f", "arguments": {"x": 1e999}}</tool_call>': "1e999 is too large",
    '<tool_call>{"name": "f", "arguments": {"x": ' + "9" * 5000 + "}}</tool_call>": "too large",
    '<tool_call>{"name": "f", "arguments": {"x": ' + DEEP + "}}</tool_call>": "too deeply",
    "<tool_call>" + "[" * 100_000: "too deeply",
    "<tool_call>[]</tool_call>": "it holds no call",
    f"<tool_call>{OSLO}}}</tool_call>": "text follows its JSON",
    "<tool_call></tool_call>": "no call follows the mark",
    "<tool_call>get_weather<arg_key>city</arg_key>": "<arg_value> is missing",
    "<function=f><parameter=x>1": "</parameter> is missing",
    "<function=f><parameter=x>1</parameter>": "</function> is missing",
    "[TOOL_CALLS]": "no JSON follows the mark",
    '[TOOL_CALLS]f[ARGS]{"x": 1': "it ends before its JSON does",
    "<|python_tag|>import os": "it holds more than calls",
    '{"name": "f", "parameters": {"x": ': "it ends before its JSON does",
    '{"name": "f", "parameters": {"x": 1}': "it ends before its JSON does",
    '{"name": "f", "parameters": 3}': "its arguments are not a JSON object",
    "[f(x=1), 2]": "it holds more than calls",
    "[f(x=g())]": "an argument is not a literal",
    "[f(x=__import__('os').system('true'))]": "an argument is not a literal",
    "[f(x=1": "not valid Python",
    "<function_calls>f(1)</function_calls>": "an argument has no name",
    "<function_calls>f(**{'a': 1})</function_calls>": "an argument has no name",
    "<function_calls>f(a={1: 2})</function_calls>": "a key is not a string",
    "<function_calls>f(a=1e999)</function_calls>": "its arguments are not JSON",
    "<function_calls>f(a=" + "[" * 40 + "]" * 40 + ")</function_calls>": "too deeply",
    "<｜tool▁calls▁begin｜>{}": "no call follows the mark",
    "<｜tool▁call▁begin｜>f{}": "<｜tool▁sep｜> is missing",
    "<｜tool▁call▁begin｜><｜tool▁sep｜>{}<｜tool▁call▁end｜>": "it names no tool",
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), MALFORMED.items(), ids=range(len(MALFORMED)))
def test_what_begins_as_a_call_and_is_none_is_told_with_its_reason(text: str, reason: str) -> None:
    found = find_calls(text)
    assert found.calls == ()
    (one,) = found.malformed
    assert reason in one.reason
    assert one.text in text
    assert found.rest == ""


def test_a_malformed_call_ends_at_its_mark_or_at_the_next_call() -> None:
    found = find_calls(f"A <tool_call>{{oops}}</tool_call> B <tool_call>{{ <tool_call>{OSLO}")
    assert [one.text for one in found.malformed] == [
        "<tool_call>{oops}</tool_call>",
        "<tool_call>{ ",
    ]
    assert [call.name for call in found.calls] == ["get_weather"]
    assert found.rest == "A  B"


ORDINARY = [
    "",
    "  It is 4 C in Oslo.\n",
    '{"name": "Ann", "age": 3}',
    '{"name": "Ann", "parameters": {}, "age": 3}',
    '{"city": "Oslo"}',
    "[1, 2, 3]",
    "[]",
    "[see the note (a)] and so forth",
    "[Chorus(x2)]\nla la [end]",
    "Models write `<tool_call>` around a call.",
    "f(x) = 1 [TOOL_CALL]",
    OSLO + " is what I would write",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_answer_stays_as_it_is(text: str) -> None:
    found = find_calls(text)
    assert (found.calls, found.malformed, found.rest) == ((), (), text)


PIECES = [
    "<|python_tag|>", "<|tool_call|>", "functools[", "<function_calls>", "<tool_call>",
    "<parameter=x>", "</parameter>", "</function>", "</tool_call>", "<arg_key>", "[ARGS]", "{", "}",
    "[", "]", "(", ")", '"', "'", "\\", ":", ",", ";", "f", "f(", "x=", "1", "-", "1e999", "\n",
    '{"name": "f", "arguments": {', OSLO, "```", "```tool_code\n", "<think>", "</think>", "\ud800",
    "<|python_start|>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "lambda:", "not ", "\0", "👩",
]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=60).map("".join))
def test_any_text_is_read_and_nothing_of_it_is_invented(text: str) -> None:
    found = find_calls(text)
    assert len(found.rest) <= len(text)
    for call in found.calls:
        assert call.name
        assert isinstance(json.loads(call.arguments), dict)
        json.dumps(call.to_json(), allow_nan=False)
    for one in found.malformed:
        assert one.text in text
        assert one.reason


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    [
        "<tool_call>", "<tool_call>{", '<tool_call>{"', '<tool_call>{"name": "', "<tool_call>[[[[",
        "<function=f>", "<function=f><parameter=x>", "<tool_call>f<arg_key>", "[TOOL_CALLS]",
        "[TOOL_CALLS]f[ARGS]{", "<|python_start|>", "<|python_start|>f(", "<function_calls>[",
        "```tool_code", "<｜tool▁call▁begin｜>", "functools[", "<think>", "</think>", "[f(x=", "{",
        "[", "(", "[TOOL_CALLS]" + "a" * 300, "f(x=1)\n", '{"name": "f", "parameters": {}}',
        "<tool_call>f ", "<|python_tag|>" + "-" * 50, "`<tool_call>", MANY,
    ],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_no_time(unit: str) -> None:
    """Quadratic work would take minutes here."""
    text = unit * (1_000_000 // len(unit))
    if unit == MANY:
        text = f"[{text[:-1]}]"
    found = find_calls(text)
    assert len(found.calls) + len(found.malformed) <= max(MOST_CALLS + 1, text.count('{"name"'))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    ["-" * 90_000 + "1", "not " * 20_000 + "1", "1+" * 40_000 + "1", "f." * 40_000 + "f()",
     "lambda:" * 10_000 + "1", "1 if 1 else " * 8_000 + "1", "f(a=" * 31, "{" * 31,
     "f(a=1)\n" * 9_000,
     "\\d" * 9_000, "'" * 9_001],
)  # fmt: skip
def test_hostile_python_is_refused_and_never_run(source: str) -> None:
    found = find_calls(f"<function_calls>{source}</function_calls>")
    assert found.calls or found.malformed
