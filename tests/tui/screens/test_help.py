"""The help of a page says what its numbers hold."""

from engine.statistics import COVERAGE
from tui.screens.help import help_lines


def text_of(page: str) -> str:
    return "\n".join("".join(text for text, _ in line) for line in help_lines(page))


def test_the_coverage_of_intervals_is_in_the_help_of_their_page() -> None:
    assert all(text in text_of("metrics") for text in COVERAGE)
    assert COVERAGE[0] not in text_of("watch")
