"""What the curves of one run say, as lines and as curves for charts. Reads no disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.charts.filters import Filter
from engine.events.event_tags import SKILL, SKILL_NLL
from engine.events.series import Series, bucket
from engine.events.summary import find_placeholders
from engine.events.tag_names import TagGroup, groups_of, in_order, is_trained_on_rewards
from engine.jobs.status import MEASURED, State, Status
from engine.recipes.recipe import (
    ExportRecipe,
    GenerateRecipe,
    JudgeRecipe,
    SweepRecipe,
    TrainRecipe,
)
from engine.text import one_line
from tui.charts.curve import Curve, Level
from tui.formatting import (
    LOG_KINDS,
    NONE,
    clock,
    forgot,
    lost_skills,
    name_of,
    number,
    over_budget,
    rejected_words,
    remark,
    shift,
    short,
    size,
    small,
    state_glyph,
    state_words,
    time_left,
    time_span,
)
from tui.glyphs import Glyphs
from tui.snapshots import RunRow
from tui.styled_text import Line, Piece, length
from tui.widgets.sparkline import sparkline

if TYPE_CHECKING:
    from engine.events.log_set import RunLog

_TRAIN, _BASE, _EVAL, _FURTHER = 0, 1, 2, 3
_SPARKS_OF_OTHERS = 3
_SPARK_SIZES = ((18, 9, True), (12, 6, True), (8, 4, True), (8, 4, False), (8, 0, False))
"""Cells of a training curve and of a held-out one, and whether the best is told; largest first."""
_ALWAYS_IN_SIGHT = 1.0
"""Nats per token: a higher budget is drawn once a curve comes near it."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One curve of a chart."""

    tag: str
    label: str
    accent: int = _TRAIN
    as_points: bool = False


@dataclass(frozen=True, slots=True)
class ChartSpec:
    title: str
    traces: tuple[Trace, ...]
    smoothed: bool = True
    """Whether smoothing says anything: not of a few measured points."""
    has_best: bool = True
    """Whether a best value says anything: a shift against the base is 0 before training."""


LOSS = ChartSpec(
    "loss", (Trace("train/loss", "train"), Trace("eval/loss", "eval", _EVAL, as_points=True))
)
FORGETTING = ChartSpec(
    "forgetting, nats/token",
    (
        Trace("forget/nll_shift", "loss shift"),
        Trace("forget/kl_to_base", "KL", _BASE),
        Trace("forget/nll_shift_parent", "loss shift vs parent", _FURTHER),
        Trace("forget/kl_to_parent", "KL vs parent", _FURTHER + 1),
    ),
    smoothed=False,
    has_best=False,
)
OTHERS = (
    ChartSpec(
        "perplexity",
        (
            Trace("train/perplexity", "train"),
            Trace("eval/perplexity", "eval", _EVAL, as_points=True),
        ),
    ),
    ChartSpec("learning rate", (Trace("train/learning_rate", "learning rate"),)),
    ChartSpec("gradient norm", (Trace("train/grad_norm", "gradient norm"),)),
)


def charts_of(
    series: Mapping[str, Series], wanted: Filter | None = None, pinned: Sequence[str] = ()
) -> tuple[ChartSpec, ...]:
    """What there is to draw: what is pinned, then what a reader wants first, as `tag_names` has it.

    `wanted` lets tags through. Where nothing was logged yet, what a run of ours will log.
    """
    known = (LOSS, FORGETTING, *OTHERS)
    if wanted is None and not series:
        return (LOSS, *OTHERS)
    tags = {tag for tag in series if wanted is None or wanted.matches({"": (tag,)})}
    kept = [replace(one, traces=tuple(t for t in one.traces if t.tag in tags)) for one in known]
    named = {trace.tag for one in known for trace in one.traces}
    placeholders = find_placeholders(series)
    groups, ordered = groups_of(series, placeholders), in_order(series, placeholders)
    others = [_chart_of(tag) for tag in ordered if tag in tags and tag not in named]
    places = {tag: at for at, tag in reversed([*enumerate(pinned)])}

    def place(spec: ChartSpec) -> tuple[int, int]:
        place = min(places.get(trace.tag, len(places)) for trace in spec.traces)
        of_run = spec.title in (FORGETTING.title, OTHERS[0].title)  # what a loss comes to
        return place, TagGroup.LOSS if of_run else min(groups[t.tag] for t in spec.traces)

    return tuple(sorted((one for one in (*kept, *others) if one.traces), key=place))


def _chart_of(tag: str) -> ChartSpec:
    """The chart of a tag that stands alone; a skill is a few measured points."""
    for head, unit in ((SKILL, ""), (SKILL_NLL, ", nats/token")):
        if tag.startswith(head):
            trace = Trace(tag, one_line(tag.removeprefix(head)), _EVAL, as_points=True)
            return ChartSpec(f"skill {trace.label}{unit}", (trace,), smoothed=False)
    return ChartSpec(tag, (Trace(tag, short(tag)),))


