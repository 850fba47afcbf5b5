"""Untrusted text: nothing that drives a terminal survives, and nothing vanishes in silence."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text import clean, escape_json, is_safe, number_name, one_line, spreadsheet_cell

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x9b31m", "�31m"),
        ("a\x7fb", "a␡b"),
        ("one\r\ntwo\rthree", "one\ntwo␍three"),
        ("tab\tstays", "tab\tstays"),
        ("\u202egnp.exe", "�gnp.exe"),
        ("[/red] a [b] c", "[/red] a [b] c"),
        ("سلام 你好 é 😀", "سلام 你好 é 😀"),
        ("\ud800", "�"),
    ],
)
def test_controls_become_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text())
def test_no_control_survives(text: str) -> None:
    cleaned = clean(text)
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(cleaned) & set(BIDI)
    assert len(cleaned) == len(text.replace("\r\n", "\n")), "each is replaced, none is dropped"
    assert clean(cleaned) == cleaned


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
)
def test_a_cell_that_is_a_formula_is_made_a_text(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-1.5", "+2", "-3e-5", "-.5", "-inf", "a=1", " x", "1-2", "'="]
)
def test_a_cell_that_is_none_stays(text: str) -> None:
    assert spreadsheet_cell(text) == text


@given(st.text() | st.text("\x9b\x7f\u202e\u200b\U000e0041a漢\u200d"))
def test_json_means_the_same_and_drives_no_terminal(text: str) -> None:
    written = escape_json(json.dumps([text], ensure_ascii=False))
    assert json.loads(written) == [text]
    assert is_safe(written)


def test_a_name_gets_the_first_number_that_is_free() -> None:
    assert number_name("a", ["b"]) == "a"
    assert number_name("a", ["a"]) == "a (2)"
    assert number_name("a", {"a", "a (2)", "a (4)"}) == "a (3)"
