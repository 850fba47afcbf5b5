"""`finetop data make`: rows to train on, made of raw texts as a recipe says.

The job goes on by itself; this module starts or resumes it, follows it and prints what came of it.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.compare.arms import Arm, answering_arms, parse_arm
from engine.errors import EngineError, JobFailed
from engine.jobs import launch
from engine.jobs.directory import JobDirectory, read_json
from engine.jobs.status import State, Status
from engine.jobs.store import open_store
from engine.json_output import format_json
from engine.recipes import recipe
from engine.recipes.recipe import Recipe, SynthesizeRecipe
from engine.synthesis.example_recipe import SOURCE, write_example
from engine.synthesis.outcomes import read_outcomes
from engine.synthesis.tally import Tally, measure_progress, read_tally
from engine.synthesis.trained_fields import warn_of_fields
from engine.text import one_line
from tui.commands.endpoint_hosts import add_yes, ask_before_texts_leave
from tui.commands.endpoint_keys import add_allow_key, allow_typed, ask_before_sending
from tui.commands.follow import follow
from tui.commands.recipe_options import add_changes
from tui.terminal_abilities import require_screen

_STOP_SECONDS = 5
"""That a job is given to stop before it is ended."""
_MOST_REASONS = 8
_EXAMPLES = 2
"""Rows shown of those that passed."""


def add_parser(deeds: argparse._SubParsersAction) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    """`make`, among what `finetop data` does."""
    parser: argparse.ArgumentParser = deeds.add_parser(
        "make",
        help="rows to train on, made of raw texts by a model",
        usage="finetop data make RECIPE.toml [options]\n"
        "       finetop data make --resume JOB [options]\n"
        "       finetop data make --example [DATA] > RECIPE.toml",
        epilog="The job keeps what it has when it is stopped, paused or killed; --resume continues "
        "it. Exit code 1: it was stopped or has failed, or no row passed.",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE.toml")
    parser.add_argument("--resume", metavar="JOB", help="continue a job: its id, name or path")
    parser.add_argument(
        "--example", nargs="?", const=SOURCE, metavar="DATA",
        help="print a recipe to begin with, for this file, folder or bundled:NAME "
        f"(default: {SOURCE})",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="FILE", help="file of the accepted rows, .jsonl or .parquet"
    )
    parser.add_argument(
        "--accept-all", action="store_true",
        help="write the rows that passed the gates without a review, which their card says",
    )  # fmt: skip
    parser.add_argument(
        "--review", action="store_true",
        help="open the dashboard on the rows, to review them while others are made",
    )  # fmt: skip
    parser.add_argument("--name", help="name of the job")
    parser.add_argument("--detach", action="store_true", help="print the job's id and return")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_yes(parser)
    add_allow_key(parser)
    add_changes(parser, "asking.generator=bundled:demo-base")
    parser.set_defaults(handler=_make)
    return parser


def _make(options: argparse.Namespace) -> int:
    if sum(map(bool, (options.recipe, options.resume, options.example))) != 1:
        raise EngineError(
            "Name a recipe, or a job to continue.",
            "",
            "Use finetop data make RECIPE.toml, or finetop data make --resume JOB. For a recipe to "
            "begin with: finetop data make --example DATA > RECIPE.toml",
        )
    if options.example:
        print(write_example(options.example), end="")
        return 0
    if sum((options.detach, options.json, options.review)) > 1:
        raise EngineError(
            "--detach, --json and --review cannot be combined.", "", "Use one of them."
        )
    if options.review:
        require_screen(
            os.environ, "A review needs a terminal.", "Use --accept-all, or review it later."
        )
    job = _resume(options) if options.resume else _start(options)
    if options.detach:
        print(job.path.name)
        return 0
    if options.review:
        from tui.app import run_dashboard

        return run_dashboard(
            options.runs,
            ascii_only=options.ascii,
            mouse=options.mouse,
            look=options.look,
            made=job.path,
        )
    print(one_line(f"{job.path.name}: {job.path}"), file=sys.stderr)
    return _follow(job, as_json=options.json)


def _start(options: argparse.Namespace) -> JobDirectory:
    from engine.launching import synthesis

    path = Path(options.recipe)
    before, wanted = recipe.read(path), recipe.read(path, _changes(options))
    for one in (before, wanted):
        if not isinstance(one, SynthesizeRecipe):
            raise EngineError(
                f"This is a recipe of kind {one.kind}, not synthesize.",
                one_line(str(path)),
                'Begin it with kind = "synthesize".',
            )
    assert isinstance(wanted, SynthesizeRecipe)
    _agree(before, wanted, options, "")
    if warning := warn_of_fields(wanted):
        print(f"Note: {warning}", file=sys.stderr)
    store = open_store(options.runs, remember=True)
    return synthesis.launch_synthesis(wanted, store.root, where=path.name)


def _resume(options: argparse.Namespace) -> JobDirectory:
    from engine.launching import resume

    job = open_store(options.runs, remember=True).find(options.resume)
    before = job.recipe()
    if not isinstance(before, SynthesizeRecipe):
        raise EngineError(
            "This job makes no data.", str(job.path), f"Use finetop resume {job.path.name}."
        )
    changes = _changes(options)
    changed = recipe.changed(before, changes) if changes else None
    resume.check_resumable(job, changed)
    _agree(before, changed or before, options, job.path.name)
    resume.resume_job(job, changed)
    return job


def _changes(options: argparse.Namespace) -> list[str]:
    """The options as changes of the recipe."""
    changes: list[str] = list(options.changes)
    changes += [f"out={options.out}"] if options.out else []
    changes += [f"name={options.name}"] if options.name else []
    return changes + (["accept_all=true"] if options.accept_all else [])


def _agree(before: Recipe, wanted: Recipe, options: argparse.Namespace, run: str) -> None:
    """Ask about keys and hosts that a recipe names; arms that are typed bring their keys along."""
    known = answering_arms(before)
    arms = [parse_arm(text) for text in answering_arms(wanted)]
    typed: Sequence[Arm] = [
        arm for arm, text in zip(arms, answering_arms(wanted), strict=True) if text not in known
    ]
    allow_typed(typed)
    ask_before_sending(arms, options.allowed_keys, run)
    ask_before_texts_leave(arms, agreed=options.yes, run=run)


def _follow(job: JobDirectory, *, as_json: bool) -> int:
    """Follow the job, which Ctrl-C stops, and print what came of it."""
    try:
        last = follow(job, "making data", with_message=True)
    except KeyboardInterrupt:
        launch.stop(job, grace=_STOP_SECONDS)
        print(f"Stopped. To continue: finetop data make --resume {job.path.name}", file=sys.stderr)
        raise
    except JobFailed as error:
        again = f"To continue: finetop data make --resume {job.path.name}."
        raise JobFailed(error.title, error.detail, f"{error.hint} {again}".strip()) from error
    made = job.recipe()
    assert isinstance(made, SynthesizeRecipe)
    tally = read_tally(job, made)
    if as_json:
        print(format_json(_to_json(job, last, made, tally)))
    else:
        _print(job, last, made, tally)
    return 0 if last.state is State.DONE and tally.passed.count else 1


def _to_json(
    job: JobDirectory, last: Status, made: SynthesizeRecipe, tally: Tally
) -> dict[str, Any]:
    results = read_json(job.results) or {}
    now = measure_progress(tally, last.running_seconds, made.budget)
    return {
        "id": job.path.name,
        "path": str(job.path),
        "state": str(last.state),
        "message": last.message,
        **tally.to_table(),
        "progress": asdict(now),
        "left": tally.sources - tally.finished,
        "reached": results.get("reached", ""),
        "notes": results.get("notes", []),
        "out": made.out if made.out and Path(made.out).exists() else "",
    }


def _print(job: JobDirectory, last: Status, made: SynthesizeRecipe, tally: Tally) -> None:
    width = shutil.get_terminal_size((80, 24)).columns
    for name, share in (
        ("passed", tally.passed), ("held back", tally.held_back), ("set aside", tally.set_aside),
    ):  # fmt: skip
        percent = f"{100 * share.value:5.0f}%" if share.value is not None else ""
        print(f"{name:<10}{share.count:>8,}{percent}")
        reasons = [reason for reason in tally.reasons if reason.state == name]
        for reason in reasons[:_MOST_REASONS]:
            print(one_line(f"  {reason.name:<28}{reason.sources:>8,}")[:width])
        if len(reasons) > _MOST_REASONS:
            print(f"  and {len(reasons) - _MOST_REASONS} more reasons")
    for field, labels in tally.labels.items():
        counts = ", ".join(f"{label} {count:,}" for label, count in labels.items())
        print(one_line(f"{field}: {counts}")[:width])
    now = measure_progress(tally, last.running_seconds, made.budget)
    price = "" if now.price is None else f", price {now.price:.4g}"
    print(f"{'tokens':<10}{now.tokens:>8,}{price}")
    passed = [one for one in read_outcomes(job.outcomes).values() if one.state == "passed"]
    for outcome in passed[:_EXAMPLES]:
        print(one_line(f"\N{BULLET} {outcome.source}")[:width])
        for field, value in outcome.row.items():
            print(one_line(f"  {field}: {value}")[:width])
    print(one_line(last.message), file=sys.stderr)
    if left := tally.sources - tally.finished:
        again = f"{left:,} sources left: finetop data make --resume {job.path.name}"
        reached = (read_json(job.results) or {}).get("reached", "")
        again += f" --set budget.{reached}=LARGER" if reached and last.state is State.DONE else ""
        print(one_line(again), file=sys.stderr)
    if tally.faults.get("cut") and tally.set_aside.count:
        limit = made.decode.max_new_tokens
        print(
            f"cut: an answer did not end within decode.max_new_tokens = {limit}; allow it more, "
            "ask for less, or hold a local model to the form (asking.grammar)",
            file=sys.stderr,
        )
    if passed and not made.out:
        name = one_line(job.path.name)
        print(f"To review the rows: finetop, and enter on {name}", file=sys.stderr)
        print(f"To write those accepted: finetop data write {name} --out FILE", file=sys.stderr)
