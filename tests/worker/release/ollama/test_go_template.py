"""Templates for Ollama: each writes what the Jinja one writes, or there is none."""

from typing import Any

import pytest

from engine.bundled import BASE
from engine.chat import Message
from engine.release.modelfile import quote
from engine.worker.data import template_texts
from engine.worker.data.chat_template import choose_template
from engine.worker.model.loading import load_tokenizer
from engine.worker.release.gguf.bos import adds_bos, without_bos
from engine.worker.release.ollama import go_evaluate
from engine.worker.release.ollama.go_template import (
    GoTemplate,
    go_template_of,
    probes,
)
from engine.worker.release.ollama.go_text import (
    with_definitions,
    write_literal,
    write_value,
)
from tests.worker.data import families
from tests.worker.data.families import Family
from tests.worker.tiny import make_tokenizer

FAMILIES = {name: one for name, one in vars(families).items() if isinstance(one, Family)}
DATED = {"SMOLLM3", "SMOLLM3_NO_THINK"}
TALK = [
    Message("system", "Be\nbrief."),
    Message("user", "What is 2 + 2?"),
    Message("assistant", "4"),
    Message("user", "And {{ .Content }}?"),
]


def own(name: str) -> Any:
    return FAMILIES[name].tokenizer()


def found(tokenizer: Any) -> GoTemplate:
    template = go_template_of(tokenizer, [TALK])
    assert template is not None
    return template


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - DATED))
def test_each_family_is_written_as_its_jinja_writes_it(name: str) -> None:
    tokenizer = own(name)

    template = found(tokenizer)

    jinja = choose_template(tokenizer, "chat")
    assert template.conversations == 21
    for messages in (TALK, TALK[1:], TALK[:2], TALK[1:2], *probes()):
        wanted = jinja.render(messages, tokenizer, answer_next=True)
        assert template.render(messages) == wanted
    assert quote(template.text) is not None


@pytest.mark.parametrize("name", sorted(DATED))
def test_a_template_with_the_date_has_none(name: str) -> None:
    assert go_template_of(own(name), []) is None


def test_the_bundled_template_leaves_bos_to_llama_cpp() -> None:
    tokenizer = load_tokenizer(BASE)

    template = found(tokenizer)

    assert adds_bos(tokenizer)
    assert without_bos("<|begin|><|user|>", tokenizer) == "<|user|>"
    assert "<|begin|>" not in template.text
    assert template.render(TALK[1:2]) == "<|user|>What is 2 + 2?<|assistant|>"


@pytest.mark.parametrize("name", ["GEMMA2", "QWEN25"])
def test_a_bos_that_nobody_adds_stays_in_the_prompt(name: str) -> None:
    tokenizer = own(name)
    text = choose_template(tokenizer, "chat").render(TALK[1:2], tokenizer, answer_next=True)

    assert without_bos(text, tokenizer) == text == found(tokenizer).render(TALK[1:2])


@pytest.mark.parametrize(
    ("name", "system"),
    [("QWEN25", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
     ("CHATML", ""), ("GEMMA2", "")],
)  # fmt: skip
def test_the_templates_own_system_prompt_is_known(name: str, system: str) -> None:
    assert found(own(name)).system == system


def test_a_system_prompt_that_a_run_put_into_the_template_is_known() -> None:
    text = template_texts.with_system(template_texts.CHATML, "Be brief.", True)

    template = found(make_tokenizer(text))

    assert template.system == "Be brief."
    assert template.render(TALK[1:2]).startswith("<|im_start|>system\nBe brief.<|im_end|>\n")
    assert any("tools" in note for note in template.notes)


PLAIN = "{% for m in messages %}{{ '[' + m.role + ']' + m.content }}{% endfor %}"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("m.content", "m.content | lower"),
        PLAIN.replace("m.content", "m.content[:40]"),
        PLAIN + "{{ messages | length }}",
        PLAIN + "{% if messages | length > 4 %}!{% endif %}",
        PLAIN + "{{ messages[0].content }}",
        PLAIN.replace("messages %}", "messages[-1:] %}"),
        PLAIN + "{% if 'two' in messages[-1].content %}!{% endif %}",
        PLAIN.replace("m.content", "m.content.replace('\n', ' ')"),
        PLAIN.replace("m.content", "m.content | tojson"),
    ],
)
def test_a_template_that_does_anything_else_has_none(text: str) -> None:
    assert go_template_of(make_tokenizer(text), []) is None


def test_conversations_of_the_run_are_compared_too() -> None:
    text = PLAIN + "{% if 'rare' in messages[-1].content %}!{% endif %}"
    tokenizer = make_tokenizer(text)

    assert go_template_of(tokenizer, []) is not None
    assert go_template_of(tokenizer, [[Message("user", "a rare word")]]) is None


def test_a_tokenizer_without_a_chat_template_has_none() -> None:
    assert go_template_of(make_tokenizer(None), []) is None


@pytest.mark.parametrize(
    "text",
    ["{{", "}}", "a{{b}}c", "{{{", "{", '"""', '""x""', "\u200d\u00a0", "😀", "\\", "`", "\r"],
)
def test_literal_text_is_written_as_it_is_and_can_be_quoted(text: str) -> None:
    code = write_literal(text)

    assert go_evaluate.render(code, []) == text
    assert '"""' not in code
    assert quote(code) is not None


@pytest.mark.parametrize("text", ["{", "a{", '{""', "{\u200d", "}", '{"content": '])
def test_literal_text_ends_where_an_action_begins(text: str) -> None:
    code = write_literal(text) + "{{ .System }}" + write_literal(text)

    assert "{{{" not in code
    assert go_evaluate.render(code, [Message("system", "S")]) == f"{text}S{text}"


def test_a_template_with_a_brace_before_a_message_is_one_that_go_reads() -> None:
    template = found(make_tokenizer(PLAIN.replace("'[' + m.role + ']'", "m.role + '{'") + "}"))

    assert "{{{" not in template.text
    assert template.render(TALK[1:2]) == "user{What is 2 + 2?}"


@pytest.mark.parametrize("value", ["", " ", " a b ", "\n\t a", "a \r\n", "é ", "  日本 ", "\x1c a"])
def test_white_space_is_stripped_as_python_strips_it(value: str) -> None:
    stripped = {
        (True, True): value.strip(), (True, False): value.lstrip(),
        (False, True): value.rstrip(), (False, False): value,
    }  # fmt: skip
    talk = [Message("user", value)]

    for (left, right), wanted in stripped.items():
        body = (
            "{{ range $at, $one := .Messages }}"
            + write_value(".Content", left, right)
            + "{{ end }}"
        )
        assert go_evaluate.render(with_definitions(body), talk) == wanted


def test_ollama_joins_messages_of_one_role() -> None:
    talk = [
        Message("system", "a"),
        Message("user", "b"),
        Message("user", "c"),
        Message("system", "d"),
    ]

    assert go_evaluate.collate(talk) == (
        "a\n\nd",
        [{"Role": "system", "Content": "a"}, {"Role": "user", "Content": "b\n\nc"},
         {"Role": "system", "Content": "d"}],
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["{{ if .System }}a", "{{{ .System }}", "{{ .Other }}", "{{ printf 1 }}", "{{ $x }}"]
)
def test_what_we_do_not_emit_is_not_evaluated(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        go_evaluate.render(text, [])
