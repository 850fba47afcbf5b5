"""The evaluation side behind its ref, as the texts that gates look for."""

import json
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.synthesis.gates.candidate import HeldOutText
from engine.worker.synthesis.held_out import read_held_out


def _write(path: Path, *rows: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_none_is_named() -> None:
    assert read_held_out("") == []


def test_prompts_with_their_references(tmp_path: Path) -> None:
    ref = _write(
        tmp_path / "asked.jsonl",
        {"id": "first", "prompt": "Why?", "reference": "Because."},
        {"prompt": "When?"},
    )
    assert read_held_out(ref) == [
        HeldOutText("first", "Why?"),
        HeldOutText("first", "Because.", is_answer=True),
        HeldOutText("asked-2", "When?"),
    ]


def test_the_held_out_part_of_a_data_set(tmp_path: Path) -> None:
    _write(tmp_path / "set" / "train.jsonl", {"prompt": "Trained?", "completion": "Yes, it is."})
    _write(tmp_path / "set" / "eval.jsonl", {"prompt": "Held out?", "completion": "So it is."})
    texts = {one.text: one.is_answer for one in read_held_out(str(tmp_path / "set"))}
    assert texts == {"Held out?": False, "So it is.": True}


def test_texts_to_read(tmp_path: Path) -> None:
    ref = _write(tmp_path / "texts.jsonl", {"id": "t", "text": "A long text."})
    assert read_held_out(ref) == [HeldOutText("t", "A long text.")]


def test_bundled_rows() -> None:
    texts = read_held_out("bundled:counsel")
    assert len(texts) > 100
    assert any(one.is_answer for one in texts)


def test_a_file_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        read_held_out(str(tmp_path / "none.jsonl"))
