"""What rows say and nobody reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.data.rows import open_rows, read
from engine.data.unread import MOST_NAMES, UnreadFields, describe_unread
from engine.recipes.settings import Data
from tests.data.test_rows import write

GOOD = {"prompt": "q", "completion": "a"}


def unread(path: Path, *rows: object, **data: Any) -> UnreadFields:
    opened = open_rows(write(path, *rows), Data(**data))
    assert list(opened.rows)
    return opened.unread


def turns(**more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", **more}]


def test_columns_are_counted_by_row(tmp_path: Path) -> None:
    rows = [
        GOOD | {"id": 0, "note": ""},
        GOOD | {"id": 2, "note": "n", "system": "s"},
        GOOD | {"note": None, "who": "w", "label": "joy"},
        {"prompt": "bad", "id": 3},
    ]
    found = unread(tmp_path / "a.jsonl", *rows, group="who")
    assert found.columns == {"id": 2, "note": 1, "label": 1}
    assert (found.keys, found.further) == ({}, 0)


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (GOOD | {"label": True}, {}),
        ({"instruction": "q", "output": "a", "input": "x", "history": [["b", "c"]]}, {}),
        ({"text": "t", "label_name": "joy", "label": 0}, {"label": 1}),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "score": 0.5}, {"score": 1}),
        ({"question": "q", "answer": "a", "history": "Europe"}, {"history": 1}),
        ({"messages": turns(), "text": "t", "finish": "stop", "output_ids": [1], "arm": "x"}, {}),
    ],
)
def test_what_a_schema_reads_is_not_counted(
    tmp_path: Path, row: object, columns: dict[str, int]
) -> None:
    if isinstance(row, dict) and "finish" in row:
        row["messages"] = row["messages"][:1]
    assert unread(tmp_path / "a.jsonl", row).columns == columns


def test_a_value_inside_a_column_reads_the_column(tmp_path: Path) -> None:
    row = {"prompt": "q", "answers": {"text": ["a"], "start": [3]}, "n": 1}
    found = unread(tmp_path / "a.jsonl", row, columns={"completion": "answers.text"})
    assert found.columns == {"n": 1}


def test_a_column_is_read_once(tmp_path: Path) -> None:
    """As a recipe says, and not again under its own name."""
    path = write(tmp_path / "a.jsonl", {"input": "q", "output": "a"})
    (example,) = read(path, Data(columns={"instruction": "input"})).examples
    assert [message.content for message in example.messages] == ["q", "a"]
    row = {"input": "q", "history": "the post", "better": "a", "worse": "b"}
    path = write(tmp_path / "a.jsonl", row)
    pair = {"prompt": "history", "chosen": "better", "rejected": "worse"}
    (example,) = read(path, Data(columns=pair)).examples
    assert [message.content for message in example.messages] == ["the post", "a"]
    assert unread(path, row, columns=pair).columns == {"input": 1}


def test_keys_of_turns_are_counted_by_row(tmp_path: Path) -> None:
    known = {"weight": 1, "train": True, "loss": True, "name": "x"}
    rows = [
        {"messages": turns(**known)},
        {"messages": turns(timestamp=0, id=None)},
        {"messages": [turn | {"timestamp": 5} for turn in turns(mood="x")]},
        {"messages": json.dumps(turns(mood="x"))},
    ]
    found = unread(tmp_path / "a.jsonl", *rows)
    assert (found.columns, found.keys) == ({}, {"timestamp": 2, "mood": 2})
    pair = {"prompt": "q", "chosen": turns(mood="x"), "rejected": turns(score=1)}
    assert unread(tmp_path / "b.jsonl", pair).keys == {"mood": 1, "score": 1}
    columns = {"from": ["human", "gpt"], "value": ["q", "a"], "mood": ["", "x"]}
    assert unread(tmp_path / "c.jsonl", {"conversations": columns}).keys == {"mood": 1}


def test_the_number_of_names_is_bounded(tmp_path: Path) -> None:
    rows = [GOOD | {f"n{number}": 1} for number in range(MOST_NAMES + 5)]
    found = unread(tmp_path / "a.jsonl", *rows)
    assert (len(found.columns), found.further) == (MOST_NAMES, 5)
    other = UnreadFields({"n0": 2, "other": 7, "another": 3}, {"k": 1}, 1)
    found.merge(other)
    assert (len(found.columns), found.columns["n0"], found.further) == (MOST_NAMES, 3, 13)
    assert found.keys == {"k": 1}
    long = unread(tmp_path / "b.jsonl", GOOD | {"n" * 9999: 1})
    assert [len(name) for name in long.columns] == [200]


def test_what_is_not_read_is_put_into_words() -> None:
    assert list(describe_unread({}, {})) == []
    columns = {"id": 8, "no\nte": 1, "\x1b[2J": 8, "": 8} | {f"n{number}": 2 for number in range(9)}
    line, further = describe_unread(columns, {}, 3)
    assert line.startswith("unread columns: id, ")
    assert "(8 rows); " in line
    assert "\x1b" not in line
    assert "\n" not in line
    assert line.endswith("; 5 more")
    assert further == "more unread names in 3 rows"
    assert list(describe_unread({}, {"mood": 1})) == ["unread keys of messages: mood (1 row)"]
