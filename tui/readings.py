"""What the curves of one run say, as lines and as curves for charts. Reads no disk."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.events.series import Series, bucket
from engine.jobs.status import State
from engine.text import one_line
from tui.glyphs import Glyphs
from tui.phrases import (
    NONE,
    clock,
    duration,
    name_of,
    number,
    size,
    small,
    state_mark,
    state_words,
    time_left,
)
from tui.plotting.picture import Curve
from tui.snapshots import RunRow
from tui.widgets.cells import Line, Piece
from tui.widgets.sparkline import sparkline

_TRAIN, _EVAL = 0, 2


@dataclass(frozen=True, slots=True)
class ChartSpec:
    title: str
    train: str
    eval: str = ""


CHARTS = (
    ChartSpec("loss", "train/loss", "eval/loss"),
    ChartSpec("perplexity", "train/perplexity", "eval/perplexity"),
    ChartSpec("learning rate", "train/learning_rate"),
    ChartSpec("gradient norm", "train/grad_norm"),
)


def curves_of(spec: ChartSpec, series: Mapping[str, Series]) -> list[Curve]:
    """The curves of a chart, those that exist; evaluations as marks."""
    curves = []
    for tag, label, accent, marks in (
        (spec.train, "train" if spec.eval else spec.title, _TRAIN, False),
        (spec.eval, "eval", _EVAL, True),
    ):
        one = series.get(tag)
        if one is not None:
            curves.append(
                Curve(label, one.steps, one.wall_times, one.values, accent, marks, one.restarts)
            )
    return curves


def headline(row: RunRow, glyphs: Glyphs) -> Line:
    """Name, state, how far, how fast, how long still."""
    view = row.view
    mark, role = state_mark(view.state, glyphs)
    line: list[Piece] = [
        (f" {name_of(row)} ", "strong"),
        (f"{mark} ", role),
        (state_words(view), role),
    ]
    status = view.status
    if status is None:
        return line
    if status.total:
        line.append((f"  step {status.step:,}/{status.total:,}", ""))
    if status.epochs:
        line.append((f"  epoch {status.epoch:.1f}/{status.epochs:g}", ""))
    if view.state.alive:
        if status.message not in ("", view.state) and view.state is not State.QUEUED:
            line.append((f"  {one_line(status.message)}", ""))
        if status.tokens_per_second:
            line.append((f"  {status.tokens_per_second:,.0f} tok/s", ""))
        left = time_left(view, "")
        if left:
            line.append((f"  {left} left", "strong"))
        if status.device:
            line.append((f"  on {one_line(status.device)}", "dim"))
        started = f"started {clock(status.started)}, " if status.started else ""
        line.append((f"  {glyphs.separator} {started}this terminal may close", "dim"))
    elif status.started and status.heartbeat > status.started:
        line.append((f"  took {duration(status.heartbeat - status.started)}", ""))
        line.append((f"  {glyphs.separator} started {clock(status.started)}", "dim"))
    return line


def sparks(series: Mapping[str, Series], width: int, glyphs: Glyphs) -> Line:
    """Loss and perplexity in small, by training and by held-out rows."""
    cells = 18 if width >= 110 else 8
    line: list[Piece] = []
    for name, digits in (("loss", 3), ("perplexity", 2)):
        train, held_out = series.get(f"train/{name}"), series.get(f"eval/{name}")
        line.append((f" {name} " if not line else f"   {name} ", "dim"))
        if train is not None:
            line.append((sparkline(_levels(train, cells), glyphs), "tuned"))
        line.append((f" {number(train.last if train else None, digits)}", "strong"))
        if held_out is None:
            continue
        line.append(("  eval ", "dim"))
        if width >= 110:
            line.append((sparkline(_levels(held_out, cells // 2), glyphs) + " ", "good"))
        line.append((number(held_out.last, digits), "strong"))
        best = held_out.best()
        if best and name == "loss" and width >= 90:
            line.append((f" (best {number(best[1], digits)} at {best[0]:,})", "dim"))
    return line


def numbers(
    row: RunRow, series: Mapping[str, Series], cursor: float | None, *, by_time: bool
) -> Line:
    """Every measure at the cursor's step, or the newest."""
    loss = series.get("train/loss")
    step = _step_at(loss, cursor, by_time=by_time)
    line: list[Piece] = [(f" step {step:,}" if step is not None else f" step {NONE}", "strong")]
    for label, tag, shown in (
        ("train", "train/loss", number),
        ("eval", "eval/loss", number),
        ("ppl", "train/perplexity", number),
        ("lr", "train/learning_rate", small),
        ("grad", "train/grad_norm", small),
        ("tok/s", "train/tokens_per_second", _rate),
        ("memory", "machine/device_memory_bytes", _memory),
    ):
        one = series.get(tag)
        if one is None:
            continue
        value = one.last if cursor is None else _value_at(one, step)
        line += [(f"  {label} ", "dim"), (shown(value), "")]
    status = row.view.status
    if status is not None and status.rejected:
        line.append((f"  {status.rejected:,} rows rejected", "warn"))
    return line


def _levels(series: Series, cells: int) -> list[float]:
    return [float(level) for level in bucket(series.values, cells)]


def _step_at(loss: Series | None, cursor: float | None, *, by_time: bool) -> int | None:
    if loss is None or not len(loss):
        return None
    if cursor is None:
        return loss.last_step
    if not by_time:
        return round(cursor)
    since = loss.wall_times - loss.wall_times.min()
    return int(loss.steps[int(np.abs(since - cursor).argmin())])


def _value_at(series: Series, step: int | None) -> float | None:
    found = np.flatnonzero(series.steps == step)
    return float(series.values[found[-1]]) if len(found) else None


def _rate(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _memory(value: float | None) -> str:
    return NONE if value is None else size(value)
