"""What panels say of the companion's report on data."""

import pytest

from tests.tui.conftest import report_of
from tui.glyphs import ASCII
from tui.launch.report_lines import facts, oddities, rows_lines


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("marks", "the text of 1,200 rows contains special tokens"),
        ("seams", "1,200 rows have a token that spans prompt and answer"),
    ],
)
def test_what_is_odd_is_said_before_it_is_learned(part: str, words: str) -> None:
    assert list(oddities(report_of("a", "b"))) == []
    assert list(oddities(report_of("a", "b", **{part: {"rows": 1200, "example": "d:1"}}))) == [
        words
    ]


def test_a_conversation_of_several_rows_and_what_helps_against_rejects_are_said() -> None:
    report = report_of("a", "b", divided={"examples": 2, "rows": 5}, remedy="Correct the rows.")
    report["rows"] = [report["rows"][0] | {"part": 2, "parts": 3}]
    report["rejects"] = [{"file": "d/a.jsonl", "line": 7, "reason": "no answer"}]
    lines = ["".join(text for text, _ in line) for line in rows_lines(report, ASCII)]
    assert lines[:2] == ["invalid a.jsonl:7: no answer", "Correct the rows."]
    assert any("part 2 of 3" in line for line in lines)
    assert "5 rows of 2 conversations" in facts(report)
