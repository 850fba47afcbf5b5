"""Prompts of the families whose templates people train with: equal, refused alike, or named."""

import copy
from typing import Any

import pytest

from engine.release.proof import Check
from engine.worker.release.proving import text_checks
from engine.worker.release.proving.shipped_texts import MOST_SHOWN, TextPair
from engine.worker.release.proving.text_checks import check_prompts
from tests.worker.data import families
from tests.worker.data.test_tool_families import TOOL_FAMILIES

ALL: dict[str, families.Family] = {
    name: one for name, one in vars(families).items() if isinstance(one, families.Family)
} | {f"{name} with tools": one for name, one in TOOL_FAMILIES.items()}


def prove(run: Any, shipped: Any) -> dict[str, Check]:
    return {check.name: check for check in check_prompts(TextPair(run, {}, shipped, None))}


@pytest.mark.parametrize("family", list(ALL))
def test_the_same_template_passes_and_a_changed_one_does_not(family: str) -> None:
    run = ALL[family].tokenizer()

    found = prove(run, copy.deepcopy(run))

    assert {check.status for check in found.values()} == {"passed"}
    facts = found[text_checks.PROMPTS].facts
    # A template without a system role writes such a conversation with the system text merged in.
    assert facts["written"] >= 12
    assert facts["conversations"] == 20
    assert facts["refused"] <= 5
    assert facts["with_tools"] == (5 if family.endswith("with tools") else 0)

    spoiled = copy.deepcopy(run)
    # The last place at which a turn's text is put down gets a point before it.
    head, name, tail = spoiled.chat_template.rpartition("m.content")
    spoiled.chat_template = f"{head}('.' ~ {name}){tail}"
    assert prove(run, spoiled)[text_checks.PROMPTS].status == "failed"


def test_conversations_that_both_refuse_are_counted_apart() -> None:
    run = ALL["MISTRAL_7B"].tokenizer()

    check = prove(run, copy.deepcopy(run))[text_checks.PROMPTS]

    # It refuses results of tools; a system message is put into the first question.
    assert check.summary == (
        "Equal bytes and token ids in 17 conversations (0 with tools); "
        "the template refuses 3 more, as in the run."
    )


def test_a_role_that_one_template_alone_refuses_is_named() -> None:
    run = ALL["MISTRAL_7B"].tokenizer()
    lenient = copy.deepcopy(run)
    lenient.chat_template = run.chat_template.replace(
        "raise_exception('only user and assistant')", "''"
    )
    strict = copy.deepcopy(lenient)
    strict.chat_template = run.chat_template

    check = prove(run, lenient)[text_checks.PROMPTS]
    assert check.status == "failed"
    assert "the run's template refuses it: only user and assistant" in check.differences[0]

    check = prove(lenient, strict)[text_checks.PROMPTS]
    assert check.status == "failed"
    assert "the shipped template refuses it: only user and assistant" in check.differences[0]


def test_differences_are_clean_lines_with_both_sides() -> None:
    run = ALL["CHATML"].tokenizer()
    spoiled = copy.deepcopy(run)
    spoiled.chat_template = run.chat_template.replace("assistant\\n", "assistant\x1b[2J\\n")

    check = prove(run, spoiled)[text_checks.PROMPTS]

    assert len(check.differences) == MOST_SHOWN
    assert check.differences[0] == (
        "one question: character 70: run 'im_end|>\\n<|im_start|>assistant\\n', "
        "shipped 'im_end|>\\n<|im_start|>assistant\\x1b[2J\\n'"
    )
    assert check.summary == f"{check.facts['different']} of 20 conversations differ."
