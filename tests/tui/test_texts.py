"""Pure parts of the screens: wrapping, shortening, listing, phrases."""

import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.jobs.store import Store
from engine.jobs.summary import view
from tests.tui.building import write_run
from tui.formatting import (
    duration,
    estimated_range,
    estimated_span,
    number,
    parameters,
    size,
    size_range,
    time_span,
)
from tui.screens.tree_and_groups import arrange
from tui.snapshots import RunRow
from tui.styled_text import cells_of, length, width_of
from tui.widgets.lines import shorten
from tui.widgets.pager import wrap

TEXT = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Mn", "Me", "Cf"]), max_size=80)


@given(TEXT, st.integers(4, 40), st.integers(0, 12))
@example("0000\xa0", 4, 0)
def test_wrapping_keeps_every_word_and_the_width(text: str, width: int, hang: int) -> None:
    lines = wrap([(text, "")], width, hang)
    whole = "".join(piece for line in lines for piece, _ in line)
    assert "".join(whole.split()) == "".join(text.split())
    for line in lines:
        assert cell_len("".join(piece for piece, _ in line).rstrip(" ")) <= width


@given(st.lists(st.tuples(TEXT, st.sampled_from(["", "dim"])), max_size=6), st.integers(1, 60))
def test_a_shortened_line_fits(line: list[tuple[str, str]], width: int) -> None:
    assert length(shorten(line, width, "…")) <= max(width, 1)


def test_whole_facts_fall_away_and_labels_with_their_values() -> None:
    line = [(" step 4", ""), ("  lr ", "dim"), ("0.001", ""), ("  grad ", "dim"), ("0.9", "")]
    assert shorten(line, 19, "…") == line[:3]
    assert shorten(line, 22, "…") == line[:3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4119, "0.412"), (math.nan, "NaN"), (-math.inf, "-inf"), (None, "—"), (123.45, "123.5"),
     (54321.0, "5.4e4")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


def test_times_and_sizes() -> None:
    assert [duration(one) for one in (41, 725, 12_000, 190_000)] == [
        "0:41", "12:05", "3:20:00", "2d 4h",
    ]  # fmt: skip
    assert [parameters(one) for one in (2_417_000, 7_240_000_000, 12)] == ["2.42M", "7.24B", "12"]
    assert size(4_980_000) == "4.98 MB"


def _row(root: Path, name: str, parent: str) -> RunRow:
    parents = [f"run:{parent}"] if parent else []
    found = view(write_run(root, name, parents=parents))
    assert found is not None
    return RunRow(found)


def test_a_family_is_a_tree_and_a_circle_is_listed_too(tmp_path: Path) -> None:
    rows = tuple(
        _row(tmp_path, name, parent)
        for name, parent in [
            ("child", "root"), ("root", ""), ("grandchild", "child"), ("a", "b"), ("b", "a"),
            ("self", "self"),
        ]
    )  # fmt: skip
    found = [(entry.row.view.record.name, entry.depth) for entry in arrange(rows)]
    assert found[:3] == [("root", 0), ("child", 1), ("grandchild", 2)]
    assert {name for name, _ in found[3:]} == {"a", "b", "self"}
    assert len(found) == len(Store(tmp_path).jobs())


def test_ranges_have_one_unit_where_they_can() -> None:
    ranges = ((10, 50), (30, 240), (300, 1200), (3000, 12_000), (70, 75))
    assert [estimated_range(*one) for one in ranges] == [
        "<1 min", "<4 min", "5-20 min", "50 min to 3 h 20 min", "~1 min",
    ]  # fmt: skip
    assert size_range(820_000_000, 1_100_000_000) == "0.82-1.1 GB"
    assert size_range(820_000_000, 1_100_000_000, "MB") == "820-1,100 MB"
    assert size_range(11.6e9, 12.4e9) == "12 GB"


def test_a_span_has_its_units() -> None:
    seconds = (0, 41, 60, 238, 3600, 12_000, 90_000, 180_000)
    assert [time_span(one) for one in seconds] == [
        "0 s", "41 s", "1 min", "3 min 58 s", "1 h", "3 h 20 min", "25 h", "2 d 2 h",
    ]  # fmt: skip
    assert [estimated_span(one) for one in (0, 59, 61, 238, 12_000)] == [
        "<1 min", "<1 min", "~1 min", "~4 min", "~3 h 20 min",
    ]  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), max_size=20))
def test_every_cell_of_a_text_is_known(text: str) -> None:
    cells = cells_of(text)
    assert "".join(cells) == text or not cells
    assert len(cells) == width_of(text)


def test_a_wide_letter_fills_its_first_cell() -> None:
    assert list(cells_of("a损🔥e\u0301b")) == ["a", "损", "", "🔥", "", "e\u0301", "b"]
    assert cells_of("ab·") == "ab·"
