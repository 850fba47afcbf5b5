"""From a raw answer to values: what is taken off around an object, and which object counts."""

from typing import Any

import pytest

from engine.compare.samples import Finish
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.answer_object import (
    DEEPEST,
    MOST_CHARS,
    read_field,
    read_object,
    strip_answer,
)
from engine.synthesis.outcomes import BadAnswer, Repair
from engine.synthesis.row_schema import make_schema
from engine.worker.synthesis.answer_repair import propose_repair

SCHEMA = make_schema({
    "review": RowField(take="{review}"),
    "label": RowField(ask="?", type="label", choices=["agree", "disagree"]),
    "stars": RowField(ask="?", type="integer"),
})  # fmt: skip
ROW = '{"label": "agree", "stars": 4}'
VALUES = {"label": "agree", "stars": 4}


def read(text: str, finish: Finish = "stop") -> tuple[dict[str, Any], list[str]]:
    row, repairs = read_object(text, finish, SCHEMA, propose_repair)
    assert all(one.field == "" for one in repairs)
    return row, [one.kind for one in repairs]


def fault_of(text: str, finish: Finish = "stop") -> str:
    with pytest.raises(BadAnswer) as bad:
        read_object(text, finish, SCHEMA, propose_repair)
    return bad.value.fault


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (ROW, []),
        (f"  {ROW}\n", []),
        (f"<think>{{a}} {ROW} {{</think>{ROW}", []),
        (f"[THINK]{ROW}[/THINK]{ROW}", []),
        (f"{{a}} {ROW} {{\n</think>\n\n{ROW}", []),
        (f"{{a}} {ROW} {{</think>```json\n{ROW}\n```", ["code fence"]),
        (f"<think>one</think><think>{ROW}</think>\n{ROW}", []),
        (f"```\n{ROW}\n```", ["code fence"]),
        (f"~~~json\n{ROW}\n~~~", ["code fence"]),
        (f"Here {{it}} is:\n```json\n{ROW}\n```\nDone.", ["code fence", "text around"]),
        (f"Of {{x}} and {{}}: {ROW} (or {{y}})", ["text around"]),
        (f"[{ROW}]", ["text around"]),
        (f"```json\n{ROW[:-1]},}}\n```", ["code fence", "trailing comma"]),
    ],
)
def test_what_stands_around_is_taken_off(text: str, kinds: list[str]) -> None:
    assert read(text) == (VALUES, kinds)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("<think>hm</think>  ", "empty"),
        (f"<think>it is {ROW}", "empty"),
        ("I would say agree, with 4 stars.", "no object"),
        ("{}", "no object"),
        (f"{ROW} {ROW}", "two objects"),
        (f"{ROW}\nor {{label: 1", "two objects"),
        (f"```\n{ROW}\n```\n```\n{ROW}\n```", "two objects"),
        (f"[{ROW}, {ROW}]", "two objects"),
        (f"[{ROW},", "not JSON"),
        (f"{{{ROW}}}", "not JSON"),
        (f"{ROW}}}", "not JSON"),
        (f"{{ {ROW}", "not JSON"),
        (f'{ROW}, {{", "x": 3}}', "not JSON"),
        (f'{ROW}{{"}} "', "not JSON"),
        ('{"label": "agree", "stars": 4, "stars": 5}', "doubled key"),
        ('{"label": "agree", "stars": 4, "stars": 4}', "doubled key"),
        ('{"label": "agree", "stars": NaN}', "not JSON"),
        ('{"label": "agree", "stars": -Infinity}', "not JSON"),
        ('{"label": "agree", "stars": "4"}', "wrong type"),
        ('{"label": "agree", "stars": 4.0}', "wrong type"),
        ('{"label": "agree", "stars": 1e2}', "wrong type"),
        ('{"label": "agree", "stars": true}', "wrong type"),
        ('{"label": "agree", "stars": null}', "missing field"),
        ('{"label": "agree"}', "missing field"),
        ('{"label": "agree", "stars": 4, "review": "x"}', "unknown field"),
        ('{"Label": "agree", "stars": 4}', "unknown field"),
        ('{"label": "agree, because", "stars": 4}', "not a choice"),
        ('{"label": ["agree"], "stars": 4}', "wrong type"),
        (f'{{"row": {ROW}}}', "unknown field"),
        ('{"label": "agree", "stars": 4', "not JSON"),
        ("{" * 5000, "no object"),
        ('{"a":' * (DEEPEST + 1), "nested too deeply"),
        (ROW + " " * MOST_CHARS, "too large"),
    ],
)
def test_all_else_is_refused_with_its_reason(text: str, fault: str) -> None:
    assert fault_of(text) == fault


