"""Values that are no text: numbers, booleans, nulls, JSON in a cell, values inside of columns."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.data.columns import find
from engine.data.rows import Example, Message, read
from engine.errors import EngineError
from engine.recipes.settings import Data
from tests.data.test_rows import write

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def contents(path: Path, row: object, **data: Any) -> list[str]:
    """What the messages of a file's only row say."""
    (example,) = read(write(path, row), Data(**data)).examples
    return [message.content for message in example.messages]


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (0, "0"), (-3.0, "-3"), (True, "true"), (False, "false")]
)
def test_whole_numbers_and_booleans_are_text(tmp_path: Path, value: object, text: str) -> None:
    path = tmp_path / "a.jsonl"
    assert contents(path, {"prompt": value, "completion": value}) == [text, text]
    row: Any = {"instruction": "q", "input": value, "output": value}
    assert contents(path, row) == [f"q\n\n{text}", text]
    turns = [{"role": "user", "content": value}, {"role": "assistant", "content": value}]
    assert contents(path, {"messages": turns}) == [text, text]
    (example,) = read(write(path, {"prompt": "q", "chosen": value, "rejected": value})).examples
    assert [one[-1].content for one in (example.messages, example.rejected)] == [text, text]


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_null_is_as_good_as_absent(tmp_path: Path, nothing: object) -> None:
    path = tmp_path / "a.jsonl"
    row: Any = {"instruction": "q", "input": nothing, "system": nothing, "output": "a"}
    assert contents(path, row) == ["q", "a"]
    turns = [{"role": "system", "content": nothing}, *TURNS]
    assert contents(path, {"messages": turns}) == ["q", "a"]
    rows = [{"prompt": "q", "completion": "a", "by": nothing}] * 2
    found = read(write(path, *rows, {"prompt": "q", "completion": nothing}), Data(group="by"))
    assert [one.group for one in found.examples] == ["", ""]
    assert [one.reason for one in found.rejects] == ["missing field 'completion'"]
    found = read(write(path, *[{"prompt": "q", "chosen": "a", "rejected": nothing}]))
    assert found.examples[0].rejected == ()


def test_turns_of_merged_data_sets_have_nulls_beside_what_they_say(tmp_path: Path) -> None:
    turns = [
        {"role": None, "content": None, "from": "human", "value": "q"},
        {"role": "assistant", "content": "a", "from": None, "value": None},
        {"role": "user", "content": None, "from": None, "value": "r"},
        {"from": "gpt", "value": [{"type": "text", "text": None, "value": "b"}, "c"]},
    ]
    assert contents(tmp_path / "a.jsonl", {"messages": turns}) == ["q", "a", "r", "bc"]


def test_the_value_of_a_part_that_is_no_text_is_not_read(tmp_path: Path) -> None:
    part = {"type": "image", "value": "aGVsbG8="}
    bad = {"messages": [{"role": "user", "content": [part]}, TURNS[1]]}
    (reject,) = read(write(tmp_path / "a.jsonl", {"messages": TURNS}, bad)).rejects
    assert reject.reason == "messages[0]: contains an image, and only text is trained on"


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_turns_as_json_in_a_cell_are_turns(tmp_path: Path, name: str) -> None:
    path, text = tmp_path / name, json.dumps(TURNS)
    cell = text.replace('"', '""')
    path.write_text(f'messages\n"{cell}"\n' if name == "a.csv" else json.dumps({"messages": text}))
    assert [one.content for one in read(path).examples[0].messages] == ["q", "a"]


SQUAD = {"question": "q", "answers": {"text": ["a", "a"], "answer_start": [1, 7]}, "id": {"of": 1}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("answers.text", "a"),
        ("answers.text.1", "a"),
        ("answers.text.2", None),
        ("answers.answer_start.1", 7),
        ("answers.none.0", None),
        ("question.text", None),
        ("turns.value", None),
        ("objects.value", ["x", "y"]),
        ("objects.1.value", "y"),
        ("empty.text", None),
        ("flat.name", "f"),
    ],
)
def test_a_name_with_dots_is_a_value_inside_a_column(name: str, value: object) -> None:
    objects = [{"value": "x"}, {"value": "y"}]
    row = {**SQUAD, "objects": objects, "empty": {"text": []}, "flat.name": "f"}
    assert find(row, name) == value


def test_columns_may_be_values_inside_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    columns = {"completion": "answers.text", "prompt": "question"}
    data = Data(columns=columns, group="id.of")
    several = {"question": "q", "answers": {"text": ["a", "b"]}}
    found = read(write(path, SQUAD, several | {"id": {}}, {**SQUAD, "answers": {}}), data)
    assert found.examples == [
        Example((Message("user", "q"), Message("assistant", "a")), f"{path}:1", group="1")
    ]
    assert [one.reason for one in found.rejects] == [
        "completion[0] must be an object, not text",
        "missing field 'completion'",
    ]
    with pytest.raises(EngineError, match=r"has no column 'answer\.text'"):
        read(path, Data(columns={"completion": "answer.text", "prompt": "question"}))
