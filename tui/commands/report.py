"""`finetop report`: what was compared, as a folder to take away; and whether one still holds."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store, open_store
from engine.json_output import format_json
from engine.sweeps.points_file import evaluation_of
from engine.text import one_line
from tui.cli_options import FORCE_HINT
from tui.commands.impact import add_base_options
from tui.commands.verdict_output import print_verdict, say

if TYPE_CHECKING:
    from engine.report.report_folder import ReportCheck

EPILOG = (
    "The folder has report.md, report.html (one page, no network), report.json, tables as CSV, "
    "figures as SVG, SHA256SUMS, and under data/ the inputs that all of it is made of. It holds "
    "no dates, no host names and no paths of this machine: the same jobs give the same bytes. In "
    "CSV a text that a spreadsheet would take for a formula has an apostrophe before it."
)


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "report", help="write what was lost and gained as a report, or check one", epilog=EPILOG
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="JOB",
        help="id, name or path of an evaluate job or a sweep; of several, the arms of all",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to write")
    parser.add_argument(
        "--verify", type=Path, metavar="DIR",
        help="check a report: exit 0 where every byte is the same, 1 where one differs",
    )  # fmt: skip
    add_base_options(parser)
    parser.add_argument(
        "--force", action="store_true", help="replace a folder that holds a report alone"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_report)
    return [parser]


def _report(options: argparse.Namespace) -> int:
    store = open_store(options.runs)
    if options.verify is not None:
        if options.jobs or options.out is not None or options.arms or options.force:
            raise EngineError("--verify takes a folder and nothing else.", "", "Remove the rest.")
        return _verify(options.verify, store, as_json=options.json)
    if not options.jobs or options.out is None:
        raise EngineError(
            "A report needs a job and a folder.",
            "",
            "finetop report JOB --out DIR, or --verify DIR",
        )
    from engine.report.report_folder import write_report

    arms = options.arms.split(",") if options.arms else ()
    jobs = [evaluation_of(store.find(name)) for name in options.jobs]
    path = write_report(
        jobs, options.out, arms, options.delta,
        runs=store.jobs(), force=options.force, hint=FORCE_HINT, progress=_say,
    )  # fmt: skip
    print(format_json({"path": str(path)}) if options.json else one_line(str(path)))
    return 0


def _verify(folder: Path, store: Store, *, as_json: bool) -> int:
    from engine.report.report_folder import verify_report

    known: dict[str, JobDirectory] = {}
    for job in store.jobs():
        known.setdefault(job.path.name, job)
    check = verify_report(folder, known, _say)
    print_verdict([format_json(dataclasses.asdict(check))] if as_json else list_check(check))
    return 1 if check.differences else 0


def list_check(check: "ReportCheck") -> list[str]:
    """What became of a check, a line each."""
    lines = [f"{one_line(one.name)}: {one.reason}" for one in check.differences]
    if check.jobs:
        lines.append(f"Collected again from {', '.join(map(one_line, check.jobs))}.")
    else:
        lines.append(f"Not collected again, {check.not_collected}: rendered from its own inputs.")
    count = len(check.differences)
    verdict = f"{count} differ" if count > 1 else "1 differs" if count else "all equal"
    return [*lines, f"{check.files} files: {verdict}."]


def _say(word: str) -> None:
    say(f"{word} ...")
