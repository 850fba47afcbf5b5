"""What leaves the program: CSV and JSON read back equal, a clean line, well-formed SVG."""

import csv
import io
import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events.series import Branch
from engine.viewing.export import HEADER, Selected, chat_line, csv_lines, json_text
from engine.viewing.identity import MARKS, identities
from engine.viewing.svg import Line, Look, draw
from tests.viewing.curves import series

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
        assert all(row[:2] == [run, tag] and row[3] == "" for row in body)


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


def test_a_line_for_a_chat() -> None:
    line = chat_line(Selected("run\x1b[2J", series("loss", [3, 1.25, NAN, 2], [1, 20, 30, 4000])))
    assert line == (
        "run␛[2J · loss: last 2 at step 4,000 · lowest 1.25 at step 20 · "
        "1 of 4 values are not finite"
    )
    assert "highest 3 at" in chat_line(Selected("r", series("a", [3, 1])), highest=True)
    assert chat_line(Selected("r", series("a", []), "exp(x)")) == (
        "r · a (derived: exp(x)): no points yet"
    )


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
    text = draw(curves, look)
    root = ElementTree.fromstring(text.encode())
    assert root.tag == f"{SVG}svg"
    for path in root.iter(f"{SVG}path"):
        assert not re.search("nan|inf", path.attrib["d"])
    assert root.find(f"{SVG}title") is not None


def test_svg_has_all_that_a_chart_needs() -> None:
    x = np.arange(1000.0)
    y = np.where(x == 500, 99.0, 1.0)
    y[200:300] = NAN
    root = ElementTree.fromstring(
        draw([Line("a", x, y, "exp(b)")], Look("eval/loss", smoothing=0.9))
    )
    words = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert "eval/loss" in words
    assert "step · smoothed 0.9" in words
    assert any(word.startswith("a (derived: exp(b)) · last 1 · lowest 1") for word in words)
    paths = {path.attrib.get("opacity"): path.attrib["d"] for path in root.iter(f"{SVG}path")}
    heights = [float(number) for number in re.findall(r" ([\d.]+)", paths["0.25"])]
    assert max(heights) - min(heights) > 350  # the spike is there, from bottom to top
    assert paths["0.25"].count("M") == 2  # and the gap


def test_colours_come_from_names_alone_and_marks_differ() -> None:
    names = [f"run-{number}" for number in range(6)]
    together = dict(zip(names, identities(names, 8), strict=True))
    assert len({mark for _, mark in together.values()}) == len(MARKS)
    for name in names:
        ((colour, _),) = identities([name], 8)
        assert together[name][0] == colour
    assert identities(names[::-1], 8) == [together[name] for name in names[::-1]]
    assert len(set(identities([f"r{number}" for number in range(20)], 8))) > 12
