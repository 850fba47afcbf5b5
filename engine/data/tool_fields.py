"""Tools in a row: the definitions of those that may be called, and the calls of an answer.

Definitions come as OpenAI and transformers write them, or without the wrapper (ShareGPT); calls
with their arguments as an object or as JSON text. Either may stand in a cell as JSON text.
"""

import json
from collections.abc import Iterator, Mapping

from engine.chat import ToolCall, Tools
from engine.data.schemas import TOOL_COLUMNS
from engine.data.values import BadRow, Row, check_text, drop_nulls, is_missing, say, write_json


def read_tools(row: Row) -> Tools:
    """The definitions that a row brings, each with a name; none where its column is of other use.

    Raises BadRow.
    """
    for column in TOOL_COLUMNS:
        value = row.get(column)
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            value = _parse(value, f"{column!r}")
        if isinstance(value, Mapping):
            value = [value]
        if isinstance(value, list) and value:
            return tuple(_read_tool(tool, f"{column}[{index}]") for index, tool in enumerate(value))
    return ()


def read_calls(turn: Row, where: str) -> tuple[ToolCall, ...]:
    """The calls under `tool_calls`, or the one under `function_call`. Raises BadRow."""
    calls: list[ToolCall] = []
    for key in ("tool_calls", "function_call"):
        value = turn.get(key)
        if is_missing(value) or value in ("", []):
            continue
        calls += parse_calls(value, f"{where}: {key!r}")
    return tuple(calls)


def parse_calls(value: object, where: str) -> Iterator[ToolCall]:
    """The calls of a list, or of one object; or of either as JSON text. Raises BadRow."""
    if isinstance(value, str):
        value = _parse(value, where)
    for call in value if isinstance(value, list) else [value]:
        yield _read_call(call, where)


def _read_tool(tool: object, where: str) -> Mapping[str, object]:
    if isinstance(tool, str):
        tool = _parse(tool, where)
    cleaned = drop_nulls(tool)
    function = cleaned.get("function", cleaned) if isinstance(cleaned, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise BadRow(f"{where} must be a tool with a name, not {say(tool)}")
    write_json(function, where)
    return {"type": "function", "function": dict(function)}


def _read_call(call: object, where: str) -> ToolCall:
    inner = call.get("function") if isinstance(call, Mapping) else None
    function = inner if isinstance(inner, Mapping) else call
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise BadRow(f"{where} must be a tool call, not {say(call)}")
    if not isinstance(name, str) or not name.strip():
        raise BadRow(f"{where}: a tool call without a name")
    check_text(name, where)
    arguments = function.get("arguments")
    arguments = function.get("parameters") if is_missing(arguments) else arguments
    if isinstance(arguments, str) and arguments.strip():
        arguments = _parse(arguments, f"{where}: 'arguments' of {name}")
    elif is_missing(arguments) or isinstance(arguments, str):
        arguments = {}
    else:
        arguments = drop_nulls(arguments)
    if not isinstance(arguments, Mapping):
        raise BadRow(f"{where}: 'arguments' of {name} must be an object, not {say(arguments)}")
    identity = call.get("id")
    return ToolCall(
        name,
        write_json(arguments, f"{where}: 'arguments' of {name}"),
        "" if is_missing(identity) else str(identity),
    )


def _parse(text: str, where: str) -> object:
    """The value that a cell holds as JSON. Raises BadRow."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRow(f"{where} is not valid JSON") from None
    return value
