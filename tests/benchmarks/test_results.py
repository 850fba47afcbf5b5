"""The committed table says what the committed numbers say."""

import pytest

from tests.benchmarks import results, suite
from tests.benchmarks.results import Row


def test_the_table_is_what_the_numbers_render_to() -> None:
    table = results.read()
    assert list(table) == list(suite.TITLES)
    assert results.TABLE.read_text(encoding="utf-8") == results.render(table)


@pytest.mark.parametrize(
    ("measured", "bar", "met"),
    [
        ("1.50", "at most 1.5", "yes"),
        ("1.51", "at most 1.5", "no"),
        ("1,999 B/s", "at most 2,000 B/s", "yes"),
        ("899 B/s", "less than 900 B/s", "yes"),
        ("900 B/s", "less than 900 B/s", "no"),
        ("9.9", "at least 15", "no"),
        ("16.2", "at least 15", "yes"),
        ("0 B", "0 B", "yes"),
        ("3 B", "0 B", "no"),
        ("19", "20", "no"),
        ("0.5 s", "", ""),
        (None, "", "not measured"),
        (None, "at most 1 s", "not measured"),
        ("not measured: no wandb here", "at most 1", "not measured"),
    ],
)
def test_a_bar_is_met_or_not(measured: str | None, bar: str, met: str) -> None:
    assert Row("something", measured, bar).met == met
