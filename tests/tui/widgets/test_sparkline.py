"""Sparklines, and the glyph sets that they and everything else are drawn with."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.glyphs import ASCII, UNICODE, Glyphs, detect
from tui.widgets.sparkline import sparkline


@given(st.lists(st.floats(), max_size=200), st.sampled_from([UNICODE, ASCII]))
def test_any_levels(levels: list[float], glyphs: Glyphs) -> None:
    text = sparkline(levels, glyphs)
    assert len(text) == cell_len(text) == len(levels)
    assert set(text) <= set(glyphs.spark + glyphs.gap)


def test_levels_gaps_and_flat_lines() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
    assert sparkline([0, math.nan, 1, math.inf]) == "▁·█·"
    assert sparkline([3, 3, 3]) == "▄▄▄"
    assert sparkline([math.nan] * 3) == "···"
    assert sparkline([]) == ""


def test_the_largest_numbers() -> None:
    assert sparkline([-1.7e308, 1.7e308]) == "▁█"


def test_both_sets_say_everything_in_one_cell() -> None:
    for glyphs in (UNICODE, ASCII):
        for field in dataclasses.fields(glyphs):
            value = getattr(glyphs, field.name)
            if isinstance(value, str) and field.name not in ("name", "spark", "corners"):
                assert cell_len(value) == 1, field.name
        assert [cell_len(corner) for corner in glyphs.corners] == [1] * 4
    assert len(ASCII.spark) == len(UNICODE.spark) == 8
    everything = "".join(v for v in dataclasses.asdict(ASCII).values() if isinstance(v, str))
    assert everything.isascii()


@pytest.mark.parametrize(
    ("environ", "encoding", "expected"),
    [
        ({"TERM": "xterm-256color"}, "utf-8", UNICODE),
        ({"TERM": "xterm-256color"}, "UTF8", UNICODE),
        ({"TERM": "xterm"}, "ANSI_X3.4-1968", ASCII),
        ({"TERM": "xterm"}, "iso8859-1", ASCII),
        ({"TERM": "linux"}, "utf-8", ASCII),
        ({"TERM": "dumb"}, "utf-8", ASCII),
        ({"TERM": "vt100"}, "utf-8", ASCII),
        ({"TERM": "linux", "FINETOP_ASCII": "0"}, "utf-8", UNICODE),
        ({"TERM": "xterm", "FINETOP_ASCII": "1"}, "utf-8", ASCII),
        ({"TERM": "xterm", "LANG": "de_DE.UTF-8"}, None, UNICODE),
        ({"TERM": "xterm", "LANG": "de_DE.UTF-8", "LC_ALL": "C"}, None, ASCII),
        ({"TERM": "xterm", "LANG": "de_DE.utf8@euro"}, None, UNICODE),
        ({"LANG": "C"}, "utf-8", ASCII),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "utf-8", ASCII),
        ({"LC_CTYPE": "en_US.ISO-8859-1", "LANG": "C.UTF-8"}, "utf-8", ASCII),
        ({"LANG": "de_DE@euro"}, "utf-8", ASCII),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8", UNICODE),
        ({"LC_ALL": "", "LC_CTYPE": "", "LANG": "en_US.utf8"}, "utf-8", UNICODE),
        ({"LANG": "en_US.UTF-8"}, "iso8859-1", ASCII),
        ({"LC_ALL": "C", "FINETOP_ASCII": "0"}, "utf-8", UNICODE),
        ({"LC_NUMERIC": "C"}, "utf-8", UNICODE),
        ({}, None, ASCII),
    ],
)
def test_detect(environ: dict[str, str], encoding: str | None, expected: Glyphs) -> None:
    assert detect(environ, encoding) is expected
