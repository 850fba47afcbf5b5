"""Source rows: which column is the text, ids, groups, and rows that cannot be used."""

import datetime
import decimal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.data.formats import read_raw
from engine.data.raw_row import RawRow
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.recipes.synthesis_settings import Source
from engine.synthesis.source_reader import SourceData, look_at_source, read_source
from engine.synthesis.source_rows import read_sources, write_sources
from engine.synthesis.templates import fill


def read(path: Path, **settings: object) -> SourceData:
    return read_source(path, Source(**settings), lambda path, data: read_raw(path, data))  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_one_column_of_texts_is_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"stars": 3, "review": "fine"}\n{"stars": 1}\n')
    found = read(path)
    assert [row.text for row in found.rows] == ["fine"]
    assert found.columns == ("stars", "review")


def test_columns_are_named_with_three_values_where_several_may_be_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "title,review\nA,fine\nB,bad\nC,so so\nD,never shown\n")
    with pytest.raises(EngineError, match="Several columns") as refused:
        read(path)
    assert "title: A | B | C" in refused.value.detail
    assert "review: fine | bad | so so" in refused.value.detail
    assert "never shown" not in refused.value.detail
    assert "source.text" in refused.value.detail


def test_the_column_that_is_suggested_has_a_name_and_the_longest_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ",id,review,stars\n0,7,It is fine.,5\n1,8,It broke.,1\n")
    with pytest.raises(EngineError, match="Several columns") as refused:
        read(path)
    assert refused.value.hint == "Name a column: --set source.text=review."
    assert "\n'': 0 | 1\n" in refused.value.detail


@pytest.mark.parametrize("key", ["text", "id"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, key: str
) -> None:
    path = write(tmp_path / "a.jsonl", '{"review": "fine"}\n')
    source = Source(text="wrong") if key == "text" else Source(id="wrong")
    with pytest.raises(EngineError, match="There is no column 'wrong'") as refused:
        look_at_source(path, source, read_raw)
    assert f"source.{key}" in refused.value.detail
    assert "review: fine" in refused.value.detail


def test_ids_count_rows_and_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'who,review\nann,"two\nlines"\nbob,one\nann,more\n')
    rows = read(path, text="review", id="who").rows
    assert [(row.id, row.line, row.group) for row in rows] == [
        ("a.csv:1", 2, "ann"), ("a.csv:2", 4, "bob"), ("a.csv:3", 5, "ann"),
    ]  # fmt: skip
    assert rows[0].text == "two\nlines"
    assert rows[0].columns == {"who": "ann", "review": "two\nlines"}


def test_rows_of_a_list_on_one_line_have_ids_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '[{"review": "one"}, {"review": "two"}]')
    assert [row.id for row in read(path).rows] == ["a.json:1", "a.json:2"]


def test_what_is_missing_is_no_text_and_what_json_lacks_is_written_as_text(tmp_path: Path) -> None:
    """As of Parquet, which has dates, decimals and NaN; the rows are pinned as JSON."""
    day = datetime.date(2020, 1, 2)
    values: dict[str, object] = {
        "review": "fine", "day": day, "stars": float("nan"), "most": float("inf"),
        "price": decimal.Decimal("1.50"), "raw": b"\0", "all": [day, {"when": day}],
    }  # fmt: skip

    def raw(path: Path, data: Data) -> Iterator[RawRow]:
        yield RawRow(1, 0, values)
        yield RawRow(2, 0, {"review": float("nan")})

    found = read_source(tmp_path / "a.parquet", Source(text="review"), raw)
    (row,) = found.rows
    assert row.columns == {
        "review": "fine", "day": "2020-01-02", "stars": None, "most": "inf", "price": "1.50",
        "raw": "1 bytes", "all": ["2020-01-02", {"when": "2020-01-02"}],
    }  # fmt: skip
    write_sources(tmp_path / "sources.jsonl", found.rows)
    assert read_sources(tmp_path / "sources.jsonl") == found.rows
    assert fill("{day}, {stars}", row.columns) == "2020-01-02, "
    assert [fault.reason for fault in found.faults] == ["review is empty"]


def test_a_limit_takes_the_first_rows_and_a_shuffle_others(tmp_path: Path) -> None:
    text = "".join(f'{{"review": "text {number}"}}\n' for number in range(50))
    path = write(tmp_path / "a.jsonl", text)
    assert [row.text for row in read(path, limit=2).rows] == ["text 0", "text 1"]
    drawn = [row.id for row in read(path, limit=5, shuffle=True).rows]
    assert drawn == [row.id for row in read(path, limit=5, shuffle=True).rows]
    assert drawn != [row.id for row in read(path, limit=5, shuffle=True, seed=8).rows]
    assert drawn != [f"a.jsonl:{number}" for number in range(1, 6)]


def test_bad_rows_are_faults_and_a_file_of_nothing_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"review": "one"}\n{"review": \n{"review": " "}\n')
    found = read(path)
    assert [row.line for row in found.rows] == [1]
    assert [fault.line for fault in found.faults] == [2, 3]
    assert found.faults[1].reason == "review is empty"
    path.write_text('{"review": " "}\n')
    with pytest.raises(EngineError, match="no rows"):
        read(path, text="review")
