"""The keys, from the keymap: this screen's first."""

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.statistics import COVERAGE
from tui.keymap import KEYS, SCREENS, faces
from tui.screens.modal import Window
from tui.styled_text import Line
from tui.widgets.pager import Pager

FILTERS = (
    ('word "a b" /re/', "Word, phrase, regex; `not x` excludes x."),
    ("a b, a and b", "Both."),
    ("a or b, ( )", "Either; parentheses group."),
    ("state:running", "Also name, tag, base, method, note or kind."),
    ("#paper", "Runs with this label."),
)
WITH_INTERVALS = ("metrics", "classification", "format")
"""Pages whose help says what their intervals hold."""


class HelpPage(Window[None]):
    AUTO_FOCUS = "Pager"

    def __init__(self, screen_name: str) -> None:
        super().__init__()
        self._screen_name = screen_name

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            pager = Pager()
            pager.show(help_lines(self._screen_name))
            yield pager


def help_lines(first: str) -> list[Line]:
    """All keys by screen, those of `first` on top."""
    names = [first, "", *(name for name in SCREENS if name and name != first)]
    lines: list[Line] = []
    for name in dict.fromkeys(names):
        if all(key.screen != name for key in KEYS):
            continue
        lines.append([(SCREENS[name], "title")])
        for key in KEYS:
            if key.screen == name:
                lines.append([(f"  {faces(key):<16}", "key"), (key.help, "")])
        lines.append([])
    if first in WITH_INTERVALS:
        lines += [[("95% intervals", "title")], *([(f"  {text}", "")] for text in COVERAGE), []]
    lines.append([("Lists", "title")])
    lines.append(
        [(f"  {'up down j k':<16}", "key"), ("Move; also page up, page down, home, end.", "")]
    )
    lines.append([(f"  {'tab':<16}", "key"), ("Next pane or field.", "")])
    lines.append([])
    lines.append([("Filters (of runs; in Watch: of tags)", "title")])
    for form, meaning in FILTERS:
        lines.append([(f"  {form:<16}", "key"), (meaning, "")])
    lines.append([])
    lines.append([("In a text field, single-key commands are off; esc leaves the field.", "dim")])
    return lines
