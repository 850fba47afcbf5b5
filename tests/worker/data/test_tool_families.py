"""Tool calls under templates of our own that write them as the published ones of families do.

What they say at the head of tools is ours and short; from the first question on they write the
conversations here character by character as the published ones that are named beside them. What is
trained stands between double brackets.
"""

from typing import Any

import pytest

from engine.chat import Message, ToolCall
from engine.data.rows import Example
from engine.worker.data.chat_template import choose_template
from engine.worker.data.encode import IGNORE_INDEX, Encoded, encode
from tests.worker.data import families
from tests.worker.data.families import Family
from tests.worker.data.test_encode import shown

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": {}},
}


def call(city: str, number: int) -> Message:
    made = ToolCall("get_weather", f'{{"city": "{city}"}}', f"call0000{number}")
    return Message("assistant", "", tool_calls=(made,))


def result(degrees: str, number: int) -> Message:
    return Message("tool", degrees, name="get_weather", tool_call_id=f"call0000{number}")


CALLED = (
    Message("user", "Oslo?"), call("Oslo", 1), result("4 C", 1), Message("assistant", "It is 4 C."),
)  # fmt: skip
AGAIN = (
    *CALLED,
    Message("user", "Rome?"), call("Rome", 2), result("20 C", 2), Message("assistant", "20 C."),
)  # fmt: skip

_IM = ("<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>")
_CALL_JSON = (
    '{{ \'{"name": "\' + c.function.name + \'", "arguments": \' '
    "+ (c.function.arguments | tojson) + '}' }}"
)
_HEAD = (
    "{% if tools %}{{ '<|im_start|>system\n<tools>' + (tools | tojson) + '</tools><|im_end|>\n' }}"
    "{% endif %}"
)
_RESULTS = (
    "{% if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}"
    "{% endif %}{{ '\n<tool_response>\n' + m.content + '\n</tool_response>' }}"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}"
)
_PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

# TRL qwen2_5.jinja
QWEN25 = Family(
    _HEAD + "{% for m in messages %}{% if m.role == 'tool' %}" + _RESULTS
    + "{% elif m.tool_calls %}{{ '<|im_start|>assistant' }}"
    "{% if m.content %}{{ '\n' + m.content }}{% endif %}"
    "{% for c in m.tool_calls %}{{ '\n<tool_call>\n' }}" + _CALL_JSON
    + "{{ '\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}" + _PROMPT,
    _IM, eos="<|im_end|>",
)  # fmt: skip

# TRL qwen3.jinja
QWEN3 = Family(
    _HEAD + "{% set ns = namespace(last=0) %}{% for m in messages %}"
    "{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{% if m.role == 'tool' %}" + _RESULTS
    + "{% elif m.role == 'assistant' %}{% set why = m.reasoning_content or '' %}"
    "{{ '<|im_start|>assistant\n' }}"
    "{% if loop.index0 > ns.last and (loop.last or why) %}"
    "{{ '<think>\n' + why + '\n</think>\n\n' }}{% endif %}{{ m.content }}"
    "{% for c in m.tool_calls %}{% if m.content or not loop.first %}{{ '\n' }}{% endif %}"
    "{{ '<tool_call>\n' }}" + _CALL_JSON
    + "{{ '\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}" + _PROMPT,
    _IM, eos="<|im_end|>",
)  # fmt: skip

# llama.cpp mistralai-Mistral-Nemo-Instruct-2407.jinja: tools stand before the last question
NEMO = Family(
    "{{ bos_token }}{% set ns = namespace(last=0) %}{% for m in messages %}"
    "{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% if tools and loop.index0 == ns.last %}"
    "{{ '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif %}"
    "{{ '[INST]' + m.content + '[/INST]' }}"
    "{% elif m.role == 'tool' %}{{ '[TOOL_RESULTS]{\"content\": ' + m.content "
    "+ ', \"call_id\": \"' + m.tool_call_id + '\"}[/TOOL_RESULTS]' }}"
    "{% elif m.tool_calls %}{{ '[TOOL_CALLS][' }}{% for c in m.tool_calls %}"
    "{{ '{\"name\": \"' + c.function.name + '\", \"arguments\": ' "
    "+ (c.function.arguments | tojson) + ', \"id\": \"' + c.id + '\"}' }}"
    "{% if not loop.last %}{{ ', ' }}{% endif %}{% endfor %}{{ ']' + eos_token }}"
    "{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}",
    ("[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]",
     "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
)  # fmt: skip

# TRL llama3_1.jinja: tools stand in the first question, results are those of ipython
LLAMA31 = Family(
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + ('ipython' if m.role == 'tool' else m.role) }}"
    "{{ '<|end_header_id|>\n\n' }}"
    "{% if loop.first and tools %}{{ (tools | tojson) + '\n\n' }}{% endif %}"
    "{% if m.tool_calls %}{% set c = m.tool_calls[0] %}"
    "{{ '{\"name\": \"' + c.function.name + '\", \"parameters\": ' "
    "+ (c.function.arguments | tojson) + '}' }}"
    "{% elif m.role == 'tool' %}{{ m.content | tojson }}{% else %}{{ m.content | trim }}{% endif %}"
    "{{ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
)  # fmt: skip

TOOL_FAMILIES = {"qwen25": QWEN25, "qwen3": QWEN3, "nemo": NEMO, "llama31": LLAMA31}

