"""`finetop data write`: the accepted rows of a job that makes data, as a file to train on.

JSONL is written here; Parquet by a companion process, which alone has the library.
"""

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store, open_store
from engine.json_output import format_json
from engine.synthesis.row_files import PARQUET, check_files, read_recipe, write_rows
from engine.text import clean
from tui.commands.companion_request import ask_companion


def add_parser(deeds: argparse._SubParsersAction) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    """`write`, among what `finetop data` does."""
    parser: argparse.ArgumentParser = deeds.add_parser(
        "write",
        help="accepted rows of a job that makes data, with provenance and data card",
        description="Write the accepted rows of a job as FILE, where each row comes from as "
        "NAME.provenance.jsonl, and a data card in the Hub's format as NAME.md.",
    )
    parser.add_argument("job", metavar="JOB", help="id, name or path of a job that makes data")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="a .jsonl or .parquet file"
    )
    parser.add_argument(
        "--accept-all", action="store_true",
        help="add rows that passed the gates and were not reviewed; the card says so",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_write)
    return parser


def _write(options: argparse.Namespace) -> int:
    store = open_store(options.runs)
    job = store.find(options.job)
    read_recipe(job)
    out = options.out.expanduser().absolute()
    written = _write_rows(store, job, out, options)
    print(format_json(written) if options.json else "\n".join(_list_lines(written)))
    return 0


def _write_rows(
    store: Store, job: JobDirectory, out: Path, options: argparse.Namespace
) -> dict[str, Any]:
    accept_all, force = options.accept_all, options.force
    if out.suffix != PARQUET:
        runs = [each.path for each in store.jobs()]
        return write_rows(job, out, accept_all=accept_all, force=force, runs=runs).to_table()
    check_files(out, force=True)  # before a process is started
    request = {
        "job": str(job.path), "out": str(out), "accept_all": accept_all, "force": force,
    }  # fmt: skip
    (done,) = asyncio.run(ask_companion(str(store.root), ("write_rows", request)))
    written: dict[str, Any] = done["written"]
    return written


def _list_lines(written: Mapping[str, Any]) -> Iterator[str]:
    """What was written, a line each. The paths hold names of the user's own."""
    statistics = written["statistics"]
    yield clean(f"{written['out']}: rows {written['rows']:,}, sources {statistics['sources']:,}")
    if written["unreviewed"]:
        yield f"not reviewed by a person: {written['unreviewed']:,}"
    if written["unreviewed"] and written["review"]["words"]:
        yield written["review"]["words"]
    for field, labels in statistics["labels"].items():
        counts = ", ".join(f"{label} {share['count']:,}" for label, share in labels.items())
        yield clean(f"{field}: {counts}")
    yield clean(f"provenance: {written['provenance']}")
    yield clean(f"data card: {written['card']} (README.md of a repository)")
