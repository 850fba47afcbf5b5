"""`finetop watch`: log directories of any writer, on the dashboard or as lines. Read-only."""

import argparse
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.text import one_line
from tui.cli_options import add_screen_options
from tui.terminal_abilities import require_screen

if TYPE_CHECKING:
    from engine.charts.filters import Filter
    from engine.events.log_set import RunLog

POLL_SECONDS = 0.25
SLICE_SECONDS = 0.05


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("watch", help="watch any log directories, read-only")
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a folder with runs in or below it"
    )
    parser.add_argument(
        "--plain", action="store_true", help="print one line per change instead of drawing"
    )
    parser.add_argument(
        "--tags", metavar="EXPR", default="", help="only tags that match this filter"
    )
    parser.add_argument(
        "--runs-filter",
        metavar="EXPR",
        default="",
        help="only runs that match this filter: words, name:x, tag:x, state:x, /regex/",
    )
    add_screen_options(parser)
    parser.set_defaults(handler=_watch)
    return [parser]


def _watch(options: argparse.Namespace) -> int:
    from engine.events.discover import roots

    paths = roots(options.paths)
    from engine.charts.filters import parse
    from tui.screens.run_filter import parse_run_filter

    tags, runs = parse(options.tags), parse_run_filter(options.runs_filter)
    if options.plain:
        for line in _lines(paths, tags, runs):
            print(line, flush=True)
    require_screen(
        os.environ,
        "The dashboard needs a terminal.",
        "finetop watch PATH --plain prints one line per change instead.",
    )
    gc.disable()  # until the first paint, as the dashboard does
    from tui.logs_app import watch_logs

    return watch_logs(
        paths,
        tags=options.tags,
        runs_filter=options.runs_filter,
        given=options.runs,
        ascii_only=options.ascii,
        mouse=options.mouse,
        look=options.look,
    )


def _lines(paths: list[Path], tags: "Filter", runs: "Filter") -> Iterator[str]:
    """Lines without end: the newest values of every run, then each change."""
    from engine.events.log_set import Fleet
    from tui.commands.watch_plain import Changes
    from tui.feeds.log_rows import row_of
    from tui.screens.run_filter import subject_of

    fleet, begun = Fleet(paths), False
    told: dict[str, Changes] = {}
    passed_over: dict[str, RunLog] = {}
    while True:
        changed = fleet.poll(SLICE_SECONDS)
        here = {run.name for run in fleet.runs}
        for name in [name for name in told if name not in here]:
            del told[name]
            yield f"{one_line(name)}\t-\tgone"
        for run in fleet.runs:
            news = run.name in changed if run.name in told else passed_over.get(run.name) != run
            if not (run.loaded and news):
                continue
            if runs.matches(subject_of(row_of(run))):
                yield from told.setdefault(run.name, Changes(whole=begun)).lines(run, tags)
            else:
                passed_over[run.name] = run
        for run in fleet.runs:
            if run.name in told:
                yield from told[run.name].activity(run)
                if not fleet.pending and run.name not in changed:
                    yield from told[run.name].end(run)
        begun |= not fleet.pending
        if not fleet.pending:
            time.sleep(POLL_SECONDS)
