"""The items of a cell of Impact: which were kept, lost and gained, and the answers behind them."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import significant
from tui.impact.arm_paths import Against, find_reference, has_stages
from tui.impact.evaluation_reader import EvaluationSnapshot
from tui.impact.item_lines import MOST_MARKS, ROLES, Scores, arm_marks, count_lines
from tui.impact.item_list import (
    CLASSES,
    ItemList,
    ItemRow,
    list_items,
    matching,
    next_lost,
    scores_of,
)
from tui.keymap import Key
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Column, Table, TableRow


class ItemsPage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("items")
    name_in_keymap = "items"
    filter_name = "search"
    initial_focus = "#items"

    def __init__(
        self,
        evaluation: EvaluationSnapshot,
        skill: str,
        arm: str,
        against: Against,
        wanted: str = "",
    ) -> None:
        """`wanted` is one of CLASSES: what is listed first."""
        super().__init__()
        assert evaluation.results is not None, "it was shown"
        self._evaluation = evaluation
        self._results = evaluation.results
        self._skill = skill
        self._arm = arm
        self._against: Against = against
        self._wanted = wanted
        self._items: ItemList | None = None
        self._rows: list[ItemRow] = []
        """Those that are listed."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="counts")
        yield Table((), empty="Pairing the items...", id="items")
        yield Lines(id="item")
        yield keys

    def on_mount(self) -> None:
        self._pair()

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def apply_filter(self, text: str) -> None:
        self._draw()

    def on_table_row_highlighted(self) -> None:
        self._update_item()
        self.show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("read", "move_row"):
            return self.ready and bool(self._rows)
        if action in ("turn_class", "turn_lost"):
            return self._items is not None and self._items.flips is not None
        if action == "turn_arm":
            return len(self._arms) > 1
        if action == "turn_reference":
            return has_stages(self._results)
        return super().check_action(action, parameters)

    def label_of(self, key: Key) -> str:
        if key.action == "turn_reference":
            return f"against {'base' if self._against == 'parent' else 'parent'}"
        return super().label_of(key)

    def action_read(self) -> None:
        from tui.impact.answers_page import AnswersPage

        place = self.query_one(Table).place
        if self._items is not None and place < len(self._rows):
            page = AnswersPage(self._evaluation, self._items, self._rows, place, self._choose)
            self.app.push_screen(page)

    def action_turn_class(self) -> None:
        """To the next class that has items."""
        at = CLASSES.index(self._wanted)
        rows = self._items.rows if self._items is not None else ()
        turns = [CLASSES[(at + by) % len(CLASSES)] for by in range(1, len(CLASSES) + 1)]
        self._wanted = next((one for one in turns if any(row.is_of(one) for row in rows)), "")
        self._draw()

    def action_turn_lost(self, by: int) -> None:
        table = self.query_one(Table)
        place = next_lost(self._rows, table.place, by) if self._rows else None
        if place is None:
            self.services.notify_user("No item in this list was lost.")
        else:
            table.choose(self._rows[place].id)

    def action_turn_arm(self, by: int) -> None:
        at = self._arms.index(self._arm)
        self._arm = self._arms[(at + by) % len(self._arms)]
        self._pair()

    def action_turn_reference(self) -> None:
        self._against = "base" if self._against == "parent" else "parent"
        self._pair()

    def action_move_row(self, by: int) -> None:
        self.query_one(Table).action_move(by)

    @property
    def _arms(self) -> list[str]:
        """Those that were measured on the skill, the base last: it has nothing to lose."""
        arms = [arm for arm in self._results.arms if scores_of(self._results, self._skill, arm)]
        return [*arms[1:], *arms[:1]]

    def _choose(self, item: str) -> None:
        """Put the cursor on the item that was read last."""
        self.query_one(Table).choose(item)

    def _pair(self) -> None:
        """Pair the items on a thread: of a large suite that takes a while."""
        results, skill, arm, against = self._results, self._skill, self._arm, self._against
        run_in_background(
            self, lambda: list_items(results, skill, arm, against), self._take,
            group="items", exclusive=True,
        )  # fmt: skip

    def _take(self, items: ItemList) -> None:
        self._items = items
        self._draw()

    def _draw(self) -> None:
        items = self._items
        if not self.ready:
            return
        table = self.query_one(Table)
        if items is not None:
            self._rows = matching(items.rows, self._wanted, self.filter_text)
            table.columns = self._columns(items)
            table.empty = self._empty
            scores = [scores_of(self._results, self._skill, arm) for arm in self._results.arms]
            rows = self._rows
            table.show_later([row.id for row in rows], lambda at: self._row(rows[at], scores))
        self._update_headline()
        self._update_item()
        self.show_keys()

    @property
    def _empty(self) -> str:
        if self.filter_text:
            return "No item contains this text."
        return f"No item was {self._wanted}; f lists the other classes."

    def _columns(self, items: ItemList) -> tuple[Column, ...]:
        if items.flips is None:
            return (
                Column("before", 9, right=True),
                Column("after", 9, right=True),
                Column("text", 20, 200),
            )
        marks = min(len(self._results.arms), MOST_MARKS)
        columns = [Column("class", 8), Column("arms", max(4, marks)), Column("item", 12, 200)]
        if any(row.lost_at for row in items.rows):
            columns.insert(2, Column("lost at", 10, 14))
        return tuple(columns)

    def _row(self, row: ItemRow, scores: Scores) -> TableRow:
        items = self._items
        title: tuple[Piece, ...] = ((row.title, ""),)
        if items is None or items.flips is None:
            before, after = (significant(value, 3) for value in (row.before, row.after))
            return TableRow(row.id, (((before, "base"),), ((after, "tuned"),), title))
        cells = [((row.label, ROLES[row.label]),), arm_marks(row.id, scores, self.glyphs), title]
        if any(column.title == "lost at" for column in self.query_one(Table).columns):
            cells.insert(2, ((row.lost_at, "bad" if row.flip == "lost" else ""),))
        return TableRow(row.id, tuple(cells))

    def _update_headline(self) -> None:
        between: Piece = (f" {self.glyphs.separator} ", "dim")
        reference = find_reference(self._results, self._arm, self._against)
        line: list[Piece] = [(f" {one_line(self._skill)}", "strong"), between]
        if reference is not None:
            line += [(one_line(reference), "base"), (f" {self.glyphs.arrow} ", "dim")]
        line.append((one_line(self._arm), "tuned" if reference is not None else "base"))
        items = self._items
        if items is not None:
            line += [between, (f"{len(items.rows):,} items by {one_line(items.measure)}", "")]
            if len(self._rows) < len(items.rows):
                what = self._wanted or "found"
                line += [between, (f"{len(self._rows):,} {what}", "warn")]
        self.query_one("#headline", Lines).show(line)
        counts = self.query_one("#counts", Lines)
        lines = count_lines(items, self.glyphs.separator, self.size.width) if items else []
        counts.styles.height = max(1, len(lines))
        counts.show(*lines)

    def _update_item(self) -> None:
        place = self.query_one(Table).place
        row = self._rows[place] if place < len(self._rows) else None
        line: list[Piece] = []
        if row is not None:
            facts = [f"item {one_line(row.id)}", f"{place + 1:,} of {len(self._rows):,}"]
            gold = self._results.suites[self._skill].items[row.id].gold
            facts += [f"gold: {one_line(' | '.join(gold))}"] if gold else []
            between = f" {self.glyphs.separator} "
            line = [((between if at else " ") + fact, "dim") for at, fact in enumerate(facts)]
        self.query_one("#item", Lines).show(line)
