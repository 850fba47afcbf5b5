"""One item of an evaluation: its prompt, its gold, and what each arm answered, side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.impact.changes.flips import is_right
from engine.impact.results.item_answers import read_answers
from engine.jobs.directory import JobDirectory
from engine.text import one_line
from tui.background import run_in_background
from tui.impact.answer_texts import answer_facts, pane_lines
from tui.impact.evaluation_reader import EvaluationSnapshot
from tui.impact.item_lines import ROLES
from tui.impact.item_list import ItemList, ItemRow, next_lost
from tui.screens.answer_lines import text_lines
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Line, Piece
from tui.widgets.flow import flow
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager

MOST_PANES = 4
_LEAST_PANE = 36
"""Cells of a pane that can be read."""
_ROLES = ("base", "tuned", "third", "fourth")


class AnswersPage(SubPage):
    """`left_at` is called with the id of the item that was read last."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("answers")
    name_in_keymap = "answers"
    initial_focus = "#answers-0 Pager"

    def __init__(
        self,
        evaluation: EvaluationSnapshot,
        items: ItemList,
        rows: Sequence[ItemRow],
        place: int,
        left_at: Callable[[str], None],
    ) -> None:
        super().__init__()
        assert evaluation.results is not None, "it was shown"
        self._evaluation = evaluation
        self._results = evaluation.results
        self._items = items
        self._rows = rows
        self._place = place
        self._left_at = left_at
        arms = [arm for arm in self._results.arms if items.skill in self._results.arms[arm].suites]
        self._arms = arms
        self._first = max(1, arms.index(items.arm)) if items.arm in arms else 1
        """Place of the arm in the second pane; the base is always in the first."""
        self._samples: Mapping[str, Sequence[Sample]] | None = None
        """By arm in the grammar; None until they are read."""
        self._problem = ""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(id="item-prompt")
        yield Lines(id="gold")
        with Horizontal(id="panes"):
            for at in range(MOST_PANES):
                with Vertical(classes="pane", id=f"answers-{at}"):
                    yield Lines(classes="line head")
                    yield Pager(break_line=flow)
                    yield Lines(classes="line foot")
        yield keys

    def on_mount(self) -> None:
        self._read()

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "turn_item":
            return len(self._rows) > 1
        if action == "turn_lost":
            return self._items.flips is not None
        if action == "turn_panes":
            return self.ready and len(self._arms) > self._panes
        return action != "filter"

    def action_turn_item(self, by: int) -> None:
        self._go((self._place + by) % len(self._rows))

    def action_turn_lost(self, by: int) -> None:
        place = next_lost(self._rows, self._place, by)
        if place is None:
            self.services.notify_user("No item in this list was lost.")
        else:
            self._go(place)

    def action_turn_panes(self, by: int) -> None:
        self._first = self._first_pane(self._first + by)
        self._draw()

    @property
    def _row(self) -> ItemRow:
        return self._rows[self._place]

    @property
    def _panes(self) -> int:
        """How many panes there is room for."""
        return max(1, min(MOST_PANES, self.size.width // _LEAST_PANE))

    def _first_pane(self, first: int) -> int:
        return max(1, min(first, len(self._arms) - max(1, self._panes - 1)))

    @property
    def _in_sight(self) -> list[str]:
        """The base, and as many of the others as fit beside it."""
        first = self._first_pane(self._first)
        if self._panes == 1:
            return [self._items.arm]
        return [*self._arms[:1], *self._arms[first : first + self._panes - 1]]

    def _go(self, place: int) -> None:
        self._place = place
        self._left_at(self._row.id)
        for pager in self.query(Pager):
            pager.to_top()
        self._samples, self._problem = None, ""
        self._read()
        self._draw()

    def _read(self) -> None:
        """Find the answers to this item, on a thread: a file of samples may be large."""
        path = JobDirectory(self._evaluation.path).samples
        suite, item = self._items.skill, self._row.id
        run_in_background(
            self, lambda: read_answers(path, suite, item), self._take, failed=self._fail,
            group="answers", exclusive=True,
        )  # fmt: skip

    def _take(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._samples = samples
        self._draw()

    def _fail(self, error: EngineError) -> None:
        self._samples, self._problem = {}, one_line(f"{error.title} {error.detail}")
        self._draw()

    def _draw(self) -> None:
        if not self.ready:
            return
        self._draw_item()
        shown = self._in_sight
        for at in range(MOST_PANES):
            pane = self.query_one(f"#answers-{at}")
            pane.display = at < len(shown)
            if at < len(shown):
                self._draw_pane(pane, shown[at])
        self.show_keys()

    def _draw_item(self) -> None:
        between: Piece = (f" {self.glyphs.separator} ", "dim")
        row, facts = self._row, self._results.suites[self._items.skill].items[self._row.id]
        line: list[Piece] = [(" ", "")]
        if row.label:
            where = f", lost at {row.lost_at}" if row.lost_at else ""
            role = ROLES[row.label] or "dim"
            line += [(f"{row.label} under {one_line(self._items.arm)}{where}", role), between]
        line.append((f"{self._place + 1:,} of {len(self._rows):,}", ""))
        if len(self._in_sight) < len(self._arms):
            line += [between, (f"{len(self._in_sight)} of {len(self._arms)} arms", "warn")]
        line += [between, (one_line(self._items.skill), "strong")]
        line += [between, (f"item {one_line(row.id)}", "dim")]
        self.query_one("#headline", Lines).show(line)
        prompt = self.query_one("#item-prompt", Pager)
        prompt.show(text_lines(facts.prompt, "strong") if facts.prompt else [
            [("(the results hold no prompt of this item)", "dim")]
        ])  # fmt: skip
        prompt.refresh(layout=True)
        gold: list[Piece] = [
            (" gold: ", "dim"),
            (one_line(" | ".join(facts.gold)) or "none", "good"),
        ]
        if facts.choices:
            gold += [between, (f"choices: {one_line(' | '.join(facts.choices))}", "dim")]
        self.query_one("#gold", Lines).show(gold)

    def _draw_pane(self, pane: "Vertical | object", arm: str) -> None:
        assert isinstance(pane, Vertical)
        role = _ROLES[min(self._arms.index(arm), len(_ROLES) - 1)]
        score = (
            self._results.arms[arm]
            .suites[self._items.skill]
            .measures.get(self._items.measure, {})
            .get(self._row.id)
        )
        head: list[Piece] = [(f" {one_line(arm)}", role)]
        if score is not None and self._items.flips is not None:
            right = is_right(score)
            sign = self.glyphs.done if right else self.glyphs.failed
            head.append((f" {sign}", "good" if right else "bad"))
        pane.query_one(".head", Lines).show(head)
        pane.query_one(Pager).show(self._lines_of(arm))
        foot = pane.query_one(".foot", Lines)
        facts = answer_facts(self._results, self._items.skill, arm, self._row.id)
        between = f" {self.glyphs.separator} "
        foot.show([((between if at else " ") + fact, "dim") for at, fact in enumerate(facts)])

    def _lines_of(self, arm: str) -> list[Line]:
        if self._samples is None:
            return [[("reading the answers...", "dim")]]
        if self._problem:
            return [[(self._problem, "bad")]]
        return pane_lines(
            self._results, self._items.skill, arm, self._row.id, self._samples,
            self._evaluation.version_1_answers, self.glyphs,
        )  # fmt: skip
