"""`finetop gate`: whether a run keeps to limits of what it may lose and must gain; for scripts."""

import argparse
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine import output_file
from engine.errors import EngineError, JobFailed
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store, open_store
from engine.json_output import format_json
from engine.recipes import recipe
from engine.recipes.recipe import EvaluateRecipe
from tui.cli_options import FORCE_HINT, add_force
from tui.commands.endpoint_keys import allow_typed
from tui.commands.evaluate import follow_evaluation
from tui.commands.follow import failure
from tui.commands.gate_options import LimitOption, SuiteOption, list_suites, name_limits
from tui.commands.recipe_options import add_changes
from tui.commands.verdict_output import print_verdict, say

if TYPE_CHECKING:
    from engine.impact.changes.gate import GateReport, Limit
    from engine.launching.gate_arms import GateArms

PASSED, FAILED, WRONG_USE, UNDECIDED, NOT_MEASURED = range(5)
_CODES = {"passed": PASSED, "failed": FAILED, "not enough evidence": UNDECIDED}
EPILOG = (
    "Exit codes: 0 passed: the one-sided 95% bound of each change is on the right side of its "
    "limit; 1 failed: of one change the other bound is beyond its limit, or a model diverged; 3 "
    "not enough evidence, never a verdict with fewer than 20 items; 2 wrong use; 4 the "
    "evaluation failed or was stopped, or the outcome cannot be written. Of independent items "
    "that are right or wrong, a change that breaks one of the limits passes in at most 5% of "
    "cases, however many limits are set."
)


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    parser = commands.add_parser(
        "gate",
        help="whether a run keeps to limits of what it may lose and must gain; for scripts",
        epilog=EPILOG,
    )
    parser.add_argument(
        "run", metavar="RUN",
        help="a training run (name, id or path) or any arm, measured with its base; or an evaluate "
             "job that is done, judged at once",
    )  # fmt: skip
    limits = parser.add_argument_group(
        "limits", "Each is for the suites (--on) that follow it; all must be kept."
    )
    for option, what in (
        ("--lost-at-most", "points that a score may fall: 3%% or 0.03"),
        ("--gained-at-least", "points that a score must rise"),
        ("--perplexity-up-at-most", "how much a perplexity may rise: 5%% from 10 is 10.5"),
    ):
        limits.add_argument(option, action=LimitOption, metavar="LIMIT", dest="limits", help=what)
    limits.add_argument(
        "--on", action=SuiteOption, metavar="SUITE", dest="limits",
        help="as --suite of finetop evaluate, the name of a bundled suite, or of one that the job "
             "has; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--against", default="root", metavar="BASE",
        help="root (default: where the first stage began), parent (where this one began), or any "
             "arm; of a job that is done, an arm by its name",
    )  # fmt: skip
    parser.add_argument(
        "--arm", default="", metavar="NAME",
        help="of a job that is done: the arm that is judged (default: its last)",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="items of each suite")
    parser.add_argument("--name", default="gate", help="name of the evaluate job")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit's XML to FILE")
    add_force(parser)
    add_changes(parser, "decode.max_new_tokens=64")
    parser.set_defaults(handler=_gate, limits=())
    return [parser]


def _gate(options: argparse.Namespace) -> int:
    try:
        return _judge_and_print(options)
    except (EngineError, KeyboardInterrupt):
        raise
    except Exception:
        # Python would end with 1, and `main` with 0 where a reader has gone: both are verdicts.
        with suppress(OSError):
            traceback.print_exc()
        return NOT_MEASURED


def _judge_and_print(options: argparse.Namespace) -> int:
    if options.junit is not None:
        output_file.check(options.junit, force=options.force, hint=FORCE_HINT)
    store = open_store(options.runs)
    done = _find_evaluation(options.run, store)
    job, report = _judge(options, done) if done else _measure(options, store)
    try:
        # What can still be told is told before a disk may refuse the file.
        _print(options, report, job)
        if options.junit is not None:
            from engine.impact.changes.gate_export import write_junit

            _write(options, write_junit(report))
    except EngineError as error:
        say(f"{report.outcome}: {job.path}")
        error.exit_code = NOT_MEASURED
        raise
    return _CODES[report.outcome]


def _find_evaluation(text: str, store: Store) -> JobDirectory | None:
    """The evaluate job that `text` names; None where it names a run, or an arm in the grammar."""
    try:
        job = store.find(text)
        return job if isinstance(job.recipe(), EvaluateRecipe) else None
    except EngineError:
        return None  # whoever reads it as an arm says what is wrong


