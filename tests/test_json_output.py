"""JSON for other programs: no number that it has no word for, no terminal control."""

import json
import math

import pytest

from engine.json_output import finite_or_none, format_json, replace_not_finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_becomes_none(value: float) -> None:
    assert finite_or_none(value) is None
    assert replace_not_finite({1: [value, (0.5, value)], "b": {"c": value}}) == {
        "1": [None, [0.5, None]],
        "b": {"c": None},
    }


def test_other_values_stay_as_they_are() -> None:
    assert finite_or_none(-0.5) == -0.5
    table = {"text": "NaN", "count": 3, "yes": True, "none": None}
    assert replace_not_finite(table) == table


def test_written_json_has_no_terminal_control_and_means_the_same() -> None:
    table = {"name": "a\x1b[2Jb\u202ec", "words": "naïve"}
    text = format_json(table)
    assert json.loads(text) == table
    assert "\u202e" not in text
    assert "naïve" in text
    assert text.startswith('{\n "name"')


def test_a_number_that_is_not_finite_is_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        format_json({"loss": math.nan})
