"""How values read on every screen: states, times, numbers. Pure text, no colour."""

import math
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.jobs.status import State, Status
from engine.jobs.summary import JobView
from engine.number_format import write_exponent, write_number, write_size
from engine.text import clean, one_line
from tui.glyphs import Glyphs
from tui.snapshots import RunRow

if TYPE_CHECKING:  # plain commands use these words too, and load no screen
    from tui.styled_text import Line, Piece

NONE = "—"
FILTER_HINT = "word name:x state:running /regex/ and or not ( )"
"""Placeholder of the filter field of every list of runs."""
LOG_KINDS = {
    "events": "event files",
    "trainer": "trainer_state.json",
    "trainer_log": "trainer_log.jsonl",
    "csv": "metrics.csv",
    "job": "finetop job",
}
"""What holds the curves of a watched run, by the kind of its log."""
_WORKING = (State.STARTING, State.RUNNING)
SHORT_ACTIVITIES = {
    "evaluating": "eval",
    "measuring forgetting": "forgetting",
    "measuring skills": "skills",
    "writing samples": "samples",
    "measuring the base": "base",
    "scoring the reference": "reference",
}
"""What a worker does, for a narrow column."""
SHORT_WORDS = 14
"""Cells that a list has for a state."""


def state_glyph(state: State, glyphs: Glyphs) -> "Piece":
    """The glyph of a state and its role."""
    glyph_of = {
        State.QUEUED: (glyphs.waiting, "dim"),
        State.DONE: (glyphs.done, "good"),
        State.FAILED: (glyphs.failed, "bad"),
        State.CRASHED: (glyphs.failed, "bad"),
        State.STOPPED: (glyphs.stopped, "warn"),
        State.LOST: (glyphs.lost, "warn"),
    }
    return glyph_of.get(state, (glyphs.running, "tuned"))


def state_words(view: JobView) -> str:
    """The state in words, with the step at which the run ended early."""
    status, state = view.status, view.state
    if state is State.DONE and view.left_out:
        return f"{state}, {view.left_out:,} left out"
    if state is State.DONE or status is None:
        return str(state)
    if state is State.QUEUED:
        place = one_line(status.message).partition(" ")[0]
        return f"queued {place}" if place.startswith("#") else "queued"
    if state.alive:
        return str(state)
    words = "worker lost" if state is State.LOST else str(state)
    if status.step and view.record.kind == "sweep":
        return f"{words} after {status.step:,} of {status.total:,} runs"
    return f"{words} at step {status.step:,}" if status.step else words


def progress(view: JobView, glyphs: Glyphs, width: int = 8) -> "list[Piece]":
    """A progress bar with percentage while the run is running, else the state in words."""
    if view.state in _WORKING and view.status is not None and view.status.activity:
        return [(_short_activity(view.status), state_glyph(view.state, glyphs)[1])]
    if view.state is not State.RUNNING or view.status is None or not view.status.total:
        words = state_words(view)
        if view.state is State.DONE and view.left_out:
            return [(f"{view.left_out:,} left out", "warn")]  # the glyph says that it is done
        if len(words) > SHORT_WORDS:
            share = f" at {_percent(view)}" if view.status and view.status.total else ""
            words = f"{view.state}{share}"
        return [(words, state_glyph(view.state, glyphs)[1])]
    full = int(view.progress * width)
    return [
        (glyphs.bar_full * full, "tuned"),
        (glyphs.bar_empty * (width - full), "dim"),
        (f" {_percent(view)}", ""),
    ]


def _percent(view: JobView) -> str:
    return f"{math.floor(view.progress * 100)}%"


