"""Lines of an untrusted file: as they are wanted, none of one that is missing."""

import os
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.safe_open import read_lines


def test_lines_come_with_their_ends_and_the_last_one_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"{}\n\nnot whole")
    assert list(read_lines(path, "The rows")) == [b"{}\n", b"\n", b"not whole"]


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert list(read_lines(tmp_path / "none", "The rows")) == []


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(EngineError, match=r"The rows cannot be read") as caught:
            next(read_lines(path, "The rows"))
        assert str(path) in caught.value.detail


def test_a_failure_of_whoever_reads_is_not_taken_for_one_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"one\n")

    def read() -> None:
        for _ in read_lines(path, "The rows"):
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        read()
