"""What leaves the program: CSV and JSON read back equal, a clean line, SVG and PNG of a chart."""

import csv
import io
import json
import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.charts import png, svg
from engine.charts.export import HEADER, Selected, chat_line, csv_lines, json_text
from engine.charts.figure import COLOURS, Line, Look, Mark, Sketch, Stroke, Words, sketch
from engine.charts.run_colors import MARKS, identities
from engine.events.series import Branch
from engine.text import spreadsheet_cell
from tests.charts.curves import series

NAN, INF = math.nan, math.inf
VALUES = [0.1, 1 / 3, 1e-300, NAN, INF, -INF, 12345678.9]
SVG = "{http://www.w3.org/2000/svg}"


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(), max_size=20), st.text(max_size=10), st.text(max_size=10))
def test_csv_reads_back_equal(values: list[float], run: str, tag: str) -> None:
    text = "".join(csv_lines([Selected(run, series(tag, values, times=[NAN] * len(values)))]))
    head, *body = rows(text) if "\r" not in run + tag else [list(HEADER)]
    assert tuple(head) == HEADER
    if "\r" not in run + tag and "\x00" not in run + tag:
        np.testing.assert_array_equal([float(row[4]) for row in body], values)
        names = [spreadsheet_cell(run), spreadsheet_cell(tag)]
        assert all(row[:2] == names and row[3] == "" for row in body)


def test_csv_holds_no_formula_and_numbers_stay_numbers() -> None:
    curve = series("@SUM(A1)", [-1.5, -INF])
    _, *body = rows("".join(csv_lines([Selected("=cmd|' /C calc'!A0", curve)])))
    assert [row[:2] for row in body] == [["'=cmd|' /C calc'!A0", "'@SUM(A1)"]] * 2
    assert [row[4] for row in body] == ["-1.5", "-inf"]


def test_csv_of_branches_and_derived_curves() -> None:
    gone = Branch(np.array([5, 6]), np.array([1.0, 2.0]), np.array([7.0, 8.0]), 5)
    curve = series("loss", [1, 2], [1, 5], abandoned=(gone,))
    text = "".join(csv_lines([Selected("a", curve, "exp(x)")], abandoned=True))
    assert rows(text) == [
        [*HEADER, "branch"],
        ["a", "loss = exp(x)", "1", "1000.0", "1.0", "0"],
        ["a", "loss = exp(x)", "5", "1001.0", "2.0", "0"],
        ["a", "loss = exp(x)", "5", "1.0", "7.0", "1"],
        ["a", "loss = exp(x)", "6", "2.0", "8.0", "1"],
    ]


def test_a_long_curve_comes_in_parts() -> None:
    parts = list(csv_lines([Selected("a", series("loss", range(50_000)))]))
    assert len(parts) == 4
    assert len(rows("".join(parts))) == 50_001


def test_json_reads_back_equal() -> None:
    one = Selected("r", series("a", VALUES, times=[NAN] + [1.5] * 6))
    table = json.loads(json_text([one, Selected("r", series("b", [1]), "exp(a)")]))
    found = table["runs"]["r"]
    np.testing.assert_array_equal([float(value) for value in found["a"]["values"]], VALUES)
    assert found["a"]["wall_times"] == [None, *[1.5] * 6]
    assert found["a"]["steps"] == list(range(7))
    assert found["b"]["derived"] == "exp(a)"
    assert found["b"]["abandoned"] == []
    gone = Branch(np.array([5, 6]), np.array([1.0, NAN]), np.array([7.0, INF]), 5)
    table = json.loads(json_text([Selected("r", series("a", [1], abandoned=(gone,)))]))
    assert table["runs"]["r"]["a"]["abandoned"] == [
        {"steps": [5, 6], "wall_times": [1.0, None], "values": [7.0, "Infinity"], "rewound_to": 5}
    ]


def test_a_line_for_a_chat() -> None:
    loss = series("loss", [3, 1.25, NAN, 2], [1, 20, 30, 4000])
    line = chat_line(
        [
            Selected("run\x1b[2J", loss, higher_is_better=False),
            Selected("", series("eval/accuracy", [3, 1]), higher_is_better=True),
            Selected("", series("kl", [0, 1])),
        ],
        {"loss": "█▁·▄"},
    )
    assert line == (
        "run␛[2J · loss █▁·▄ 2 at step 4,000 (best 1.25 at step 20), 1 of 4 values are not finite"
        " · eval/accuracy 1 at step 1 (best 3 at step 0) · kl 1 at step 1"
    )
    assert chat_line([Selected("r", series("a", []), "exp(x)")]) == (
        "r · a (derived: exp(x)) no points yet"
    )
    assert chat_line([]) == ""


def lines(count: int = 3) -> list[Line]:
    x = np.arange(500.0)
    return [Line(f"run {number}", x, np.sin(x / 50) + number) for number in range(count)]


