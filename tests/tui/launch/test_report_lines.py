"""What panels say of the companion's report on data."""

import pytest

from tests.tui.conftest import report_of
from tui.launch.report_lines import oddities


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
