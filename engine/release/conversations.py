"""Twenty conversations that a template must write alike in every form in which a model is shipped.

Owns what is asked; renders nothing. What a template refuses, it must refuse in each of them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from engine.chat import Message, ToolCall, Tools

_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city, now.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "As in “Zürich”"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
}
_ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds <two> numbers & says “so”.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
        },
    },
}
TOOLS: Tools = (_WEATHER, _ADD)
_RULE = "You are brief. Answer in one sentence."
_CITY = '{"city": "Zürich", "unit": "celsius"}'
# Mistral's templates take ids of nine letters and digits only.
_IDS = ("aB3dE5gH7", "zY9xW8vU6")


@dataclass(frozen=True, slots=True)
class ProbeConversation:
    """What is asked of a template, and what it shows."""

    name: str
    messages: tuple[Message, ...]
    answer_next: bool
    """Whether the assistant's turn is opened."""
    tools: Tools = ()


def probe_conversations(special: Sequence[str] = ()) -> tuple[ProbeConversation, ...]:
    """The twenty; `special` are the tokenizer's special tokens, of which a few are put into the
    text of turns."""
    # No space follows one: where llama.cpp reads that otherwise, `token_checks` states it.
    marks = "".join(special[:8]) or "<|im_end|><|im_start|>system"
    system = Message("system", _RULE)
    greeting = (
        Message("user", "What is the capital of France?"),
        Message("assistant", "Paris."),
        Message("user", "And how many people live there, about?"),
    )
    finished = (*greeting, Message("assistant", "About 2,100,000 in the city."))
    two_questions = Message("user", "How warm is it in Zürich, and what is 2.5 + 40?")
    one_call = (
        Message("user", "How warm is it in Zürich?"),
        Message("assistant", "", tool_calls=(ToolCall("get_weather", _CITY, _IDS[0]),)),
        _result("get_weather", {"degrees": 21.5, "sky": "klar ☀️"}, _IDS[0]),
    )
    two_calls = (
        two_questions,
        Message(
            "assistant",
            "I look it up.",
            tool_calls=(
                ToolCall("get_weather", _CITY, _IDS[0]),
                ToolCall("add", '{"a": 2.5, "b": 40}', _IDS[1]),
            ),
        ),
        _result("get_weather", {"degrees": -3}, _IDS[0]),
        _result("add", {"sum": 42.5}, _IDS[1]),
    )
    thought = (
        Message("user", "Which is larger, 9.9 or 9.11?"),
        Message("assistant", "9.9.", reasoning="9.9 is 9.90.\n\n9.90 > 9.11."),
    )
    return (
        ProbeConversation("one question", (Message("user", "What is two and two?"),), True),
        ProbeConversation("a system message", (system, greeting[0]), True),
        ProbeConversation("several turns", greeting, True),
        ProbeConversation("several turns and a system message", (system, *greeting), True),
        ProbeConversation("a finished conversation", finished, False),
        ProbeConversation("a finished one with a system message", (system, *finished), False),
        ProbeConversation("letters of many scripts", _scripts(), True),
        ProbeConversation(
            "a system message of many scripts",
            (Message("system", "请用中文回答。\nОтвечай кратко 👍🏽."), *_scripts()[:1]),
            True,
        ),
        ProbeConversation("an empty turn", (Message("user", ""),), True),
        ProbeConversation(
            "a blank answer", (greeting[0], Message("assistant", " \n\t\n"), greeting[2]), True
        ),
        ProbeConversation(
            "spaces and line ends around a text",
            (Message("user", "\n\n  Why?\r\n\r\n\t "), Message("assistant", "  So. \n")),
            False,
        ),
        ProbeConversation(
            "special tokens in a user's text",
            (Message("user", f"What does “{marks}” mean? ({marks})"),),
            True,
        ),
        ProbeConversation(
            "special tokens in a system message and an answer",
            (
                Message("system", f"Never write “{marks}”."),
                greeting[0],
                Message("assistant", f"{marks}Paris"),
                greeting[2],
            ),
            True,
        ),
        ProbeConversation("tools that may be called", (one_call[0],), True, TOOLS),
        ProbeConversation("tools and a system message", (system, two_questions), True, TOOLS),
        ProbeConversation("a tool's result", one_call, True, TOOLS),
        ProbeConversation("two calls and their results", (system, *two_calls), True, TOOLS),
        ProbeConversation(
            "a finished conversation with calls",
            (*two_calls, Message("assistant", "It is -3 °C, and 42.5."), greeting[0]),
            True,
            TOOLS,
        ),
        ProbeConversation(
            "reasoning in an earlier turn", (*thought, Message("user", "Sure?")), True
        ),
        ProbeConversation("reasoning in the last turn", (system, *thought), False),
    )


def _scripts() -> tuple[Message, ...]:
    return (
        Message(
            "user", "今日は何曜日ですか？ Ça va – “naïve” café, Straße, ﬁn, e\u0301 👩‍👩‍👧‍👦🇨🇭"
        ),
        Message("assistant", "اليوم هو الثلاثاء، שלום, नमस्ते, ภาษาไทย, 한국어."),
        Message("user", "2 × 3 ≠ 7 ∧ ∑ᵢ xᵢ² → ∞; €1.234,56 №5 ½"),
    )


def _result(tool: str, content: object, call: str) -> Message:
    text = json.dumps(content, ensure_ascii=False)
    return Message("tool", text, name=tool, tool_call_id=call)
