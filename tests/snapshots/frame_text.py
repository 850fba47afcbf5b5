"""A screen as text: its characters, a letter for the look of every cell, and what they mean."""

import difflib
from typing import Any

from rich.cells import cell_len
from textual._context import visible_screen_stack
from textual.app import App
from textual.screen import ModalScreen
from textual.strip import Strip

from tests.snapshots.roles import Legend


def frame_of(app: App[Any]) -> str:
    """Every line of cells ends in a bar, so that no editor takes blanks away."""
    legend = Legend(app)
    characters, letters = [], []
    for strip in strips_of(app):
        text = "".join(segment.text for segment in strip)
        looks = "".join(legend.letter(segment.style) * cell_len(segment.text) for segment in strip)
        characters.append(f"|{text}|")
        letters.append(f"|{looks}|")
    parts = (
        ("characters", characters),
        ("looks, a letter a cell", letters),
        ("letters", list(legend.lines())),
    )
    return "\n".join(f"{title}\n" + "\n".join(lines) + "\n" for title, lines in parts)


def text_of(app: App[Any]) -> str:
    """Its characters alone."""
    return "\n".join(strip.text.rstrip() for strip in strips_of(app))


def strips_of(app: App[Any]) -> list[Strip]:
    """All that is seen, with what lies behind a window as it is now.

    Textual keeps what a window lies on as it was painted last, by anybody; here it is painted anew.
    """
    stack, strips = app.screen_stack, list[Strip]()
    for at, screen in enumerate(stack):
        if isinstance(screen, ModalScreen):
            screen._set_dirty()
        if isinstance(screen, ModalScreen) or screen is app.screen:
            # The next one up finds this one as it was painted here.
            visible_screen_stack.set(stack[:at])
            strips = screen._compositor.render_strips()
    return strips


def difference(name: str, kept: str, now: str) -> str:
    """The lines that differ, to be read by a person; empty where none do."""
    lines = difflib.unified_diff(
        kept.splitlines(), now.splitlines(), f"{name} as kept", f"{name} now", lineterm="", n=1
    )
    return "\n".join(lines)
