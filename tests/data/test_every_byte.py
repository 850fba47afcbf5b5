"""Every byte of a file is in an example, in a reject, or in a rest that a reject states."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.delimited import LONGEST_CELL
from engine.data.raw_row import LONGEST_ROW
from engine.data.rows import Example, Message, Reject, Rows, find_schema, read
from engine.recipes.settings import Data
from tests.data.test_rows import GOOD, lines

MARK = b"\xef\xbb\xbf"


def rejects(found: Rows) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in found.rejects]


def pairs(found: Rows) -> list[tuple[str, ...]]:
    return [tuple(message.content for message in one.messages) for one in found.examples]


def test_lists_one_after_another_and_lines_after_them_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    one = json.dumps(GOOD).encode()
    path.write_bytes(
        b"[" + one + b",\n" + one + b"]\n[]\n\n" + MARK + b"[" + one + b"," + one + b",\n]"
        b" and more\n" + one + b"\ncaf\xe9\n" + MARK + one + b"\n[1]\n"
    )
    found = read(path)
    assert lines(found) == [1, 2, 5, 5, 7, 9]
    assert rejects(found) == [
        (6, "not valid JSON: Expecting value at column 1"),
        (8, "not valid UTF-8: byte 0xe9 at position 4"),
        (10, "a row must be an object, not a list"),
    ]
    assert found.rejects[0].text == "and more"


def test_what_follows_a_long_list_is_found_at_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    row = {"prompt": "é€" * 400, "completion": "a"}
    content = json.dumps([row] * 900, ensure_ascii=False) + " " + "é" * 300_000 + "\n"
    path.write_text(content + json.dumps(GOOD))
    found = read(path)
    assert (len(found.examples), found.examples[-1].messages[0].content) == (901, "q")
    assert [(one.line, len(one.text)) for one in found.rejects] == [(1, 1000)]


def test_a_byte_order_mark_between_joined_files_is_no_part_of_a_row(tmp_path: Path) -> None:
    one = json.dumps(GOOD).encode() + b"\n"
    (tmp_path / "a.jsonl").write_bytes(MARK + one + MARK + one)
    assert (len(read(tmp_path / "a.jsonl").examples), read(tmp_path / "a.jsonl").rejects) == (2, [])
    (tmp_path / "a.txt").write_bytes(MARK + b"one\n\n" + MARK + b"two\n")
    assert read(tmp_path / "a.txt").examples[0].text == "one\n\ntwo"
    (tmp_path / "a.csv").write_bytes(
        MARK
        + b"text,label\n"
        + MARK
        + b'"a, b",pos\n'
        + MARK
        + b'text,label\n"c\n\xef\xbb\xbfd",neg'
    )
    found = read(tmp_path / "a.csv")
    assert [content[0][-4:] for content in pairs(found)] == ["a, b", "c\n\ufeffd"]
    assert rejects(found) == [(3, "the header again")]


def test_the_header_again_is_a_reject_and_no_label(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text,label\na fine day,pos\n text ,label\na bad day,neg\n")
    found = read(path)
    assert found.labels == ("neg", "pos")
    assert (lines(found), rejects(found)) == ([2, 4], [(3, "the header again")])


def test_the_header_again_in_another_order_counts_for_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,response\nq,a\nresponse,prompt\nb,r\n")
    assert pairs(read(path)) == [("q", "a"), ("r", "b")]
    assert rejects(read(path)) == [(3, "the header again")]


@pytest.mark.parametrize("name", ["data.csv", "data.txt", "data"])
@pytest.mark.parametrize("start", [b"sep=;\r\n", MARK + b'"sep=;"\n'])
def test_a_line_that_declares_the_separator_is_none_of_the_rows(
    tmp_path: Path, name: str, start: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(start + b"prompt;response\nwell, well;a\nq|q;a\n")
    found = read(path)
    assert (pairs(found), lines(found)) == ([("well, well", "a"), ("q|q", "a")], [3, 4])
    assert pairs(read(path, Data(separator="semicolon"))) == pairs(found)
    assert find_schema(path) == "prompt/response"


def tsv(path: Path, *cells: str) -> Rows:
    path.write_text("text\tlabel\n" + "".join(f"{cell}\tx\n" for cell in cells))
    return read(path)


@pytest.mark.parametrize(
    "texts",
    [
        ['"Heart" is a film', "later"],
        ["plain", '"open', "plain", 'closed"', "plain"],  # the mark swallowed two rows
        ['"open and never closed', "plain"],
        ['"whole"', '"part" of', "plain"],
    ],
)
def test_quotation_marks_of_a_table_without_quoting_are_text(
    tmp_path: Path, texts: list[str]
) -> None:
    found = tsv(tmp_path / "data.tsv", *texts)
    assert [question.rpartition("\n\n")[2] for question, _ in pairs(found)] == texts
    assert found.rejects == []


def test_quotation_marks_that_enclose_every_cell_are_none_of_the_text(tmp_path: Path) -> None:
    found = tsv(tmp_path / "data.tsv", '"a ""b"""', '"two\nlines"', '""')
    assert [question.rpartition("\n\n")[2] for question, _ in pairs(found)] == [
        'a "b"',
        "two\nlines",
    ]
    assert rejects(found) == [(5, "empty 'text'")]


