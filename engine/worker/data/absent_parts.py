"""What a row brings and its template left out: tools, their results, calls, reasoning.

Templates leave out in silence what they do not know. A row is not trained on without what it
brings, unless the recipe says so: the model would learn to call what it was never given.
"""

import json
from collections.abc import Sequence

from engine.chat import Message, Tools


def find_absent(messages: Sequence[Message], tools: Tools, text: str, start: int) -> str:
    """What of a conversation is not in `text`, in plain words; empty where all is.

    `text` goes up to the last answer, which begins at `start`.
    """
    prompt, answer = text[:start], text[start:]
    *earlier, last = messages
    if any(tool["function"]["name"] not in prompt for tool in tools):
        return "the definitions of tools"
    for message in earlier:
        if message.role == "tool" and not _contains(prompt, message.content.strip()):
            return "the results of tools"
        if any(call.name not in prompt for call in message.tool_calls):
            return "the tool calls of earlier answers"
    if not all(
        call.name in answer and _has_arguments(answer, call.arguments) for call in last.tool_calls
    ):
        return "tool calls"
    if last.tool_calls and not _contains(answer, last.content.strip()):
        return "the text beside tool calls"
    return "" if _contains(answer, last.reasoning.strip()) else "reasoning"


def _contains(text: str, part: str) -> bool:
    """Whether a text holds a part as it is, or as a JSON string."""
    return part in text or json.dumps(part, ensure_ascii=False)[1:-1] in text


def _has_arguments(text: str, arguments: str) -> bool:
    """Whether the names of all arguments stand in a text; how values are written differs."""
    return all(name in text for name in json.loads(arguments))
