"""Points in a plane as cells: where they fall, how they are told apart, what is drawn of one."""

import pytest

from tui.charts.scatter import ScatterPoint, draw_scatter
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.styled_text import Line, width_of

NAMES = "gained", "kept"


def drawn(
    points: list[ScatterPoint],
    chosen: int | None = None,
    width: int = 60,
    height: int = 14,
    glyphs: Glyphs = UNICODE,
) -> tuple[list[str], list[Line]]:
    lines = draw_scatter(points, chosen, NAMES, width, height, glyphs)
    return ["".join(text for text, _ in line) for line in lines], lines


def place_of(texts: list[str], letter: str) -> tuple[int, int]:
    """Row and column of a letter in the canvas, without the names of the axes."""
    found = [
        (row, column)
        for row, text in enumerate(texts[:-2])
        for column, character in enumerate(text.replace("gained", "      ").replace("kept", "    "))
        if character == letter
    ]
    assert len(found) == 1, (letter, found)
    return found[0]


def roles_of(lines: list[Line], role: str) -> str:
    return "".join(text for line in lines for text, own in line if own == role)


def test_points_lie_as_their_values_do() -> None:
    points = [ScatterPoint(0, 0, "o"), ScatterPoint(20, -30, "a"), ScatterPoint(40, -10, "b")]
    texts, lines = drawn(points)
    assert {width_of(text) for text in texts} == {60}
    assert len(texts) == 14
    (top, left), (low, middle), (high, right) = (place_of(texts, one) for one in "oab")
    assert left < middle < right
    assert top < high < low
    assert middle - left == pytest.approx((right - left) / 2, abs=1)
    assert high - top == pytest.approx((low - top) / 3, abs=1)
    assert roles_of(lines, "tuned") == "oba"
    assert UNICODE.level in roles_of(lines, "base")


def test_letters_that_fall_on_one_another_stand_side_by_side() -> None:
    points = [ScatterPoint(10, -10, letter) for letter in "abc"] + [ScatterPoint(0, -20, "z")]
    texts, lines = drawn(points, chosen=1)
    assert any(text.rstrip().endswith("cab") for text in texts)  # the chosen one has its place
    assert roles_of(lines, "pick") == "b"
    inside = [*points, ScatterPoint(20, 0, "y")]
    assert any("abc" in text for text in drawn(inside, chosen=1)[0])


def test_the_intervals_of_the_chosen_point_and_an_axis_that_stays() -> None:
    points = [
        ScatterPoint(10, -10, "a", (5, 30), (-20, -5)),
        ScatterPoint(20, -20, "b", (19, 21), None),
    ]
    texts, lines = drawn(points, chosen=0)
    cross = roles_of(lines, "key")
    assert UNICODE.line * 3 in cross
    assert cross.count(UNICODE.pipe) >= 2
    row, column = place_of(texts, "a")
    assert texts[row][column - 1] == texts[row][column + 1] == UNICODE.line
    others = drawn(points, chosen=1)[0]
    assert others[-1] == texts[-1]  # the same axis
    assert place_of(others, "a") == (row, column)
    assert roles_of(drawn(points)[1], "key") == ""


def test_a_front_joins_its_points_and_no_others() -> None:
    front = [
        ScatterPoint(0, -10, "a", is_on_front=True),
        ScatterPoint(40, -40, "b", None, None, True),
    ]
    inner = ScatterPoint(5, -38, "c")
    with_front = roles_of(drawn([*front, inner])[1], "dim")
    assert any("⠀" < one <= "⣿" for one in with_front)
    one = roles_of(drawn([front[0], inner])[1], "dim")
    assert not any("⠀" < character <= "⣿" for character in one)


def test_ascii_alone() -> None:
    points = [
        ScatterPoint(0, -10, "a", (0, 9), (-19, 0), is_on_front=True),
        ScatterPoint(40, -40, "b", is_on_front=True),
    ]
    texts, lines = drawn(points, 0, glyphs=ASCII)
    assert all(text.isascii() for text in texts)
    assert roles_of(lines, "dim").count(".") > 5


def test_a_point_that_is_filtered_out_is_a_dot() -> None:
    points = [ScatterPoint(10, -10, "a"), ScatterPoint(30, -30, "")]
    texts, _ = drawn(points)
    assert place_of(texts, ".")[1] > place_of(texts, "a")[1]


@pytest.mark.parametrize("size", [(60, 14), (12, 3), (1, 1), (200, 60)])
def test_one_point_at_the_base_and_any_size(size: tuple[int, int]) -> None:
    texts, _ = drawn([ScatterPoint(0, 0, "a")], 0, *size)
    assert len(texts) == size[1]
    assert any("a" in text.replace("gained", "") for text in texts)
