import csv
import io
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.delimited import LONGEST_CELL
from engine.data.dialects import find_separator
from engine.data.rows import Message, read
from engine.errors import EngineError
from engine.recipes.settings import Data
from tests.data.test_rows import lines


def test_line_breaks_inside_cells_and_the_line_where_a_row_starts(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(
        b'\xef\xbb\xbfprompt,response\r\n"two\r\nlines","say ""a"""\r\n'
        b"\r\nq,\r\nq;a\r\nq,caf\xe9\r\nq,a"
    )
    found = read(path)
    assert lines(found) == [2, 8]
    assert found.examples[0].messages == (
        Message("user", "two\r\nlines"),
        Message("assistant", 'say "a"'),
    )
    assert [(one.line, one.reason) for one in found.rejects] == [
        (5, "empty 'response'"),
        (6, "1 cells where the header has 2 columns"),
        (7, "not valid UTF-8"),
    ]
    assert found.rejects[2].text == "q,caf\\xe9\r\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_out(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "data.csv"
    cells = [("id", "question", "answer"), ("1", "a,b;c|d\te", "x, y; z"), ("2", "q", "a")]
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(cells)
    assert [one.messages[0].content for one in read(path).examples] == ["a,b;c|d\te", "q"]


def test_more_separators_in_the_text_than_between_the_columns() -> None:
    sample = "text;label_name\n" + "well, well, well, I am here, you know;joy\n" * 9
    assert find_separator(sample) == ";"


def test_a_text_that_holds_the_separator_is_a_reject(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(b"text;label_name\ni feel fine;joy\nso; sad;sadness\ncaf\xe9;joy\n")
    found = read(path)
    assert (found.schema, lines(found)) == ("text/label", [2])
    assert [(one.line, one.reason) for one in found.rejects] == [
        (3, "3 cells where the header has 2 columns"),
        (4, "not valid UTF-8"),
    ]


@pytest.mark.parametrize("name", ["|", "tab", "\\t", "\t", "semicolon", "#"])
def test_the_separator_can_be_named(tmp_path: Path, name: str) -> None:
    meant = {"tab": "\t", "\\t": "\t", "semicolon": ";"}.get(name, name)
    path = tmp_path / "data.csv"
    path.write_text(f"prompt{meant}answer,response\nq{meant}x,a\n")
    data = Data(separator=name, columns={"response": "answer,response"})
    assert read(path, data).examples[0].messages[1].content == "x,a"


@pytest.mark.parametrize("name", [", ", '"', "\n", "dot"])
def test_a_separator_that_is_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,response\nq,a\n")
    with pytest.raises(EngineError, match="invalid data"):
        read(path, Data(separator=name))


def test_named_columns_help_to_find_the_separator(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("Frage, kurz;Antwort, lang\na, b;c, d\ne, f;g, h\n")
    data = Data(columns={"prompt": "Frage, kurz", "completion": "Antwort, lang"})
    assert [one.messages[1].content for one in read(path, data).examples] == ["c, d", "g, h"]


def test_a_quote_that_is_never_closed_says_what_went_with_it(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('prompt,response\nq,a\nq,"open\nq,a\nq,a\n')
    (reject,) = read(path).rejects
    assert (reject.line, len(read(path).examples)) == (3, 1)
    assert reject.reason == "unclosed quote; lines 3 to 5 are lost"
    assert reject.text == 'q,"open\nq,a\nq,a\n'


def test_a_quote_inside_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('prompt,response\nq,"a" b\nq,a\n')
    found = read(path)
    assert [one.reason for one in found.rejects] == ["unescaped quote inside a cell"]
    assert lines(found) == [3]


def test_a_cell_without_end_does_not_take_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    filler = "x" * 999 + "\n"
    path.write_text('prompt,response\nq,"' + filler * (LONGEST_CELL // 1000 + 2) + "q,a\n")
    found = read(path)
    assert "cell too long" in found.rejects[0].reason
    assert found.examples[-1].messages[0].content == "q"
    assert csv.field_size_limit() == 131_072  # the process's own limit is as it was


def test_a_header_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,prompt,response\nq,q,a\n")
    with pytest.raises(EngineError, match="duplicate column 'prompt'"):
        read(path)
    path.write_text("how are you,fine\nand you,well\n")
    with pytest.raises(EngineError, match="unknown columns") as caught:
        read(path)
    assert "how are you, fine" in caught.value.detail
    path.write_text("prompt,response\n")
    with pytest.raises(EngineError, match="has no rows"):
        read(path)


@given(
    pairs=st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=9)] * 2), max_size=6
    )
)
def test_every_row_is_an_example_or_a_reject(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("prompt", "response"), ("q", "a"), *pairs])
    path.write_bytes(text.getvalue().encode())
    found = read(path)
    good = [(q, a) for q, a in pairs if q.strip() and a.strip() and "\0" not in q + a]
    told = [(one.messages[0].content, one.messages[1].content) for one in found.examples]
    assert told == [("q", "a"), *good]
    assert len(found.rejects) == len(pairs) - len(good)


cell = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=12)


@given(
    separator=st.sampled_from(",;\t|"),
    cells=st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=8),
    quoted=st.booleans(),
)
def test_any_table_is_read_with_the_separator_it_was_written_with(
    tmp_path_factory: pytest.TempPathFactory,
    separator: str,
    cells: list[tuple[str, str, str]],
    quoted: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    text = io.StringIO()
    style: Literal[0, 1] = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=separator, quoting=style)
    writer.writerows([("id", "prompt", "response"), ("1", "first", "answer"), *cells])
    path.write_bytes(text.getvalue().encode())
    good = [(q, a) for _, q, a in cells if q.strip() and a.strip()]
    told = [(one.messages[0].content, one.messages[1].content) for one in read(path).examples]
    assert told == [("first", "answer"), *good]
