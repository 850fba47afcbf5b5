"""What a file is, by its first bytes: conversations without names, and refusals in plain words."""

import json
from pathlib import Path

import pytest

from engine.data.rows import read
from engine.errors import EngineError
from tests.data.test_rows import GOOD, lines

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
SHARED = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]


@pytest.mark.parametrize("turns", [TURNS, SHARED])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.txt"])
def test_a_bare_list_of_turns_is_a_conversation(tmp_path: Path, name: str, turns: object) -> None:
    path, line = tmp_path / name, json.dumps(turns)
    path.write_text(f"{line}\n\n{line}\n[oops\n{line}\n")
    found = read(path)
    assert (found.schema, lines(found)) == ("messages", [1, 3, 5])
    assert {"".join(one.content for one in row.messages) for row in found.examples} == {"qa"}
    assert [one.line for one in found.rejects] == [4]


@pytest.mark.parametrize("content", ["[{0}, {0}]", "[\n {0},\n {0}\n]", "[{0}]\n[{0}]", "{0}\n{0}"])
def test_lists_of_conversations(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content.format(json.dumps(TURNS)))
    assert [len(one.messages) for one in read(path).examples] == [2, 2]


def test_a_list_of_rows_is_not_taken_for_a_conversation(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**GOOD, "role": "x"}, {**GOOD, "content": "y"}]))
    assert len(read(path).examples) == 2


PRETTY = "\n".join(json.dumps(GOOD, indent=1) for _ in range(3))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", "prompt,response\rq,a\rq,a\r", "has line ends of CR alone"),
        ("a.jsonl", f"{json.dumps(GOOD)}\r{json.dumps(GOOD)}", "has line ends of CR alone"),
        ("a.jsonl", PRETTY, "has JSON objects that span several lines: write each on one line"),
    ],
)
def test_what_is_wrong_with_a_whole_file_is_said_in_plain_words(
    tmp_path: Path, name: str, content: str, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    with pytest.raises(EngineError) as caught:
        read(path)
    assert caught.value.title.startswith(f"{name} {why}")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("content", ["prompt,response\nq,a\n", json.dumps(GOOD), "q,a"])
def test_utf_16_without_a_mark_is_named(tmp_path: Path, encoding: str, content: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode(encoding))
    with pytest.raises(EngineError, match="is UTF-16 without a byte order mark"):
        read(path)


def test_one_broken_row_at_the_start_is_a_reject(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "q\n' + json.dumps(GOOD) + "\n")
    assert (lines(read(path)), [one.line for one in read(path).rejects]) == ([2], [1])
    path.write_bytes(b"prompt,response\rq,a\r\n" + json.dumps(GOOD).encode())
    assert lines(read(path)) == [2]
