"""`finetop runs`, `stop`, `logs` and `rm`: the runs without a screen."""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.jobs import delete, launch, status, summary
from engine.jobs.directory import JobDirectory
from engine.jobs.logs import LogText
from engine.jobs.store import open_store
from engine.jobs.summary import JobView
from engine.launching.in_use import find_users_of_run
from engine.recipes.recipe import Recipe, SweepRecipe
from engine.text import one_line
from tui.commands.follow import duration
from tui.formatting import activity


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    listed = commands.add_parser("runs", help="list all runs")
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.add_argument("--all", action="store_true", help="include hidden and archived runs")
    listed.set_defaults(handler=_list)
    stop = commands.add_parser("stop", help="save and stop a run")
    stop.add_argument("run", help="id, name or path")
    stop.add_argument("--grace", type=float, metavar="SECONDS",
                      help="wait this long before SIGTERM, and again before SIGKILL "
                      "(default: 60, longer while it saves)")  # fmt: skip
    stop.set_defaults(handler=_stop)
    logs = commands.add_parser("logs", help="print the log of a run")
    logs.add_argument("run", help="id, name or path")
    logs.add_argument("--follow", action="store_true", help="follow until the run ends")
    logs.set_defaults(handler=_logs)
    remove = commands.add_parser("rm", help="delete a run that has ended")
    remove.add_argument("run", help="id, name or path")
    remove.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    remove.add_argument(
        "--force", action="store_true", help="delete it even if runs or stored arms use it"
    )
    remove.set_defaults(handler=_remove)
    return [listed, stop, logs, remove]


def _list(options: argparse.Namespace) -> int:
    store = open_store(options.runs)
    found = [one for job in store.jobs() if (one := summary.view(job)) is not None]
    shown = [one for one in found if options.all or not (one.notes.hidden or one.notes.archived)]
    if options.json:
        print(json.dumps([as_table(one) for one in shown], indent=1))
        return 0
    for one in shown:
        left = one.status.eta_seconds if one.status else None
        does = activity(one.status) if one.status and one.state.alive else ""
        cells = (
            f"{one.state:9}",
            f"{one_line(one.record.id):34}",
            f"{one_line(one.base):20}",
            f"{one_line(one.method):8}",
            f"{math.floor(100 * one.progress):3}%",
            duration(left) + " left" if left is not None and one.state.alive else _took(one),
            does or (f"{one.left_out:,} left out" if one.left_out else ""),
            "pruned" if one.pruned else "",
        )
        print("  ".join(cell for cell in cells if cell).rstrip())
    return 0


def _took(one: JobView) -> str:
    seconds = one.status.running_seconds if one.status and not one.state.alive else 0.0
    return f"took {duration(seconds)}" if seconds else ""


def as_table(one: JobView) -> dict[str, Any]:
    """A job as `--json` gives it."""
    now = one.status
    return {
        "id": one.record.id,
        "name": one.record.name,
        "kind": one.record.kind,
        "state": str(one.state),
        "path": str(one.path),
        "base": one.base,
        "method": one.method,
        "created": one.record.created,
        "step": now.step if now else 0,
        "total": now.total if now else 0,
        "eta_seconds": now.eta_seconds if now else None,
        "running_seconds": now.running_seconds if now else 0.0,
        "eta_basis": now.eta_basis if now else "",
        "activity": now.activity if now else "",
        "activity_done": now.activity_done if now else 0,
        "activity_total": now.activity_total if now else 0,
        "activity_seconds": now.activity_seconds if now else None,
        "rejected": now.rejected if now else 0,
        "left_out": one.left_out,
        "sweep": one.record.sweep or None,
        "pruned": one.pruned,
        "error": now.error.title if now and now.error else None,
    }


def _stop(options: argparse.Namespace) -> int:
    job = open_store(options.runs).find(options.run)
    is_alive = status.derive(job, status.read(job)).alive
    if is_alive and isinstance(_recipe_of(job), SweepRecipe):
        print(
            "its runs are stopped first: those at work save, those that wait leave the queue",
            file=sys.stderr,
        )
    limit = {} if options.grace is None else {"grace": options.grace, "saving": 0.0}
    state = launch.stop(job, **limit, said=lambda line: print(line, file=sys.stderr))
    print(state)
    return 0 if state.final else 1


def _recipe_of(job: JobDirectory) -> Recipe | None:
    """None where it cannot be read: a job is stopped all the same."""
    try:
        return job.recipe()
    except EngineError:
        return None


def _logs(options: argparse.Namespace) -> int:
    job = open_store(options.runs).find(options.run)
    log = job.attempt(job.latest_attempt() or 1).log
    if not log.exists() and not status.derive(job, status.read(job)).alive:
        log = job.launch_log  # of a worker that ended before it had its own log
        if not log.exists():
            raise EngineError("This run has no log.", str(job.path))
    text = LogText(log)
    while True:
        alive = status.derive(job, status.read(job)).alive
        for piece in text.pieces():
            sys.stdout.write(piece)
        sys.stdout.flush()
        if not (options.follow and alive):
            sys.stdout.write(text.rest())
            return 0
        time.sleep(0.5)


def _remove(options: argparse.Namespace) -> int:
    store = open_store(options.runs)
    job = store.find(options.run)
    delete.check(job, store)
    identity = job.path.name
    whole = options.run == identity or Path(options.run).name == identity
    if options.yes and not whole:
        raise EngineError(
            "Nothing was deleted: --yes needs the whole id.",
            f"{options.run} is the start of {identity}, or its name.",
            f"finetop rm --yes {identity}",
        )
    users = () if options.force else find_users_of_run(job, store)
    if options.yes and users:
        raise EngineError(
            f"Nothing was deleted: {identity} is in use.",
            "\n".join(f"used by {one_line(user)}" for user in users),
            f"To delete it nevertheless: finetop rm --yes --force {identity}",
        )
    if not options.yes and not _confirmed(identity, users):
        raise EngineError("Nothing was deleted.", "", "Type the id, or use --yes.")
    delete.remove(job, store)
    return 0


def _confirmed(name: str, users: Sequence[str]) -> bool:
    if not sys.stdin.isatty():
        return False
    for user in users:
        print(f"used by {one_line(user)}")
    return input(f"Type {one_line(name)} to delete it permanently: ").strip() == name
