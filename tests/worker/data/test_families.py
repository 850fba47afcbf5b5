"""What is trained under the templates of known families, against recorded texts.

Each row is a text with what is trained between double brackets.
"""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.chat import Message
from engine.data.rows import Example
from engine.worker.data.chat_template import choose_template
from engine.worker.data.encode import IGNORE_INDEX, Encoded, encode
from engine.worker.data.template_texts import merge_system, pin_dates
from tests.worker.data import families
from tests.worker.data.families import Family
from tests.worker.data.test_encode import shown

SYSTEM = Message("system", "Be brief.")
PLAIN = (Message("user", "2+2?"), Message("assistant", "Four."))
MORE = (Message("user", "3+3?"), Message("assistant", "Six."))
TALK = (*PLAIN, *MORE)
REASONED = (
    PLAIN[0],
    Message("assistant", "<think>\nTwo, two.\n</think>\n\nFour."),
    MORE[0],
    Message("assistant", "<think>\nThree.\n</think>\n\nSix."),
)
CONVERSATIONS = {
    "plain": PLAIN,
    "system": (SYSTEM, *PLAIN),
    "talk": TALK,
    "system and talk": (SYSTEM, *TALK),
    "reasoned": REASONED,
}
FAMILIES = {
    name.lower(): value for name, value in vars(families).items() if isinstance(value, Family)
}
ROWS: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("family_rows.toml").read_text(encoding="utf-8")
)
"""By family and conversation: the rows that are trained, in order."""
CASES = [(family, name) for family in FAMILIES for name in CONVERSATIONS]


def rows_of(family: str, name: str) -> tuple[Any, list[Encoded]]:
    tokenizer = FAMILIES[family].tokenizer()
    example = Example(CONVERSATIONS[name], "rows.jsonl:1")
    rows = encode(example, tokenizer, choose_template(tokenizer), 500)
    assert all(row.kept for row in rows), rows[0].reason
    return tokenizer, rows


@pytest.mark.parametrize(("family", "name"), CASES)
def test_each_answer_is_trained_in_the_context_in_which_it_is_given(family: str, name: str) -> None:
    tokenizer, rows = rows_of(family, name)
    assert [shown(row, tokenizer) for row in rows] == ROWS[family][name]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_every_answer_is_trained_once(family: str, name: str) -> None:
    _, rows = rows_of(family, name)
    turns = CONVERSATIONS[name]
    trained = [answer for row in rows for answer in row.answers]
    assert trained == [at for at, turn in enumerate(turns) if turn.role == "assistant"]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_tokens_are_those_of_apply_chat_template(family: str, name: str) -> None:
    """The prompt of each row's last answer, and where nothing is written otherwise the whole."""
    tokenizer, rows = rows_of(family, name)
    template = choose_template(tokenizer)
    turns = [{"role": turn.role, "content": turn.content} for turn in CONVERSATIONS[name]]
    if not template.takes_system and turns[0]["role"] == "system":
        turns = merge_system(turns)
        rows = [replace(row, answers=tuple(at - 1 for at in row.answers)) for row in rows]
    text = pin_dates(template.text)

    def ids(upto: int, *, answer_next: bool) -> list[int]:
        coded = tokenizer.apply_chat_template(
            turns[:upto], chat_template=text, add_generation_prompt=answer_next
        )
        return list(coded["input_ids"])

    for row in rows:
        if (family, name) != ("qwen35_small", "reasoned"):
            prompt = ids(row.answers[-1], answer_next=True)
            assert row.input_ids[: len(prompt)] == prompt
            assert row.labels[len(prompt) - 1] == IGNORE_INDEX != row.labels[len(prompt)]
        if family not in MOVED.get(name, ()):
            whole = ids(row.answers[-1] + 1, answer_next=False)
            assert whole[: len(row.input_ids)] == row.input_ids


MOVED = {
    "plain": ("deepseek_r1", "qwen35"),
    "talk": ("deepseek_r1", "qwen35"),
    "system": ("deepseek_r1", "qwen35", "mistral_v3", "nemo"),
    "system and talk": ("deepseek_r1", "qwen35", "mistral_v3", "nemo"),
    "reasoned": ("deepseek_r1",),
}
"""Families that write a finished turn otherwise than the prompt that asks for it."""


@pytest.mark.parametrize("family", FAMILIES)
def test_the_notes_say_what_becomes_several_rows(family: str) -> None:
    tokenizer = FAMILIES[family].tokenizer()
    notes = " ".join(choose_template(tokenizer).notes)
    several = {name for name in CONVERSATIONS if len(ROWS[family][name]) > 1}
    assert ("a training row of its own" in notes) == bool(several)
    for words, name in (
        ("writes the last answer differently", "talk"),
        ("writes the system message into the last user message only", "system and talk"),
        ("removes the reasoning of earlier answers", "reasoned"),
    ):
        if words in notes:
            assert name in several
    assert ("opens <think>" in notes) == (family in ("deepseek_r1", "qwen35"))


def test_all_families_of_the_issue_are_here() -> None:
    assert ROWS.keys() == FAMILIES.keys()
    assert all(rows.keys() == CONVERSATIONS.keys() for rows in ROWS.values())
