"""`finetop queue`: which runs hold which devices, and which wait, in order."""

import argparse
import json
import time
from typing import Any

from engine.jobs import devices, launch, lock, queue, status
from engine.jobs.directory import JobDirectory
from engine.jobs.queue import Holder, Ticket
from engine.jobs.store import open_store
from engine.text import one_line
from tui.commands.follow import duration

MOVES = {"up": -1, "down": +1, "first": -1_000_000}
LEAVE_SECONDS = 10.0
"""How long a run that is taken out of the queue may take to its end."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("queue", help="runs waiting for a device: list, move, cancel")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    made = []
    for name, text in (
        ("up", "move one place up"),
        ("down", "move one place down"),
        ("first", "move to the front"),
        ("cancel", "cancel a queued run: its state becomes stopped"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("run", help="id, name or path")
        action.set_defaults(handler=_cancel if name == "cancel" else _move, by=MOVES.get(name, 0))
        made.append(action)
    return [parser, *made]


def _list(options: argparse.Namespace) -> int:
    waiting, running = queue.waiting(), queue.holders()
    names = {device.key: devices.label(device) for device in devices.find()}
    if options.json:
        print(json.dumps(_as_table(running, waiting, names), indent=1))
        return 0
    now = time.time()
    for one in running:
        device = names.get(one.key, one.key)
        print(_line("runs", device, one.job, f"for {duration(now - one.since)}"))
    for ticket in waiting:
        place = f"#{queue.position(ticket, waiting)}"
        print(_line(place, ticket.wanted, ticket.job, f"waiting {duration(now - ticket.since)}"))
    if not (running or waiting):
        print("No running or queued runs.")
    return 0


def _line(place: str, device: str, job: str, time_so_far: str) -> str:
    return f"{place:5} {one_line(device):14}  {one_line(job):34}  {time_so_far}"


def _as_table(running: list[Holder], waiting: list[Ticket], names: dict[str, str]) -> Any:
    return {
        "running": [
            {
                "run": one.job,
                "path": one.directory,
                "device": names.get(one.key, one.key),
                "since": one.since,
            }
            for one in running
        ],
        "waiting": [
            {
                "position": queue.position(ticket, waiting),
                "run": ticket.job,
                "path": ticket.directory,
                "device": ticket.wanted,
                "may_take": sorted(names.get(key, key) for key in ticket.keys),
                "since": ticket.since,
            }
            for ticket in waiting
        ],
    }


def _move(options: argparse.Namespace) -> int:
    job = open_store(options.runs).find(options.run)
    print(f"#{queue.move(_identity(job), options.by)}")
    return 0


def _cancel(options: argparse.Namespace) -> int:
    job = open_store(options.runs).find(options.run)
    queue.cancel(_identity(job))
    launch.wait(lambda: lock.holder(job.lock_file) is None, LEAVE_SECONDS)
    print(status.derive(job, status.read(job)))
    return 0


def _identity(job: JobDirectory) -> str:
    record = job.record()
    return record.id if record is not None else job.path.name
