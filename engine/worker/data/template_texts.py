"""The template texts that we bring, and what is put before a text: a date pinned, a system prompt.

All of it is Jinja as transformers renders it. Knows no tokenizer and renders nothing.
"""

import json
import re
from datetime import datetime
from typing import Any

from engine.chat import Message
from engine.worker.data.answer_context import write_reasoning

_THINKING = re.compile(r"\.thinking\b|['\"]thinking['\"]")
"""The field of a message, read by a template."""
Turn = dict[str, Any]
"""A message as chat templates read it."""

INSTRUCT = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content + '\\n\\n' }}"
    "{% elif message.role == 'assistant' %}"
    "{{ '### Response:\\n' + message.content + eos_token + '\\n\\n' }}"
    "{% else %}{{ '### Instruction:\\n' + message.content + '\\n\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"
)
"""Plain instructions, for checkpoints without a template of their own."""

_TOOLS = (
    "{% if tools %}"
    "{{ '<|im_start|>system\\n' }}"
    "{% if messages[0].role == 'system' %}{{ messages[0].content + '\\n\\n' }}{% endif %}"
    "{{ 'Tools that you may call:\\n<tools>\\n' }}"
    "{% for tool in tools %}{{ tool | tojson + '\\n' }}{% endfor %}"
    "{{ '</tools>\\nWrite each call as JSON with its name and arguments: "
    "<tool_call>…</tool_call><|im_end|>\\n' }}"
    "{% if messages[0].role == 'system' %}{% set messages = messages[1:] %}{% endif %}"
    "{% endif %}"
)
"""What may be called, in the system message: as Qwen and Hermes models have it."""
_ANSWER = (
    "{% if message.reasoning_content %}"
    "{{ '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}"
    "{{ message.content }}"
    "{% for call in message.tool_calls %}"
    "{% if message.content or not loop.first %}{{ '\\n' }}{% endif %}"
    "{{ '<tool_call>\\n' + {'name': call.function.name, 'arguments': call.function.arguments} "
    "| tojson + '\\n</tool_call>' }}{% endfor %}"
)


def _write_chatml(end: str) -> str:
    """ChatML in which `end` closes an answer."""
    return (
        f"{_TOOLS}{{% for message in messages %}}"
        "{{ '<|im_start|>' + message.role + '\\n' }}"
        f"{{% if message.role == 'assistant' %}}{_ANSWER}{{{{ {end} + '\\n' }}}}"
        "{% else %}{{ message.content + '<|im_end|>\\n' }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )


CHATML = _write_chatml("'<|im_end|>'")
"""ChatML with its marks as tokens: <|im_end|> is what the model learns to stop at."""

CHATML_WRITTEN = _write_chatml("eos_token")
"""ChatML with its marks as letters: answers close with the end token, for it alone is one token."""

RAW = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}{{ message.content + eos_token + '\\n' }}"
    "{% else %}{{ message.content + '\\n' }}{% endif %}"
    "{% endfor %}"
)
"""What was said, line under line, nothing around it."""

CHATML_MARKS = ("<|im_start|>", "<|im_end|>")

TODAY = datetime(2024, 7, 26)
"""The one date that templates see: what was learned yesterday must render the same tomorrow."""
DATE = TODAY.strftime("%d %b %Y")


def pin_dates(text: str) -> str:
    """The template with `strftime_now` shadowed by a macro that knows only TODAY.

    A function cannot be handed in: transformers turns what is not plain data into a placeholder.
    """
    if "strftime_now" not in text:
        return text
    formats = re.findall(r"strftime_now\(\s*(?:\"([^\"]*)\"|'([^']*)')", text)
    known = {form: TODAY.strftime(form) for pair in formats for form in pair if form}
    table = json.dumps(known, ensure_ascii=False)
    shown = f"{{{{ {table}.get(format, '{DATE}') }}}}"
    return f"{{% macro strftime_now(format) %}}{shown}{{% endmacro %}}\n{text}"


def with_system(text: str, system: str, takes_system: bool) -> str:
    """The template with a system message of its own for conversations that bring none.

    Where `text` takes no system message it is handed over in the first turn, as `merge_system`.
    """
    if not system:
        return text
    spoken = "messages | selectattr('role', 'equalto', 'system')"
    # JSON's escapes are Jinja's too, as long as letters beyond ASCII stand as they are.
    own = json.dumps([{"role": "system", "content": system}], ensure_ascii=False)
    lead = f"{{% if not {spoken} | list %}}{{% set messages = {own} + messages %}}{{% endif %}}"
    if not takes_system:
        lead += (
            f"{{% set said = {spoken} | map(attribute='content') | join('\\n\\n') %}}"
            "{% set rest = messages | rejectattr('role', 'equalto', 'system') | list %}"
            "{% set opening = "
            "[{'role': rest[0].role, 'content': said + '\\n\\n' + rest[0].content}] %}"
            "{% set messages = opening + rest[1:] %}"
        )
    # A newline after a block is trimmed: the text begins on a line of its own, as it did.
    return f"{lead}\n{text}"


def write_turn(message: Message, text: str, arguments_as_text: bool = False) -> Turn:
    """A message as the template `text` reads it.

    Reasoning is `thinking` to some (gpt-oss), and a part of the content to those that know its
    marks alone (DeepSeek-R1).
    """
    turn = message.to_json()
    if arguments_as_text:
        for call, written in zip(message.tool_calls, turn.get("tool_calls", ()), strict=True):
            written["function"]["arguments"] = call.arguments
    turn.pop("train", None)
    if "reasoning_content" in turn and "reasoning_content" not in text:
        turn["thinking"] = turn.pop("reasoning_content")
        if not _THINKING.search(text):
            turn["content"] = write_reasoning(message, text)
    return turn


def merge_system(turns: list[Turn]) -> list[Turn]:
    """The turns with what the system said put before the first of them."""
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    if system and rest:
        rest[0]["content"] = system + "\n\n" + rest[0]["content"]
    return rest