def test_rows_inside_a_quoted_cell_are_stated_as_lost(tmp_path: Path) -> None:
    quoted = [f'"line {number}\nand more"' for number in range(9)]
    found = tsv(tmp_path / "data.tsv", *quoted, '"open', "swallowed", 'closed"', "plain")
    assert rejects(found) == [(20, "a quoted cell holds whole rows; lines 20 to 22 are lost")]
    assert lines(found)[-1] == 23


def test_a_quote_that_is_found_out_late_says_which_lines_went_with_it(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('prompt,response\n"q,a\nr,a\ns "x" t,a\nq,a\n"a\nb",c,d\n')
    assert rejects(read(path)) == [
        (2, "unescaped quote inside a cell; lines 2 to 4 are lost"),
        (6, "3 cells where the header has 2 columns; lines 6 to 7 are lost"),
    ]


def test_a_line_without_end_is_one_reject(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    for length, reason in (
        (LONGEST_CELL + 9, "cell too long or unclosed quote"),
        (2 * LONGEST_ROW, "the row is longer than 8 MiB"),
    ):
        path.write_text("prompt,response\nq," + "x" * length + "\nq,a\n")
        assert (lines(read(path)), rejects(read(path))) == ([3], [(2, reason)])
    path.write_text("prompt,response\n" + "q,a" * LONGEST_ROW + "\nq,a\n")
    assert (lines(read(path)), rejects(read(path))) == ([3], [(2, "the row is longer than 8 MiB")])


# A naive count: pieces that were written against pieces that came back.

line = st.sampled_from(
    [json.dumps(GOOD).encode(), b'{"prompt": ""}', b"7", b"oops", b"caf\xe9", b"\x00", b'{"a": [']
)
element = st.sampled_from([json.dumps(GOOD), '{"prompt": ""}', "7", "[]", '"\u20ac"', "null"])


@given(
    lists=st.lists(st.lists(element, max_size=4), max_size=4),
    rest=st.lists(line, max_size=4),
    between=st.sampled_from([b"", b"\n", b" \r\n", b"\n" + MARK]),
)
def test_elements_of_all_lists_and_lines_behind_them_are_counted(
    tmp_path_factory: pytest.TempPathFactory,
    lists: list[list[str]],
    rest: list[bytes],
    between: bytes,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    every = [[json.dumps(GOOD)], *lists]
    written = between.join(f"[{', '.join(one)}]".encode() for one in every)
    path.write_bytes(written + between + b"\n".join(rest))
    found = read(path)
    assert len(found.examples) + len(found.rejects) == sum(map(len, every)) + len(rest)


cells = st.text(st.sampled_from('ab" \u20ac\ufeff'), max_size=6)
row = st.tuples(cells, cells).map("\t".join) | st.sampled_from(
    [
        "prompt\tresponse",
        "\ufeffresponse\tprompt",
        "a",
        "a\tb\tc",
        '"',
        '"a\tb',
        'a"\tb',
        '"a"\t"b"',
    ]
)


def count_lines(one: Example | Reject) -> int:
    """The physical lines of a row, by what it holds or, of a reject, by what it says."""
    if isinstance(one, Example):
        return 1 + sum(message.content.count("\n") for message in one.messages)
    span = re.search(r"lines (\d+) to (\d+) are lost", one.reason)
    if span:
        return int(span[2]) - int(span[1]) + 1
    return 1 + "".join(json.loads(one.text).values()).count("\n") if one.text[0] == "{" else 1


@pytest.mark.parametrize("separator", ["\t", ","])
@given(rows=st.lists(row, max_size=9), end=st.sampled_from(["", "\n", "\r\n"]))
def test_lines_of_a_table_are_counted(
    tmp_path_factory: pytest.TempPathFactory, separator: str, rows: list[str], end: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    written = (end or "\n").join(["prompt\tresponse", "first\tanswer", *rows]) + end
    path.write_bytes(written.replace("\t", separator).encode())
    found = read(path)
    rows_read: list[tuple[int, Example | Reject]] = [
        *zip(lines(found), found.examples, strict=True)
    ]
    rows_read += [(reject.line, reject) for reject in found.rejects]
    counted = [at for start, one in rows_read for at in range(start, start + count_lines(one))]
    filled = [at for at, one in enumerate(["header", "first", *rows], 1) if at > 1 and one.strip()]
    assert len(counted) == len(set(counted))
    assert set(filled) <= set(counted)


def test_an_answer_is_never_cut_by_the_length_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("prompt,response\n" + "q" * (LONGEST_CELL - 1) + "," + "a" * 99 + "\n")
    ((prompt, answer),) = [example.messages for example in read(path).examples]
    assert (len(prompt.content), answer) == (LONGEST_CELL - 1, Message("assistant", "a" * 99))
