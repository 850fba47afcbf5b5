"""One side of a comparison: who answers, the answer, and what it is like."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.screens.answer_side import Side, behaviour_line, conversation_lines
from tui.styled_text import Line, Piece
from tui.widgets.flow import flow
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager

ARM_ROLES = ("base", "tuned", "third", "fourth")
"""The colour of each pane, the same on every screen."""


class AnswerPane(Vertical):
    """The pane at a place; the screen says which side it shows, and how."""

    def __init__(self, place: int) -> None:
        super().__init__(id=f"pane-{place}", classes="pane")
        self._role = ARM_ROLES[place]

    def compose(self) -> ComposeResult:
        yield Lines(classes="line head")
        yield Pager(break_line=flow, follow=True)
        yield Lines(classes="line foot")

    def show(
        self, side: Side, last: Sequence[Line] | None = None, foot: Line | None = None
    ) -> None:
        """`last` and `foot` are the last answer and what is said of it, where not as usual."""
        name: list[Piece] = [(f"{side.name}: ", self._role), (side.label, "strong")]
        if side.weights:
            name.append((f"  {side.weights}", "dim"))
        self.query_one(".head", Lines).show(name)
        pager = self.query_one(Pager)
        pager.show(conversation_lines(side, self._role, pager.glyphs, last))
        line = self.query_one(".foot", Lines)
        line.show(foot or behaviour_line(side, line.glyphs.separator, line.size.width))

    def reveal(self, role: str) -> None:
        self.query_one(Pager).reveal(role)
