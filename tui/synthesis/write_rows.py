"""Writing the accepted rows of a job to a file that is asked for."""

import os
from pathlib import Path

from engine.recipes.recipe import SynthesizeRecipe
from tui.background import run_in_background
from tui.screens.dialogs import TextWindow
from tui.screens.page import Page


def ask_and_write(page: Page, job: Path, recipe: SynthesizeRecipe) -> None:
    """Ask where to, write on a thread, and say what was written."""

    def take(text: str | None) -> None:
        if text:
            out = Path(os.path.expanduser(text)).absolute()
            run_in_background(
                page,
                lambda: page.services.actions.write_rows(job, out),
                page.services.notify_user,
            )

    title = "File of the accepted rows (.jsonl or .parquet)"
    page.app.push_screen(TextWindow(title, recipe.out, "rows.jsonl", enter="write"), take)
