"""Folders with LLaMA-Factory's `dataset_info.json`."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.data import dataset_list
from engine.data.rows import Rows, read
from engine.recipes.settings import Data
from tests.data.test_rows import write

ROW = {"frage": "q", "text": "about", "antwort": "a"}
ALPACA = {
    "file_name": "train.json",
    "columns": {"prompt": "frage", "query": "text", "response": "antwort", "system": "system"},
}


def folder(path: Path, row: object, **entries: object) -> Path:
    """The data file of a folder with a list of these entries."""
    (path / "dataset_info.json").write_text(json.dumps(entries))
    return write(path / "train.json", row, row)


def contents(found: Rows) -> list[str]:
    return [message.content for message in found.examples[0].messages]


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        (ROW, ALPACA["columns"], ["q\n\nabout", "a"]),
        (
            {"talk": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            {"messages": "talk", "tools": "tools"},
            ["q", "a"],
        ),
        ({"q": "q", "good": "a", "bad": "b"}, {"prompt": "q", "chosen": "good"}, ["q", "a"]),
        ({"instruction": "q", "output": "a"}, {"prompt": "instruction"}, ["q", "a"]),
    ],
)
def test_columns_are_those_of_the_list(
    tmp_path: Path, row: object, columns: Any, expected: list[str]
) -> None:
    listed: Any = {"file_name": "./train.json", "columns": columns}
    path = folder(tmp_path, row, mine=listed, other={"hf_hub_url": "a/b"})
    assert contents(read(path)) == expected
    assert dataset_list.resolve(str(tmp_path)).rows == 2
    assert [one.path for one in dataset_list.list_datasets([tmp_path])[-1:]] == [path]


def test_what_the_recipe_says_counts_before_the_list(tmp_path: Path) -> None:
    path = folder(tmp_path, ROW, mine=ALPACA)
    data = Data(columns={"prompt": "text", "completion": "frage"})
    assert contents(read(path, data)) == ["about", "q"]
    assert read(path, Data(schema="text")).examples[0].text == "about"


def test_a_list_that_says_two_things_says_nothing(tmp_path: Path) -> None:
    other = {**ALPACA, "columns": {"prompt": "antwort", "response": "frage"}}
    path = folder(tmp_path, ROW, mine=ALPACA, other=other)
    assert read(path).schema == "text"
    assert contents(read(folder(tmp_path, ROW, mine=ALPACA, again=ALPACA))) == ["q\n\nabout", "a"]
