"""`finetop judge`: a model judges pairs of answers that a job holds; `judge show` prints it."""

import argparse
import sys
import textwrap

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.json_output import format_json
from engine.recipes import recipe
from engine.recipes.recipe import JudgeRecipe
from engine.text import one_line
from tui.commands.endpoint_keys import allow_typed
from tui.commands.follow import follow_or_stop
from tui.commands.left_out import print_left_out, read_left_out
from tui.commands.recipe_options import add_changes

SHOW = "show"
WIDTH = 80
_MAX_NEW_TOKENS = 16
"""Of a verdict, which is one word; a judge that reasons first needs more."""


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "judge",
        help="a model judges pairs of answers of a generate or evaluate job",
        usage="finetop judge JOB --by ARM [options]\n       finetop judge show JOB [--json]",
        epilog="Each pair is judged in both orders. A local model judges by the likelihood of its "
        "labels, an endpoint by its answer; --set reading=answer has a local one answer too. "
        "finetop judge show takes a judge job, or a judged one for all its judges.",
    )
    parser.add_argument(
        "job", nargs="+", metavar="JOB",
        help="id, name or path of the job with the answers; after `show`, of a judge job too",
    )  # fmt: skip
    parser.add_argument(
        "--by", metavar="ARM", help="the judge: NAME=CHECKPOINT[+ADAPTER] or NAME=http://…?model=…"
    )
    parser.add_argument("--arms", metavar="A,B", help="names of two arms (default: the first two)")
    parser.add_argument(
        "--rubric", action="append", default=[], dest="rubrics", metavar="NAMES",
        help="helpful,correct,safe,empathetic or `name: question`; repeatable (default: the "
             "rubrics that the job is voted on by)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=int, default=0, metavar="N", help="pairs, drawn at random (default: all)"
    )
    parser.add_argument("--name", default="judge", help="name of the job")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_changes(parser, "decode.max_new_tokens=512")
    parser.set_defaults(handler=_judge)
    return [parser]


def _judge(options: argparse.Namespace) -> int:
    if options.job[0] == SHOW and len(options.job) == 2:
        return _show(options)
    if len(options.job) != 1:
        raise EngineError(
            "Name one job.", " ".join(options.job)[:200], "Use finetop judge JOB --by ARM."
        )
    if not options.by:
        raise EngineError("No judge.", "", "Name the arm that judges: --by ARM.")
    if options.detach and options.json:
        raise EngineError("--detach and --json cannot be combined.", "", "Remove --json.")
    return _start(options)


def _start(options: argparse.Namespace) -> int:
    from engine.launching import judging

    table = {
        "kind": "judge", "name": options.name, "judge": options.by, "limit": options.limit,
        "arms": options.arms.split(",") if options.arms else [],
        "rubrics": _split(options.rubrics), "decode": {"max_new_tokens": _MAX_NEW_TOKENS},
    }  # fmt: skip
    wanted = recipe.parse(recipe.with_changes(table, options.changes))
    assert isinstance(wanted, JudgeRecipe)
    allow_typed([parse_arm(wanted.judge)])
    judged = open_store(options.runs, remember=True).find(options.job[0])
    job = judging.launch_judge(wanted, judged)
    if options.detach:
        print(job.path.name)
        return 0
    last = follow_or_stop(job, "judging", "Judging was stopped.", names_left_out=True)
    print(one_line(last.message), file=sys.stderr)
    _print([job], as_json=options.json)
    if read_left_out(job):
        print_left_out(job)
        return 1
    return 0


def _split(rubrics: list[str]) -> list[str]:
    """Names may be joined by commas; a question may hold some."""
    return [
        part.strip() for text in rubrics for part in ([text] if ":" in text else text.split(","))
    ]


def _show(options: argparse.Namespace) -> int:
    from engine.judge.judgements import find_judges

    job = open_store(options.runs).find(options.job[1])
    jobs = [job] if isinstance(job.recipe(), JudgeRecipe) else find_judges(job)
    if not jobs:
        raise EngineError(
            "No judge has judged this job.",
            str(job.path),
            f"Start one: finetop judge {job.path.name} --by ARM.",
        )
    _print(jobs, as_json=options.json)
    return 0


def _print(jobs: list[JobDirectory], *, as_json: bool) -> None:
    from engine.judge.judge_report import read_report, report_to_json
    from tui.screens.judge_lines import report_lines

    reports = [read_report(job) for job in jobs]
    if as_json:
        table = [report_to_json(report) for report in reports]
        print(format_json(table))
        return
    for at, report in enumerate(reports):
        if at:
            print()
        for line in report_lines(report, "·"):
            print("\n".join(_wrap(line)))


def _wrap(line: str) -> list[str]:
    """A line as lines of a terminal; an empty one stays."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False) or [""]
