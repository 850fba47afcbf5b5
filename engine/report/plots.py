"""The plots of a report: changes with their intervals, scores over the arms, curves of runs."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from engine.charts.figure import Line, Look, sketch
from engine.charts.intervals import (
    BAD,
    GOOD,
    NEUTRAL,
    IntervalRow,
    PlacedLine,
    sketch_places,
    sketch_rows,
)
from engine.events.event_tags import FORGETTING_TAGS, SKILL
from engine.impact.changes.skill_rows import SkillRow
from engine.impact.changes.verdicts import LEAST_ITEMS
from engine.number_format import write_points
from engine.report.blocks import Plot
from engine.report.number_words import tone_of
from engine.report.report_values import ReportValues
from engine.report.run_facts import RunFacts

MOST_ROWS = 40
_COLOURS = {"good": GOOD, "bad": BAD}
_MARKS = {"good": "triangle", "bad": "diamond"}
LOSSES = ("train/loss", "eval/loss")


def plot_changes(values: ReportValues) -> Plot | None:
    """The primary changes of all skills that have a score, in points."""
    rows = [row for row in _score_rows(values) if row.changes.get(values.last) is not None]
    if not rows:
        return None
    drawn = [_interval_row(row, values.last) for row in rows[:MOST_ROWS]]
    title = f"{values.last} against {values.base}"
    points = 100 * values.table.delta
    unit = f"change in points, with its interval; dashed: ±{points:g} points (delta)"
    return Plot(
        "changes",
        "What changed: a diamond is a loss, a triangle a gain, a circle neither.",
        sketch_rows(title, drawn, unit, points),
    )


def plot_scores(values: ReportValues) -> Plot | None:
    """The scores of all skills over the arms."""
    rows = _score_rows(values)
    arms = values.table.arms
    if not rows or len(arms) < 2:
        return None
    stages = values.table.stages
    title = "Scores over the stages" if stages == arms else "Scores by arm"
    lines = [_placed_line(row, arms) for row in rows[:16]]
    return Plot(
        "scores",
        "Each score with its 95% interval"
        + (f"; the first 16 of {len(rows)} skills." if len(rows) > 16 else "."),
        sketch_places(title, arms, lines, is_joined=stages == arms),
    )


def plot_curves(runs: Sequence[RunFacts]) -> Iterator[Plot]:
    """Losses of each run, and over all runs what was forgotten and what skills became."""
    for number, run in enumerate(runs, 1):
        lines = [
            Line(curve.tag, np.array(curve.steps), np.array(curve.values),
                 exact=curve.tag != LOSSES[0])
            for curve in run.curves
            if curve.tag in LOSSES
        ]  # fmt: skip
        if any(len(line.x) > 1 for line in lines):
            look = Look(f"Loss of {run.id}", "step", log=_spans(lines), smoothing=0.6)
            yield Plot(f"loss-{number}", f"Loss of {run.id}, in {run.loss_unit}.",
                          sketch(lines, look))  # fmt: skip
    shifts = FORGETTING_TAGS["base"][0]
    for name, title, tags in (
        ("forgetting", "Shift of the loss on held-out text, nats per token", (shifts,)),
        ("skills-while-training", "Share of right answers while training", (SKILL,)),
    ):
        lines = [
            Line(f"{run.id} {curve.tag}" if len(runs) > 1 else curve.tag, np.array(curve.steps),
                 np.array(curve.values))
            for run in runs
            for curve in run.curves
            if curve.tag.startswith(tags) and curve.points > 1
        ]  # fmt: skip
        if lines:
            yield Plot(name, f"{title}.", sketch(lines, Look(title, "step")))


def _spans(lines: Sequence[Line]) -> bool:
    """Whether most values span so much that only logarithms show it all."""
    finite = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    if not len(finite) or finite.min() <= 0:
        return False
    low, high = np.percentile(finite, [5, 95])
    return bool(high > 20 * low)


def _score_rows(values: ReportValues) -> list[SkillRow]:
    """Skills with a score of enough items: fewer are read one by one."""
    return [
        row
        for row in values.table.skills
        if row.unit == "score" and row.results and row.items >= LEAST_ITEMS
    ]


def _interval_row(row: SkillRow, arm: str) -> IntervalRow:
    change = row.changes[arm]
    tone = tone_of(row, change) if change.verdict else "bad"
    words = change.verdict.word if change.verdict else "diverged"
    number = write_points(change.difference)
    return IntervalRow(row.name, 100 * change.difference, 100 * change.low, 100 * change.high,
                       _COLOURS.get(tone, NEUTRAL), _MARKS.get(tone, "circle"),
                       f"{number}  {words}")  # fmt: skip


def _placed_line(row: SkillRow, arms: Sequence[str]) -> PlacedLine:
    found = [row.results.get(arm) for arm in arms]
    ends = [one.interval if one and one.interval else (math.nan, math.nan) for one in found]
    return PlacedLine(
        row.name,
        tuple(one.score if one else math.nan for one in found),
        tuple(low for low, _ in ends),
        tuple(high for _, high in ends),
    )
