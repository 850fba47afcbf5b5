"""Checks of an answer's tool calls, and what came of them in words.

    {"calls": "get_weather"}                                                    that tool, anyhow
    {"calls": {"name": "get_weather", "arguments": {"city": "Oslo"}}}           with these arguments
    {"calls": ["now", {"name": "get_weather", "arguments": {"city": "Oslo"}}]}  several, in order
    {"no_call": true}                                                           none at all

Arguments are compared as JSON values: 1 is 1.0, the order of keys says nothing, texts are exact.
A call that does not parse, and one that a server's parser lost, are no calls: each is an outcome
of its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from engine.answer_parts import AnswerParts
from engine.chat import ToolCall
from engine.python_calls import CallError
from engine.tool_calls import call_of, format_call, same_call

Outcome = Literal[
    "right call",
    "right without a call",
    "wrong tool",
    "wrong arguments",
    "missing call",
    "unwanted call",
    "malformed call",
    "lost call",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
RIGHT: tuple[Outcome, ...] = ("right call", "right without a call")
ExpectedCall = ToolCall | str
"""A call, or the name of a tool, whatever its arguments."""


def read_expected(value: object) -> tuple[ExpectedCall, ...]:
    """The calls that the value of the check `calls` names. Raises ValueError that says why not."""
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError("'calls' is empty: use 'no_call'")
    expected: list[ExpectedCall] = []
    for one in values:
        if isinstance(one, str):
            if not one.strip():
                raise ValueError("'calls' has an empty name")
            expected.append(one)
            continue
        try:
            expected.append(_expected_call(one))
        except CallError as error:
            raise ValueError(f"'calls': {error}") from None
    return tuple(expected)


def judge_calls(parts: AnswerParts, expected: Sequence[ExpectedCall]) -> Outcome:
    """What came of the calls that an answer should make, in order; none expected: of making none.

    How a call was lost is told before what was called: a tool that is not called cannot be wrong.
    """
    calls = parts.tool_calls
    if len(calls) < len(expected):
        if parts.lost:
            return "lost call"
        return "malformed call" if parts.malformed else "missing call"
    for call, wanted in zip(calls, expected, strict=False):
        if call.name != _name(wanted):
            return "wrong tool"
        if isinstance(wanted, ToolCall) and not same_call(call, wanted):
            return "wrong arguments"
    if len(calls) > len(expected) or (parts.lost and not expected):
        return "unwanted call"
    if parts.malformed:
        return "malformed call"
    return "right call" if expected else "right without a call"


def find_outcome(
    parts: AnswerParts, checks: Mapping[str, Any], reference: str = ""
) -> Outcome | Literal[""]:
    """What came of the calls that an item's checks ask for, or its reference where that is calls
    as JSON; empty where neither says anything of calls."""
    try:
        if "calls" in checks:
            return judge_calls(parts, read_expected(checks["calls"]))
        if "no_call" in checks:
            return _judge_no_call(parts, checks["no_call"])
        expected = read_reference(reference)
    except ValueError:
        return ""
    return judge_calls(parts, expected) if expected else ""


def read_reference(reference: str) -> tuple[ToolCall, ...]:
    """The calls that a reference is, as JSON in Hugging Face's form; none where it is a text."""
    if not reference.lstrip().startswith("[{"):
        return ()
    try:
        values = json.loads(reference)
        if not all(isinstance(value, dict) and "function" in value for value in values):
            return ()
        return tuple(map(call_of, values))
    except (ValueError, RecursionError):
        return ()


def explain_invalid(name: str, value: object) -> str:
    """Why the value of a check of calls cannot be checked; empty where it can."""
    try:
        if name == "calls":
            read_expected(value)
    except ValueError as error:
        return str(error)
    return ""


def say_expected(name: str, value: object) -> str:
    """A check of calls in words, as untrusted as its value; empty where it is none of these."""
    if name == "no_call":
        return "no call" if value else "a call"
    if name != "calls":
        return ""
    try:
        expected = read_expected(value)
    except ValueError:
        return ""
    written = (one if isinstance(one, str) else format_call(one) for one in expected)
    return f"calls {', then '.join(written)}"


def _expected_call(value: object) -> ExpectedCall:
    """A call, or its name where the value says nothing of arguments."""
    call = call_of(value)
    table = value if isinstance(value, Mapping) else {}
    table = table["function"] if isinstance(table.get("function"), Mapping) else table
    return call if {"arguments", "parameters"} & set(table) else call.name


def _judge_no_call(parts: AnswerParts, value: object) -> Outcome:
    outcome = judge_calls(parts, ())
    if value:
        return outcome
    if parts.tool_calls:
        return "right call"
    if parts.lost:
        return "lost call"
    return "malformed call" if parts.malformed else "missing call"


def _name(expected: ExpectedCall) -> str:
    return expected if isinstance(expected, str) else expected.name


def _meets_calls(parts: AnswerParts, value: object) -> bool:
    return find_outcome(parts, {"calls": value}) in RIGHT


def _meets_no_call(parts: AnswerParts, value: object) -> bool:
    return _judge_no_call(parts, value) in RIGHT


CALL_CHECKS: Mapping[str, tuple[type | tuple[type, ...], Callable[[AnswerParts, Any], bool]]] = {
    "calls": ((str, dict, list), _meets_calls),
    "no_call": (bool, _meets_no_call),
}
"""By name: the type of its value, and whether the parts of an answer meet it."""
