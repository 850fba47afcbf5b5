"""What changed: each measure of two arms with its paired difference, its interval and its n."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from engine.compare.metrics import GROUPS
from engine.compare.paired_stats import Comparison, Kinds, PairedDifference, compare
from engine.errors import EngineError
from engine.text import one_line
from tui.browse.answers_feed import Answers, OperationFailed
from tui.browse.result_lines import kinds_line, span, value
from tui.screens.dialogs import ErrorDialog
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Line, Piece
from tui.widgets import table as tables
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Column, Table

HEADING = "\0"


class MetricsCompared(Message):
    """The numbers of the two arms are worked out."""

    def __init__(self, found: Comparison) -> None:
        super().__init__()
        self.found = found


class MetricsPage(SubPage):
    """`opened` is called with a measure and the prompts that drive its difference.

    Of a single pair there are its numbers and nothing else: no interval, no examples.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("aspects")
    name_in_keymap = "aspects"
    initial_focus = "#aspects"

    def __init__(self, answers: Answers, opened: Callable[[str, tuple[str, ...]], None]) -> None:
        super().__init__()
        self._answers = answers
        self._opened = opened
        self._found: Comparison | None = None

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        names = self._answers.names
        left, right = names[self._answers.left], names[self._answers.right]
        yield header
        yield Rule()
        columns = [
            Column("measure", 20, 30),
            Column(left, 7, 16, right=True),
            Column(right, 7, 16, right=True),
            Column("change", 9, 10, right=True),
        ]
        if not self._alone:
            columns.append(Column("95% interval", 16, 20, right=True))
            columns.append(Column("n", 5, 6, right=True))
        yield Lines(id="headline")
        yield Table(tuple(columns), empty="Counting ...", id="aspects")
        yield Lines(id="measure")
        yield Lines(id="caution")
        yield keys

    def on_mount(self) -> None:
        super().on_mount()
        self.run_worker(self._compare, thread=True)

    def open(self) -> None:
        super().open()
        self._draw()

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def on_metrics_compared(self, event: MetricsCompared) -> None:
        self._found = event.found
        self._draw()

    def on_operation_failed(self, event: OperationFailed) -> None:
        self.app.push_screen(ErrorDialog(event.error))

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
        return next((one for one in self._all if one.name == key), None)

    @property
    def _all(self) -> "list[PairedDifference | Kinds]":
        return [*self._found.rows, *self._found.kinds] if self._found else []

    def _compare(self) -> None:
        """On a thread: self-BLEU of many answers takes a while."""
        pairs = self._answers.pairs
        known = {}
        for pair in pairs:
            known[id(pair.left)], known[id(pair.right)] = pair.left_numbers, pair.right_numbers
        try:
            found = compare(
                [pair.left for pair in pairs],
                [pair.right for pair in pairs],
                lambda sample: known[id(sample)],
            )
        except EngineError as error:
            self.post_message(OperationFailed(error))
        else:
            self.post_message(MetricsCompared(found))

    def _draw(self) -> None:
        if not self.ready or self._found is None:
            return
        word = self.filter_text.casefold()
        rows: list[tables.TableRow] = []
        for group in GROUPS:
            members = [
                one
                for one in self._all
                if one.group == group and word in f"{group} {one.name}".casefold()
            ]
            if members:
                rows.append(tables.TableRow(HEADING + group, (((group, "title"),),)))
                rows += [self._line(one) for one in members]
        table = self.query_one(Table)
        first = table.chosen is None
        table.empty = "No measure is called so."
        table.show(rows)
        if first:
            table.action_move(1)  # off the heading
        self._update_status()
        self.show_keys()

    def _line(self, one: PairedDifference | Kinds) -> tables.TableRow:
        if isinstance(one, Kinds):
            text = kinds_line(one, self.glyphs.arrow)
            return tables.TableRow(one.name, (((f"  {one.name}", ""),), ((text, ""),)))
        sign = self.glyphs.rising if one.difference > 0 else self.glyphs.falling
        role = "strong" if one.differs else ""
        change: list[Piece] = [(value(one.difference, signed=True), role)]
        change.append((f" {sign}" if one.differs else "  ", role))
        cells: list[tuple[Piece, ...]] = [
            ((f"  {one.name}", role),),
            ((value(one.left), "base"),),
            ((value(one.right), "tuned"),),
            tuple(change),
        ]
        if not self._alone:
            cells += [((span(one), "" if one.differs else "dim"),), ((f"{one.prompts:,}", "dim"),)]
        return tables.TableRow(one.name, tuple(cells))

    def _update_status(self) -> None:
        if not self.ready:
            return
        answers, found = self._answers, self._found
        between = f" {self.glyphs.separator} "
        head: list[Piece] = [
            (f" {answers.names[answers.left]}", "base"),
            (f" {self.glyphs.arrow} ", "dim"),
            (answers.names[answers.right], "tuned"),
        ]
        if self._alone:
            head.append((f"{between}{one_line(answers.pairs[0].id)} alone", ""))
        elif found is not None:
            head.append((f"{between}{found.prompts:,} prompts answered by both", ""))
            head.append((f"{between}{found.same:,} with the same text", "dim"))
        self.query_one("#headline", Lines).show(head)
        self.query_one("#measure", Lines).show(self._about())
        caution = (
            ""
            if self._alone
            else (
                f" {self.glyphs.rising}{self.glyphs.falling} the interval leaves out 0; of many "
                "intervals one in twenty does by chance"
            )
        )
        self.query_one("#caution", Lines).show([(caution, "dim")])

    def _about(self) -> Line:
        chosen = self._chosen if self._found else None
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
            facts.insert(
                0, f"only a change of {value(chosen.detectable)} or more would likely show"
            )
        facts.insert(0, f"{len(chosen.drivers):,} pairs differ")
        return [((between if at else " ") + fact, "" if not at else "dim")
                for at, fact in enumerate(facts)]  # fmt: skip
