"""What the Tokens page draws: panes of blocks, tables, templates and how two of them differ.

What is asked for, chosen and written is for `page` to say.
"""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import TextArea

from engine.chat import Message as Turn
from engine.errors import EngineError
from engine.text import one_line
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import RenderedTemplate, TokenizerOutput
from tui.formatting import error_lines
from tui.screens.page import Page
from tui.styled_text import Line, Piece
from tui.tokens.block_pane import BlockPane, Blocks
from tui.tokens.requests import TokenizeClient
from tui.tokens.tables import color, counts_table, difference_lines, texts_table
from tui.tokens.token_text import FACES, RTL_NOTE, describe, hidden, is_right_to_left, spell
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager

if TYPE_CHECKING:
    from engine.tokenizers.tokenizer_output import Tokenized

VIEWS = ("pieces", "texts", "templates", "difference")
MOST_PANES = 4
LEAST_CELLS = 36
"""Of a pane; where there is no room for two, one shows alone."""
MOST_SHOWN = 4_000
"""Tokens in one pane: laying out more would be felt. All are counted."""
BUNDLED = "bundled:demo-base"
YOURS = "yours"


class TokenPanes(Page):
    """The page without its keys."""

    def __init__(self) -> None:
        super().__init__()
        self._refs: tuple[str, ...] = (BUNDLED,)
        self._recalled = False
        """Whether it is known which tokenizers were compared last time."""
        self._texts: dict[str, str] = {line.name: line.text for line in LINES}
        self._cut = 0
        """Characters that were left out of one's own text."""
        self._text_name = LINES[0].name
        self._said: tuple[Turn, ...] = CONVERSATION
        self._opened = False
        self._view = VIEWS[0]
        self._face = FACES[0]
        self._first = 0
        """Which tokenizer, or template, the leftmost pane shows."""
        self._forms: dict[int, str] = {}
        """By number of the template pane, where another than at first is wanted."""
        self._tokenize_client = TokenizeClient(lambda: self.services.companion(), self._news)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="told")
        yield Pager(wrap=False, id="token-counts")
        with Horizontal(id="token-panes"):
            for number in range(MOST_PANES):
                yield BlockPane(number)
        yield Pager(id="token-sheet")
        yield Lines(id="token")
        field = TextArea(
            id="token-field", classes="text-field", soft_wrap=True, tab_behavior="focus"
        )
        field.cursor_blink = False
        yield field
        yield keys

    def on_resize(self) -> None:
        if self.ready:
            self._show()

    def redraw(self) -> None:
        super().redraw()
        self._show()

    def on_blocks_moved(self) -> None:
        self._update_token()
        self._update_view()

    def _news(self) -> None:
        if self.ready:
            self._show()

    @property
    def _readings(self) -> list[TokenizerOutput]:
        waiting = [TokenizerOutput(ref, ref) for ref in self._refs]
        return [self._tokenize_client.readings.get(one.ref, one) for one in waiting]

    @property
    def _focused_pane(self) -> int:
        panes = list(self.query(BlockPane))
        return next((at for at, one in enumerate(panes) if one.blocks is self.focused), 0)

    def _room(self) -> int:
        """How many panes there is room for."""
        return max(1, min(MOST_PANES, self.size.width // LEAST_CELLS))

    def _panes(self) -> list[int]:
        """What the panes show, as indices of tokenizers; of templates, the raw text comes first."""
        all_of_them = list(range(len(self._refs)))
        return [0, *all_of_them] if self._view in ("templates", "difference") else all_of_them

    def _form(self, number: int) -> str:
        """The template of a pane."""
        return self._forms.get(self._first + number, "raw" if self._first + number == 0 else "")

    def _show(self) -> None:
        if not self.ready:
            return
        blocks = self._view in ("pieces", "templates")
        self.query_one("#token-panes").display = blocks
        self.query_one("#token-sheet").display = not blocks
        self.query_one("#token").display = blocks and self.size.height >= 10
        for small in (self.query_one(Rule), self.query_one("#told")):
            small.display = self.size.height >= 8
        counts = self.query_one("#token-counts", Pager)
        most = max(0, (self.size.height - 8) // 2)
        lines = self._counts() if self._view == "pieces" else []
        counts.display = bool(lines) and most > 1
        counts.styles.height = max(1, min(len(lines), most))
        counts.show(lines)
        self._update_view()
        if blocks:
            self._show_panes()
            self._update_token()
        else:
            self._show_sheet()
        self.show_keys()

    def _counts(self) -> list[Line]:
        return counts_table(self._readings, self._text_name, self.size.width - 2, self.glyphs)

    def _update_view(self) -> None:
        at = f"{VIEWS.index(self._view) + 1}/{len(VIEWS)} {self._view}"
        line: list[Piece] = [(f" {at}  ", "dim")]
        if self._tokenize_client.trouble is not None:
            text = f"{self._tokenize_client.trouble.title} {self._tokenize_client.trouble.detail}"
            self.query_one("#told", Lines).show([*line, (one_line(text), "bad")])
            return
        if self._view == "pieces":
            text = self._texts[self._text_name]
            names = list(self._texts)
            line += [
                (f"text {names.index(self._text_name) + 1}/{len(names)} ", "dim"),
                (self._text_name, "strong"),
                (f"  {len(text):,} characters, {len(text.encode('utf-8', 'replace')):,} bytes", ""),
            ]
            if self._cut and self._text_name == YOURS:
                line.append((f"  cut: {self._cut:,} characters left out", "warn"))
            if is_right_to_left(text):
                line.append((f"  {RTL_NOTE}", "dim"))
        elif self._view != "texts":
            turns = ", ".join(one.role for one in self._said)
            line += [(turns, "strong"), ("  and an answer opened" if self._opened else "", "")]
        if self._tokenize_client.busy:
            line.append(("  reading ...", "dim"))
        line += [(f"  ! {one_line(note)}", "warn") for note in self._notes()]
        count, fits = len(self._panes()), self._room()
        if self._view in ("pieces", "templates") and count > fits:
            first = self._first + 1
            last = min(first + fits - 1, count)
            shown = f"{first}-{last}" if last > first else f"{first}"
            line.insert(1, (f"panes {shown} of {count}, ] turns  ", "dim"))
        self.query_one("#told", Lines).show(line)

    def _notes(self) -> tuple[str, ...]:
        """What should be known of what the pane with the focus shows."""
        panes = self._panes()
        number = self._focused_pane
        if self._view not in ("pieces", "templates") or self._first + number >= len(panes):
            return ()
        reading = self._readings[panes[self._first + number]]
        if self._view == "pieces":
            return reading.notes
        found = _rendered(reading, self._form(number))
        return found.notes if found else ()

    def _show_panes(self) -> None:
        panes = self._panes()
        fits = min(self._room(), len(panes))
        self._first = min(self._first, len(panes) - 1)
        for number, pane in enumerate(self.query(BlockPane)):
            pane.display = number < fits and self._first + number < len(panes)
            if not pane.display:
                continue
            which = panes[self._first + number]
            reading = self._readings[which]
            if self._view == "pieces":
                self._fill_text(pane, which, reading)
            else:
                self._fill_template(pane, which, reading, self._form(number))
        if isinstance(self.focused, Blocks) and not self.focused.display:
            self.focus_initial()

    def _fill_text(self, pane: BlockPane, which: int, reading: TokenizerOutput) -> None:
        found: Tokenized | None = next(
            (one for one in reading.texts if one.count.name == self._text_name), None
        )
        head: list[Piece] = [(f"{which + 1} {one_line(reading.name)}", color(which))]
        tokens = found.tokens[:MOST_SHOWN] if found else ()
        if found is not None:
            head.append((f"  {found.count.tokens:,} tokens", ""))
            if more := hidden(tokens, found.count.tokens):
                head.append((f", {more:,} not shown", "warn"))
        if self._face != "text":
            head.append((f"  {self._face}", "dim"))
        pane.title(head)
        pane.blocks.show(tokens, self._face, self._instead(reading, found is not None))

    def _fill_template(
        self, pane: BlockPane, which: int, reading: TokenizerOutput, form: str
    ) -> None:
        found = _rendered(reading, form)
        head: list[Piece] = [(f"{which + 1} {one_line(reading.name)} ", color(which))]
        head.append((one_line(found.template if found else form or "own"), "strong"))
        if found is not None and not found.trouble:
            head.append((f"  {found.count:,} tokens", ""))
        if self._face != "text":
            head.append((f"  {self._face}", "dim"))
        pane.title(head)
        instead = self._instead(reading, found is not None)
        if found is not None and found.trouble:
            instead = [[(one_line(found.trouble), "bad")]]
        pane.blocks.show(found.tokens[:MOST_SHOWN] if found else (), self._face, instead)

    def _instead(self, reading: TokenizerOutput, is_read: bool) -> list[Line]:
        """What a pane says where it has no tokens."""
        if reading.trouble:
            return error_lines(EngineError(*reading.trouble))
        if self._tokenize_client.trouble is not None:
            return error_lines(self._tokenize_client.trouble)
        return [[("no tokens" if is_read else "reading ...", "dim")]]

    def _show_sheet(self) -> None:
        sheet = self.query_one("#token-sheet", Pager)
        if self._view == "texts":
            turned = self._readings[self._first :] + self._readings[: self._first]
            parallel = [line.name for line in LINES if line.parallel]
            width = self.size.width - 2
            sheet.show(texts_table(turned, list(self._texts), parallel, width, self.glyphs))
            return
        sheet.show(self._difference())

    def _difference(self) -> list[Line]:
        """Between the first two templates, or the first one and the raw text."""
        panes = [(which, self._forms.get(at, "raw" if at == 0 else ""))
                 for at, which in enumerate(self._panes())]  # fmt: skip
        chosen = panes[1:3] if len(panes) > 2 else panes[:2]
        sides = [(self._readings[which], form) for which, form in chosen]
        lines: list[Line] = []
        texts = []
        for at, (reading, form) in enumerate(sides):
            found = _rendered(reading, form)
            label = ("[- only here -]", "{+ only here +}")[at]
            name = one_line(found.template if found else form or "own")
            role = ("base", "tuned")[at]
            lines.append([(f"{one_line(reading.name)} {name}  ", role), (label, role)])
            if reading.trouble:
                return [*lines, *error_lines(EngineError(*reading.trouble))]
            if found is None:
                return [*lines, [("reading ...", "dim")]]
            if found.trouble:
                return [*lines, [(one_line(found.trouble), "bad")]]
            for note in found.notes:
                lines.append([(f"  {one_line(note)}", "dim")])
            texts.append(found)
        if texts[0].text == texts[1].text:
            return [
                *lines,
                [],
                [("They write the same.", "good")],
                [(spell(texts[0].text, self.glyphs, spaces=False), "")],
            ]
        return [*lines, [], *difference_lines(texts[0], texts[1], self.glyphs)]

    def _update_token(self) -> None:
        pane = list(self.query(BlockPane))[self._focused_pane]
        tokens = pane.blocks.tokens
        line: Line = []
        if tokens:
            at = pane.blocks.at
            line = [(" ", ""), *describe(tokens[at], at, len(tokens), self.glyphs)]
        self.query_one("#token", Lines).show(line)


def _rendered(reading: TokenizerOutput, form: str) -> RenderedTemplate | None:
    return next((one for one in reading.renders if one.form == form), None)
