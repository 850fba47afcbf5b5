"""A small window in which both answers are rated by rubrics, from 1 to 5."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.text import one_line
from tui.screens.modal import Window
from tui.styled_text import Line
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow

LEAST, MOST = 1, 5
SIDES = ("left", "right")
Ratings = Mapping[str, Mapping[str, int]]


class RatingWindow(Window[Ratings | None]):
    """Dismissed with the ratings of each side, rubric to 1 … 5; those that were not given lack."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False),
        Binding("left,h", "rate('left', -1)", show=False),
        Binding("right,l", "rate('left', 1)", show=False),
        Binding("H,shift+left,less_than_sign", "rate('right', -1)", show=False),
        Binding("L,shift+right,greater_than_sign", "rate('right', 1)", show=False),
        Binding("x,delete,backspace", "clear", show=False),
    ]

    def __init__(self, rubrics: Mapping[str, str], ratings: Ratings) -> None:
        super().__init__()
        self._rubrics = rubrics
        self._ratings = {side: dict(ratings.get(side, {})) for side in SIDES}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table((Column("5 is best", 12, 20), Column("left", 6), Column("right", 6),
                         Column(" ", 20, 44)))  # fmt: skip
            for keys in ("left: h lower, l higher   right: H lower, L higher   x clear",
                         "enter save   esc cancel"):  # fmt: skip
                line = Lines()
                line.show([(keys, "dim")])
                yield line

    def on_mount(self) -> None:
        self._refresh_rows()

    def action_rate(self, side: str, by: int) -> None:
        rubric = self.query_one(Table).chosen
        if rubric is not None:
            now = self._ratings[side].get(rubric)
            start = LEAST if by > 0 else MOST
            self._ratings[side][rubric] = start if now is None else max(LEAST, min(now + by, MOST))
            self._refresh_rows()

    def action_clear(self) -> None:
        for side in SIDES:
            self._ratings[side].pop(self.query_one(Table).chosen or "", None)
        self._refresh_rows()

    def action_take(self) -> None:
        self.dismiss(self._ratings)

    def _refresh_rows(self) -> None:
        self.query_one(Table).show([self._row(*one) for one in self._rubrics.items()])

    def _row(self, rubric: str, question: str) -> TableRow:
        given = [self._ratings[side].get(rubric) for side in SIDES]
        cells: list[Line] = [[(str(one) if one else "-", "strong")] for one in given]
        return TableRow(
            rubric,
            (((one_line(rubric), ""),), tuple(cells[0]), tuple(cells[1]),
             ((one_line(question), "dim"),)),
        )  # fmt: skip
