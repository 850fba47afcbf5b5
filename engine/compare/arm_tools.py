"""The tools of an arm: a JSON file of definitions, for prompts that bring none of their own.

The file holds a list of tools as transformers' `apply_chat_template` and OpenAI's protocol take
them, with or without the wrapper `{"type": "function", "function": …}`; or an object with that list
under `tools`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from engine.chat import Tools
from engine.compare.arms import Arm
from engine.compare.items import Item
from engine.data.tool_fields import read_tools
from engine.data.values import BadRow
from engine.errors import EngineError
from engine.safe_open import read_bounded
from engine.tool_calls import tool_names

_LARGEST = 1 << 20


def read_arm_tools(arm: Arm) -> Tools:
    """The tools that an arm is given; none where it names no file. Raises EngineError."""
    return () if arm.tools is None else read_tools_file(Path(arm.tools).expanduser())


def offered_tools(prompt: Item, arm_tools: Tools) -> Tools:
    """What an arm may call when it answers a prompt: the prompt's own tools come first."""
    return prompt.tools or arm_tools


def read_tools_file(path: Path) -> Tools:
    """The definitions in a file, each with a name of its own. Raises EngineError with the line."""
    try:
        value = json.loads(read_bounded(path, _LARGEST))
    except json.JSONDecodeError as error:
        raise _wrong(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _wrong(f"{path}: not valid JSON") from error
    try:
        tools = parse_tools(value)
    except ValueError as error:
        raise _wrong(f"{path}: {error}") from error
    return tools


def parse_tools(value: object) -> Tools:
    """Definitions as JSON: a list, or an object with one under `tools`. Raises ValueError."""
    row = value if isinstance(value, Mapping) and "tools" in value else {"tools": value}
    try:
        tools = read_tools(row)
    except BadRow as error:
        raise ValueError(str(error)) from error
    if not tools:
        raise ValueError("it holds no list of tools")
    names = tool_names(tools)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two tools have the name {twice!r}")
    return tools


def _wrong(detail: str) -> EngineError:
    return EngineError(
        "The tools cannot be read.",
        detail,
        'Write a JSON list: [{"name": …, "description": …, "parameters": {…}}]',
    )
