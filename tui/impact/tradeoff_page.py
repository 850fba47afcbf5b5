"""Gained against retained: the arms of an evaluation, and of those started from it, as points."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical

from engine.impact.changes.tradeoff import TradeoffPoint
from engine.text import one_line
from tui.background import run_in_background
from tui.charts.scatter_view import ScatterView
from tui.impact.cell_lines import pack
from tui.impact.tradeoff_lines import COLUMNS, list_points, list_rows, list_sentences, point_lines
from tui.impact.tradeoff_reader import TradeoffSnapshot, find_related, read_tradeoff
from tui.screens.page import Page, SubPage, bindings_of
from tui.screens.pick_window import Multi, Picked, PickWindow
from tui.snapshots import RunRow
from tui.styled_text import Piece
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Column, Table, TableRow

WIDE = 110
_NAMES = "gained, points", "retained, points"
_MOST_ROWS = 10
"""Of the list, where it stands below the chart: the rest is for what is said of all arms."""
_TARGET_KEYS = "space mark   enter take   esc cancel"


def open_tradeoff(
    page: Page, evaluation: RunRow, arm: str | None, open_column: Callable[[Path, str], None]
) -> None:
    """Gained against retained of a shown evaluation and of those that belong to it."""
    rows = page.services.runs.rows
    paths = [row.path for row in find_related(rows, evaluation)] or [evaluation.path]
    page.app.push_screen(TradeoffPage(paths, [row.path for row in rows], arm, open_column))


class TradeoffPage(SubPage):
    """`paths` are the evaluations that are read, the first one's arms first."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("tradeoff")
    name_in_keymap = "tradeoff"
    initial_focus = "Table"
    filter_hint = "text in the name or the settings of an arm"

    def __init__(
        self,
        paths: Sequence[Path],
        runs: Sequence[Path],
        arm: str | None,
        open_column: Callable[[Path, str], None],
    ) -> None:
        """`runs` may have made the arms; `arm` is chosen first; `open_column` is called with an
        evaluation and the name of an arm of it, once this page is closed."""
        super().__init__()
        self._paths = tuple(paths)
        self._runs = tuple(runs)
        self._wanted = arm
        self._open_column = open_column
        self._snapshot: TradeoffSnapshot | None = None
        """None until it is read."""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        with Container(id="tradeoff"):
            yield ScatterView(_NAMES)
            with Vertical(id="arms-of-tradeoff"):
                yield Table(COLUMNS, empty="No arm contains this text.")
                yield Lines(id="point")
                yield Pager(hang=3)
        yield keys

    def on_mount(self) -> None:
        self._read(())

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def on_table_row_highlighted(self) -> None:
        self._draw()

    def apply_filter(self, text: str) -> None:
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "open_column":
            return self._chosen_column is not None
        if action == "choose_targets":
            return self._snapshot is not None and self._snapshot.table is not None
        if action == "filter":
            return self._snapshot is not None and self._snapshot.tradeoff is not None
        return super().check_action(action, parameters)

    def action_move_row(self, by: int) -> None:
        self.query_one(Table).action_move(by)

    def action_open_column(self) -> None:
        column = self._chosen_column
        if column is not None:
            self.dismiss()
            self._open_column(*column)

    def action_choose_targets(self) -> None:
        """Mark the skills that were to be gained; none: those that were trained on."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.table is None:
            return
        marked = snapshot.tradeoff.targets if snapshot.tradeoff is not None else ()
        rows = [
            TableRow(row.name, (((one_line(row.name), ""),), ((f"{row.items:,} items", "dim"),)))
            for row in snapshot.table.skills
            if row.unit == "score" and row.results
        ]
        columns = Column("skills that were to be gained", 30, 44), Column(" ", 12, 20)
        window = PickWindow(columns, rows, multi=Multi(marked), keys=_TARGET_KEYS)

        def take(picked: Picked) -> None:
            self._read(picked.marked)

        window.open(self.app, take)

    @property
    def _point(self) -> TradeoffPoint | None:
        """The point under the cursor."""
        tradeoff = self._snapshot.tradeoff if self._snapshot is not None else None
        chosen = self.query_one(Table).chosen if self.ready else None
        points = tradeoff.points if tradeoff is not None else ()
        return next((point for point in points if point.arm == chosen), None)

    @property
    def _chosen_column(self) -> tuple[Path, str] | None:
        point, snapshot = self._point, self._snapshot
        return snapshot.columns.get(point.arm) if point is not None and snapshot else None

    def _read(self, gain: Sequence[str]) -> None:
        run_in_background(
            self, lambda: read_tradeoff(self._paths, self._runs, gain), self._take,
            group="tradeoff", exclusive=True,
        )  # fmt: skip

    def _take(self, snapshot: TradeoffSnapshot) -> None:
        self._snapshot = snapshot
        self._draw()
        if self.ready and self.query_one(Table).choose(self._wanted):
            self._wanted = None
        self._draw()

    def _draw(self) -> None:
        if not self.ready:
            return
        is_wide = self.size.width >= WIDE
        self.set_class(not is_wide, "narrow")
        snapshot = self._snapshot
        table, view = self.query_one(Table), self.query_one(ScatterView)
        tradeoff = snapshot.tradeoff if snapshot is not None else None
        self.query_one("#headline", Lines).show(self._headline())
        for part in (view, table, self.query_one("#point")):
            part.display = tradeoff is not None
        if snapshot is None or tradeoff is None:
            words = "Reading evaluations..." if snapshot is None else snapshot.problem
            hint = "" if snapshot is None or snapshot.table is None else "e chooses the skills."
            self.query_one(Pager).show([[(f" {words}", "warn")], [(f" {hint}", "dim")]])
            self.show_keys()
            return
        rows = list_rows(snapshot, self.filter_text, self.glyphs)
        table.styles.height = 1 + min(max(1, len(rows)), _MOST_ROWS if is_wide else 5)
        table.show(rows)
        arms = [point.arm for point in tradeoff.points]
        place = arms.index(table.chosen) if table.chosen in arms else None
        view.show(list_points(tradeoff, [row.key for row in rows]), place)
        lines = point_lines(snapshot, tradeoff.points[place]) if place is not None else []
        room = table.size.width or self.size.width
        self.query_one("#point", Lines).show(*pack(lines, self.glyphs.separator, room)[:2])
        self.query_one(Pager).show([*list_sentences(snapshot)])
        self.show_keys()

    def _headline(self) -> list[Piece]:
        """What is set against what; of how many evaluations where these are several."""
        line: list[Piece] = [(" Gained against retained", "strong")]
        tradeoff = self._snapshot.tradeoff if self._snapshot is not None else None
        if tradeoff is None or self._snapshot is None:
            return line
        between = f" {self.glyphs.separator} "
        count = self._snapshot.evaluations
        line.append((f"{between}against {one_line(tradeoff.base)}", "base"))
        line.append((f"{between}gained: {', '.join(map(one_line, tradeoff.targets))}", ""))
        line.append((f"{between}retained: {', '.join(map(one_line, tradeoff.others))}", ""))
        if count > 1:
            line.append((f"{between}{count} evaluations", "dim"))
        return line