@pytest.mark.parametrize("finish", ["length", "cancelled"])
def test_what_was_cut_is_not_completed(finish: Finish) -> None:
    for end in range(1, len(ROW)):
        assert fault_of(ROW[:end], finish) == "cut"
        assert fault_of(ROW[:end]) in ("no object", "not JSON")
    assert fault_of("", finish) == "cut"
    assert fault_of(ROW[:-1] + ",}", finish) == "cut", "nor repaired"
    assert read(ROW, finish) == (VALUES, [])
    assert read(f"{ROW}\n\nThis is because the", finish) == (VALUES, ["text around"])
    assert fault_of(f'{ROW}\n\n{{"label": "agr', finish) == "two objects"


def test_a_label_is_spelled_as_the_recipe_does() -> None:
    assert read('{"label": " AGREE ", "stars": 4}') == (VALUES, [])


def test_an_optional_field_may_be_null() -> None:
    schema = make_schema({"a": RowField(ask="?"), "b": RowField(ask="?", optional=True)})
    for text in ('{"a": "x", "b": null}', '{"a": "x"}', '{"a": "x", "b": None}'):
        assert read_object(text, "stop", schema, propose_repair)[0] == {"a": "x"}


def test_quotes_in_a_text_count_only_where_each_field_is_there() -> None:
    text = '{"a": "an "x" here", "b": "y"}'
    fields = {"a": RowField(ask="?"), "b": RowField(ask="?")}
    row, repairs = read_object(text, "stop", make_schema(fields), propose_repair)
    assert row == {"a": 'an "x" here', "b": "y"}
    assert repairs == (Repair("", "quote in a text"),)
    for more in (
        {"b": RowField(ask="?", optional=True)},
        {"c": RowField(ask="?", optional=True)},
    ):
        with pytest.raises(BadAnswer, match="a quote in a text may end it"):
            read_object(text, "stop", make_schema(fields | more), propose_repair)
    with pytest.raises(BadAnswer, match="a quote in a text may end it"):
        read_object(f"{text} So it is.", "stop", make_schema(fields), propose_repair)


def test_nothing_is_repaired_without_a_proposal() -> None:
    assert read_object(ROW, "stop", SCHEMA) == (VALUES, ())
    with pytest.raises(BadAnswer) as bad:
        read_object(ROW[:-1] + ",}", "stop", SCHEMA)
    assert bad.value.fault == "not JSON"


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("plain", "plain"),
        ("  plain\n", "plain"),
        ("<think>{a}</think>\nplain", "plain"),
        ("so {a}\n</think>\n\nplain", "plain"),
        ("<think>never ends", ""),
        ("```text\nplain\n\nmore\n```", "plain\n\nmore"),
        ("<think>x</think>```\nplain\n```\n", "plain"),
        ("```\na\n```\nand\n```\nb\n```", "```\na\n```\nand\n```\nb\n```"),
        ("Use ```x``` here", "Use ```x``` here"),
        ("the </think> tag is used", "the </think> tag is used"),
        ("", ""),
    ],
)
def test_an_answer_without_its_reasoning_and_fence(text: str, stripped: str) -> None:
    assert strip_answer(text) == stripped


def test_a_field_is_read_from_its_own_answer() -> None:
    assert read_field("<think>4?</think>4", "stop", SCHEMA, "stars") == (4, ())
    fenced = read_field("```\nAgree.\n```", "stop", SCHEMA, "label")
    assert fenced == ("agree", (Repair("label", "code fence"),))
    with pytest.raises(BadAnswer, match="too large"):
        read_field("4" * (MOST_CHARS + 1), "stop", SCHEMA, "stars")
    with pytest.raises(BadAnswer, match="cut"):
        read_field("4", "length", SCHEMA, "stars")
