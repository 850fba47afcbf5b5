"""Real or only format: strict, flexible and likelihood of a skill, zero- and few-shot, in words."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.impact.changes.real_or_format import FormatComparison, compare_format
from engine.impact.changes.verdicts import DELTA
from engine.impact.results.evaluation_results import EvaluationResults
from engine.text import one_line
from tui.background import run_in_background
from tui.impact.format_lines import format_lines
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager


class FormatPage(SubPage):
    """`arms` are compared with the first of them; all arms of the results where none are named."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("format")
    name_in_keymap = "format"
    initial_focus = "Pager"

    def __init__(
        self,
        results: EvaluationResults,
        suite: str,
        arms: Sequence[str] = (),
        delta: float = DELTA,
    ) -> None:
        super().__init__()
        self._results = results
        self._suite = suite
        self._arms = tuple(arms) or tuple(results.arms)
        self._delta = delta
        self._compared: list[FormatComparison] | None = None
        """None until they are compared."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(wrap=False)
        yield keys

    def on_mount(self) -> None:
        run_in_background(self, self._compare, self._show_compared)

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "filter" and super().check_action(action, parameters)

    def _compare(self) -> list[FormatComparison]:
        base, *others = self._arms
        return [
            compare_format(self._results, self._suite, arm, base, self._delta) for arm in others
        ]

    def _show_compared(self, compared: list[FormatComparison]) -> None:
        self._compared = compared
        self._draw()

    def _draw(self) -> None:
        if not self.ready:
            return
        head: list[Piece] = [
            (f" {one_line(self._suite)}", "strong"),
            (f" {self.glyphs.separator} real or only format?", ""),
        ]
        self.query_one("#headline", Lines).show(head)
        pager = self.query_one(Pager)
        if self._compared is None:
            pager.show([[(" Comparing scores and likelihoods...", "dim")]])
        else:
            width = max(20, self.size.width)
            pager.show(format_lines(self._compared, self._delta, width, self.glyphs))
        self.show_keys()
