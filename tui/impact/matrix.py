"""The matrix of skills and arms as a widget: a cursor over its cells. Owns the cursor alone."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from engine.impact.changes.skill_rows import SkillRow, SkillTable
from tui.impact.arm_paths import Against
from tui.impact.matrix_lines import MatrixLayout, head_line, lay_out, row_line
from tui.styled_text import Line
from tui.widgets.cells import Cells
from tui.widgets.frame import EDGES, framed


class MatrixView(Cells, can_focus=True):
    """Emits CellHighlighted when the cursor is on another cell."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class CellHighlighted(Message):
        """Another skill or arm is the chosen one."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._table: SkillTable | None = None
        self._rows: tuple[SkillRow, ...] = ()
        self._against: Against = "parent"
        self._below: tuple[str, ...] = ()
        self._empty = ""
        self._title: Line = ()
        """Of the frame; none: there is no frame."""
        self._skill = 0
        self._column = 0
        self._first = 0
        """Place of the first arm in sight."""
        self._top = 0

    def show(
        self,
        table: SkillTable | None,
        rows: Sequence[SkillRow] = (),
        against: Against = "parent",
        below: Sequence[str] = (),
        empty: str = "",
        title: Line = (),
    ) -> None:
        """Replace what is shown; the cursor stays on its skill and its arm. `empty`: no rows.

        `below` are lines under the skills, clean. With a `title` it stands in a frame.
        """
        skill, arm = self.skill, self.arm
        self._table, self._rows, self._against = table, tuple(rows), against
        self._below, self._empty, self._title = tuple(below), empty, title
        names = [row.name for row in self._rows]
        self._skill = names.index(skill.name) if skill and skill.name in names else 0
        arms = table.arms if table is not None else ()
        # The last arm is what was asked for: its cell is the first that is looked at.
        self._column = arms.index(arm) if arm in arms else max(0, len(arms) - 1)
        self.repaint()

    @property
    def skill(self) -> SkillRow | None:
        """The skill under the cursor."""
        return self._rows[self._skill] if self._skill < len(self._rows) else None

    @property
    def arm(self) -> str | None:
        """The arm under the cursor."""
        arms = self._table.arms if self._table is not None else ()
        return arms[self._column] if self._column < len(arms) else None

    def paint(self, width: int, height: int) -> list[Line]:
        if not self._title:
            return self._paint_rows(width, height)
        lines = self._paint_rows(width - EDGES, height - 2)
        return framed(lines, self._title, width, height, self.glyphs)

    def _paint_rows(self, width: int, height: int) -> list[Line]:
        table = self._table
        if table is None or not self._rows:
            return [[(f" {self._empty}", "dim")], *self._lines_below()]
        layout = self._lay_out(table, width)
        self._first = layout.first
        room = max(1, height - 1 - (len(self._below) + 1 if self._below else 0))
        self._top = max(0, min(self._top, self._skill, len(self._rows) - room))
        self._top = max(self._top, self._skill - room + 1)
        lines = [head_line(table, layout, self.glyphs)]
        for place in range(self._top, min(self._top + room, len(self._rows))):
            picked = self._column if place == self._skill else None
            row = self._rows[place]
            lines.append(row_line(table, row, layout, self._against, self.glyphs, picked))
        return [*lines, *self._lines_below()]

    def action_move(self, by: int) -> None:
        self._go(self._skill + by, self._column)

    def action_page(self, by: int) -> None:
        self.action_move(by * max(1, self.content_size.height - 2))

    def move_column(self, by: int) -> None:
        """Put the cursor on another arm."""
        self._go(self._skill, self._column + by)

    def choose_arm(self, arm: str) -> bool:
        """Put the cursor on an arm; False where it is not there."""
        arms = self._table.arms if self._table is not None else ()
        if arm not in arms:
            return False
        self._go(self._skill, arms.index(arm))
        return True

    def on_click(self, event: Click) -> None:
        if self._table is None or not self._rows:
            return
        edge = EDGES // 2 if self._title else 0
        layout = self._lay_out(self._table, self.content_size.width - 2 * edge)
        row = self._top + event.y - (2 if self._title else 1)
        self._go(row, layout.arm_at(event.x - edge, self._column))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_move(-1)

    def _lay_out(self, table: SkillTable, width: int) -> MatrixLayout:
        return lay_out(table, self._rows, width, self._column, self._first)

    def _lines_below(self) -> list[Line]:
        lines: list[Line] = [[]] if self._below else []
        return lines + [[(f"  {line}", "")] for line in self._below]

    def _go(self, skill: int, column: int) -> None:
        if self._table is None or not self._rows:
            return
        skill = max(0, min(skill, len(self._rows) - 1))
        column = max(0, min(column, len(self._table.arms) - 1))
        if (skill, column) != (self._skill, self._column):
            self._skill, self._column = skill, column
            self.repaint()
            self.post_message(self.CellHighlighted())
