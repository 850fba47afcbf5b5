"""The section of a report on gained against retained, and its plot. Owns no rule of it: who forgot
less than whom is said by `engine.impact.changes.tradeoff_words`."""

import math

from engine.charts.scatter import ScatterMark, sketch_scatter
from engine.impact.changes.tradeoff import Tradeoff
from engine.impact.changes.tradeoff_words import (
    list_notes,
    say_alike,
    say_front,
    say_pairs,
    write_measure,
)
from engine.report.blocks import Bullets, GridCell, Paragraph, Plot, Section, grid
from engine.report.number_words import NONE
from engine.report.report_values import ReportValues

_TITLE = "Gained against retained"


def show_tradeoff(values: ReportValues) -> Section | None:
    """What each arm gained on the trained skills, and what it retained of all others."""
    if values.tradeoff is None:
        reason = values.no_tradeoff
        return Section("tradeoff", _TITLE, (Paragraph(reason),)) if reason else None
    tradeoff = values.tradeoff.tradeoff
    sentences = (say_front(tradeoff), *say_pairs(tradeoff), say_alike(tradeoff))
    rows = [
        (
            point.arm,
            write_measure(point.gained),
            write_measure(point.retained),
            GridCell("yes", "good") if point.is_on_front else "",
            ", ".join(point.same_as) or NONE,
        )
        for point in tradeoff.points
    ]
    head = ("arm", "gained, points", "retained, points", "front", "not told apart from")
    title = f"Mean changes against {tradeoff.base}, with their 95% intervals"
    return Section(
        "tradeoff",
        _TITLE,
        (
            Bullets(tuple(filter(None, sentences))),
            _plot(tradeoff),
            grid(head, rows, (0, 3, 4), title),
            Bullets(list_notes(tradeoff, values.tradeoff.table)),
        ),
    )


def _plot(tradeoff: Tradeoff) -> Plot:
    points = [
        ScatterMark(
            point.arm,
            _in_points(point.gained.value),
            _in_points(point.retained.value),
            (_in_points(point.gained.low), _in_points(point.gained.high)),
            (_in_points(point.retained.low), _in_points(point.retained.high)),
            point.is_on_front,
        )
        for point in tradeoff.points
    ]
    title = f"{_TITLE}, against {tradeoff.base}"
    sketch = sketch_scatter(
        title, points, "gained, mean change of the target skills in points",
        "retained, mean change of all other skills in points",
    )  # fmt: skip
    caption = (
        "Each arm with its 95% intervals; right is more gained, up is less forgotten. The grey "
        "line is the Pareto front of the point estimates."
    )
    return Plot("tradeoff", caption, sketch)


def _in_points(share: float | None) -> float:
    return math.nan if share is None else 100 * share
