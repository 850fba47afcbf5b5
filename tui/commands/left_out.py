"""What a job of answers left out, said on stderr: a script must not take a part for the whole."""

import json
import sys

from engine.compare.arms import parse_arm
from engine.errors import EngineError, JobFailed
from engine.jobs.directory import MOST_BYTES, JobDirectory
from engine.safe_open import read_file
from engine.text import one_line

_MOST_LINES = 20
_LONGEST = 400


def check_complete(job: JobDirectory) -> None:
    """Raise JobFailed where prompts were left out; the first of them are named."""
    lines = read_left_out(job)
    if lines:
        raise JobFailed(
            f"{_count(lines)}.",
            _first(job, lines),
            f"finetop resume {job.path.name} asks for them again.",
        )


def print_left_out(job: JobDirectory) -> None:
    """Name what was left out of a job that failed for another reason, or that did the rest."""
    lines = read_left_out(job)
    if lines:
        print(f"{_count(lines)}:\n{_first(job, lines)}", file=sys.stderr)


def read_left_out(job: JobDirectory) -> list[str]:
    """A line for each prompt that an arm left out: arm, prompt, reason."""
    try:
        rows = read_file(job.rejects, MOST_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [_describe(row) for row in rows]


def _count(lines: list[str]) -> str:
    return f"{len(lines)} answer{'s' if len(lines) != 1 else ''} left out"


def _describe(row: str) -> str:
    try:
        table = json.loads(row)
        arm = parse_arm(table["arm"]).name
        # An evaluation names an item by its suite.
        name = f"{table['suite']}/{table['item']}" if "suite" in table else table["prompt_id"]
        return one_line(f"{arm}: {name}: {table['reason']}")[:_LONGEST]
    except (ValueError, RecursionError, KeyError, TypeError, EngineError):
        return one_line(row)[:_LONGEST]


def _first(job: JobDirectory, lines: list[str]) -> str:
    more = len(lines) - _MOST_LINES
    rest = [f"... and {more} more in {one_line(str(job.rejects))}"] if more > 0 else []
    return "\n".join([*lines[:_MOST_LINES], *rest])
