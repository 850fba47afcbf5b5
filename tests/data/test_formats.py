"""What a file is, by its first bytes: conversations without names, and refusals in plain words."""

import gzip
import json
import random
from pathlib import Path

import pytest

from engine.data import dataset_list
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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl.gz", json.dumps(GOOD) + "\n" + json.dumps(GOOD)),
        ("a.json.gz", json.dumps([GOOD]) + json.dumps([GOOD])),
        ("a.csv.gz", "sep=;\nprompt;response\nq;a\nq;a\n"),
        ("a.tsv.gz", "prompt\tresponse\nq\ta\nq\ta\n"),
    ],
)
def test_files_that_gzip_packed_are_read_as_what_they_hold(
    tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    half = len(content) // 2
    path.write_bytes(
        gzip.compress(content[:half].encode()) + gzip.compress(content[half:].encode())
    )
    assert len(read(path).examples) == 2
    assert dataset_list.resolve(str(path)).rows == 2
    path.write_text(content)  # the name alone says nothing
    assert len(read(path).examples) == 2


def test_the_rows_of_a_large_packed_file_are_reckoned_by_its_bytes_on_the_disk(
    tmp_path: Path,
) -> None:
    path, numbers = tmp_path / "train.jsonl.gz", random.Random(7)
    rows = [{"prompt": numbers.randbytes(1500).hex(), "completion": "a"} for _ in range(3000)]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), 1))
    (tmp_path / "val.csv.gz").write_bytes(gzip.compress(b"prompt,response\nq,a\n"))
    (found,) = dataset_list.list_datasets([tmp_path])[-1:]
    assert (found.path, found.eval_path) == (path, tmp_path / "val.csv.gz")
    assert found.estimated
    assert found.rows == pytest.approx(3000, rel=0.1)


def test_parts_that_gzip_packed_are_one_set(tmp_path: Path) -> None:
    for part in range(2):
        path = tmp_path / f"c4-train.{part:05d}-of-00002.json.gz"
        path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    assert len(read(tmp_path / "c4-train.00000-of-00002.json.gz").examples) == 2


@pytest.mark.parametrize("cut", [slice(0, 200), slice(0, 9)])
def test_a_packed_file_that_breaks_off_is_refused(tmp_path: Path, cut: slice) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = "".join(json.dumps({**GOOD, "id": at * 7919 % 1000}) + "\n" for at in range(999))
    path.write_bytes(gzip.compress(rows.encode())[cut])
    with pytest.raises(EngineError, match=r"a\.jsonl\.gz cannot be unpacked"):
        read(path)
