"""The items of the cell under the cursor, as many as there is room for: the lost ones first.

Pairs them on a thread, and shows what was asked for last.
"""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical

from engine.impact.results.evaluation_results import EvaluationResults
from tui.background import run_in_background
from tui.impact.arm_paths import Against
from tui.impact.item_lines import Scores, count_lines, preview_lines
from tui.impact.item_list import ItemList, ItemRow, list_items, scores_of
from tui.widgets.lines import Lines, Rule

_ORDER = {"lost": 0, "gained": 1}
MOST = 200
"""Items that are kept to be shown: more than any terminal has lines."""


@dataclass(frozen=True, slots=True, eq=False)
class _Paired:
    """The items of one cell, ready to be drawn."""

    items: ItemList
    first: tuple[ItemRow, ...]
    scores: Scores


class ItemPreview(Vertical):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._wanted: tuple[EvaluationResults, str, str, Against] | None = None
        self._paired: _Paired | None = None

    def compose(self) -> ComposeResult:
        yield Rule()
        yield Lines(id="preview-head")
        yield Lines(id="preview", classes="")

    def on_resize(self) -> None:
        """Counts are cut into lines by a width that may have come after the items."""
        self.draw()

    def show(
        self, results: EvaluationResults | None, skill: str, arm: str, against: Against
    ) -> None:
        """The items of another cell, or of the same one; nothing without results."""
        wanted = (results, skill, arm, against) if results is not None else None
        if results is None or not self.display:
            self._wanted = self._paired = None
        elif not _is_same(wanted, self._wanted):
            run_in_background(
                self, lambda: _pair(results, skill, arm, against), self._take,
                group="preview", exclusive=True,
            )  # fmt: skip
            self._wanted = wanted
            return  # what is shown stays until the other items are known
        self.draw()

    def draw(self) -> None:
        head, body = self.query_one("#preview-head", Lines), self.query_one("#preview", Lines)
        paired = self._paired
        if paired is None:
            head.show([])
            body.show()
            return
        counts = count_lines(paired.items, head.glyphs.separator, self.size.width)
        head.styles.height = len(counts)
        head.show(*counts)
        height = self.screen.size.height
        body.show(*preview_lines(paired.items, paired.first[:height], paired.scores, head.glyphs))

    def _take(self, paired: _Paired) -> None:
        self._paired = paired
        self.draw()


def _is_same(
    one: tuple[EvaluationResults, str, str, Against] | None,
    other: tuple[EvaluationResults, str, str, Against] | None,
) -> bool:
    """Whether the same cell of the same results is wanted."""
    if one is None or other is None:
        return one is other
    return one[0] is other[0] and one[1:] == other[1:]


def _pair(results: EvaluationResults, skill: str, arm: str, against: Against) -> _Paired:
    items = list_items(results, skill, arm, against)
    rows = sorted(items.rows, key=lambda row: _ORDER.get(row.flip, 2))
    scores = [scores_of(results, skill, name) for name in results.arms]
    return _Paired(items, tuple(rows[:MOST]), scores)
