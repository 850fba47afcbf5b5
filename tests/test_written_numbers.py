"""Numbers in texts: what is one, what is none, and what it is worth."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compare.checks import met, score
from engine.compare.item_reader import parse_item
from engine.written_numbers import exact, final_number, numbers_in, read_number

NUMBERS = {
    "47 + 38 = 85": "47 38 85",
    "47-38=9": "47 38 9",
    "x=-5, y = +7": "-5 7",
    "It is \u22125.": "-5",
    "\u201312 °C": "-12",
    "(-3)": "-3",
    "5 \u2212 3 = 2": "5 3 2",
    "3\u22125": "3 5",
    "3\u20135 days": "3 5",
    "3-5 days": "3 5",
    "3 - 5": "3 5",
    "1914-1918": "1914 1918",
    "3.5\u20134.5": "3.5 4.5",
    "$3-$5": "3 5",
    "from 3 to -1,234.5 degrees": "3 -1234.5",
    "- 5 apples": "5",
    "a) x-5 b) COVID-19": "5 19",
    "**-5**": "-5",
    "'-5'": "-5",
    "2024-01-05": "",
    "On 5/1/2024 and 05.01.2024 I had 3.": "3",
    "at 10:45 or 10:45:30": "",
    "16:9": "16 9",
    "1,5.5": "",
    "US$5, -Rs 3, AUSD4": "5 -3",
    "(5)-3": "5 3",
    "10 -5": "10 -5",
    "version 1.2.3, 127.0.0.1": "",
    "555-123-4567": "",
    "0x1F": "",
    "1e3": "1000",
    "1E-3": "1/1000",
    "1.5e+2": "150",
    "1e\u22123": "1/1000",
    "1\u00d710\u00b3": "1000",
    "6.02 \u00d7 10^23": "602000000000000000000000",
    "3 x 10\u207b\u00b2": "3/100",
    "2*10**3": "2000",
    "5 \\times 10^{3}": "5000",
    "10^3 and 10\u00b3": "1000 1000",
    "2 \u00d7 10 = 20": "2 10 20",
    "1\u202f234\u202f567": "1234567",
    "1\u2009234\u2009567,5": "2469135/2",
    "12\u00a0000": "12000",
    "1 234": "1 234",
    "1'234'567.5": "2469135/2",
    "1\u2019234": "1234",
    "1_000_000": "1000000",
    "1,234.5": "1234.5",
    "1.234,5": "1234.5",
    "1.234.567": "1234567",
    "1.234.567,25": "4938269/4",
    "1,234": "1234",
    "1.234": "1.234",
    "3,14": "3.14",
    "0,125 or 1234,567": "0.125 1234.567",
    "0.125.000": "",
    "(3,5)": "3 5",
    "1,2,3": "1 2 3",
    "12,34,567": "1234567",
    "1, 2 and 3": "1 2 3",
    "1/2": "1/2",
    "\u00bd": "1/2",
    "1\u00bd cups, 1 \u00bd": "3/2 3/2",
    "1 1/2": "3/2",
    "2 5/4": "2 5/4",
    "1\u20442": "1/2",
    "-3/4": "-3/4",
    "\\frac{3}{4}": "3/4",
    "7 / 8": "7 8",
    "1/0": "1 0",
    "50%": "50",
    "12.5 %": "12.5",
    "$5": "5",
    "-$5": "-5",
    "$-5": "-5",
    "\u20ac 1.234,50": "1234.5",
    "USD5 and 7EUR": "5 7",
    "5kg, 3rd, 60km/h, 5m2": "5 3 60 5",
    "H2O, GPT4, A4, x_2": "",
    "GPT-4": "4",
    "\u5171\u67093\u4e2a": "3",
    ".5": "1/2",
    "-.5": "-1/2",
    "so ...5": "5",
    "It is 5.": "5",
    "5...6": "5 6",
    "\uff11\uff12\uff13": "123",
    "\uff0d\uff15\uff0e\uff12": "-5.2",
    "\u0661\u0662\u066b\u0665": "12.5",
    "\u06f1\u066c\u06f2\u06f3\u06f4": "1234",
    "\\boxed{42}": "42",
    "none here": "",
    "m\u00b2 and x\u00b3": "",
    "9" * 500: "",
    ",".join(["7"] * 500): " ".join(["7"] * 500),
    "1e999": "",
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_of_hard_texts(text: str) -> None:
    assert numbers_in(text) == [Fraction(one) for one in NUMBERS[text].split()]


@pytest.mark.parametrize("text", NUMBERS)
def test_checks_and_scores_find_the_same_last_number(text: str) -> None:
    found = numbers_in(text)
    last = final_number(text)
    assert last == (found[-1] if found else None)
    if last is None:
        assert met(text, {"number": 0}) == 0
        return
    value = int(last) if last.denominator == 1 else float(last)
    assert met(text, {"number": value}) == 1
    item = parse_item({"prompt": "q", "score": "number", "gold": str(value)})
    assert score(item, text) == 1
    assert score(item, f"{text} 8472.25") == 0


def test_a_text_that_is_a_number_is_read_whole() -> None:
    whole = {"1,234": 1234, " -3 ": -3, "\u22123": -3, "1e3": 1000, "1 1/2": Fraction(3, 2)}
    for text, value in whole.items():
        assert read_number(text) == value, text
    for text in ("", "five", "5 apples", "3-5", "1,2,3", "nan", "inf", "50%", "2024-01-05"):
        assert read_number(text) is None, text


def test_numbers_are_compared_exactly() -> None:
    assert met("0.1", {"number": 0.1}) == 1
    assert met("12345678901234567891", {"number": 12345678901234567890}) == 0
    assert exact(float("nan")) is exact(float("inf")) is None
    assert met("5", {"number": float("nan")}) == 0


@given(st.integers(-(10**12), 10**12))
def test_every_whole_number_is_found_however_it_is_grouped(value: int) -> None:
    for separator in (",", "\u202f", "\u2009", "'", "_"):
        assert numbers_in(f"{value:,}".replace(",", separator)) == [value]


@given(st.decimals(-(10**6), 10**6, places=4))
def test_every_decimal_is_found(value: object) -> None:
    text = f"{value:f}"
    assert numbers_in(f"so {text}.") == [Fraction(text)]


@given(st.text(st.one_of(st.sampled_from("12 .,-/:eE×^½'\u202f\u2212$x\\"), st.characters())))
def test_any_text_can_be_searched(text: str) -> None:
    numbers_in(text)
    read_number(text)
