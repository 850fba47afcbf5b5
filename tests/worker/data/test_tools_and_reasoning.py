"""Tools, calls, results and reasoning: trained as a chat template writes them, or refused.

Each row is a text with what is trained between double brackets.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from engine.chat import Message, ToolCall, Tools
from engine.data.rows import Example
from engine.worker.data.chat_template import choose_template, own_template
from engine.worker.data.encode import IGNORE_INDEX, encode, suggest_remedy
from tests.worker.data.families import DEEPSEEK_R1, QWEN3, Family
from tests.worker.data.test_encode import shown
from tests.worker.tiny import CHATML, make_tokenizer

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
TOOLS: Tools = (WEATHER,)
CALL = ToolCall("get_weather", '{"city": "Oslo"}', "c1")
TALK = (
    Message("user", "Weather?"),
    Message("assistant", "", tool_calls=(CALL,)),
    Message("tool", "4 C", name="get_weather", tool_call_id="c1"),
    Message("assistant", "It is 4 C."),
)
REASONED = (Message("user", "2+2?"), Message("assistant", "Four.", "Two, two."))

_TURNS = (
    "{% if tools %}{{ '[T]' + (tools | tojson) + '[/T]' }}{% endif %}{% for m in messages %}"
    "{{ '<|' + m.role + '|>' }}"
    "{% if m.reasoning_content %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}"
    "{{ m.content }}{% for call in m.tool_calls %}"
    "{{ '<call>' + call.function.name + ARGUMENTS + '</call>' }}{% endfor %}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_MARKS = ("<|user|>", "<|assistant|>", "<|tool|>", "<|end|>", "[T]", "[/T]", "</tool_call>")
OBJECT = Family(_TURNS.replace("ARGUMENTS", "(call.function.arguments | tojson)"), _MARKS)
TEXT = Family(_TURNS.replace("ARGUMENTS", "call.function.arguments"), _MARKS)
"""Which fails where arguments are an object, as DeepSeek's template does."""
WITH_MARKS = Family(OBJECT.template.replace("<call>", "<tool_call>").replace("</call>",
                    "</tool_call>"), _MARKS)  # fmt: skip
"""Whose mark at a call's end is a token, as Qwen's is."""


def trained(
    family: Family, messages: Sequence[Message], tools: Tools = (), form: str | None = None
) -> list[str]:
    tokenizer = family.tokenizer()
    example = Example(tuple(messages), "a.jsonl:1", tools=tools)
    rows = encode(example, tokenizer, choose_template(tokenizer, form), 2000)
    return [shown(row, tokenizer) if row.kept else row.reason for row in rows]


@pytest.mark.parametrize("family", [OBJECT, TEXT])
def test_calls_and_what_follows_their_results_are_trained(family: Family) -> None:
    definitions = json.dumps(list(TOOLS))
    assert trained(family, TALK, TOOLS) == [
        f"[T]{definitions}[/T]<|user|>Weather?<|end|><|assistant|>"
        '[[<call>get_weather{"city": "Oslo"}</call><|end|>]]<|tool|>4 C<|end|><|assistant|>'
        "[[It is 4 C.<|end|>]]"
    ]


def test_the_end_token_after_a_call_is_trained_also_where_the_call_ends_in_a_token() -> None:
    (row,) = trained(WITH_MARKS, TALK, TOOLS)
    assert '{"city": "Oslo"}</tool_call><|end|>]]<|tool|>' in row
    written = Message("assistant", "<tool_call>{}</tool_call>")
    assert trained(WITH_MARKS, (TALK[0], written)) == [
        "<|user|>Weather?<|end|><|assistant|>[[<tool_call>{}</tool_call><|end|>]]"
    ]


def test_the_text_is_that_of_transformers() -> None:
    tokenizer = OBJECT.tokenizer()
    (row,) = encode(Example(TALK, "a:1", tools=TOOLS), tokenizer, choose_template(tokenizer), 2000)
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c1", "type": "function",
             "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]},
        {"role": "tool", "content": "4 C", "name": "get_weather", "tool_call_id": "c1"},
        {"role": "assistant", "content": "It is 4 C."},
    ]  # fmt: skip
    theirs = tokenizer.apply_chat_template(turns, tools=[WEATHER], return_dict=False)
    assert row.input_ids == theirs


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        # From the field, between the marks that the template writes.
        (OBJECT, "<|user|>2+2?<|end|><|assistant|>[[<think>Two, two.</think>Four.<|end|>]]"),
        # Templates that read no such field, and know the marks.
        (QWEN3, "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
         "[[<think>\nTwo, two.\n</think>\n\nFour.<|im_end|>]]"),
        (DEEPSEEK_R1, "<｜begin▁of▁sentence｜><｜User｜>2+2?<｜Assistant｜><think>\n"
         "[[Two, two.\n</think>\n\nFour.<｜end▁of▁sentence｜>]]"),
    ],
)  # fmt: skip
def test_reasoning_is_trained(family: Family, expected: str) -> None:
    assert trained(family, REASONED) == [expected]


