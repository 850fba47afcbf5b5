"""Whole sets of prompts answered by the arms of Compare, in the background; and what there is."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from engine.compare.arms import Arm, format_arm
from engine.jobs.status import State
from engine.recipes.recipe import GenerateRecipe
from engine.recipes.settings import Decode
from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import clock, name_of, state_words
from tui.screens.dialogs import TextWindow
from tui.screens.page import Page
from tui.screens.pick_window import PickOption, pick_option
from tui.snapshots import RunRow

_SET, _FILE, _JOB = "set ", "file", "job "


def offer_answers(page: Page, arms: Sequence[Arm], decode: Decode) -> None:
    """Let the user choose what these arms answer, or which earlier answers are browsed."""
    app, services = page.app, page.services

    def choose(sets: list[tuple[str, int]]) -> None:
        who = f"{len(arms)} arm{'s' * (len(arms) != 1)}"
        options = [
            PickOption(_SET + ref, f"prompts: {_label(ref)}", f"{count:,} prompts, {who}")
            for ref, count in sets
        ]
        options.append(PickOption(_FILE, "prompts: from a file", f"JSONL, CSV, TSV or TXT, {who}"))
        jobs = [row for row in services.runs.rows if row.view.record.kind == "generate"]
        options += [
            PickOption(_JOB + row.key, f"browse job: {name_of(row)}", _about(row)) for row in jobs
        ]
        pick_option(app, "answers", options, options[0].key, take)

    def take(key: str) -> None:
        if key == _FILE:
            window = TextWindow("Path of the prompt file", "", "prompts.jsonl", enter="generate")
            app.push_screen(window, take_file)
        elif key.startswith(_JOB):
            services.show_browse(Path(key.removeprefix(_JOB)))
        else:
            start(key.removeprefix(_SET))

    def take_file(text: str | None) -> None:
        if text:
            start(os.path.abspath(os.path.expanduser(text)))

    def start(prompts: str) -> None:
        stem = Path(prompts.removeprefix("bundled:").removeprefix("run:")).stem
        recipe = GenerateRecipe(
            name=f"answers-{stem}", arms=[format_arm(arm) for arm in arms], prompts=prompts,
            decode=decode,
        )  # fmt: skip

        def browse(path: Path) -> None:
            services.feed.wake()
            services.show_browse(path)

        services.notify_user(f"Started {one_line(recipe.name)}; it keeps running when you quit")
        run_in_background(page, lambda: services.actions.generate(recipe), browse)

    run_in_background(page, lambda: services.actions.prompt_sets(arms), choose)


def _label(ref: str) -> str:
    """A set's name; of what a run held out, the run's."""
    if ref.startswith("run:"):
        return one_line(f"held-out rows of {ref.removeprefix('run:')}")
    return ref.removeprefix("bundled:")


def _about(row: RunRow) -> str:
    view = row.view
    arms = len(view.recipe.arms) if isinstance(view.recipe, GenerateRecipe) else 0
    done = (
        f"{math.floor(100 * view.progress)}%" if view.state is State.RUNNING else state_words(view)
    )
    return one_line(f"{arms} arms, {done}, {clock(view.record.created)}")