_Q25 = (
    "<|im_end|>\n<|im_start|>assistant\n"
    '[[<tool_call>\n{"name": "get_weather", "arguments": {"city": "CITY"}}\n</tool_call>'
    "<|im_end|>]]\n<|im_start|>user\n<tool_response>\nDEGREES\n</tool_response><|im_end|>\n"
    "<|im_start|>assistant\n[[ANSWER<|im_end|>]]"
)
_Q3_CALL = (
    "<|im_end|>\n<|im_start|>assistant\n[[<think>\n\n</think>\n\n"
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "CITY"}}\n</tool_call><|im_end|>]]'
)
_Q3_ANSWER = (
    "<|im_end|>\n<|im_start|>assistant\n"
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "CITY"}}\n</tool_call><|im_end|>\n'
    "<|im_start|>user\n<tool_response>\nDEGREES\n</tool_response><|im_end|>\n"
    "<|im_start|>assistant\n[[<think>\n\n</think>\n\nANSWER<|im_end|>]]"
)
_NEMO = (
    '[/INST][[[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "CITY"}, '
    '"id": "call0000N"}]</s>]][TOOL_RESULTS]{"content": DEGREES, "call_id": "call0000N"}'
    "[/TOOL_RESULTS][[ANSWER</s>]]"
)
_L31 = (
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    '[[{"name": "get_weather", "parameters": {"city": "CITY"}}<|eot_id|>]]'
    '<|start_header_id|>ipython<|end_header_id|>\n\n"DEGREES"<|eot_id|>'
    "<|start_header_id|>assistant<|end_header_id|>\n\n[[ANSWER<|eot_id|>]]"
)


def filled(text: str, number: int = 1) -> str:
    city, degrees, answer = [("Oslo", "4 C", "It is 4 C."), ("Rome", "20 C", "20 C.")][number - 1]
    for word, value in (("CITY", city), ("DEGREES", degrees), ("ANSWER", answer),
                        ("N\"", f'{number}"')):  # fmt: skip
        text = text.replace(word, value)
    return text


def context(text: str) -> str:
    """A part of a conversation that a later row does not train on."""
    return text.replace("[[", "", 1).replace("]]", "")


def rows_of(family: str, talk: tuple[Message, ...]) -> tuple[Any, list[Encoded]]:
    tokenizer = TOOL_FAMILIES[family].tokenizer()
    example = Example(talk, "rows.jsonl:1", tools=(WEATHER,))
    rows = encode(example, tokenizer, choose_template(tokenizer), 4000)
    assert all(row.kept for row in rows), rows[0].reason
    return tokenizer, rows


@pytest.mark.parametrize(
    ("family", "talk", "expected"),
    [
        ("qwen25", CALLED, [filled(_Q25)]),
        ("qwen25", AGAIN, [f"{filled(_Q25)}\n<|im_start|>user\nRome?{filled(_Q25, 2)}"]),
        ("qwen3", CALLED, [filled(_Q3_CALL), filled(_Q3_ANSWER)]),
        ("nemo", CALLED, [filled(_NEMO)]),
        ("llama31", CALLED, [filled(_L31)]),
        ("llama31", AGAIN, [
            f"{filled(_L31)}<|start_header_id|>user<|end_header_id|>\n\nRome?{filled(_L31, 2)}"
        ]),
    ],
)  # fmt: skip
def test_calls_are_trained_where_they_are_made(
    family: str, talk: tuple[Message, ...], expected: list[str]
) -> None:
    tokenizer, rows = rows_of(family, talk)
    assert [shown(row, tokenizer).partition("Oslo?")[2] for row in rows] == expected


def test_tools_that_move_with_the_last_question_divide_a_conversation() -> None:
    tokenizer, rows = rows_of("nemo", AGAIN)
    first, second = (shown(row, tokenizer) for row in rows)
    assert first.startswith("<s>[AVAILABLE_TOOLS]")
    assert second.startswith("<s>[INST]Oslo?")
    assert second.count("[AVAILABLE_TOOLS]") == 1
    assert second.partition("Rome?")[2] == filled(_NEMO, 2)


@pytest.mark.parametrize("family", TOOL_FAMILIES)
@pytest.mark.parametrize("talk", [CALLED, AGAIN])
def test_tokens_are_those_of_apply_chat_template(family: str, talk: tuple[Message, ...]) -> None:
    """The prompt of each row's last answer, and every answer trained once."""
    tokenizer, rows = rows_of(family, talk)
    turns = [message.to_json() for message in talk]
    for row in rows:
        prompt = tokenizer.apply_chat_template(
            turns[: row.answers[-1]], tools=[WEATHER], add_generation_prompt=True,
            return_dict=False,
        )  # fmt: skip
        assert row.input_ids[: len(prompt)] == prompt
        assert row.labels[len(prompt) - 1] == IGNORE_INDEX != row.labels[len(prompt)]
    trained = [answer for row in rows for answer in row.answers]
    assert trained == [at for at, turn in enumerate(talk) if turn.role == "assistant"]


@pytest.mark.parametrize("family", [
    name for name, value in vars(families).items() if isinstance(value, Family)
])  # fmt: skip
def test_families_that_write_no_tools_say_so(family: str) -> None:
    tokenizer = getattr(families, family).tokenizer()
    example = Example(CALLED, "rows.jsonl:1", tools=(WEATHER,))
    (row,) = encode(example, tokenizer, choose_template(tokenizer), 4000)
    assert not row.kept
    assert row.reason.startswith("the chat template")
