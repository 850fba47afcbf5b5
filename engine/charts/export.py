"""Curves as CSV, as JSON, and as a line of text for a chat. Every point, as it was logged.

The text is as the log has it: a file keeps names whole; a line for a chat is cleaned.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from engine.events.series import Branch, Series
from engine.text import one_line, spreadsheet_cell

HEADER = ("run", "tag", "step", "wall_time", "value")
_BLOCK = 20_000  # points turned into text at a time


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """A curve to export, with the name of its run."""

    run: str
    series: Series
    formula: str = ""
    """How it was derived; empty for one that was logged."""
    higher_is_better: bool | None = None
    """None where its tag does not say which values are better."""


def csv_lines(curves: Iterable[Selected], *, abandoned: bool = False) -> Iterator[str]:
    """CSV by and by, a point a line: run, tag, step, wall_time, value; then `branch` if asked for.

    Numbers are written so that reading them gives the same number; what is none as `NaN`, `inf`,
    `-inf`; an unknown time is empty. A derived tag reads `tag = formula`.
    `branch` is 0 for the curve, 1 and up for what a resume rewound over.
    """
    yield _line([*HEADER, *(["branch"] if abandoned else [])])
    for one in curves:
        tag = f"{one.series.tag} = {one.formula}" if one.formula else one.series.tag
        head = [_cell(one.run), _cell(tag)]
        pieces: list[Series | Branch] = [one.series]
        pieces += one.series.abandoned if abandoned else ()
        for number, piece in enumerate(pieces):
            tail = [str(number)] if abandoned else []
            yield from _rows(head, piece, tail)


def json_document(curves: Iterable[Selected]) -> dict[str, object]:
    """A document for `json.dumps`: runs, their tags, and the curve of each."""
    runs: dict[str, dict[str, object]] = {}
    for one in curves:
        entry = curve_table(one.series)
        if one.formula:
            entry["derived"] = one.formula
        runs.setdefault(one.run, {})[one.series.tag] = entry
    return {"schema": 1, "runs": runs}


def curve_table(series: Series) -> dict[str, object]:
    """A curve for `json.dumps`: three lists of equal length, restarts, and what was abandoned.

    JSON has no NaN: what is not finite is the text "NaN", "Infinity" or "-Infinity", an unknown
    time is null.
    """
    branches = [{**_lists(one), "rewound_to": one.rewound_to} for one in series.abandoned]
    return {**_lists(series), "restarts": list(series.restarts), "abandoned": branches}


def _lists(points: Series | Branch) -> dict[str, object]:
    return {
        "steps": points.steps.tolist(),
        "wall_times": [t if math.isfinite(t) else None for t in points.wall_times.tolist()],
        "values": [spell(value) for value in points.values.tolist()],
    }


def json_text(curves: Iterable[Selected]) -> str:
    return json.dumps(json_document(curves), ensure_ascii=False, allow_nan=False) + "\n"


def spell(value: float) -> float | str:
    """A number as strict JSON can hold it; `float` reads it back."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def chat_line(curves: Sequence[Selected], shapes: Mapping[str, str] = MappingProxyType({})) -> str:
    """A line to paste: run, then of each of its curves tag, newest value and best; cleaned.

    `shapes` are the curves in small, by tag, as text.
    """
    parts = [one_line(curves[0].run)] if curves else []
    for one in curves:
        series = one.series
        name = f"{series.tag} (derived: {one.formula})" if one.formula else series.tag
        head = " ".join(filter(None, [one_line(name), shapes.get(series.tag, "")]))
        if series.last is None or series.last_step is None:
            parts.append(f"{head} no points yet")
            continue
        text = f"{head} {series.last:.6g} at step {series.last_step:,}"
        higher = one.higher_is_better
        best = series.best(highest=higher) if higher is not None else None
        if best is not None:
            text += f" (best {best[1]:.6g} at step {best[0]:,})"
        wrong = int(np.count_nonzero(~np.isfinite(series.values)))
        if wrong:
            text += f", {wrong:,} of {len(series):,} values are not finite"
        parts.append(text)
    return " · ".join(parts)


def _rows(head: list[str], piece: Series | Branch, tail: list[str]) -> Iterator[str]:
    for start in range(0, len(piece.values), _BLOCK):
        stop = start + _BLOCK
        rows = zip(
            piece.steps[start:stop].tolist(),
            piece.wall_times[start:stop].tolist(),
            piece.values[start:stop].tolist(),
            strict=True,
        )
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(
            [*head, step, repr(wall) if wall == wall else "", _number(value), *tail]
            for step, wall, value in rows
        )
        yield buffer.getvalue()


def _cell(text: str) -> str:
    """Text in valid Unicode, for a file name may hold bytes that are none, and no formula."""
    return spreadsheet_cell(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _number(value: float) -> str:
    return "NaN" if value != value else repr(value)


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
