"""One side of a comparison: who answers, the answer, and what it is like."""

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.conversation import Side, behaviour_line, text_lines
from tui.widgets.line import Lines
from tui.widgets.pager import Pager


class AnswerPane(Vertical):
    """`role` is `base` or `tuned`, a word and a colour that are the same on every screen."""

    def __init__(self, role: str) -> None:
        super().__init__(id=f"pane-{role}", classes="pane")
        self._role = role

    def compose(self) -> ComposeResult:
        yield Lines(classes="line head")
        yield Pager(follow=True)
        yield Lines(classes="line foot")

    def show(self, side: Side) -> None:
        name = [(f"{self._role}: ", self._role), (side.label, "strong")]
        if side.weights:
            name.append((f"  {side.weights}", "dim"))
        self.query_one(".head", Lines).show(name)
        self.query_one(Pager).show(text_lines(side, self._role))
        foot = self.query_one(".foot", Lines)
        foot.show(behaviour_line(side, foot.glyphs.separator, foot.size.width))