def activity(status: Status, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a worker does between two steps, and how much of it is done: evaluating 120/300."""
    name = one_line(names.get(status.activity, status.activity))
    if not status.activity_total:
        return name
    return f"{name} {status.activity_done:,}/{status.activity_total:,}"


def _short_activity(status: Status) -> str:
    """The same in the cells of a column, with a percentage where the counts are too long."""
    text = activity(status, SHORT_ACTIVITIES)
    if len(text) <= SHORT_WORDS:
        return text
    done = 100 * status.activity_done // max(1, status.activity_total)
    name = one_line(SHORT_ACTIVITIES.get(status.activity, status.activity))
    return f"{name} {min(100, done)}%" if status.activity_total else name


def activity_left(status: Status) -> str:
    """How long that takes still; empty where nobody knows."""
    return "" if status.activity_seconds is None else _left(status.activity_seconds)


def time_left(view: JobView, none: str = NONE) -> str:
    """Of the whole run, with its evaluations and saves."""
    status = view.status
    if status is None or view.state is not State.RUNNING or status.eta_seconds is None:
        return none
    return _left(status.eta_seconds)


def _left(seconds: float) -> str:
    """What is not done yet takes a second at least."""
    return duration(max(1.0, seconds))


def duration(seconds: float) -> str:
    """0:41, 12:05, 3:20:00, 2d 3h."""
    whole = max(0, round(seconds))
    if whole >= 172_800:
        return f"{whole // 86_400}d {whole % 86_400 // 3600}h"
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_span(seconds: float) -> str:
    """How long something took, with its units: 41 s, 3 min 58 s, 3 h 20 min, 2 d 3 h."""
    whole = max(0, round(seconds))
    for large, name, small, rest in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= large * (2 if name == "d" else 1):
            beside = whole % large // small
            return f"{whole // large} {name}" + (f" {beside} {rest}" if beside else "")
    return f"{whole} s"


def estimated_span(seconds: float) -> str:
    """How long something will take, no finer than it can be known: <1 min, ~12 min, ~3 h 20 min."""
    return "<1 min" if seconds < 60 else f"~{time_span(round(seconds / 60) * 60)}"


def estimated_range(low: float, high: float) -> str:
    """From how long to how long: <1 min, 1-4 min, 1 min-3 h; no finer than minutes."""
    first, last = estimated_span(low).removeprefix("~"), estimated_span(high).removeprefix("~")
    if first == last:
        return last if last.startswith("<") else f"~{last}"
    if first.startswith("<"):
        return f"<{last}"
    number, _, unit = first.partition(" ")
    return f"{number}-{last}" if last.partition(" ")[2] == unit else f"{first} to {last}"


def clock(moment: float) -> str:
    """21:04 for today, else the date as well."""
    then, now = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)


def number(value: float | None, digits: int = 3, none: str = NONE) -> str:
    """A measured value in about six cells; NaN and infinity by name."""
    if value is None:
        return none
    if math.isfinite(value) and abs(value) >= 10_000:
        return write_exponent(value)
    if abs(value) >= 100:
        digits = 0 if abs(value) >= 1000 else 1
    return write_number(value, digits)


def significant(value: float, digits: int) -> str:
    """So many significant digits; NaN by name."""
    return "NaN" if math.isnan(value) else f"{value:.{digits}g}"


def forgot(row: RunRow) -> "Piece":
    """The loss shift against the base, with a mark where it exceeds the budget."""
    if row.forgot is None:
        return (NONE, "dim")
    told = shift(row.forgot.last)
    return (f"{told} !", "bad") if row.over_budget else (f"{told}  ", "")


def shift(value: float | None) -> str:
    """Nats per token more or less, with a sign."""
    if value is None or not math.isfinite(value) or abs(value) >= 100:
        return number(value)
    return write_number(value, 2, signed=True)


def over_budget(row: RunRow) -> str:
    """That the forgetting budget is exceeded, and since which step."""
    budget = "" if row.budget is None else f" of {row.budget:g}"
    since = row.notable_steps.crossed_at if row.notable_steps else None
    return f"over the budget{budget}" + (f" since step {since:,}" if since is not None else "")


def lost_skills(row: RunRow) -> str:
    """Which skills fell so far that their alarm was raised, and at which step; without those of
    which the worker's message says it."""
    lost, said = row.notable_steps.lost if row.notable_steps else {}, remark(row)
    words = ((one_line(skill), step) for skill, step in lost.items())
    return ", ".join(
        f"{skill} fell at step {step:,}"
        for skill, step in words
        if not (skill in said and f" at step {step} " in said)
    )


def odd_tags(row: RunRow) -> str:
    """Which of its curves hold a NaN or an infinity."""
    names = [short(tag) for tag in row.odd_tags]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"! {', '.join(names[:2])}{more}: NaN or Inf"


def rejected_words(view: JobView) -> str:
    """How many rows or answers are missing, where the state does not say it already."""
    if view.status is None or not view.status.rejected:
        return ""
    if view.left_out:
        return "" if view.state is State.DONE else f"{view.left_out:,} left out"
    return f"{view.status.rejected:,} invalid rows"


def said_of(row: RunRow, between: str) -> "list[Piece]":
    """The user's notes on a run, each with `between` before it."""
    notes = row.view.notes
    line: list[Piece] = []
    if notes.archived or notes.hidden:
        line.append((between + ("archived" if notes.archived else "hidden"), "dim"))
    if notes.tags:
        line.append((between + one_line(" ".join(f"#{tag}" for tag in notes.tags)), "title"))
    if notes.note:
        line.append((between + one_line(notes.note), ""))
    return line


def remark(row: RunRow) -> str:
    """The worker's message, without what the state and the forgetting column already show."""
    status = row.view.status
    words = state_words(row.view)
    if status is not None and status.activity and row.view.state in _WORKING:
        left = activity_left(status)
        return activity(status) + (f" ({left})" if left else "")
    if status is None or status.message in ("", words, str(row.view.state)):
        return ""
    if row.over_budget and status.message.startswith("forgetting "):
        return ""
    message = status.message
    if row.view.state is State.DONE and row.view.left_out:
        message = message.replace(f", {row.view.left_out} left out (see the log)", "")
    # The state text already has the queue position.
    return one_line(re.sub(rf"^({re.escape(words)}: |#\d+ )", "", message))


def small(value: float | None, none: str = NONE) -> str:
    """A value whose size spans decades, such as a learning rate."""
    if value is None:
        return none
    return number(value) if not math.isfinite(value) or value == 0 else f"{value:.3g}"


def size(count: float) -> str:
    """Bytes, decimal: 4.1 MB."""
    return write_size(count)


def size_range(low: float, high: float, unit: str = "") -> str:
    """Bytes from and to, in one unit: 0.82-1.1 GB; that of the higher one unless it is named."""
    unit = unit or size(high).partition(" ")[2]
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    first, last = (_two_digits(one / scale) for one in (low, high))
    return f"{last} {unit}" if first == last else f"{first}-{last} {unit}"


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def parameters(count: int | None) -> str:
    """2.1M, 7.2B."""
    if count is None:
        return NONE
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g}{unit}"
    return str(count)


def short(tag: str, tags: Sequence[str] = ()) -> str:
    """The last part of a tag, where all of its folder in `tags` can be told by theirs."""
    folder, _, last = tag.rpartition("/")
    counts = Counter(one.rpartition("/")[2] for one in tags)
    beside = [name for other, _, name in (one.rpartition("/") for one in tags) if other == folder]
    return one_line(tag if any(counts[name] > 1 for name in beside) else last)


def name_of(row: RunRow) -> str:
    return one_line(row.view.record.name)


def error_lines(error: EngineError) -> "list[Line]":
    """An error as every screen shows it: title, detail, hint."""
    return failure_lines(error.title, error.detail, error.hint)


def failure_lines(title: str, detail: str, hint: str) -> "list[Line]":
    lines: list[Line] = [[(one, "bad")] for one in clean(title).split("\n")]
    lines += [[(one, "")] for one in clean(detail).split("\n") if detail]
    return lines + [[(one, "warn")] for one in clean(hint).split("\n") if hint]