def levels_of(spec: ChartSpec, curves: Sequence[Curve], row: RunRow) -> list[Level]:
    """The budget, on the chart of forgetting; one far beyond the curves would flatten them."""
    if spec.title != FORGETTING.title or row.budget is None:
        return []
    points = [one.values[np.isfinite(one.values)] for one in curves]
    highest = max((float(one.max()) for one in points if len(one)), default=0.0)
    near = row.budget <= max(_ALWAYS_IN_SIGHT, 4 * highest)
    return [Level(row.budget, f"budget {row.budget:g}")] if near else []


def headline(row: RunRow, glyphs: Glyphs) -> Line:
    """Name, state, how far, how fast, how long still."""
    view = row.view
    if row.log is not None and row.view.recipe is None:
        return log_headline(row.log, name_of(row), glyphs)
    glyph, role = state_glyph(view.state, glyphs)
    line: list[Piece] = [
        (f" {name_of(row)} ", "strong"),
        (f"{glyph} ", role),
        (state_words(view), "warn" if view.left_out else role),
    ]
    status = view.status
    if status is None:
        return line
    if status.total and isinstance(view.recipe, GenerateRecipe | JudgeRecipe):
        line.append((f"  {status.step:,}/{status.total:,} answers", ""))
    elif status.total and isinstance(view.recipe, SweepRecipe):
        line.append((f"  {status.step:,}/{status.total:,} runs", ""))
    elif status.total and isinstance(view.recipe, ExportRecipe):
        line.append((f"  {status.step:,}/{status.total:,} steps", ""))
    elif status.total:
        line.append((f"  step {status.step:,}/{status.total:,}", ""))
    if status.epochs:
        line.append((f"  epoch {status.epoch:.1f}/{status.epochs:.3g}", ""))
    if view.state.alive:
        said = remark(row)
        if said and view.state is not State.QUEUED:
            line.append((f"  {said}", ""))
        if status.tokens_per_second and view.state is not State.QUEUED:
            line.append((f"  avg {status.tokens_per_second:,.0f} tok/s", ""))
        left = time_left(view, "")
        if left:
            line.append((f"  {left} left", "strong"))
            if status.eta_basis not in ("", MEASURED):
                line.append((f" ({one_line(status.eta_basis)})", "dim"))
        if status.device:
            line.append((f"  on {one_line(status.device)}", "dim"))
        is_queued = view.state is State.QUEUED
        since = "queued" if is_queued else _start_word(status)
        started = [f"{since} {clock(status.started)}"] if status.started else []
        started += [] if status.bound or is_queued else ["in the background"]
        if started:
            line.append((f"  {glyphs.separator} {' '.join(started)}", "dim"))
    elif status.started and status.running_seconds > 0:
        line.append((f"  took {time_span(status.running_seconds)}", ""))
        since = f"{_start_word(status)} {clock(status.started)}"
        line.append((f"  {glyphs.separator} {since}", "dim"))
    return line


def _start_word(status: Status) -> str:
    """What a run did when its latest attempt began; it took the time of all of them."""
    return "resumed" if status.attempt > 1 else "started"


def log_headline(log: "RunLog", name: str, glyphs: Glyphs) -> Line:
    """Name, kind, how much there is, when it changed: nothing is known of whether it runs."""
    points = sum(len(one) for one in log.series.values())
    line: list[Piece] = [(f" {name} ", "strong"), (LOG_KINDS[log.kind], "dim")]
    line.append((f"  {len(log.tags)} tags  {points:,} points", ""))
    if log.modified:
        line.append((f"  {glyphs.separator} updated {clock(log.modified)}", "dim"))
    if not log.loaded:
        line.append(("  loading", "warn"))
    return line


def sparks(series: Mapping[str, Series], width: int, glyphs: Glyphs) -> Line:
    """Loss and perplexity in small, by training and by held-out rows; as large as they fit."""
    ours = ("train/loss", "eval/loss", "train/perplexity", "eval/perplexity")
    if series and (is_trained_on_rewards(series) or not any(tag in series for tag in ours)):
        return _sparks_of_others(series, 18 if width >= 110 else 8, glyphs)
    line: Line = []
    for cells, held_out, best in _SPARK_SIZES:
        line = _sparks(series, cells, held_out, best, glyphs)
        if length(line) <= width:
            break
    return line


def _sparks_of_others(series: Mapping[str, Series], cells: int, glyphs: Glyphs) -> Line:
    line: list[Piece] = []
    for tag in in_order(series, find_placeholders(series))[:_SPARKS_OF_OTHERS]:
        line.append((f"   {one_line(tag)} " if line else f" {one_line(tag)} ", "dim"))
        line.append((sparkline(_levels(series[tag], cells), glyphs), "tuned"))
        line.append((f" {number(series[tag].last, 4)}", "strong"))
    return line


