"""Runs of any writer in words: columns, an overview, alarms. Reads no disk."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.charts.derived import alerts
from engine.charts.filters import Filter
from engine.events.series import Series
from engine.events.tag_names import TagGroup, groups_of, in_order
from engine.text import clean, one_line
from tui.formatting import LOG_KINDS, number

if TYPE_CHECKING:
    from engine.events.log_set import RunLog

_ALARMS = 6


def common_tags(runs: Iterable["RunLog"], wanted: Filter, most: int) -> list[str]:
    """The tags that most runs have, in the order in which a reader wants them.

    What is a placeholder in every run comes last, however many have it.
    """
    counts: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    for (some, placeholders), times in Counter(
        (run.tags, run.placeholders) for run in runs
    ).items():
        counts.update(dict.fromkeys(some, times))
        idle.update(dict.fromkeys(placeholders, times))
    always_idle = {tag for tag in counts if idle[tag] == counts[tag]}
    groups = groups_of(counts, always_idle)
    tags = [tag for tag in in_order(counts, always_idle) if wanted.matches({"": (tag,)})]
    return sorted(tags, key=lambda tag: (groups[tag] > TagGroup.FURTHER, -counts[tag]))[:most]


def last_step(run: "RunLog") -> int | None:
    """The newest step of any tag."""
    steps = [last.step for tag in run.tags if (last := run.last(tag)) is not None]
    return max(steps, default=None)


def odd_tags(run: "RunLog") -> tuple[str, ...]:
    """The tags with a NaN or an infinity, as far as they are read."""
    if run.loaded or not run.glimpse:
        odd = (tag for tag, one in run.series.items() if not np.isfinite(one.values).all())
        return tuple(sorted(odd))
    return tuple(sorted(tag for tag, last in run.glimpse.items() if not math.isfinite(last.value)))


def alarms(series: Mapping[str, Series]) -> tuple[str, ...]:
    """A line for each curve that stopped being numbers."""
    lines = []
    curves = alerts(series)
    for alert in curves[:_ALARMS]:
        more = f", {alert.count:,} values in total" if alert.count > 1 else ""
        since = "from" if alert.recovered else "since"
        what = f"{one_line(alert.tag)}: {number(alert.value)} {since} step {alert.step:,}"
        after = ", finite again" if alert.recovered else ""
        lines.append(f"! {what}{more}{after}")
    if len(curves) > _ALARMS:
        lines.append(f"! and {len(curves) - _ALARMS} more curves")
    return tuple(lines)


def overview(run: "RunLog", *, text_lines: int | None = None) -> tuple[str, ...]:
    """What the files say beside curves: hyperparameters, texts, what is not or cannot be read.

    Of each text at most `text_lines`; None: all of it. What stands under another line is indented.
    """
    points = sum(len(one) for one in run.series.values())
    lines = [
        f"{LOG_KINDS[run.kind]}, {len(run.series)} tags, {points:,} points: "
        f"{one_line(str(run.path))}"
    ]
    if run.others:
        kinds = ", ".join(
            f"{one_line(kind)} ({count:,} value{'s' * (count != 1)})"
            for kind, count in run.others.most_common()
        )
        lines.append(f"not charted: {kinds}")
    lines += [
        f"{'unreadable' if problem.is_error else 'note'}: {one_line(problem.name)}: "
        f"{one_line(problem.reason)}"
        for problem in run.problems
    ]
    if run.settings:
        lines.append(f"hyperparameters ({len(run.settings)}):")
        lines += [
            f"  {one_line(name)} = {one_line(str(value))}" for name, value in run.settings.items()
        ]
    for text in run.texts.values():
        body = clean(text.text).splitlines()
        lines.append(f"text “{one_line(text.tag)}”, step {text.step:,}:")
        lines += [f"  {line}" for line in body[:text_lines]]
        if text_lines is not None and len(body) > text_lines:
            lines.append(f"  and {len(body) - text_lines} more lines")
        elif text.size > len(text.text.encode("utf-8", "replace")):
            lines.append(f"  truncated: {text.size:,} bytes in total")
    return tuple(lines)


def values_line(values: Sequence[tuple[str, float]]) -> str:
    """`tag=value`, parted by tabs; cleaned."""
    return "\t".join(f"{one_line(tag)}={value:.6g}" for tag, value in values)
