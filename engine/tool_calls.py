"""A tool call as a value: made of JSON, refused where it is none, and written on one line.

Raises CallError with a reason in words; mends nothing. Which texts are calls is for
`engine.call_finder`.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from engine.chat import ToolCall, Tools
from engine.python_calls import CallError

LONGEST_MALFORMED = 2_000
"""Characters of a malformed call that are kept."""
CALL_KEYS = frozenset({"name", "type", "id", "arguments", "parameters"})
_ARGUMENTS = ("arguments", "parameters")
_DEEPEST = 64
_SPACE = re.compile(r"\s*")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_PYTHON_WORDS = {"True": True, "False": False, "None": None}
Schemas = Mapping[str, Mapping[str, Any]]
"""Of each tool the JSON type of each argument."""


@dataclass(frozen=True, slots=True)
class MalformedCall:
    """A text that begins as a call and is none."""

    text: str
    """As it was written; cut where it is long. Untrusted."""
    reason: str


def call_of(value: object) -> ToolCall:
    """The call that a JSON value is: `name` and `arguments` (or `parameters`), or Hugging Face's
    form with both under `function`; arguments may be JSON text. Raises CallError."""
    table: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    function = table.get("function")
    if isinstance(function, Mapping):
        table = {**function, "id": table.get("id")}
    name, identity = table.get("name"), table.get("id")
    if not isinstance(name, str) or not name.strip():
        raise CallError("it names no tool")
    arguments = next((table[key] for key in _ARGUMENTS if key in table), None)
    if isinstance(arguments, str):
        arguments = load_whole(arguments) if arguments.strip() else None
    return make_call(name.strip(), arguments, identity if isinstance(identity, str) else "")


def make_call(name: str, arguments: object, identity: str = "") -> ToolCall:
    """A call with these arguments; None is none at all. Raises CallError."""
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, Mapping):
        raise CallError("its arguments are not a JSON object")
    try:
        text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise CallError("it is nested too deeply") from None
    except (TypeError, ValueError):
        raise CallError("its arguments are not JSON") from None
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += (match.group() in "[{") - (match.group() in "]}")
        if depth > _DEEPEST:
            raise CallError("it is nested too deeply")
    return ToolCall(name, text, identity)


def load_whole(text: str) -> Any:
    """A text that is one JSON value. Raises CallError."""
    value, end = load_json(text, len(text) - len(text.lstrip()))
    if text[end:].strip():
        raise CallError("not valid JSON: text follows its end")
    return value


def load_json(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at a place, and where it ends. Raises CallError."""
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        raise CallError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text) or error.msg.startswith("Unterminated"):
            raise CallError("it ends before its JSON does") from None
        raise CallError(f"not valid JSON: {error.msg}, character {error.pos - at + 1}") from None
    except CallError:
        raise
    except ValueError:  # a whole number with more digits than Python reads
        raise CallError("not valid JSON: a number is too large") from None


def typed_argument(written: str, kind: object) -> Any:
    """An argument that is written as text, by its JSON type; None: as JSON if it is some."""
    text = written.removeprefix("\n").removesuffix("\n")
    if kind == "string":
        return text
    word = text.strip()
    if word in _PYTHON_WORDS:
        return _PYTHON_WORDS[word]
    try:
        value = load_whole(text)
    except CallError:
        return text
    return text if kind is None and isinstance(value, str) else value


def same_call(left: ToolCall, right: ToolCall) -> bool:
    """Whether two calls are of one tool with equal arguments; their ids aside."""
    return left.name == right.name and equal_json(
        json.loads(left.arguments), json.loads(right.arguments)
    )


def equal_json(left: object, right: object) -> bool:
    """Whether two JSON values are equal: 1 is 1.0 but not true, the order of keys says nothing."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(
            equal_json(left[key], right[key]) for key in left
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal_json, left, right))
    return left == right


def format_call(call: ToolCall) -> str:
    """A call on one line, as `get_weather(city="Oslo")`. As untrusted as its parts."""
    arguments = json.loads(call.arguments)
    pairs = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in arguments.items())
    return f"{call.name}({', '.join(pairs)})"


def tool_names(tools: Tools) -> list[str]:
    """What the tools are called."""
    functions = (tool.get("function", tool) for tool in tools)
    return [str(one.get("name")) if isinstance(one, Mapping) else str(one) for one in functions]


def schemas_of(tools: Tools) -> Schemas:
    """Of each tool the type of each argument, where its schema says one."""
    schemas: dict[str, dict[str, Any]] = {}
    for tool in tools:
        function = tool.get("function", tool)
        function = function if isinstance(function, Mapping) else {}
        parameters = function.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        if isinstance(properties, Mapping):
            schemas[str(function.get("name"))] = {
                key: rule.get("type")
                for key, rule in properties.items()
                if isinstance(rule, Mapping)
            }
    return schemas


def _refuse_constant(word: str) -> NoReturn:
    raise CallError(f"not valid JSON: {word}")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise CallError(f"not valid JSON: {digits[:20]} is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