@pytest.mark.parametrize(
    ("curves", "look"),
    [
        (lines(), Look("loss", smoothing=0.9)),
        (lines(30), Look("many")),
        (lines(), Look("log", log=True)),
        ([], Look("nothing")),
        ([Line("empty", np.empty(0), np.empty(0))], Look(log=True, smoothing=0.5)),
        ([Line("one", np.array([5.0]), np.array([0.0]))], Look()),
        ([Line("gaps", np.arange(5.0), np.array([1, NAN, 2, INF, 3]))], Look()),
        ([Line("nowhere", np.full(3, NAN), np.arange(3.0))], Look()),
        ([Line("flat", np.arange(3.0), np.full(3, 1e-12))], Look(log=True)),
        ([Line("huge", np.arange(3.0), np.array([-1e300, 0, 1e300]))], Look()),
        ([Line("t", np.arange(3.0) * 1e5 + 1.7e9, np.arange(3.0))], Look(x_time="wall")),
        ([Line("t", np.arange(3.0) * 4000, np.arange(3.0))], Look(x_time="relative")),
        (
            [Line("<b>&\x00\x1b\ufffe\ud800", np.arange(2.0), np.arange(2.0), 'exp("<&')],
            Look("<&>"),
        ),
    ],
)
def test_svg_is_well_formed_and_finite(curves: list[Line], look: Look) -> None:
    drawing = sketch(curves, look)
    text = svg.draw(drawing)
    root = ElementTree.fromstring(text.encode())
    assert root.tag == f"{SVG}svg"
    for path in root.iter(f"{SVG}path"):
        assert not re.search("nan|inf", path.attrib["d"])
    assert root.find(f"{SVG}title") is not None
    if len(curves) < 4:
        assert pixels(png.paint(drawing)).shape == (2 * drawing.height, 2 * drawing.width, 3)


def test_svg_has_all_that_a_chart_needs() -> None:
    x = np.arange(1000.0)
    y = np.where(x == 500, 99.0, 1.0)
    y[200:300] = NAN
    line = Line("a", x, y, "exp(b)", facts=("best 1 at step 0", "last 1"))
    root = ElementTree.fromstring(svg.draw(sketch([line], Look("eval/loss", smoothing=0.9))))
    words = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert "eval/loss" in words
    assert "step · smoothed 0.9" in words
    assert any(word.startswith("a (derived: exp(b)) · best 1 at step 0 · last 1") for word in words)
    paths = {path.attrib.get("opacity"): path.attrib["d"] for path in root.iter(f"{SVG}path")}
    heights = [float(number) for number in re.findall(r" ([\d.]+)", paths["0.25"])]
    assert max(heights) - min(heights) > 350  # the spike is there, from bottom to top
    assert paths["0.25"].count("M") == 2  # and the gap


def pixels(content: bytes) -> npt.NDArray[np.uint8]:
    """Height, width and three colours of a PNG."""
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode, image.info) == ("PNG", "RGB", {}), "opaque"
        return np.asarray(image)


def inked(page: npt.NDArray[np.uint8], colour: str) -> npt.NDArray[np.bool_]:
    """Which pixels have a colour to the full."""
    found: npt.NDArray[np.bool_] = (page == list(bytes.fromhex(colour[1:]))).all(axis=2)
    return found


def test_a_png_shows_the_same_curve() -> None:
    x = np.arange(1000.0)
    y = np.where(x == 500, 99.0, 1.0)
    y[200:300] = NAN
    line = Line("a", x, y)
    drawing = sketch([line], Look("eval/loss"))
    colour = COLOURS[identities(["a"], len(COLOURS))[0][0]]
    chart = inked(pixels(png.paint(drawing)), colour)[88:968]
    middle = chart[:, 152 + 860 - 6 : 152 + 860 + 6]  # half the way along x
    assert middle.any(axis=1).mean() > 0.85, "the spike is there, from bottom to top"
    gap = chart[:, 152 + round(0.21 * 1720) : 152 + round(0.29 * 1720)]
    assert not gap.any()
    assert chart[:, 152 + round(0.05 * 1720)].any()


@pytest.mark.parametrize("shape", MARKS)
def test_marks_lie_in_a_png_where_they_are_due(shape: str) -> None:
    mark = Mark(shape, 30, 20, COLOURS[0])
    ink = np.argwhere(inked(pixels(png.paint(Sketch("", 60, 40, (mark,)))), COLOURS[0]))
    assert np.abs(ink - (40, 60)).max() <= 14, "about ten units across"
    assert np.abs(ink - (40, 60)).max() >= 5
    outside = Mark(shape, -30, 200, COLOURS[0])
    assert (pixels(png.paint(Sketch("", 60, 40, (outside,)))) == 255).all()


