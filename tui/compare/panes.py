"""The answers side by side, and below them what the chosen view says of the difference.

Owns the panes, which of them show, and the view; not the answers, which the screen hands over.
"""

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.background import run_in_background
from tui.compare.answer_pane import AnswerPane
from tui.compare.session import MOST_ARMS
from tui.compare.strengths import StrengthSweep
from tui.compare.views import View, Views, layouts
from tui.glyphs import UNICODE, Glyphs
from tui.screens.answer_side import Side
from tui.styled_text import Line
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager


class ComparePanes(Vertical):
    """Up to four panes; where not all fit, the first stays and the others come in turn."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.views = Views()
        self._sides: Sequence[Side] = ()
        self._layout = 0
        self._comparing = False

    def compose(self) -> ComposeResult:
        with Horizontal(id="panes"):
            for place in range(MOST_ARMS):
                yield AnswerPane(place)
        yield Lines(id="panel", classes="panel")

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.redraw)

    def on_descendant_focus(self) -> None:
        self.find_subject()
        self.redraw()

    def clear(self) -> None:
        """Others answer from now on: as text, and all of them."""
        self.views, self._layout = Views(), 0

    def show(self, sides: Sequence[Side], sweep: StrengthSweep) -> None:
        self._sides, self.views.sweep = sides, sweep
        self.redraw()

    def turn(self, view: View) -> None:
        """Another view, or back to the text."""
        self.views.turn(view)
        self.find_subject()

    def turn_panes(self) -> None:
        """Fewer panes, then each alone, then all again."""
        self._layout += 1
        self.redraw()
        self.enter()

    def enter(self) -> None:
        """Focus the first pane that shows."""
        self.query_one(f"#pane-{self.shown[0]} Pager", Pager).focus()

    def find_subject(self) -> None:
        """Walk the tokens of the pane with the focus; else of the first tuned one that shows."""
        tuned = [at for at in self.shown if at]
        held = [at for at in tuned if self._pane(at).has_focus_within]
        at = (held or tuned or [1])[0]
        if at != self.views.subject:
            self.views.subject, self.views.cursor = at, 0

    @property
    def shown(self) -> tuple[int, ...]:
        """The panes that show now."""
        known = layouts(len(self._sides), self.size.width or 80)
        return known[self._layout % len(known)]

    def redraw(self) -> None:
        """Draw what there is by now."""
        if not self.is_mounted or not self._sides:
            return
        views, shown = self.views, self.shown
        for at in range(MOST_ARMS):
            pane = self._pane(at)
            pane.display = at in shown
            if at in shown:
                last = views.last(self._sides, at, self._glyphs)
                pane.show(self._sides[at], last, views.foot(at))
                if views.view == "shift" and at == views.subject:
                    pane.reveal("pick")
        self._show_panel(views.panel(self._sides, self.size.width, self._glyphs))
        self._compare()

    @property
    def _glyphs(self) -> Glyphs:
        glyphs: Glyphs = getattr(self.app, "glyphs", UNICODE)
        return glyphs

    def _pane(self, at: int) -> AnswerPane:
        return self.query_one(f"#pane-{at}", AnswerPane)

    def _show_panel(self, lines: list[Line]) -> None:
        """As many lines as leave the panes most of the room, the cursor's among them."""
        room = max(0, self.size.height // 3)
        if len(lines) > room:
            lines = lines[2 : 2 + room] if len(lines) > 2 else lines[:room]
        panel = self.query_one("#panel", Lines)
        panel.styles.height = len(lines)
        panel.display = bool(lines)
        panel.show(*lines)

    def _compare(self) -> None:
        """Have words compared, on a thread, where that is wanted."""
        views, texts = self.views, self.views.to_compare(self._sides)
        if texts is None or self._comparing:
            return
        self._comparing = True

        def finish(_: None) -> None:
            self._comparing = False
            self.redraw()

        run_in_background(self, lambda: views.compare(texts), finish)
