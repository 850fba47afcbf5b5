"""Bars of shares: a row each, as long as their share, in any width."""

import pytest

from tui.charts.plotext_frame import bars

GROUPS = ((0.13, 0.1), (0.5, 0.4), (1.0, 0.91), (0.0, 0.5))


@pytest.mark.parametrize("width", [12, 20, 40, 75])
def test_each_bar_has_its_row_and_its_length(width: int) -> None:
    rows = bars(GROUPS, "█▒", width, plain=False)
    assert len(rows) == 10
    for at, share in enumerate(share for group in GROUPS for share in group):
        row = rows[at]
        assert row[0] == "│"
        assert set(row[1:]) <= {"█▒"[at % 2]}
        assert len(row) - 1 == pytest.approx(share * (width - 1), abs=1.51)
    assert rows[-2].startswith("└")
    assert rows[-1].strip().startswith("0")
    assert rows[-1].endswith("1")
    assert all(len(row) <= width for row in rows)


def test_it_is_ascii_where_that_is_all() -> None:
    assert all(row.isascii() for row in bars(GROUPS, "#=", 40, plain=True))
    assert bars(((0.3,),), "#", 40, plain=True)[0].count("#") == pytest.approx(0.3 * 39, abs=1)
