"""The help of a page says what its numbers hold."""

from engine.statistics import COVERAGE
from tui.screens.help import WITH_INTERVALS, help_lines


def text_of(page: str) -> str:
    return "\n".join("".join(text for text, _ in line) for line in help_lines(page))


def test_the_coverage_of_intervals_is_in_the_help_of_their_page() -> None:
    assert {"metrics", "classification", "format"} == set(WITH_INTERVALS)
    for page in WITH_INTERVALS:
        assert all(text in text_of(page) for text in COVERAGE)
    assert COVERAGE[0] not in text_of("watch")
