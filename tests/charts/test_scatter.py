"""Points in two directions as shapes: their places, the labels they share, the front."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from engine.charts.figure import COLOURS, Mark, Sketch, Stroke, Words
from engine.charts.scatter import MOST_POINTS, ScatterMark, sketch_scatter
from engine.charts.svg import draw


def marks_of(sketch: Sketch, count: int) -> list[Mark]:
    """Those of the points; the same stand in the legend."""
    return [shape for shape in sketch.shapes if isinstance(shape, Mark)][:count]


def front_of(sketch: Sketch) -> list[tuple[float, float]]:
    (stroke,) = [one for one in sketch.shapes if isinstance(one, Stroke) and one.width == 1.5]
    return [tuple(place) for place in stroke.pieces[0].tolist()]


def labels_of(sketch: Sketch) -> list[str]:
    """Of the points, which are numbers alone."""
    texts = [one.text for one in sketch.shapes if isinstance(one, Words) and one.anchor == "start"]
    return [text for text in texts if set(text) <= set("0123456789, ")]


def test_places_are_proportional_and_larger_is_right_and_up() -> None:
    points = [ScatterMark("a", 0, 0), ScatterMark("b", 10, -20), ScatterMark("c", 20, -40)]
    a, b, c = marks_of(sketch_scatter("t", points, "x", "y"), 3)
    assert a.x < b.x < c.x
    assert a.y < b.y < c.y  # down the page is less
    assert (b.x - a.x, b.y - a.y) == pytest.approx((c.x - b.x, c.y - b.y))
    assert len({(one.shape, one.colour) for one in (a, b, c)}) == 3


def test_the_front_goes_in_steps_from_the_least_gained_to_the_most() -> None:
    points = [ScatterMark("most", 30, -9, is_on_front=True), ScatterMark("least", 10, -1,
              is_on_front=True), ScatterMark("worse", 5, -20)]  # fmt: skip
    sketch = sketch_scatter("t", points, "x", "y")
    most, least, _ = ((one.x, one.y) for one in marks_of(sketch, 3))
    expected = np.array([least, (least[0], most[1]), most])
    assert np.array(front_of(sketch)) == pytest.approx(expected)


def test_intervals_are_lines_through_their_point_and_none_where_they_are_not_known() -> None:
    known = ScatterMark("a", 1, 2, (0, 3), (1, 5))
    sketch = sketch_scatter("t", [known, ScatterMark("b", 2, 3)], "x", "y")
    (mark, _) = marks_of(sketch, 2)
    across, up = (one.pieces[0] for one in sketch.shapes
                  if isinstance(one, Stroke) and one.colour in COLOURS)  # fmt: skip
    assert np.unique(across[:, 1]) == pytest.approx([mark.y])
    assert across[0, 0] < mark.x < across[1, 0]
    assert np.unique(up[:, 0]) == pytest.approx([mark.x])


def test_points_that_lie_on_each_other_share_a_label_and_all_have_a_name() -> None:
    points = [ScatterMark("a", 1, 1), ScatterMark("b", 5, 5), ScatterMark("c", 1, 1)]
    sketch = sketch_scatter("t", points, "x", "y")
    assert labels_of(sketch) == ["1, 3", "2"]
    texts = [one.text for one in sketch.shapes if isinstance(one, Words)]
    assert {"1  a", "2  b", "3  c"} <= set(texts)


@pytest.mark.parametrize("count", [0, 1, MOST_POINTS, MOST_POINTS + 3])
def test_every_number_of_points_makes_a_page(count: int) -> None:
    """All of them at one place, which has no extent."""
    points = [ScatterMark(f"<{at}>\x1b", 0, 0, is_on_front=True) for at in range(count)]
    sketch = sketch_scatter("<t>", points, "x", "y")
    assert len(marks_of(sketch, 1000)) == 2 * min(count, MOST_POINTS)
    assert ("3 more" in draw(sketch)) == (count > MOST_POINTS)
    ElementTree.fromstring(draw(sketch))
    for shape in sketch.shapes:
        if isinstance(shape, Words | Mark):
            assert 0 <= shape.x <= sketch.width
            assert 0 <= shape.y <= sketch.height


def test_a_point_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        sketch_scatter("t", [ScatterMark("a", math.nan, 0)], "x", "y")
