"""`finetop train` and `finetop resume`: start or resume a run."""

import argparse
import sys
from collections.abc import Sequence

from engine.compare.arms import answering_arms, parse_arm
from engine.errors import JobFailed
from engine.jobs import logout, resume_rules, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import open_store
from engine.launching import resume, training
from engine.recipes import recipe
from engine.recipes.recipe import (
    GenerateRecipe,
    JudgeRecipe,
    Recipe,
    SweepRecipe,
    SynthesizeRecipe,
)
from engine.text import one_line
from tui.commands.endpoint_hosts import add_yes, ask_before_texts_leave
from tui.commands.endpoint_keys import add_allow_key, allow_typed, ask_before_sending
from tui.commands.fit import announce
from tui.commands.follow import follow
from tui.commands.left_out import check_complete, print_left_out
from tui.commands.recipe_options import add_changes, add_train_recipe, read_train_recipe


def add_parsers(commands: argparse._SubParsersAction) -> list[argparse.ArgumentParser]:  # type: ignore[type-arg]
    train = commands.add_parser("train", help="start a run in the background")
    add_train_recipe(train, "training.warmup_ratio=0.1")
    train.set_defaults(handler=_train)
    resume = commands.add_parser(
        "resume", help="resume a run, or extend a finished one (with --set)"
    )
    resume.add_argument("run", help="id, name or path")
    resume.add_argument(
        "--adopt",
        action="store_true",
        help="resume here a run that started on a host that no longer exists",
    )
    resume.set_defaults(handler=_resume)
    resume.add_argument(
        "--force", action="store_true", help="resume even if the data has changed since the start"
    )
    add_changes(resume, "training.epochs=2")
    add_allow_key(resume)
    add_yes(resume)
    for parser in (train, resume):
        parser.add_argument("--follow", action="store_true", help="wait until it ends")
    return [train, resume]


def _train(options: argparse.Namespace) -> int:
    wanted = read_train_recipe(options)
    store = open_store(options.runs, remember=True)
    announce(wanted, store)
    job = training.launch_training(wanted, store.root)
    print(job.path.name)
    _say_where(job)
    return _end(job, options.follow)


def _resume(options: argparse.Namespace) -> int:
    job = open_store(options.runs).find(options.run)
    before = job.recipe()
    changed = recipe.changed(before, options.changes) if options.changes else None
    note = resume_rules.schedule_note(before, changed)
    resume.check_resumable(job, changed, adopt=options.adopt)  # before any key is allowed
    _ask_for_keys(before, changed, options.allowed_keys, job.path.name)
    if isinstance(before, SynthesizeRecipe):
        arms = [parse_arm(text) for text in answering_arms(changed or before)]
        ask_before_texts_leave(arms, agreed=options.yes, run=job.path.name)
    resume.resume_job(job, changed, adopt=options.adopt, force=options.force)
    print(job.path.name)
    if note:
        print(note, file=sys.stderr)
    _say_where(job)
    return _end(job, options.follow)


def _ask_for_keys(before: Recipe, changed: Recipe | None, flags: Sequence[str], run: str) -> None:
    """Before the arms of a job of answers are asked: those in its recipe may not be the user's."""
    known = answering_arms(before)
    if not known:
        return
    asked = known if changed is None else answering_arms(changed)
    allow_typed([parse_arm(arm) for arm in asked if arm not in known])
    ask_before_sending([parse_arm(arm) for arm in asked], flags, run)


def _say_where(job: JobDirectory) -> None:
    if sys.stderr.isatty():
        note = logout.warning() or "the run keeps running when this terminal closes"
        now = status.read(job)
        waits = f"State: {now.message}. " if now is not None and now.state is State.QUEUED else ""
        print(one_line(f"Directory: {job.path}. {waits}Note: {note}."), file=sys.stderr)


def _end(job: JobDirectory, wait: bool) -> int:
    if not wait:
        return 0
    try:
        last = follow(job, "training" if job.recipe().kind == "train" else "resuming")
    except KeyboardInterrupt:
        print("It keeps running in the background: finetop logs --follow", file=sys.stderr)
        raise
    except JobFailed:
        print_left_out(job)
        raise
    if last.state is not State.DONE:
        return 1
    if isinstance(job.recipe(), GenerateRecipe | JudgeRecipe):
        check_complete(job)
    return int(isinstance(job.recipe(), SweepRecipe) and job.rejects.exists())