def test_lines_in_a_png_are_smooth_and_faint_where_they_should_be() -> None:
    slope = (np.array([(5.0, 5.0), (55.0, 30.0)]), np.array([(5.0, 35.0)]))
    strong, faint = (
        pixels(png.paint(Sketch("", 60, 40, (Stroke(slope, "#000000", 2.0, opacity),))))
        for opacity in (1.0, 0.25)
    )
    assert strong.min() == 0
    assert len(np.unique(strong)) > 4, "its edge has shades"
    assert abs(int(faint.min()) - 255 * 0.75) < 3
    assert (strong[66:74, 6:14] < 255).any(), "a piece of one point is a dot"
    blank = pixels(png.paint(Sketch("", 60, 40, (Stroke((), "#000000"),))))
    assert (blank == 255).all()


def written(text: str, anchor: str = "start", title: bool = False) -> npt.NDArray[np.uint8]:
    return pixels(png.paint(Sketch("", 300, 20, (Words(20, 14, text, anchor, title),))))


def test_words_in_a_png_are_letters_that_differ() -> None:
    drawn = {text: written(text).tobytes() for text in ("run-1", "run-7", "loss", "1oss", "Loss")}
    assert len(set(drawn.values())) == len(drawn)
    assert inked(written("H"), "#222222").any()
    assert np.array_equal(written("é…µ"), written("e...u"))
    assert not np.array_equal(written("損"), written("失")), "code points, so that names differ"
    assert not np.array_equal(written("損"), written(""))
    assert (written("loss", title=True) < 128).sum() > 1.2 * (written("loss") < 128).sum()
    columns = {
        anchor: np.flatnonzero((written("HHH", anchor) < 255).any(axis=(0, 2)))
        for anchor in ("start", "middle", "end")
    }
    assert columns["start"][0] >= 40 > columns["end"][-1]
    assert abs(columns["middle"].mean() - 40) < 3


@pytest.mark.timeout(60)
@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
@pytest.mark.parametrize(
    "text",
    ["x" * 3_000_000, "a\nb\r\tc", "\x00\x1b\ufffe\ud800", "\u202eabc\u2066", "e" + "\u0301" * 9999,
     "👩‍👩‍👧‍👦", "السلام", "{%s}\\", ""],
)  # fmt: skip
def test_no_words_break_a_png(text: str, anchor: str) -> None:
    page = written(text, anchor)
    if len(text) > 1_000_000 and anchor == "start":
        assert np.array_equal(page, written("x" * 200)), "cut where the page ends"
        assert not np.array_equal(page[:, 500:], written("x" * 29)[:, 500:]), "and that is shown"


def test_pillow_is_not_loaded_with_the_dashboard() -> None:
    script = "import sys, tui.watch.page, tui.charts.export; assert 'PIL' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_shown_is_what_is_exported() -> None:
    x = np.arange(100.0)
    lines = [Line("a", x, x), Line("eval", x[::10], x[::10], exact=True),
             Line("a", x[:50], 2 * x[:50], faint=True)]  # fmt: skip
    look = Look("zoomed in", window=(20, 40), levels=((30.0, "budget"),), restarts=(25.0, 90.0))
    drawing = sketch(lines, look)
    words = [one.text for one in drawing.shapes if isinstance(one, Words)]
    assert {"20", "25", "30", "35", "40", "budget", "step · zoomed"} <= set(words)
    strokes = [one for one in drawing.shapes if isinstance(one, Stroke)]
    points = np.concatenate([piece for one in strokes for piece in one.pieces])
    assert points[:, 0].min() >= 76
    assert points[:, 0].max() <= 936
    strong = [one for one in strokes if one.width > 1.5 and one.pieces[0][0, 1] < 480]
    assert len(strong) == 1, "measured points are not joined"
    faint = [one for one in strokes if one.opacity < 1]
    assert [one.colour for one in faint] == [strong[0].colour]
    dashes = [one for one in strokes if len(one.pieces) > 20]
    assert len(dashes) == 2, "the budget and the restart in sight"


def test_colours_come_from_names_alone_and_marks_differ() -> None:
    names = [f"run-{number}" for number in range(6)]
    together = dict(zip(names, identities(names, 8), strict=True))
    assert len({mark for _, mark in together.values()}) == len(MARKS)
    for name in names:
        ((colour, _),) = identities([name], 8)
        assert together[name][0] == colour
    assert identities(names[::-1], 8) == [together[name] for name in names[::-1]]
    assert len(set(identities([f"r{number}" for number in range(20)], 8))) > 12


def test_names_in_any_script_stay_apart_in_a_picture() -> None:
    x = np.arange(3.0)

    def drawn(label: str) -> Sketch:
        return sketch([Line(label, x, x)], Look("loss"))

    assert "损失 🔥" in svg.draw(drawn("损失 🔥"))
    painted = {png.paint(drawn(label)) for label in ("损失", "准确", "🔥", "🎉", "é")}
    assert len(painted) == 5
    assert png._spelled("损é α") == "<U+635F>e <U+03B1>"