def _sparks(
    series: Mapping[str, Series], cells: int, cells_of_eval: int, tell_best: bool, glyphs: Glyphs
) -> Line:
    line: list[Piece] = []
    for name, digits in (("loss", 3), ("perplexity", 2)):
        train, held_out = series.get(f"train/{name}"), series.get(f"eval/{name}")
        if series and name == "perplexity" and train is None and held_out is None:
            continue
        line.append((f" {name} " if not line else f"   {name} ", "dim"))
        if train is not None:
            line.append((sparkline(_levels(train, cells), glyphs), "tuned"))
        line.append((f" {number(train.last if train else None, digits)}", "strong"))
        if held_out is None:
            continue
        line.append(("  eval ", "dim"))
        if cells_of_eval:
            line.append((sparkline(_levels(held_out, cells_of_eval), glyphs) + " ", "good"))
        line.append((number(held_out.last, digits), "strong"))
        best = held_out.best()
        if best and name == "loss" and tell_best:
            line.append((f" (best {number(best[1], digits)} at step {best[0]:,})", "dim"))
    return line


def numbers(
    row: RunRow, series: Mapping[str, Series], at: int | None, *, named: bool = False
) -> Line:
    """Every measure at a step, or the newest where none is given; empty where there is none.

    `named` begins with the run, where others are drawn too.
    """
    loss = series.get("train/loss") or series.get("eval/loss")
    loss = loss or max(series.values(), key=len, default=None)
    step = at if at is not None or loss is None else loss.last_step
    line: list[Piece] = []
    for label, tag, shown in (
        ("loss", "train/loss", number),
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
        found, value = _nearest(one, at)
        line += [(f"  {label} ", "dim"), (shown(value), "")]
        if found is not None and found != step:
            line.append((f" at step {found:,}", "dim"))
    if missing := rejected_words(row.view):
        line.append((f"  {missing}", "warn"))
    if not line:
        return []
    head = f" {name_of(row)}, step" if named else " step"
    return [(f"{head} {step:,}" if step is not None else f"{head} {NONE}", "strong"), *line]


def standing(row: RunRow, series: Mapping[str, Series], separator: str) -> Line:
    """What a run came to: how it ended, what it forgot, which checkpoints are of note.

    Of one that lives, first what it may end with.
    """
    facts: list[list[Piece]] = []
    status, steps = row.view.status, row.notable_steps
    said = remark(row)
    if status is not None and row.view.state.alive and status.bound:
        facts.append([(one_line(status.bound), "warn")])
    if status is not None and row.view.state.final and said:
        facts.append([(said, "warn")])
    if row.forgot is not None:
        text, role = forgot(row)
        fact: list[Piece] = [("forgetting ", "dim"), (text.rstrip(), role or "strong")]
        if status is not None and status.base:
            fact.append((f" vs {one_line(status.base)}", "dim"))
        further = series.get("forget/nll_shift_parent")
        if status is not None and status.parent and further is not None:
            fact.append((f", {shift(further.last)}", "strong"))
            fact.append((f" vs {one_line(status.parent)}", "dim"))
        facts.append(fact)
        if row.over_budget:
            facts.append([(over_budget(row), "bad")])
        elif steps and steps.crossed_at is not None:
            facts.append([(f"exceeded the budget at step {steps.crossed_at:,}", "warn")])
    if lost := lost_skills(row):
        facts.append([(lost, "bad")])
    if steps and steps.best is not None:
        recipe = row.view.recipe
        metric = "metric"
        if isinstance(recipe, TrainRecipe):
            metric = one_line(recipe.stopping.keep_best or recipe.stopping.metric)
        facts.append([(f"best {metric}: step ", "dim"), (f"{steps.best:,}", "good")])
    if steps and steps.within_budget is not None and steps.within_budget != steps.best:
        facts.append([("last within budget: step ", "dim"), (f"{steps.within_budget:,}", "")])
    line: list[Piece] = []
    for fact in filter(None, facts):
        line += [(f" {separator} " if line else " ", "dim"), *fact]
    return line


def _levels(series: Series, cells: int) -> list[float]:
    return [float(level) for level in bucket(series.values, cells)]


def _nearest(series: Series, at: int | None) -> tuple[int | None, float | None]:
    """The value nearest to a step, as below the chart, and its step; None: the newest."""
    if at is None or not len(series):
        return series.last_step, series.last
    step = int(series.steps[np.abs(series.steps - at).argmin()])
    return step, float(series.values[np.flatnonzero(series.steps == step)[-1]])


def _rate(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _memory(value: float | None) -> str:
    return NONE if value is None else size(value)
