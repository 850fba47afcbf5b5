"""What a value must be, and what a plain answer says."""

import math

import pytest

from engine.compare.samples import Finish
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.field_values import (
    MOST_ENTRIES,
    Value,
    check_value,
    exact_float,
    read_text_value,
)
from engine.synthesis.outcomes import BadAnswer

TEXT = RowField(ask="?", min_chars=2, max_chars=10)
LABEL = RowField(ask="?", type="label", choices=["agree", "disagree", "not sure", "U.S."])
INTEGER = RowField(ask="?", type="integer", range=[-5, 5])
NUMBER = RowField(ask="?", type="number")
BOOLEAN = RowField(ask="?", type="boolean")
LIST = RowField(ask="?", type="list", max_chars=10)


def fault_of(text: str, field: RowField, finish: Finish = "stop") -> str:
    with pytest.raises(BadAnswer) as bad:
        read_text_value(text, field, finish)
    return bad.value.fault


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        (" plain \n", TEXT, "plain"),
        ("a\n\nb", TEXT, "a\n\nb"),
        ('"x"', TEXT, '"x"'),
        ("agree", LABEL, "agree"),
        (" Agree.\n", LABEL, "agree"),
        ('"DISAGREE"', LABEL, "disagree"),
        ("**not  sure**", LABEL, "not sure"),
        ("“agree.”", LABEL, "agree"),
        ("u.s.", LABEL, "U.S."),
        ("agree\nIt reads like that.", LABEL, "agree"),
        ("agree\n\nYes, agree.", LABEL, "agree"),
        ("4", INTEGER, 4),
        ("-3.", INTEGER, -3),
        ("+0", INTEGER, 0),
        ("`5`", INTEGER, 5),
        ("4\nIt is good.", INTEGER, 4),
        ("2.50", NUMBER, 2.5),
        ("3", NUMBER, 3),
        ("-1e-3", NUMBER, -0.001),
        ("Yes.", BOOLEAN, True),
        ("FALSE", BOOLEAN, False),
        ("one\ntwo", LIST, ["one", "two"]),
        ("- one\n\n* two\n• three", LIST, ["one", "two", "three"]),
        ("1. one\n2) two\n(3) three", LIST, ["one", "two", "three"]),
        ("Here they are:\n- one\n- two", LIST, ["one", "two"]),
        ('["one", "a, b"]', LIST, ["one", "a, b"]),
    ],
)
def test_a_plain_answer_is_read(text: str, field: RowField, value: Value) -> None:
    found = read_text_value(text, field)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "field", "fault"),
    [
        (" ", TEXT, "empty"),
        ("x", TEXT, "too short"),
        ("x" * 11, TEXT, "too long"),
        ("a \ud800", TEXT, "invalid text"),
        ("", LABEL, "empty"),
        ("agree, because it fits", LABEL, "not a choice"),
        ("I agree", LABEL, "not a choice"),
        ("agreed", LABEL, "not a choice"),
        ("Label: agree", LABEL, "not a choice"),
        ("agree or disagree", LABEL, "two values"),
        ("agree/disagree", LABEL, "two values"),
        ("agree\nBut some disagree.", LABEL, "two values"),
        ("1,000", INTEGER, "wrong type"),
        ("1.000", INTEGER, "wrong type"),
        ("1_000", INTEGER, "wrong type"),
        ("4.0", INTEGER, "wrong type"),
        ("4 stars", INTEGER, "wrong type"),
        ("4/5", INTEGER, "wrong type"),
        ("four", INTEGER, "wrong type"),
        ("007", INTEGER, "wrong type"),
        ("٣", INTEGER, "wrong type"),
        ("6", INTEGER, "out of range"),
        ("4\nor rather 5", INTEGER, "two values"),
        ("9" * 5000, INTEGER, "wrong type"),
        ("1,5", NUMBER, "wrong type"),
        (".5", NUMBER, "wrong type"),
        ("50%", NUMBER, "wrong type"),
        ("NaN", NUMBER, "wrong type"),
        ("1e999", NUMBER, "out of range"),
        ("0.1234567890123456789", NUMBER, "out of range"),
        ("maybe", BOOLEAN, "wrong type"),
        ("yes and no", BOOLEAN, "two values"),
        ("Yes, it does", BOOLEAN, "wrong type"),
        ("yes\nno", BOOLEAN, "two values"),
        ("- one\ntwo", LIST, "wrong type"),
        ('["one", 2]', LIST, "wrong type"),
        ("[one, two]", LIST, "wrong type"),
        ("[]", LIST, "empty"),
        ("[" * 5000, LIST, "wrong type"),
        ("- one\n- " + "x" * 11, LIST, "too long"),
        ("x\n" * (MOST_ENTRIES + 1), LIST, "too long"),
    ],
)
def test_a_plain_answer_is_refused_with_its_reason(text: str, field: RowField, fault: str) -> None:
    assert fault_of(text, field) == fault


def test_what_was_cut_is_no_text_and_no_list() -> None:
    for field in (TEXT, LIST, LABEL, INTEGER, NUMBER, BOOLEAN):
        for finish in ("length", "cancelled"):
            assert fault_of("4", field, finish) == "cut"
            assert fault_of("", field, finish) == "cut"
    assert fault_of("one\ntwo\n", LIST, "length") == "cut"
    assert read_text_value("agree\nbecause the", LABEL, "length") == "agree"
    assert read_text_value("4\n", INTEGER, "length") == 4


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("3", INTEGER), (3.0, INTEGER), (True, INTEGER), (None, INTEGER), ([3], INTEGER),
        ("3", NUMBER), (True, NUMBER), (math.nan, NUMBER), (math.inf, NUMBER), ({}, NUMBER),
        (1, BOOLEAN), ("true", BOOLEAN), (3, TEXT), (True, LABEL), (["agree"], LABEL),
        ("one", LIST), ([1], LIST), ([["one"]], LIST), ([None], LIST), ({"a": 1}, LIST),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_never_converted(value: object, field: RowField) -> None:
    with pytest.raises(BadAnswer) as bad:
        check_value(value, field)
    assert bad.value.fault == "wrong type"


def test_a_number_is_refused_where_storing_it_would_change_it() -> None:
    assert exact_float("0.1") == 0.1
    assert exact_float("1.50e3") == 1500
    assert exact_float("-0.0") == 0
    for text in ("0.10000000000000000555", "9007199254740993.0", "1e309", "1e-400"):
        with pytest.raises(BadAnswer):
            exact_float(text)
