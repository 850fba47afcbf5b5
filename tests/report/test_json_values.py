"""Values as JSON and back; what a damaged or hostile file holds is refused by its place."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest

from engine.report.json_values import from_json, round_numbers, to_json


@dataclass(frozen=True)
class Inner:
    name: str
    point: tuple[int, float]


@dataclass(frozen=True)
class Outer:
    inner: tuple[Inner, ...]
    words: Mapping[str, str] = field(hash=False)
    share: float
    maybe: float | None
    is_set: bool
    word: Literal["yes", "no", ""]


VALUE = Outer((Inner("a", (1, 0.5)),), {"k": "v"}, 1 / 3, None, True, "no")


def test_a_value_comes_back_as_it_was_to_ten_digits() -> None:
    again = from_json(Outer, json.loads(json.dumps(to_json(VALUE), allow_nan=False)), "it")
    assert again.share == pytest.approx(1 / 3, abs=1e-10)
    assert to_json(again) == to_json(VALUE)


def test_what_is_not_finite_is_null_and_comes_back_as_none_or_nan() -> None:
    table = to_json(Outer((), {}, math.inf, math.nan, False, ""))
    assert (table["share"], table["maybe"]) == (None, None)
    again = from_json(Outer, table, "it")
    assert math.isnan(again.share)
    assert again.maybe is None


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"inner": [{"name": 3, "point": [1, 2]}]}, r"it\.inner\[0\]\.name"),
        ({"inner": [{"name": "a", "point": [1]}]}, r"it\.inner\[0\]\.point"),
        ({"inner": [{"name": "a"}]}, r"it\.inner\[0\] lacks point"),
        ({"words": {"k": 1}}, r"it\.words\.k"),
        ({"words": ["k"]}, r"it\.words is no object"),
        ({"is_set": 1}, r"it\.is_set"),
        ({"share": True}, r"it\.share"),
        ({"share": "1"}, r"it\.share"),
        ({"word": "maybe"}, r"it\.word"),
        ({"word": 1}, r"it\.word"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(change: dict[str, object], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        from_json(Outer, {**to_json(VALUE), **change}, "it")


def test_numbers_that_differ_in_their_last_bit_are_written_alike() -> None:
    value = 0.1 + 0.2
    assert round_numbers({"a": [value, math.nextafter(value, 1)]}) == {"a": [0.3, 0.3]}
