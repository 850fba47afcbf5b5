"""Writing the accepted rows of a job to a file that is asked for: JSONL here, Parquet by the
companion process, which alone has the library."""

import os
from pathlib import Path

from engine.errors import EngineError
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.row_files import PARQUET
from engine.text import one_line
from tui.background import run_in_background
from tui.screens.dialogs import ConfirmDialog, TextWindow
from tui.screens.page import Page


def ask_and_write(page: Page, job: Path, recipe: SynthesizeRecipe) -> None:
    """Ask where to, and before a file is replaced; write, and say what was written."""

    def take(text: str | None) -> None:
        if text:
            out = Path(os.path.expanduser(text)).absolute()
            run_in_background(page, out.exists, lambda there: ask(out) if there else write(out))

    def ask(out: Path) -> None:
        def answer(yes: bool | None) -> None:
            if yes:
                write(out, force=True)

        title = f"Replace {one_line(out.name)}?"
        page.app.push_screen(
            ConfirmDialog(title, "Its provenance and card are replaced too."), answer
        )

    def write(out: Path, *, force: bool = False) -> None:
        if out.suffix == PARQUET:
            page.run_worker(_write_parquet(page, job, out, force=force), group="write")
            return
        run_in_background(
            page,
            lambda: page.services.actions.write_rows(job, out, force=force),
            lambda count: _say(page, out, count),
        )

    title = "File of the accepted rows (.jsonl or .parquet)"
    page.app.push_screen(TextWindow(title, recipe.out, "rows.jsonl", enter="write"), take)


async def _write_parquet(page: Page, job: Path, out: Path, *, force: bool) -> None:
    page.services.notify_user("writing...")
    try:
        event = await page.services.companion().write_rows(str(job), str(out), force=force).last()
    except EngineError as error:
        page.services.show_error(error)
        return
    _say(page, out, int(event["written"]["rows"]))


def _say(page: Page, out: Path, count: int) -> None:
    page.services.notify_user(f"{count:,} rows written to {one_line(str(out))}, with its card")
