"""Token shift of one stored answer: each token by its rank under the other arm, walked by keys."""

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.compare.answer_pairs import AnswerPair
from engine.compare.arms import parse_arm
from engine.compare.samples import to_table
from engine.compare.token_shift import Shift, from_table
from engine.errors import EngineError
from engine.text import one_line
from tui.screens.answer_side import TokenPieces, spans_of
from tui.screens.page import SubPage, bindings_of
from tui.screens.shift_lines import next_shifted, shift_lines, shift_panel
from tui.styled_text import Line, Piece
from tui.widgets.flow import flow
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager


class ShiftPage(SubPage):
    """Measures the right answer of a pair against the left arm: one forward pass of each."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("shift")
    name_in_keymap = "shift"
    initial_focus = "Pager"

    def __init__(self, pair: AnswerPair, names: tuple[str, str]) -> None:
        """`names` are what left and right are called, clean."""
        super().__init__()
        self._pair = pair
        self._names: tuple[Piece, Piece] = (names[0], "base"), (names[1], "tuned")
        self._shift: Shift | None = None
        self._pieces: list[str] = []
        self._problem = ""
        self._cursor = 0
        self._measuring: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(break_line=flow)
        yield Lines(id="panel", classes="panel")
        yield keys

    def on_mount(self) -> None:
        self._measuring = asyncio.create_task(self._measure())

    def on_unmount(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("step", "jump"):
            return bool(self._shift and self._shift.tokens)
        return action != "filter"

    def action_step(self, by: int) -> None:
        if self._shift is not None:
            self._cursor = max(0, min(self._cursor + by, len(self._shift.tokens) - 1))
            self._draw()

    def action_jump(self, by: int) -> None:
        if self._shift is not None:
            self._cursor = next_shifted(self._shift, self._cursor, by)
            self._draw()

    async def _measure(self) -> None:
        base, tuned = self._pair.left, self._pair.right
        companion = self.services.companion()
        try:
            if any(parse_arm(sample.arm).is_endpoint for sample in (base, tuned)):
                raise EngineError("An endpoint returns no token ids and no logits.")
            event = await companion.shift(base.arm, tuned.arm, to_table(tuned)).last()
            pieces = await companion.pieces(tuned.arm, list(tuned.output_ids))
            self._shift = from_table(event["shift"])
            self._pieces = TokenPieces(answer=spans_of(pieces)).by_token
        except EngineError as error:
            self._problem = one_line(" ".join(filter(None, (error.title, error.detail))))
        self._draw()

    def _draw(self) -> None:
        if not self.ready:
            return
        left, right = self._names
        head: list[Piece] = [(f" {left[0]}", left[1]), (f" {self.glyphs.arrow} ", "dim"), right]
        self.query_one("#headline", Lines).show(
            [*head, (f"  prompt {one_line(self._pair.id)}", "dim")]
        )
        reader, lines = self.query_one(Pager), self._panel()
        if self._shift is not None:
            reader.show(shift_lines(self._shift, self._cursor, self.glyphs, self._pieces))
            reader.reveal("pick")
        else:
            reader.show([[(self._problem or "computing...", "warn" if self._problem else "dim")]])
        panel = self.query_one("#panel", Lines)
        panel.styles.height = len(lines)
        panel.display = bool(lines)
        panel.show(*lines)
        self.show_keys()

    def _panel(self) -> list[Line]:
        """As many lines as leave the answer most of the room, the cursor's among them."""
        if self._shift is None:
            return []
        lines = shift_panel(self._shift, self._cursor, self._names, self.size.width, self.glyphs)
        room = self.size.height // 3
        return lines if len(lines) <= room else lines[2 : 2 + room]
