"""What changed: each measure of two arms with its paired difference, its interval and its n."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.compare.metrics import GROUPS, call_outcome
from engine.compare.paired_stats import Comparison, Kinds, PairedDifference, compare
from engine.text import one_line
from tui.background import run_in_background
from tui.browse.answers_feed import JobAnswers
from tui.browse.result_lines import SPOKEN_ONLY, kinds_line, span, value
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Line, Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Column, Table, TableRow

HEADING = "\0"
_KINDS_AT, _KINDS_CELLS = 34, 74
"""Cells beside the words of a measure that is no number, and those that it has at most."""


class MetricsPage(SubPage):
    """`opened` is called with a measure and the prompts that drive its difference.

    Of a single pair there are its numbers and nothing else: no interval, no examples.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("metrics")
    name_in_keymap = "metrics"
    initial_focus = "#metrics"

    def __init__(self, answers: JobAnswers, opened: Callable[[str, tuple[str, ...]], None]) -> None:
        super().__init__()
        self._answers = answers
        self._opened = opened
        self._comparison: Comparison | None = None

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        names = self._answers.names
        left, right = names[self._answers.left], names[self._answers.right]
        yield header
        yield Rule()
        columns = [
            Column("metric", 20, 30),
            Column(left, 7, 16, right=True),
            Column(right, 7, 16, right=True),
            Column("change", 9, 10, right=True),
        ]
        if not self._alone:
            columns.append(Column("95% interval", 16, 20, right=True))
            columns.append(Column("n", 5, 6, right=True))
        yield Lines(id="headline")
        yield Table(tuple(columns), empty="Computing metrics...", id="metrics")
        yield Lines(id="measure")
        yield Lines(id="caution")
        yield keys

    def on_mount(self) -> None:
        run_in_background(self, lambda: compare_arms(self._answers), self._show_comparison)

    def open(self) -> None:
        super().open()
        self._draw()

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def _show_comparison(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._draw()

    def on_table_row_highlighted(self, event: Table.RowHighlighted) -> None:
        self._update_status()
        self.show_keys()

    def apply_filter(self, text: str) -> None:
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open_drivers":
            return self.ready and not self._alone and bool(self._chosen and self._chosen.drivers)
        return super().check_action(action, parameters)

    def action_open_drivers(self) -> None:
        chosen = self._chosen
        if chosen is not None and chosen.drivers:
            self.dismiss()
            self._opened(chosen.name, chosen.drivers)

    @property
    def _alone(self) -> bool:
        """Whether a single pair is measured."""
        return len(self._answers.pairs) == 1

    @property
    def _chosen(self) -> PairedDifference | Kinds | None:
        key = self.query_one(Table).chosen
        return next((measure for measure in self._measures if measure.name == key), None)

    @property
    def _measures(self) -> "list[PairedDifference | Kinds]":
        comparison = self._comparison
        return [*comparison.rows, *comparison.kinds] if comparison else []

    def _draw(self) -> None:
        if not self.ready or self._comparison is None:
            return
        word = self.filter_text.casefold()
        rows: list[TableRow] = []
        for group in GROUPS:
            members = [
                measure
                for measure in self._measures
                if measure.group == group and word in f"{group} {measure.name}".casefold()
            ]
            if members:
                rows.append(TableRow(HEADING + group, (((group, "title"),),)))
                rows += [self._row(measure) for measure in members]
        table = self.query_one(Table)
        first = table.chosen is None
        table.empty = "No matching metrics."
        table.show(rows)
        if first:
            table.action_move(1)  # off the heading
        self._update_status()
        self.show_keys()

    def _row(self, measure: PairedDifference | Kinds) -> TableRow:
        name = f"  {measure.name}"
        if isinstance(measure, Kinds):
            room = min(self.size.width - _KINDS_AT, _KINDS_CELLS)
            text = kinds_line(measure, self.glyphs.arrow, self.glyphs.ellipsis, room)
            return TableRow(measure.name, (((name, ""),), ((text, ""),)))
        sign = self.glyphs.rising if measure.difference > 0 else self.glyphs.falling
        role = "strong" if measure.differs else ""
        change: list[Piece] = [(value(measure.difference, signed=True), role)]
        change.append((f" {sign}" if measure.differs else "  ", role))
        cells: list[tuple[Piece, ...]] = [
            ((name, role),),
            ((value(measure.left), "base"),),
            ((value(measure.right), "tuned"),),
            tuple(change),
        ]
        if not self._alone:
            cells.append(((span(measure), "" if measure.differs else "dim"),))
            cells.append(((f"{measure.prompts:,}", "dim"),))
        return TableRow(measure.name, tuple(cells))

    def _update_status(self) -> None:
        if not self.ready:
            return
        answers, comparison = self._answers, self._comparison
        between = f" {self.glyphs.separator} "
        head: list[Piece] = [
            (f" {answers.names[answers.left]}", "base"),
            (f" {self.glyphs.arrow} ", "dim"),
            (answers.names[answers.right], "tuned"),
        ]
        if self._alone:
            head.append((f"{between}prompt {one_line(answers.pairs[0].id)} only", ""))
        elif comparison is not None:
            head.append((f"{between}{comparison.prompts:,} pairs", ""))
            head.append((f"{between}{comparison.same:,} identical", "dim"))
        if comparison is not None and comparison.has_parts:
            head.append((f"{between}{SPOKEN_ONLY}", "dim"))
        self.query_one("#headline", Lines).show(head)
        self.query_one("#measure", Lines).show(self._about())
        caution = (
            ""
            if self._alone
            else (
                f" {self.glyphs.rising}{self.glyphs.falling} the interval excludes 0 "
                "(1 metric in 20 by chance)"
            )
        )
        self.query_one("#caution", Lines).show([(caution, "dim")])

    def _about(self) -> Line:
        chosen = self._chosen if self._comparison else None
        if chosen is None:
            return []
        between = f" {self.glyphs.separator} "
        if self._alone:
            return [(f" {chosen.about}", "dim")]
        facts = [f"{chosen.about}"]
        if (
            isinstance(chosen, PairedDifference)
            and 0 < chosen.detectable < float("inf")
            and not chosen.differs
        ):
            facts.insert(0, f"smallest change this n detects: {value(chosen.detectable)}")
        count = len(chosen.drivers)
        facts.insert(0, f"differs in {count:,} pair{'s' * (count != 1)}")
        return [((between if at else " ") + fact, "" if not at else "dim")
                for at, fact in enumerate(facts)]  # fmt: skip


def compare_arms(answers: JobAnswers) -> Comparison:
    """The measures of both arms. Slow: self-BLEU of many answers takes a while."""
    numbers, outcomes = {}, {}
    for pair in answers.pairs:
        numbers[id(pair.left)], numbers[id(pair.right)] = pair.left_numbers, pair.right_numbers
        for side in (pair.left, pair.right):
            outcomes[id(side)] = call_outcome(side, pair.prompt)
    return compare(
        [pair.left for pair in answers.pairs],
        [pair.right for pair in answers.pairs],
        lambda sample: numbers[id(sample)],
        lambda sample: outcomes[id(sample)],
    )
