"""`finetop get`: a model or a data set of the Hub into its cache. The one command with a network.

The work is done by a process of its own; this one only shows how far it is.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import EngineError, JobFailed
from engine.jobs import process
from engine.jobs.child_output import ChildOutput
from engine.text import clean, one_line
from tui.commands.follow import duration

_ID = re.compile(r"(?!.*(\.\.|--))[\w.-]+(/[\w.-]+)?", re.ASCII)
NEEDS = ("huggingface_hub",)


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "get",
        help="download a model or dataset from the Hub (needs the network)",
    )
    parser.add_argument("id", metavar="ID", help="Hub id: OWNER/NAME")
    parser.add_argument("--data", action="store_true", help="the id is a dataset")
    parser.add_argument("--revision", metavar="R", help="branch, tag or commit (default: main)")
    parser.add_argument(
        "--include", action="append", default=[], metavar="PATTERN",
        help="only files that match this pattern, e.g. '*.parquet'; repeatable "
        "(default: safetensors, tokenizer and config files)",
    )  # fmt: skip
    parser.set_defaults(handler=_get)
    return [parser]


def _get(options: argparse.Namespace) -> int:
    if not _ID.fullmatch(options.id):
        raise EngineError("Not a valid Hub id.", options.id, "Use OWNER/NAME, without https://.")
    if options.revision and (".." in options.revision or options.revision.startswith("/")):
        raise EngineError("Not a valid revision.", options.revision, "Use a branch, tag or commit.")
    request = {
        "id": options.id,
        "kind": "dataset" if options.data else "model",
        "revision": options.revision,
        "include": options.include,
    }
    path = _run(request)
    print(path)
    _say_what_it_is(path, options)
    return 0


def _run(request: Mapping[str, Any]) -> Path:
    """Start the process, show its progress, and give the folder. Raises EngineError."""
    command = process.worker_command("get", json.dumps(request), needs=NEEDS)
    with (
        contextlib.closing(ChildOutput()) as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output.fileno(),
            env=process.worker_environment(),
            text=True,
        ) as child,
    ):
        assert child.stdout is not None, "it was asked for"
        shown = _Progress(str(request["id"]))
        last: dict[str, Any] = {}
        try:
            for line in child.stdout:
                last = json.loads(line)
                shown.show(last)
        except KeyboardInterrupt:
            child.terminate()
            shown.clear()
            print("Downloaded files are kept: run it again to continue.", file=sys.stderr)
            raise
        shown.clear()
        child.wait()
        if last.get("event") == "done":
            return Path(last["path"])
        if last.get("event") == "error":
            kind = JobFailed if last["failed"] else EngineError
            raise kind(last["title"], last["detail"], last["hint"])
        raise JobFailed(
            "The download ended without an error message.", output.tail(), "Run it again."
        )


class _Progress:
    """One line on a terminal; two plain lines, at the start and the end, elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = one_line(name)
        self._terminal = sys.stderr.isatty()
        self._began: tuple[float, int] | None = None

    def show(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "files":
            here = f", {_size(event['here'])} of it downloaded" if event["here"] else ""
            print(
                f"{self._name}: {event['files']} files, {_size(event['bytes'])}{here}",
                file=sys.stderr,
            )
        elif event["event"] == "progress" and self._terminal:
            print(f"\r\x1b[2K{self._line(event)}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._terminal and self._began is not None:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

    def _line(self, event: Mapping[str, Any]) -> str:
        done, total, now = event["done"], event["total"], time.monotonic()
        began, first = self._began = self._began or (now, done)
        speed = (done - first) / (now - began) if now > began else 0.0
        left = f"  {duration((total - done) / speed)} left" if speed > 0 else ""
        bar = "#" * round(20 * done / max(total, 1))
        return (
            f"{self._name}  [{bar:<20}] {_size(done)} of {_size(total)}  {_size(speed)}/s{left}"
        )  # fmt: skip


def _say_what_it_is(path: Path, options: argparse.Namespace) -> None:
    """Whether the download can be used, and how; else the reason."""
    from engine.checkpoints import checkpoint_list

    if options.data:
        print(f"Train on it: --set data.train={clean(str(path))}", file=sys.stderr)
        return
    found = checkpoint_list.inspect(path)
    if found.reason is None:
        print(f"Train it: --set model.checkpoint={clean(found.name)}", file=sys.stderr)
    elif not options.include:
        print(f"It cannot be used: {clean(found.reason)}", file=sys.stderr)


def _size(count: float) -> str:
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count:.0f} B"
