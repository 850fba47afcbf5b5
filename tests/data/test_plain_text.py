import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.plain_text import LETTERS, find_cut, read_plain
from engine.data.rows import read
from engine.recipes.settings import Data


def texts(content: str, room: int = 400) -> list[tuple[int, str]]:
    """Line and text of each row, where a row has room for so many characters."""
    found = read_plain(io.BytesIO(content.encode()), -(-room // LETTERS))
    return [(row.line, row.value["text"]) for row in found if isinstance(row.value, dict)]


def test_paragraphs_are_gathered_until_no_more_fit() -> None:
    paragraphs = [letter * 40 for letter in "abcde"]
    content = "\n\n".join(paragraphs) + "\n"
    assert texts(content, 90) == [
        (1, f"{paragraphs[0]}\n\n{paragraphs[1]}"),
        (5, f"{paragraphs[2]}\n\n{paragraphs[3]}"),
        (9, paragraphs[4]),
    ]


def test_headings_form_feeds_and_marks_begin_a_row() -> None:
    content = "\ufeffone\n\n# Two\ntext\n\f\nthree\n<|endoftext|>\n\nfour\n"
    assert texts(content) == [(1, "one"), (3, "# Two\ntext"), (6, "three"), (9, "four")]


def test_a_long_paragraph_is_cut_after_a_line_a_sentence_or_a_word() -> None:
    assert find_cut("aaaa. bbb\ncc dd", 0, 12) == 10
    assert find_cut("aaaa. bb. cc dd", 0, 12) == 10
    assert find_cut("aaaa bbb cccc", 0, 10) == 9
    assert find_cut("aaaaaaaaaaaa", 0, 10) == 10
    assert texts("one two three\nfour five six\nseven", 15) == [
        (1, "one two three"),
        (2, "four five six"),
        (3, "seven"),
    ]


def test_a_line_of_odd_bytes_is_a_reject_and_parts_what_is_around_it(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_bytes(b"one\ntwo\ncaf\xe9\nthree\n")
    found = read(path)
    assert [(one.text, one.source) for one in found.examples] == [
        ("one\ntwo", f"{path}:1"),
        ("three", f"{path}:4"),
    ]
    assert [(one.line, one.reason) for one in found.rejects] == [
        (3, "not valid UTF-8: byte 0xe9 at 4")
    ]


@pytest.mark.parametrize(
    ("name", "content", "schema"),
    [
        ("a.txt", "Once upon a time, there was.\n", "text"),
        ("a.md", "[a link](x) and more\n", "text"),
        ("a.txt", "[1] a note\n", "text"),
        ("a.txt", "text\nis the first word\n", "text"),
        ("a.txt", "text;label_name\ni am well;joy\n", "text/label"),
        ("a.txt", '{"prompt": "q", "completion": "a"}\n', "prompt/completion"),
        ("a.txt", "prompt|response\nq|a\n", "prompt/response"),
    ],
)
def test_a_text_is_a_table_only_where_its_first_line_says_so(
    tmp_path: Path, name: str, content: str, schema: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read(path).schema == schema


def test_a_table_can_be_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text;label\na;b\n")
    assert read(path, Data(schema="text")).examples[0].text == "text;label\na;b"


@given(
    content=st.text(
        st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n .#"), max_size=300
    ),
    room=st.integers(3, 60),
)
def test_nothing_but_white_space_and_marks_is_lost(content: str, room: int) -> None:
    found = texts(content, room)
    assert all(text and len(text) <= -(-room // LETTERS) * LETTERS for _, text in found)
    # Of a line that begins with several byte order marks the first is one.
    kept = re.sub("(?m)^\ufeff", "", content).replace("\f", "")
    assert "".join("".join(text.split()) for _, text in found) == "".join(kept.split())
    assert [line for line, _ in found] == sorted(line for line, _ in found)
