"""The template texts that we bring, and what is put before a text: a date pinned, a system prompt.

All of it is Jinja as transformers renders it. Knows no tokenizer and renders nothing.
"""

import json
import re
from datetime import datetime

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

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""ChatML with its marks as tokens: <|im_end|> is what the model learns to stop at."""

CHATML_WRITTEN = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token + '\\n' }}"
    "{% else %}{{ '<|im_end|>\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
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


def merge_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The turns with what the system said put before the first of them."""
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    if system and rest:
        rest[0]["content"] = system + "\n\n" + rest[0]["content"]
    return rest
