"""What can be done with an export that is done: a command line each, shown and copied.

Owns which there are and the window of `y`. Runs none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

from engine.compare.arms import parse_arm
from engine.jobs.overview import Overview
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.recipe import ExportRecipe
from engine.text import one_line
from tui.screens.dialogs import Copied
from tui.screens.page import Page
from tui.screens.pick_window import PickWindow, pick_row
from tui.styled_text import Line
from tui.widgets.table import Column, TableRow

_COLUMNS = Column("what for", 20, 24), Column("command", 30, 100)
_LINES = 8


@dataclass(frozen=True, slots=True)
class ExportCommand:
    label: str
    text: str
    """As a shell takes it."""


def list_commands(overview: Overview, store: Store) -> tuple[ExportCommand, ...]:
    """Those of an export whose folder is there; empty for any other. Blocks."""
    from engine.release.card.how_to_run import name_for_commands
    from engine.release.export_folder import (
        comparison_command,
        list_parts,
        read_name,
        upload_commands,
    )

    recipe = overview.recipe
    if not isinstance(recipe, ExportRecipe) or overview.view.state is not State.DONE:
        return ()
    out = Path(recipe.out)
    parts = list_parts(out)
    commands = [
        ExportCommand(f"upload {part.name}", upload)
        for part, upload in zip(parts, upload_commands(out), strict=True)
    ]
    for part in parts:
        if (modelfile := part / "Modelfile").is_file():
            words = ["ollama", "create", name_for_commands(read_name(part)), "-f", str(modelfile)]
            commands.append(ExportCommand("run in Ollama", join(words)))
    if parts:
        verify = join(["finetop", "export", "--verify", str(out)])
        commands.append(ExportCommand("verify again", verify))
    runs = [job.path for job in store.jobs()]
    if comparison := comparison_command(parse_arm(recipe.source), out, runs):
        commands.append(ExportCommand("compare with run", comparison))
    return tuple(commands)


def command_lines(commands: Sequence[ExportCommand]) -> list[Line]:
    """The commands, clean, beside what they are for."""
    width = max((len(command.label) for command in commands), default=0)
    head: Line = [(" Next", "title"), ("  nothing was uploaded; y copies a command", "dim")]
    return [head] + [
        [(f"  {command.label:<{width}}  ", "dim"), (one_line(command.text), "")]
        for command in commands
    ]


def open_commands(page: Page, commands: Sequence[ExportCommand]) -> None:
    """Have one of them chosen, which the terminal is then asked to copy."""
    by_label = {command.label: command for command in commands}

    def copy(label: str) -> None:
        text = by_label[label].text
        page.app.copy_to_clipboard(text)
        page.app.push_screen(Copied(one_line(text), in_file=False))

    rows = [
        TableRow(one.label, (((one.label, "strong"),), ((one_line(one.text), ""),)))
        for one in commands
    ]
    window = PickWindow(
        _COLUMNS, rows, keys="enter copy   esc cancel", lines=_LINES, title="Copy a command",
        about=lambda key: one_line(by_label[key].text) if key is not None else "",
    )  # fmt: skip
    pick_row(page.app, window, copy)