def _judge(options: argparse.Namespace, job: JobDirectory) -> "tuple[JobDirectory, GateReport]":
    """By the results of a job that is done."""
    from engine.impact.changes.gate import judge_limits
    from engine.impact.results.job_results import read_job_results
    from engine.launching.gate_arms import find_measured_arms

    if options.changes or options.limit:
        raise EngineError(
            "A job that is done is not measured again.", job.path.name, "Remove --set and --limit."
        )
    if not job.results.exists():
        state = status.derive(job, now := status.read(job))
        if not state.alive:
            limits = name_limits(options.limits, ())
            _refuse_to_judge(options, limits, job.path.name, failure(job, state, now))
    results = read_job_results(job)
    before, after = find_measured_arms(results, options.against, options.arm, job.path.name)
    limits = name_limits(options.limits, tuple(results.suites))
    return job, judge_limits(results, limits, before, after)


def _measure(options: argparse.Namespace, store: Store) -> "tuple[JobDirectory, GateReport]":
    """The run and its base, evaluated on all suites of the limits."""
    from engine.compare.arms import format_arm
    from engine.impact.changes.gate import judge_limits
    from engine.impact.results.job_results import read_job_results
    from engine.impact.suites.suite_specs import format_suite
    from engine.launching import evaluation
    from engine.launching.gate_arms import find_gate_arms

    if options.arm:
        raise EngineError("--arm is for a job that is done.", options.run, "Name the arm as RUN.")
    limits = name_limits(options.limits, ())
    suites = list_suites(options.limits)
    arms = find_gate_arms(options.run, options.against, store)
    table: dict[str, Any] = {
        "kind": "evaluate", "name": options.name, "limit": options.limit,
        "arms": [format_arm(arm) for arm in (arms.before, arms.after)],
        "suites": [format_suite(suite) for suite in suites],
    }  # fmt: skip
    evaluate_recipe = recipe.parse(recipe.with_changes(table, options.changes))
    assert isinstance(evaluate_recipe, EvaluateRecipe)
    allow_typed([arms.before, arms.after])
    for line in evaluation.describe_endpoints(evaluate_recipe, store.root):
        say(line)
    _say_plan(evaluate_recipe, limits, arms, store)
    root = open_store(options.runs, remember=True).root
    try:
        job = evaluation.launch_evaluation(evaluate_recipe, root)
        follow_evaluation(job)
    except JobFailed as error:
        _refuse_to_judge(options, limits, f"{arms.after.name} against {arms.before.name}", error)
    return job, judge_limits(read_job_results(job), limits, arms.before.name, arms.after.name)


def _refuse_to_judge(
    options: argparse.Namespace, limits: "Sequence[Limit]", title: str, error: JobFailed
) -> NoReturn:
    """What a failed evaluation leaves: the errors of its limits, and an exit code of its own, so
    that a script can try again what was not judged."""
    if options.junit is not None:
        from engine.impact.changes.gate_export import write_junit_error

        try:
            _write(options, write_junit_error(title, limits, error))
        except EngineError as refused:
            say(refused.line)  # what it would have said is said below
    error.exit_code = NOT_MEASURED
    raise error


def _say_plan(
    evaluate_recipe: EvaluateRecipe, limits: "Sequence[Limit]", arms: "GateArms", store: Store
) -> None:
    """On stderr, before it starts: what is held against what, and how many items are needed.
    Raises EngineError where an item cannot be read, or a suite cannot have such a limit."""
    from engine.impact.changes.gate import check_kind
    from engine.launching.discordance import find_discordance
    from engine.launching.gate_arms import read_gate_suites
    from tui.commands.gate_lines import list_plan_lines

    suites = read_gate_suites(evaluate_recipe, [job.path for job in store.jobs()])
    for limit in limits:
        if limit.suite in suites:
            check_kind(limit, suites[limit.suite].measure)
    say(f"{arms.after.name} against {arms.before.name} ({arms.before.checkpoint})")
    for word, arm in arms.others:
        say(f"--against {word} holds it against {arm.name} ({arm.checkpoint}) instead.")
    discordance = find_discordance(arms.before, arms.after, store)
    for line in list_plan_lines(limits, suites, discordance):
        say(line)


def _write(options: argparse.Namespace, content: bytes) -> None:
    output_file.write(options.junit, [content], force=options.force, hint=FORCE_HINT)


def _print(options: argparse.Namespace, report: "GateReport", job: JobDirectory) -> None:
    from engine.impact.changes.gate_export import encode_report
    from tui.commands.gate_lines import list_report_lines

    if options.json:
        table = encode_report(report, job.path.name)
        print_verdict([format_json(table)])
        return
    print_verdict(list_report_lines(report))
    say(str(job.path))
    say(f"Every measure: finetop impact {job.path.name} --all; items and answers: 5 in finetop")
