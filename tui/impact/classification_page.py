"""Classification: a suite of labels, with scores and confusions of its arms side by side."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.impact.changes.classified_suite import (
    WAY_WORDS,
    WAYS,
    ClassifiedSuite,
    Way,
    classify_suite,
)
from engine.impact.results.evaluation_results import EvaluationResults
from engine.text import one_line
from tui.background import run_in_background
from tui.impact.classification_lines import classification_lines
from tui.keymap import Key
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager


class ClassificationPage(SubPage):
    """`suite` is a classification (`SuiteFacts.labels`); all arms where none are named."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("classification")
    name_in_keymap = "classification"
    initial_focus = "Pager"

    def __init__(self, results: EvaluationResults, suite: str, arms: Sequence[str] = ()) -> None:
        super().__init__()
        self._results = results
        self._suite = suite
        self._arms = tuple(arms)
        self._counted: Mapping[Way, ClassifiedSuite] = {}
        """Empty until they are counted."""
        self._way: Way = "likelihood"
        self._as_difference = False

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(wrap=False)
        yield keys

    def on_mount(self) -> None:
        run_in_background(
            self,
            lambda: {
                way: classify_suite(self._results, self._suite, way, self._arms) for way in WAYS
            },
            self._show_counted,
        )

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "turn_way":
            return bool(self._counted)
        if action == "turn_difference":
            return bool(self._counted) and len(self._counted[self._way].arms) > 1
        return action != "filter" and super().check_action(action, parameters)

    def label_of(self, key: Key) -> str:
        if key.action == "turn_way":
            return WAY_WORDS[self._other_way]
        if key.action == "turn_difference" and self._as_difference:
            return "counts"
        return super().label_of(key)

    def action_turn_way(self) -> None:
        self._way = self._other_way
        self._draw()

    def action_turn_difference(self) -> None:
        self._as_difference = not self._as_difference
        self._draw()

    @property
    def _other_way(self) -> Way:
        return "generated" if self._way == "likelihood" else "likelihood"

    def _show_counted(self, counted: Mapping[Way, ClassifiedSuite]) -> None:
        self._counted = counted
        if not counted[self._way].arms and counted[self._other_way].arms:
            self._way = self._other_way
        self._draw()

    def _draw(self) -> None:
        if not self.ready:
            return
        between = f" {self.glyphs.separator} "
        head: list[Piece] = [(f" {one_line(self._suite)}", "strong")]
        pager = self.query_one(Pager)
        if not self._counted:
            pager.show([[(" Counting labels...", "dim")]])
        else:
            shown = self._counted[self._way]
            head.append((f"{between}labels by {WAY_WORDS[self._way]}", ""))
            head.append((f"{between}{shown.items:,} items", ""))
            head.append((f"{between}{len(shown.labels):,} labels", "dim"))
            is_difference = self._as_difference and len(shown.arms) > 1
            width = max(20, self.size.width)
            pager.show(classification_lines(shown, width, self.glyphs, as_difference=is_difference))
        self.query_one("#headline", Lines).show(head)
        self.show_keys()
