"""Files of prompts: every form that people have, and every way to get one wrong."""

from pathlib import Path

import pytest

from engine.bundled import PROMPTS
from engine.chat import Message
from engine.compare import prompts
from engine.compare.items import Item
from engine.errors import EngineError


def user(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def test_all_forms_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(
        '\ufeff{"id": "a", "prompt": "one", "skill": "art"}\n'
        "\n"
        '{"text": "two"}\n'
        '{"instruction": "three", "input": "and"}\n'
        '{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "four"}]}\n',
        "utf-8",
    )
    assert prompts.read(path) == [
        Item("a", user("one"), "art"),
        Item("some-3", user("two")),
        Item("some-4", user("three\n\nand")),
        Item("some-5", (Message("system", "S"), *user("four"))),
    ]
    text = tmp_path / "lines.txt"
    text.write_text("one\n\n  two  \n")
    assert prompts.read(text) == [Item("lines-1", user("one")), Item("lines-3", user("two"))]
    table = tmp_path / "table.csv"
    table.write_text('id,prompt\nx,"one\ntwo"\n,three\n')
    assert prompts.read(table) == [
        Item("x", user("one\ntwo")),
        Item("table-4", user("three")),
    ]


@pytest.mark.parametrize(
    ("content", "where", "why"),
    [
        ('{"prompt": "a"}\n{broken\n', ":2", "not valid JSON"),
        ("5\n", ":1", "must be an object, not a number"),
        ("[]\n", "", "no prompts"),
        ('{"reply": "a"}\n', ":1", "one of messages"),
        ('{"messages": []}\n', ":1", "'messages' is an empty list"),
        ('{"messages": [{"role": "who", "content": "a"}]}\n', ":1", "role 'who' is not"),
        ('{"messages": [{"role": "user"}]}\n', ":1", "missing field 'content'"),
        ('{"id": 1, "prompt": "a"}\n{"id": 1, "prompt": "b"}\n', ":2", "uplicate"),
        ('{"prompt": "a", "checks": {"rhymes": 1}}', ":1", "unknown check 'rhymes'"),
        ('{"prompt": "a", "checks": {"words": "five"}}', ":1", "'five'"),
        ('{"prompt": "a", "checks": 7}', ":1", "not a JSON object"),
        ("", "", "is empty"),
        ("\n\n", "", "is empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    content: str, where: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(content)
    with pytest.raises(EngineError) as caught:
        prompts.read(path)
    assert why in str(caught.value)
    assert f"{path}{where}" in caught.value.detail


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        prompts.read(tmp_path / "none.txt")
    path = tmp_path / "p.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EngineError, match="is UTF-16: save it as UTF-8"):
        prompts.read(path)


def test_bundled_prompts_have_names() -> None:
    assert prompts.find("bundled:creative") == PROMPTS / "creative.jsonl"
    assert prompts.find("/x/y.txt") == Path("/x/y.txt")
    with pytest.raises(EngineError, match="Unknown bundled prompt set 'poems'") as caught:
        prompts.load("bundled:poems")
    assert "knowledge" in caught.value.detail


def test_every_kind_is_bundled_and_all_of_them_go_together() -> None:
    kinds = {"knowledge", "instructions", "reasoning", "creative", "code", "translation"}
    assert kinds < set(prompts.bundled())
    assert len(prompts.load("bundled:general")) == 10
    assert prompts.find("bundled:outside") == prompts.find("bundled:general")  # its former name
    everything = prompts.load("bundled:all")
    assert len({one.id for one in everything}) == len(everything) > 50
    assert {one.skill for one in everything} == set(prompts.bundled())
    assert all(one.checks for one in everything if one.skill in ("instructions", "code"))
    assert all(one.reference for one in everything if one.skill == "translation")


def test_references_and_checks(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"question": "one", "answer": 1, "checks": {"number": 1.0}}\n'
        '{"instruction": "two", "input": "", "output": "II", "answer": {"right": "x"}}\n'
    )
    one, two = prompts.read(path)
    assert (one.reference, one.checks) == ("1", {"number": 1.0})
    assert (two.reference, two.checks) == ("II", {}), "as training reads it"
    table = tmp_path / "p.tsv"
    table.write_text('prompt\treference\tchecks\nsay x\tX\t"{""words"": 1}"\n')
    (row,) = prompts.read(table)
    assert (row.reference, row.checks) == ("X", {"words": 1})
    table.write_text("prompt\tchecks\ta\nsay x\t\n")
    with pytest.raises(EngineError, match=r"p\.tsv:2: 2 cells where the header has 3 columns"):
        prompts.read(table)
    table.write_text("prompt\tchecks\nsay x\t{words\n")
    with pytest.raises(EngineError, match=r"1 of 1 rows of p\.tsv") as caught:
        prompts.read(table)
    assert f"{table}:2" in caught.value.detail
