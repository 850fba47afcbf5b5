"""Dots and cells: what a line sets, where it parts, what lies outside."""

import numpy as np
import pytest

from tui.charts.axes import AxisRange
from tui.charts.canvas import Canvas
from tui.charts.draw import ChartOptions, draw
from tui.charts.plotext_frame import frame
from tui.glyphs import ASCII, UNICODE, Glyphs


def blank(rows: int, columns: int) -> Canvas:
    return Canvas(np.full((rows, columns), ord(" "), np.uint32), np.zeros((rows, columns), int))


def text(cells: "np.typing.NDArray[np.uint32]") -> list[str]:
    return [line.tobytes().decode("utf-32-le") for line in cells]


def test_a_line_joins_its_points_and_parts_where_one_is_missing() -> None:
    canvas = blank(3, 9)
    x = np.linspace(0, 1, 9)
    y = np.array([0, np.nan, 0, 0.5, 1, 1, np.nan, 0.5, np.nan])
    canvas.line(x, y, 5, "*")
    assert text(canvas.cells) == ["    **   ", "   *   * ", "* *      "]
    assert (canvas.roles == np.where(canvas.cells == ord("*"), 5, 0)).all()


def test_a_line_leaves_no_hole_however_steep() -> None:
    canvas = blank(40, 3)
    canvas.line(np.array([0, 1.0]), np.array([0, 1.0]), 1)
    assert (canvas.cells != ord(" ")).any(axis=1).all()
    assert (canvas.cells != ord(" ")).any(axis=0).all()


def test_dots_are_eight_to_a_cell() -> None:
    canvas = blank(1, 1)
    canvas.line(np.array([0.0]), np.array([0.0]), 1)
    assert text(canvas.cells) == ["⡀"]
    canvas.line(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 1)
    assert text(canvas.cells) == ["⠉"]
    canvas.line(np.array([1.0, 1.0]), np.array([0.0, 1.0]), 1)
    assert text(canvas.cells) == ["⢸"]


def test_what_lies_outside_is_left_out() -> None:
    canvas = blank(2, 4)
    far = np.array([-9.0, 9.0, 0.5])
    canvas.scatter(far, np.array([0.5, 0.5, 9.0]), 1, "x")
    assert not canvas.roles.any()
    canvas.line(np.array([-9.0, 9.0]), np.array([0.0, 0.0]), 1, "-")
    assert text(canvas.cells) == ["    ", "----"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=lambda glyphs: glyphs.name)
def test_axes_have_their_labels_with_and_without_curves(glyphs: Glyphs) -> None:
    lines = text(frame(AxisRange(0, 1000), AxisRange(0, 2.5), 80, 16, plain=glyphs.is_ascii))
    assert [line.split("┤" if glyphs.dots else "|")[0].strip() for line in lines[3:14:5]] == [
        *"210"
    ]
    assert [word for word in lines[15].split() if word.isdecimal()] == [
        *("0", "200", "400", "600", "800", "1000")
    ]
    assert "".join(lines).isascii() == glyphs.is_ascii
    assert draw((), ChartOptions(glyphs=glyphs), 80, 16).texts[0].startswith("    1.0")
