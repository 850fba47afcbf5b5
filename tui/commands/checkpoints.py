"""`finetop checkpoints`: models and adapters, and why some cannot be used."""

import argparse
import dataclasses
import json

from engine.jobs.store import open_store
from engine.text import one_line


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser("checkpoints", help="list models and adapters")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_list)
    return [parser]


def _list(options: argparse.Namespace) -> int:
    from engine.checkpoints import checkpoint_list, search_paths

    runs = [job.path for job in open_store(options.runs).jobs()]
    found = checkpoint_list.scan(search_paths.model_folders(), runs)
    if options.json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1, default=str))
        return 0
    for one in found:
        size = f"{one.parameters / 1e6:,.1f} M" if one.parameters else ""
        what = one.reason or f"{one.architecture or one.base or ''} {one.dtype or ''}".strip()
        kind = "unusable" if one.reason else one.kind
        print(f"{kind:9}  {one_line(one.ref):44}  {size:>11}  {one_line(what)}".rstrip())
    return 0
