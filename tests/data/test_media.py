"""Rows with images, videos or audio are refused by that name."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.data.rows import read
from engine.recipes.settings import Data
from tests.data.test_rows import write

ANSWER = {"role": "assistant", "content": "a"}
TALK = {"messages": [{"role": "user", "content": "What is this?"}, ANSWER]}
GOOD = {"prompt": "q", "completion": "a"}


def turn(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "What is this?", **more}, ANSWER]}


def part(**fields: Any) -> dict[str, Any]:
    return turn(content=[{"type": "text", "text": "What is this?"}, fields])


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (TALK | {"images": ["cat.png"]}, "'images' contains an image"),
        (TALK | {"images": [{"bytes": "aGk=", "path": None}]}, "'images' contains an image"),
        (TALK | {"videos": ["cat.mp4"]}, "'videos' contains a video"),
        (GOOD | {"image": "cat.png"}, "'image' contains an image"),
        (GOOD | {"audio": {"array": [0.5], "sampling_rate": 16000}}, "'audio' contains audio"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "audios": ["a.wav"]}, "'audios' contains"),
        (turn(images=["aGk="]), "messages[0]: contains an image"),
        (part(type="image"), "messages[0]: contains an image"),
        (part(type="image", text="a cat"), "messages[0]: contains an image"),
        (part(type="image_url", image_url={"url": "x"}), "messages[0]: contains an image"),
        (part(type="input_audio", input_audio={"data": "x"}), "messages[0]: contains audio"),
        (part(type="video", video="cat.mp4"), "messages[0]: contains a video"),
        (part(image="cat.png"), "messages[0]: contains an image"),
        ({"messages": json.dumps(turn(images=["x"])["messages"])}, "messages[0]: contains an"),
    ],
)
def test_such_a_row_is_a_reject(tmp_path: Path, row: dict[str, Any], what: str) -> None:
    good = {key: value for key, value in row.items() if key in ("prompt", "completion", "chosen")}
    path = write(tmp_path / "a.jsonl", good if len(good) > 1 else TALK, row)
    (reject,) = read(path).rejects
    assert reject.line == 2
    assert reject.reason.startswith(what)
    assert reject.reason.endswith("and only text is trained on")


@pytest.mark.parametrize("empty", [None, "", [], [None], {"bytes": None, "path": None}, False])
def test_an_empty_column_is_none(tmp_path: Path, empty: object) -> None:
    path = write(tmp_path / "a.jsonl", GOOD | {"image": empty}, turn() | GOOD)
    assert len(read(path).examples) == 2


def test_a_text_may_stand_in_a_column_of_that_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"image": "Describe a cat.", "completion": "It purrs."})
    (example,) = read(path, Data(columns={"prompt": "image"})).examples
    assert example.messages[0].content == "Describe a cat."


def test_the_columns_of_llama_factory(tmp_path: Path) -> None:
    entry = {"file_name": "a.jsonl", "columns": {"messages": "messages", "images": "pics"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    path = write(tmp_path / "a.jsonl", TALK | {"pics": []}, TALK | {"pics": ["cat.png"]})
    (reject,) = read(path).rejects
    assert reject.reason == "'pics' contains an image, and only text is trained on"
