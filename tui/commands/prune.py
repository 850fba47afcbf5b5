"""`finetop prune`: free the disk of what ended runs need only to be resumed."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from engine.errors import EngineError
from engine.estimates.advice import gigabytes
from engine.jobs import prune, summary
from engine.jobs.prune import KEEP, PrunePlan
from engine.jobs.status import State
from engine.jobs.store import Store, open_store
from engine.launching.in_use import find_users
from engine.recipes.recipe import TrainRecipe
from engine.text import clean, one_line

Left = tuple[str, str]
"""A run that is left alone, and why."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "prune",
        help="drop checkpoints and optimizer states of ended runs",
        description="Drop checkpoints and optimizer states of ended runs. Results, curves, "
        "samples, scores and checkpoints that another run or a stored arm uses stay. A pruned run "
        "cannot be resumed any more.",
    )
    parser.add_argument(
        "runs_to_prune", nargs="*", metavar="RUN",
        help="id, name or path of a run that has ended; without one: all runs of this folder "
             "that are done",
    )  # fmt: skip
    parser.add_argument(
        "--keep", type=_kept, default=(), metavar="best,last",
        help="keep the weights of these checkpoints (default: none, as the result stays; a run "
             "that is not done always keeps both)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say what would be freed, and end")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_prune)
    return [parser]


def _kept(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if unknown := [word for word in words if word not in KEEP]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} must be one of {', '.join(KEEP)}")
    return words


def _prune(options: argparse.Namespace) -> int:
    store = open_store(options.runs)
    plans, left = _plan(options.runs_to_prune, store, options.keep)
    total = sum(planned.bytes for planned in plans)
    if not options.json:
        _print_plans(plans, left, total)
    code = 0
    if plans and not options.dry_run:
        if not options.yes and not _confirmed(plans, total):
            raise EngineError("Nothing was pruned.", "", "Answer y, or use --yes.")
        code, plans = _carry_out(plans, store)
    if options.json:
        table = {
            "dry_run": options.dry_run,
            "bytes": sum(planned.bytes for planned in plans),
            "runs": [_as_table(planned) for planned in plans],
            "left": [{"id": name, "reason": reason} for name, reason in left],
        }
        print(json.dumps(table, indent=1))
    return code


def _plan(
    names: Sequence[str], store: Store, keep: Sequence[str]
) -> tuple[list[PrunePlan], list[Left]]:
    """The plans that free something, and the runs that are left. Raises EngineError for a named
    run that may not be pruned: then nothing is."""
    users = find_users(store)
    if names:
        jobs = list({job.path: job for job in map(store.find, names)}.values())
        plans = [prune.plan(job, store, keep, users) for job in jobs]
        empty = [(one.job.path.name, "nothing to free") for one in plans if not one.items]
        return [planned for planned in plans if planned.items], empty
    plans, left = [], []
    for job in store.jobs():
        view = summary.view(job)
        if view is None or job in store.shipped or job.path.parent != store.root:
            continue
        if not isinstance(view.recipe, TrainRecipe):
            continue
        if view.state is not State.DONE and not view.pruned:
            why = "" if view.state.alive else ": it can be resumed; name it to prune it"
            left.append((job.path.name, f"{view.state}{why}"))
            continue
        try:
            planned = prune.plan(job, store, keep, users)
        except EngineError as error:
            left.append((job.path.name, error.title))
            continue
        if planned.items:
            plans.append(planned)
    return plans, left


def _print_plans(plans: Sequence[PrunePlan], left: Sequence[Left], total: int) -> None:
    for planned in plans:
        print(f"{gigabytes(planned.bytes):>9}  {one_line(planned.job.path.name):34}  "
              f"{planned.summary}".rstrip())  # fmt: skip
        for name, reason in planned.kept.items():
            print(f"{'':11}keeps {one_line(name)}: {one_line(reason)}")
    for name, reason in left:
        print(f"left alone: {one_line(name)}: {one_line(reason)}", file=sys.stderr)
    if plans:
        runs = f"{len(plans)} run{'s' * (len(plans) != 1)}"
        print(f"{gigabytes(total):>9}  in all, of {runs}")
    else:
        print("Nothing to free.", file=sys.stderr)


def _confirmed(plans: Sequence[PrunePlan], total: int) -> bool:
    if not sys.stdin.isatty():
        return False
    if ended := sum(planned.ends_resuming for planned in plans):
        what = "it" if len(plans) == 1 else f"{ended} of them"
        print(f"After that {what} can no longer be resumed.", file=sys.stderr)
    print(f"Free {gigabytes(total)}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _carry_out(plans: Sequence[PrunePlan], store: Store) -> tuple[int, list[PrunePlan]]:
    """Prune run by run; the exit code, and the plans that were carried out."""
    done, code = [], 0
    for planned in plans:
        try:
            prune.prune(planned, store)
        except EngineError as error:
            print(f"finetop: {clean(str(error))}", file=sys.stderr)
            code = 1
        else:
            done.append(planned)
    return code, done


def _as_table(planned: PrunePlan) -> dict[str, Any]:
    root = planned.job.path
    return {
        "id": root.name,
        "path": str(root),
        "bytes": planned.bytes,
        "result": planned.result or None,
        "items": [
            {"path": str(item.path.relative_to(root)), "what": item.what, "bytes": item.bytes}
            for item in planned.items
        ],
        "kept": [{"checkpoint": name, "reason": reason} for name, reason in planned.kept.items()],
    }
