"""`finetop doctor`: checks hardware, packages and settings of this machine."""

import argparse
import os
import platform
import sys

from engine.errors import EngineError
from engine.jobs import devices, logout, process, queue
from engine.jobs.store import open_store
from engine.text import one_line
from tui.terminal_abilities import takes_unicode


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "doctor", help="check hardware, packages and settings of this machine"
    )
    parser.set_defaults(handler=_check)
    return [parser]


def _check(options: argparse.Namespace) -> int:
    print(f"python     {platform.python_version()} at {sys.executable}")
    try:
        command = process.worker_command("serve")
        print(f"workers    {command[0]}")
    except EngineError as error:
        print(f"workers    {error.title} {error.detail} {error.hint}")
    for device in devices.find():
        used = f", {device.memory_used / 1e9:.1f} of {device.memory_total / 1e9:.1f} GB used"
        memory = used if device.memory_total else ""
        print(f"device     {devices.label(device)}  {one_line(device.name)}{memory}")
    store = open_store(options.runs)
    for root in store.roots:
        writable = "" if os.access(root, os.W_OK) else "  (not writable or does not exist yet)"
        print(f"runs       {one_line(str(root))}{writable}")
    try:
        queue.check_locks()
        print(f"locks      {one_line(str(queue.locks_path()))}")
    except EngineError as error:
        print(f"locks      {one_line(f'{error.title} {error.detail} {error.hint}')}")
    shown = "UTF-8" if takes_unicode(os.environ, sys.stdout.encoding) else "ASCII"
    print(f"terminal   TERM={one_line(os.environ.get('TERM', ''))}  encoding {shown}")
    print(f"logout     {logout.warning() or 'runs keep running'}")
    return 0
