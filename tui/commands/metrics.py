"""`finetop metrics`: the curves of runs as CSV, every point, or as a summary.

Reads finetop's runs and whatever `finetop watch` lists below a folder; writes none of them.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import output_file
from engine.errors import EngineError
from engine.jobs.store import open_store
from engine.json_output import replace_not_finite
from engine.number_format import write_number
from engine.recipes.recipe import TrainRecipe
from engine.text import clean, one_line
from tui.cli_options import FORCE_HINT, add_force
from tui.styled_text import pad, width_of

if TYPE_CHECKING:
    from engine.events.log_set import Log
    from engine.events.series import Series
    from engine.events.summary import Point, Summary


_LONGEST_TAG = 48
"""Cells of the column of tags; a longer tag stands alone."""
_LEAST_WIDTHS = (7, 18, 18, 18, 18)
"""Of the number of points, and of the values with their steps."""


@dataclass(frozen=True, slots=True)
class CurveSource:
    """One run: what it is called, where it lies, and how it is read."""

    name: str
    events: Path
    open_log: "Callable[[], Log]"
    metric: str = ""
    """The tag whose better direction is in its recipe."""
    greater_is_better: bool = False


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("metrics", help="the curves of runs: a summary, CSV or JSON")
    parser.add_argument(
        "runs_asked",
        nargs="+",
        metavar="RUN",
        help="id, name or path; or any folder with logs",
    )
    parser.add_argument(
        "--csv", metavar="FILE", help="write every point to this file; - for standard output"
    )
    parser.add_argument(
        "--branches", action="store_true", help="with --csv: also points that a resume discarded"
    )
    add_force(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--points", action="store_true", help="with --json: also every point")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="only this tag; repeatable"
    )
    parser.set_defaults(handler=_metrics)
    return [parser]


def _metrics(options: argparse.Namespace) -> int:
    sources = [one for text in options.runs_asked for one in _find(text, options.runs)]
    read = ((one, _wanted(_read(one), options.tag, one)) for one in sources)
    if options.csv is not None and options.json:
        raise EngineError("--csv and --json cannot be combined.", "", "Use one of them.")
    if options.branches and options.csv is None:
        raise EngineError(
            "--branches applies only to --csv.", "", "Add --csv FILE; --json always includes them."
        )
    if options.points and not options.json:
        raise EngineError("--points applies only to --json.", "", "Add --json.")
    if options.csv is not None:
        lines = _csv(read, options.csv == "-", options.branches)
        if options.csv == "-":
            sys.stdout.writelines(lines)
        else:
            pieces = (line.encode("utf-8", "backslashreplace") for line in lines)
            output_file.write(
                Path(options.csv).expanduser(), pieces, force=options.force, hint=FORCE_HINT
            )
    elif options.json:
        tables = [_as_table(one, curves, options) for one, curves in read]
        print(json.dumps(tables, indent=None if options.points else 1))
    else:
        print("\n\n".join(_as_text(one, curves, options) for one, curves in read))
    return 0


def _find(text: str, root: str | None) -> Iterator[CurveSource]:
    """What `text` names: a run, else a folder with logs in it or below it."""
    path = Path(os.path.expanduser(text))
    try:
        job = open_store(root).find(text)
    except EngineError:
        if not path.exists():
            raise
    else:
        from engine.events.log_dir import LogDir

        recipe = None
        with contextlib.suppress(EngineError):
            recipe = job.recipe()
        record = job.record()
        name = record.id if record is not None else job.path.name
        if isinstance(recipe, TrainRecipe):
            stopping = recipe.stopping
            metric, highest = stopping.metric, stopping.greater_is_better
            yield CurveSource(name, job.events, partial(LogDir, job.events), metric, highest)
        else:
            yield CurveSource(name, job.events, partial(LogDir, job.events))
        return
    yield from _find_logs(path)


def _find_logs(path: Path) -> Iterator[CurveSource]:
    """The runs that `finetop watch` lists below a folder. Raises EngineError for none."""
    from engine.events.discover import Finder, roots
    from engine.events.log_set import open_log

    finder = Finder(roots([path]))
    while finder.pending:
        finder.look()
    if not finder.runs:
        raise EngineError(
            "No logs found.",
            str(path),
            "Use a finetop run, a TensorBoard log directory, or an output directory of a trainer.",
        )
    for run in finder.runs:
        yield CurveSource(run.name, run.folder.path, partial(open_log, run))


def _read(source: CurveSource) -> "dict[str, Series]":
    from engine.events.summary import find_placeholders
    from engine.events.tag_names import in_order

    log = source.open_log()
    log.poll()
    for problem in log.problems:
        print(one_line(f"{source.name}: {problem.name}: {problem.reason}"), file=sys.stderr)
    return {tag: log.series[tag] for tag in in_order(log.series, find_placeholders(log.series))}


def _wanted(
    curves: "dict[str, Series]", tags: Sequence[str], source: CurveSource
) -> "dict[str, Series]":
    missing = [tag for tag in tags if tag not in curves]
    if missing:
        raise EngineError(
            f"{source.name} has no tag {missing[0]!r}.",
            f"Tags: {', '.join(curves) or 'none yet'}.",
        )
    return {tag: one for tag, one in curves.items() if not tags or tag in tags}


def _csv(
    read: "Iterable[tuple[CurveSource, dict[str, Series]]]", shown: bool, branches: bool
) -> Iterator[str]:
    """Every point, resumes as one curve. Names are cleaned where a terminal may see them."""
    from engine.charts.export import Selected, csv_lines

    name = clean if shown else str
    selected = (
        Selected(name(source.name), replace(one, tag=name(tag)))
        for source, curves in read
        for tag, one in curves.items()
    )
    return csv_lines(selected, abandoned=branches)


def _summaries(source: CurveSource, curves: "dict[str, Series]") -> "list[Summary]":
    from engine.events.summary import summarise

    found = []
    for tag, one in curves.items():
        known = source.greater_is_better if tag == source.metric else None
        if (summary := summarise(one, greater_is_better=known, tags=curves)) is not None:
            found.append(summary)
    return found


def _as_table(
    source: CurveSource, curves: "dict[str, Series]", options: argparse.Namespace
) -> dict[str, Any]:
    from engine.charts.export import curve_table
    from engine.events.summary import gap

    summaries = {one.tag: one for one in _summaries(source, curves)}
    between = gap(curves)
    perplexities = {
        name: {"last": one.last.value, "best": one.best and one.best.value}
        for name, one in _perplexities(curves, options.tag).items()
    }
    tags = {tag: asdict(one) for tag, one in summaries.items()}
    if options.points:
        for tag, table in tags.items():
            table["curve"] = curve_table(curves[tag])
    whole = {
        "run": source.name,
        "events": str(source.events),
        "tags": tags,
        "gap": between and {**asdict(between), "difference": between.difference},
        "perplexity": perplexities,
    }
    return dict(replace_not_finite(whole))


def _as_text(source: CurveSource, curves: "dict[str, Series]", options: argparse.Namespace) -> str:
    from engine.events.summary import gap

    summaries = _summaries(source, curves)
    lines = [one_line(source.name)]
    if not summaries:
        return f"{lines[0]}\n  no curves yet"
    lines += _table(summaries)
    between = gap(curves)
    if between is not None:
        lines.append(
            f"  gap at step {between.step}: eval {write_number(between.eval, 4)} - "
            f"train {write_number(between.train, 4)} "
            f"(mean since the previous evaluation) = "
            f"{write_number(between.difference, 4, signed=True)}"
        )
    for name, one in _perplexities(curves, options.tag).items():
        best = f", best {one.best.value:.4g} at {one.best.step}" if one.best else ""
        lines.append(f"  perplexity {name}: last {one.last.value:.4g}{best}")
    return "\n".join(lines)


def _table(summaries: "Sequence[Summary]") -> Iterator[str]:
    """The lines of the table, aligned by cells; a long tag has a line of its own."""
    rows = [["points", "first", "last", "best", "lowest"]]
    for one in summaries:
        values = map(_at, (one.first, one.last, one.best, one.lowest))
        rows.append([str(one.points), *values])
    widths = [
        max(least, *map(len, column))
        for least, column in zip(_LEAST_WIDTHS, zip(*rows, strict=True), strict=True)
    ]
    tags = ["tag", *(one_line(one.tag) for one in summaries)]
    longest = max(width for tag in tags if (width := width_of(tag)) <= _LONGEST_TAG)
    notes = ["", *(f"{one.not_finite} not finite" * bool(one.not_finite) for one in summaries)]
    for tag, row, note in zip(tags, rows, notes, strict=True):
        if width_of(tag) > longest:
            yield f"  {tag}"
            tag = ""
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(["", pad(tag, longest), *cells, note]).rstrip()


def _perplexities(curves: "dict[str, Series]", tags: list[str]) -> "dict[str, Summary]":
    """Of training and of held-out rows, as logged or as it follows from a loss over tokens.

    Whether a loss is per token is inferred from the other tags, so nothing is derived for chosen
    `tags`.
    """
    from engine.charts.derived import perplexities
    from engine.events.summary import summarise

    follow = {} if tags else perplexities(curves)
    derived = {tag: one.series for tag, one in follow.items()}
    known = {**derived, **curves}
    found = {name: known.get(f"{name}/perplexity") for name in ("train", "eval")}
    summaries = {name: summarise(one) for name, one in found.items() if one is not None}
    return {name: one for name, one in summaries.items() if one is not None}


def _at(point: "Point | None") -> str:
    return f"{point.value:.5g} @{point.step}" if point is not None else ""
