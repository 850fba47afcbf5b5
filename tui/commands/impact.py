"""`finetop impact`: the skill table of an evaluation that is done, or of several of them."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.impact.changes.verdicts import DELTA
from engine.jobs.directory import JobDirectory
from engine.jobs.store import open_store
from engine.json_output import format_json
from engine.sweeps.points_file import evaluation_of
from tui import glyphs

if TYPE_CHECKING:
    from engine.impact.changes.skill_rows import SkillTable
    from engine.impact.changes.stage_summary import StageSummary

EPILOG = (
    "Each verdict is that of one test, named beside it: lost or gained (the interval of the change "
    "leaves out 0 and reaches beyond delta), changed within delta, the same within delta, or not "
    "enough evidence. The last arm against the first is corrected by Holm over all skills; all "
    "else is exploratory, unadjusted. Fewer than 20 items never give a verdict."
)


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "impact", help="what was lost and gained: the table of an evaluation", epilog=EPILOG
    )
    parser.add_argument(
        "jobs", nargs="+", metavar="JOB",
        help="id, name or path of an evaluate job or a sweep; of several, the arms of all",
    )  # fmt: skip
    add_base_options(parser)
    add_all_option(parser)
    parser.add_argument(
        "--tradeoff", action="store_true",
        help="gained against retained: each arm's mean change on the skills that were trained and "
             "on all others, the Pareto front, and who forgot less at equal gain (within delta)",
    )  # fmt: skip
    parser.add_argument(
        "--gain",
        default="",
        metavar="SKILL[,SKILL]",
        help="of --tradeoff: the skills that were to be gained (default: those trained on)",
    )
    parser.add_argument(
        "--controls", action="store_true",
        help="in place of the table: the false positive rate of its verdicts, and their power at "
             "a planted loss of delta and of twice that; null adapters (random, of the same "
             "norms) give z = (value - mean) / sd, and no verdict",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_impact)
    return [parser]


def add_base_options(parser: argparse.ArgumentParser) -> None:
    """Which arms are compared, and how a change is judged."""
    parser.add_argument(
        "--arms",
        metavar="A,B",
        help="names of arms, in order: the first is the base (default: all)",
    )
    add_delta(parser)


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """What of the table is shown, and how it is judged."""
    add_delta(parser)
    add_all_option(parser)


def add_delta(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--delta", type=_points, default=DELTA, metavar="POINTS",
        help=f"a change up to this is of no interest (default {100 * DELTA:g} points)",
    )  # fmt: skip


def add_all_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", action="store_true", help="also every other measure, and every change between arms"
    )


def read_table(
    jobs: Sequence[JobDirectory], arms: Sequence[str], delta: float
) -> "tuple[SkillTable, StageSummary]":
    """The table of these jobs and its summary; all arms where none is named.

    Raises EngineError where results are missing, and for unknown arms.
    """
    from engine.impact.changes.stage_summary import summarize

    table = _make_table(jobs, arms, delta)
    return table, summarize(table)


def _make_table(
    jobs: Sequence[JobDirectory], arms: Sequence[str], delta: float, *, with_fewshot: bool = False
) -> "SkillTable":
    """As `read_table`, without the summary; `with_fewshot`: with what was asked with examples too
    as arms."""
    from engine.impact.changes.skill_table import build_table
    from engine.impact.results.fewshot_arms import add_fewshot_arms
    from engine.impact.results.job_results import read_job_results
    from engine.impact.results.merged_results import choose_arms, merge_results

    results = merge_results([read_job_results(job) for job in jobs])
    if with_fewshot:
        results = add_fewshot_arms(results)
    return build_table(results, choose_arms(results, arms), delta)


def print_table(table: "SkillTable", summary: "StageSummary", *, is_whole: bool) -> None:
    from tui.commands.skill_lines import list_lines

    drawn = glyphs.detect(os.environ, sys.stdout.encoding)
    for line in list_lines(table, summary, drawn, is_whole=is_whole):
        print(line)


def encode_table(table: "SkillTable", summary: "StageSummary") -> str:
    """JSON without any terminal control."""
    from engine.impact.changes.table_json import table_to_json

    return format_json(table_to_json(table, summary)) + "\n"


def _impact(options: argparse.Namespace) -> int:
    store = open_store(options.runs)
    jobs = [evaluation_of(store.find(name)) for name in options.jobs]
    arms = options.arms.split(",") if options.arms else ()
    gain = options.gain.split(",") if options.gain else ()
    if options.tradeoff:
        from tui.commands.tradeoff import print_tradeoff

        table = _make_table(jobs, arms, options.delta, with_fewshot=True)
        runs = [job.path for job in store.jobs()]
        print_tradeoff(table, gain, runs, as_json=options.json)
        return 0
    if gain:
        raise EngineError("--gain belongs to --tradeoff.", "", "Add --tradeoff.")
    table, summary = read_table(jobs, arms, options.delta)
    if options.controls:
        _print_controls(table, as_json=options.json, is_whole=options.all)
    elif options.json:
        print(encode_table(table, summary), end="")
    else:
        print_table(table, summary, is_whole=options.all)
    return 0


def _print_controls(table: "SkillTable", *, as_json: bool, is_whole: bool) -> None:
    """Takes seconds: losses are planted many times."""
    from engine.impact.changes.control_json import controls_to_json
    from engine.impact.changes.controls import read_controls
    from engine.impact.changes.planted_loss import measure_power
    from tui.commands.control_lines import list_lines

    controls, power = read_controls(table), measure_power(table)
    if as_json:
        print(format_json(controls_to_json(controls, power)))
        return
    drawn = glyphs.detect(os.environ, sys.stdout.encoding)
    for line in list_lines(table, controls, power, drawn, is_whole=is_whole):
        print(line)


def _points(text: str) -> float:
    """Points of a score as a share."""
    try:
        value = float(text) / 100
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and at most 100 points")
    return value