def test_reasoning_is_thinking_to_templates_that_call_it_so() -> None:
    family = Family(_TURNS.replace("reasoning_content", "thinking").replace("ARGUMENTS", "''"),
                    _MARKS)  # fmt: skip
    assert trained(family, REASONED) == [
        "<|user|>2+2?<|end|><|assistant|>[[<think>Two, two.</think>Four.<|end|>]]"
    ]


_SILENT = Family(
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    _MARKS,
)
"""Which leaves out in silence what it does not know."""


@pytest.mark.parametrize(
    ("messages", "tools", "reason"),
    [
        (TALK, TOOLS, "the definitions of tools (answer 2)"),
        (TALK, (), "the tool calls of earlier answers (answer 2)"),
        (TALK[:2], (), "tool calls (answer 1)"),
        (REASONED, (), "reasoning (answer 1)"),
    ],
)
def test_a_row_is_not_trained_on_without_what_it_brings(
    messages: Sequence[Message], tools: Tools, reason: str
) -> None:
    assert trained(_SILENT, messages, tools) == [f"the chat template does not write {reason}"]


def test_a_result_that_a_template_leaves_out_is_missed() -> None:
    deaf = OBJECT.template.replace("{{ m.content }}", "{{ m.content if m.role != 'tool' }}")
    assert trained(Family(deaf, _MARKS), TALK, TOOLS) == [
        "the chat template does not write the results of tools (answer 2)"
    ]


def test_the_hint_names_what_helps() -> None:
    (reasoning,) = trained(_SILENT, REASONED)
    assert "data.reasoning = drop" in suggest_remedy([reasoning])
    (tools,) = trained(_SILENT, TALK, TOOLS)
    assert "data.template = chatml" in suggest_remedy([tools])
    assert "data.tools = drop" in suggest_remedy([tools])


def test_our_own_chatml_writes_all_of_it() -> None:
    tokenizer = make_tokenizer(CHATML)
    reasoned = Message("assistant", "I look.", "Where?", (CALL, CALL))
    talk = (Message("system", "Be brief."), TALK[0], reasoned, *TALK[2:])
    rows = encode(Example(talk, "a:1", tools=TOOLS), tokenizer,
                  choose_template(tokenizer, "chatml"), 4000)  # fmt: skip
    (text,) = (shown(row, tokenizer) for row in rows)
    assert text.startswith("<|im_start|>system\nBe brief.\n\nTools that you may call:\n<tools>\n{")
    assert text.count("Be brief.") == 1
    assert (
        "<|im_start|>assistant\n[[<think>\nWhere?\n</think>\n\nI look.\n"
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
    ) in text
    assert "<|im_start|>tool\n4 C<|im_end|>\n<|im_start|>assistant\n[[It is 4 C." in text


def test_the_template_for_tools_is_taken_where_a_tokenizer_has_one() -> None:
    tokenizer = OBJECT.tokenizer()
    tokenizer.chat_template = {"default": _SILENT.template, "tool_use": OBJECT.template}
    template = choose_template(tokenizer)
    assert template.text == own_template(tokenizer)
    with_tools = encode(Example(TALK, "a:1", tools=TOOLS), tokenizer, template, 2000)
    assert all(row.kept for row in with_tools)
    (plain,) = encode(Example((TALK[0], TALK[3]), "a:1"), tokenizer, template, 2000)
    assert shown(plain, tokenizer) == "<|user|>Weather?<|end|><|assistant|>[[It is 4 C.<|end|>]]"


def test_an_answer_that_is_marked_is_context() -> None:
    talk = (
        Message("user", "a"),
        Message("assistant", "wrong", trained=False),
        Message("user", "b"),
        Message("assistant", "right"),
        Message("user", "c"),
        Message("assistant", "later", trained=False),
    )
    tokenizer = _SILENT.tokenizer()
    (row,) = encode(Example(talk, "a:1"), tokenizer, choose_template(tokenizer), 2000)
    assert shown(row, tokenizer) == (
        "<|user|>a<|end|><|assistant|>wrong<|end|><|user|>b<|end|><|assistant|>[[right<|end|>]]"
    )
    assert row.answers == (3,)
    (refused,) = encode(Example(talk[:2], "a:1"), tokenizer, choose_template(tokenizer), 2000)
    assert refused.reason == "every answer of the row is marked as not to be trained on"
    assert all(label == IGNORE_INDEX for label in refused.labels)
