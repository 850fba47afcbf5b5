"""Answers in lines: each part told from the others, everything clean, in ASCII too."""

import pytest

from engine.answer_parts import AnswerParts, split_text
from engine.chat import Message, ToolCall
from engine.tool_calls import MalformedCall
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.screens.answer_lines import (
    MOST_CALL_CHARACTERS,
    MOST_CALLS,
    MOST_CHARACTERS,
    answer_lines,
    count_facts,
    message_lines,
)
from tui.styled_text import Line

HOSTILE = "\x1b]0;title\x07"
OSLO = ToolCall("get_weather", '{"city": "Oslo"}')
PARTS = AnswerParts(
    "I look.", "Hm.\nYes.", (OSLO,), (MalformedCall("<tool_call>{", "why"),), (OSLO,)
)


def texts(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def roles(lines: list[Line]) -> list[set[str]]:
    return [{role for _, role in line} for line in lines]


@pytest.mark.parametrize(
    ("glyphs", "call", "pipe", "failed"), [(UNICODE, "ƒ", "│", "✗"), (ASCII, "@", "|", "x")]
)
def test_each_part_has_lines_of_its_own(glyphs: Glyphs, call: str, pipe: str, failed: str) -> None:
    lines = answer_lines(PARTS, glyphs)
    assert texts(lines) == [
        "reasoning, 2 words",
        f"{pipe} Hm.",
        f"{pipe} Yes.",
        "",
        "I look.",
        "",
        f'{call} get_weather(city="Oslo")',
        f'{call} get_weather(city="Oslo")  lost by the server\'s parser',
        f"{failed} malformed call: why",
        "  <tool_call>{",
    ]
    assert roles(lines)[:3] == [{"dim"}] * 3, "reasoning is told from the answer"
    assert roles(lines)[4] == {""}
    assert "".join(texts(answer_lines(PARTS, ASCII))).isascii()


def test_a_plain_answer_is_its_text_and_an_empty_one_nothing() -> None:
    assert texts(answer_lines(AnswerParts("a\nb"), UNICODE)) == ["a", "b"]
    assert answer_lines(AnswerParts(""), UNICODE) == []
    assert "no answer" in texts(answer_lines(AnswerParts("", "Hm."), UNICODE))[-1]


def test_everything_is_clean() -> None:
    call = ToolCall(f"f{HOSTILE}", f'{{"x\\n{"y"}": "a\\u001b[2Jb"}}')
    parts = AnswerParts(HOSTILE, HOSTILE, (call,), (MalformedCall(HOSTILE, HOSTILE),), (call,))
    result = Message("tool", HOSTILE, name=HOSTILE)
    for line in [*answer_lines(parts, UNICODE), *message_lines(result, "", "", UNICODE)]:
        for text, _ in line:
            assert not any(ord(letter) < 32 or letter == "\x7f" for letter in text)


def test_what_is_long_is_cut_and_the_cut_is_shown() -> None:
    calls = (ToolCall("f", f'{{"x": "{"y" * 5_000}"}}'),) * (MOST_CALLS + 9)
    lines = texts(answer_lines(AnswerParts("", "r" * (MOST_CHARACTERS + 1), calls), UNICODE))
    assert "truncated: 60,001" in lines[2]
    assert lines[-1] == "(9 more calls)"
    assert len(lines[4]) < MOST_CALL_CHARACTERS + 20


def test_turns_before_an_answer() -> None:
    asked = Message("user", "Late?")
    assert texts(message_lines(asked, "strong", "user: ", UNICODE)) == ["user: Late?"]
    calling = Message("assistant", "I look.", tool_calls=(OSLO,))
    assert texts(message_lines(calling, "", "assistant: ", UNICODE)) == [
        "assistant: I look.", 'ƒ get_weather(city="Oslo")',
    ]  # fmt: skip
    result = Message("tool", "4 C\nwet", name="get_weather")
    assert texts(message_lines(result, "", "", UNICODE)) == ["↳ get_weather: 4 C", "  wet"]
    assert texts(message_lines(result, "", "", ASCII)) == ["= get_weather: 4 C", "  wet"]
    written = Message("assistant", '<tool_call>{"name": "now"}</tool_call>')
    assert texts(message_lines(written, "", "", UNICODE)) == ["ƒ now()"]
    assert split_text(written.content).tool_calls


def test_a_call_that_does_not_parse_is_counted_as_malformed() -> None:
    call = ToolCall("f", "{}")
    parts = AnswerParts("", "a b", (call, call), (MalformedCall("x", "y"),), (call,))
    assert count_facts(parts) == [
        "2 calls",
        "1 lost call",
        "1 malformed call",
        "2 words of reasoning",
    ]
    assert count_facts(AnswerParts("said")) == []
