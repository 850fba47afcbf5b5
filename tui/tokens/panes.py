"""What several tokenizers make of texts and of a conversation: blocks, tables, differences.

Holds which view, text, panes and templates are shown. Gets its data by `show`; reads nothing, asks
nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from engine.chat import Message as ChatMessage
from engine.errors import EngineError
from engine.text import one_line
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import OWN_TEMPLATE, RenderedTemplate, TokenizerOutput
from tui.formatting import error_lines
from tui.glyphs import Glyphs
from tui.styled_text import Line, Piece, fit
from tui.tokens.block_pane import BlockPane, Blocks
from tui.tokens.requests import FORMS
from tui.tokens.tables import color, counts_table, difference_lines, texts_table
from tui.tokens.token_text import (
    FACE_NAMES,
    FACES,
    RTL_NOTE,
    describe,
    hidden,
    is_right_to_left,
    spell,
)
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager

if TYPE_CHECKING:
    from engine.tokenizers.tokenizer_output import Tokenized

VIEWS = ("pieces", "texts", "templates", "difference")
_TITLES = {"pieces": "tokens"}
MOST_PANES = 4
LEAST_CELLS = 36
_NAME_CELLS = 24
"""Of a name before the token that is chosen."""
"""Of a pane; where there is no room for two, one shows alone."""
MOST_SHOWN = 4_000
"""Tokens in one pane: laying out more would be felt. All are counted."""
YOURS = "yours"


@dataclass(frozen=True, slots=True, eq=False)
class TokenData:
    """All that can be shown."""

    outputs: tuple[TokenizerOutput, ...]
    """One a tokenizer; of those that have not answered yet, the name alone."""
    texts: Mapping[str, str]
    """By name."""
    conversation: tuple[ChatMessage, ...] = CONVERSATION
    opens_answer: bool = False
    """Whether templates open an answer at the end."""
    left_out: int = 0
    """Characters of one's own text that were too many."""
    is_busy: bool = False
    """Whether an answer is still to come."""
    trouble: EngineError | None = None


class TokenPanes(Vertical):
    """Panes of blocks side by side, or one sheet of text."""

    class Updated(Message):
        """Another view, other panes, or something else in them."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = VIEWS[0]
        self.text_name = LINES[0].name
        self._glyphs = glyphs
        self._data = TokenData((), {line.name: line.text for line in LINES})
        self._face = FACES[0]
        self._first = 0
        """Which tokenizer, or template, the leftmost pane shows."""
        self._forms: dict[int, str] = {}
        """By number of the template pane, where it is not as at first."""

    def compose(self) -> ComposeResult:
        yield Rule()
        yield Lines(id="token-status")
        counts = Pager(wrap=False, id="token-counts")
        counts.can_focus = False
        yield counts
        with Horizontal(id="token-panes"):
            for number in range(MOST_PANES):
                yield BlockPane(number)
        yield Pager(id="token-sheet")
        yield Lines(id="token")

    def on_resize(self) -> None:
        self._update()

    def on_blocks_moved(self) -> None:
        self._update_token()
        self._update_status()

    def show(self, data: TokenData) -> None:
        self._data = data
        self._update()

    def use_glyphs(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._update()

    def begin(self) -> None:
        """With the first of other tokenizers, and each one's first template."""
        self._first = 0
        self._forms.clear()

    @property
    def shows_blocks(self) -> bool:
        return self.view in ("pieces", "templates")

    @property
    def shows_conversation(self) -> bool:
        """Whether what is shown is made of the conversation, not of the texts."""
        return self.view in ("templates", "difference")

    @property
    def has_more(self) -> bool:
        """Whether there are more tokenizers, or templates, than room."""
        return self.view != "difference" and len(self._panes()) > self._room()

    def turn_view(self, by: int) -> None:
        self.show_view(VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)])

    def show_view(self, view: str) -> None:
        """Another view, with its first pane focused."""
        self.view, self._first = view, 0
        self._update()
        self.focus_first()

    def focus_first(self) -> None:
        if self.shows_blocks:
            self.query(Blocks).first().focus()
        else:
            self.query_one("#token-sheet").focus()

    def turn_text(self, by: int) -> None:
        names = list(self._data.texts)
        self.text_name = names[(names.index(self.text_name) + by) % len(names)]
        self._update()

    def turn_face(self) -> None:
        """Tokens as text, as ids, or raw."""
        self._face = FACES[(FACES.index(self._face) + 1) % len(FACES)]
        self._update()

    def turn_form(self) -> None:
        """The next template in the pane with the focus."""
        number = self._focused_pane
        at = FORMS.index(self._form(number))
        self._forms[self._first + number] = FORMS[(at + 1) % len(FORMS)]
        self._update()

    def turn_panes(self, by: int) -> None:
        self._first = (self._first + by) % len(self._panes())
        self._update()

    def step(self, by: int) -> None:
        """To another token in the pane with the focus."""
        if isinstance(self.screen.focused, Blocks):
            self.screen.focused.action_step(by)

    @property
    def _focused_pane(self) -> int:
        panes = list(self.query(BlockPane))
        return next((at for at, p in enumerate(panes) if p.blocks is self.screen.focused), 0)

    def _room(self) -> int:
        """How many panes there is room for."""
        return max(1, min(MOST_PANES, self.size.width // LEAST_CELLS))

    def _panes(self) -> list[int]:
        """What the panes show, as indices of tokenizers; of templates, the raw text comes first."""
        tokenizers = list(range(len(self._data.outputs)))
        return [0, *tokenizers] if self.shows_conversation else tokenizers

    def _form(self, number: int) -> str:
        """The template of a pane."""
        return self._forms.get(self._first + number, "raw" if self._first + number == 0 else "")

    def _update(self) -> None:
        if not self.is_mounted or not self._data.outputs:
            return
        # By the terminal's height: this one's own is less while a text is written below.
        height = self.screen.size.height
        self.query_one("#token-panes").display = self.shows_blocks
        self.query_one("#token-sheet").display = not self.shows_blocks
        self.query_one("#token").display = self.shows_blocks and height >= 10
        for small in (self.query_one(Rule), self.query_one("#token-status")):
            small.display = height >= 8
        counts = self.query_one("#token-counts", Pager)
        most = max(0, (height - 8) // 2)
        lines = self._counts() if self.view == "pieces" else []
        counts.display = bool(lines) and most > 1
        counts.styles.height = max(1, min(len(lines), most))
        counts.show(lines)
        self._update_status()
        if self.shows_blocks:
            self._update_panes()
            self._update_token()
        else:
            self._update_sheet()
        self.post_message(self.Updated())

    def _counts(self) -> list[Line]:
        width = self.size.width - 2
        return counts_table(list(self._data.outputs), self.text_name, width, self._glyphs)

    def _update_status(self) -> None:
        data, status = self._data, self.query_one("#token-status", Lines)
        line: list[Piece] = [
            (
                f" view {VIEWS.index(self.view) + 1}/{len(VIEWS)}: "
                f"{_TITLES.get(self.view, self.view)}  ",
                "dim",
            )
        ]
        if data.trouble is not None:
            text = f"{data.trouble.title} {data.trouble.detail}"
            status.show([*line, (one_line(text), "bad")])
            return
        if self.view == "pieces":
            text = data.texts[self.text_name]
            names = list(data.texts)
            line += [
                (f"text {names.index(self.text_name) + 1}/{len(names)} ", "dim"),
                (self.text_name, "strong"),
                (f"  {len(text):,} chars, {len(text.encode('utf-8', 'replace')):,} bytes", ""),
            ]
            if data.left_out and self.text_name == YOURS:
                line.append((f"  +{data.left_out:,} truncated", "warn"))
            if is_right_to_left(text):
                line.append((f"  {RTL_NOTE}", "dim"))
        elif self.view != "texts":
            roles = ", ".join(message.role for message in data.conversation)
            line += [
                ("roles: ", "dim"),
                (roles, "strong"),
                ("  with generation prompt" if data.opens_answer else "", ""),
            ]
        if data.is_busy:
            line.append(("  loading...", "dim"))
        line += [(f"  ! {one_line(note)}", "warn") for note in self._notes()]
        count, fits = len(self._panes()), self._room()
        if self.shows_blocks and count > fits:
            first = self._first + 1
            last = min(first + fits - 1, count)
            shown = f"{first}-{last}" if last > first else f"{first}"
            line.insert(1, (f"panes {shown} of {count}, ] next  ", "dim"))
        status.show(line)

    def _notes(self) -> tuple[str, ...]:
        """What should be known of what the pane with the focus shows."""
        panes = self._panes()
        number = self._focused_pane
        if not self.shows_blocks or self._first + number >= len(panes):
            return ()
        output = self._data.outputs[panes[self._first + number]]
        if self.view == "pieces":
            return output.notes
        rendered = _rendered(output, self._form(number))
        return rendered.notes if rendered else ()

    def _update_panes(self) -> None:
        panes = self._panes()
        fits = min(self._room(), len(panes))
        self._first = min(self._first, len(panes) - 1)
        for number, pane in enumerate(self.query(BlockPane)):
            pane.display = number < fits and self._first + number < len(panes)
            if not pane.display:
                continue
            which = panes[self._first + number]
            if self.view == "pieces":
                self._fill_text(pane, which)
            else:
                self._fill_template(pane, which, self._form(number))
        focused = self.screen.focused
        if isinstance(focused, Blocks) and not focused.display:
            self.focus_first()

    def _fill_text(self, pane: BlockPane, which: int) -> None:
        output = self._data.outputs[which]
        text: Tokenized | None = next(
            (text for text in output.texts if text.count.name == self.text_name), None
        )
        head: list[Piece] = [(f"{which + 1} {one_line(output.name)}", color(which))]
        tokens = text.tokens[:MOST_SHOWN] if text else ()
        if text is not None:
            head.append((f"  {text.count.tokens:,} tokens", ""))
            if more := hidden(tokens, text.count.tokens):
                head.append((f", {more:,} not shown", "warn"))
        if self._face != "text":
            head.append((f"  {FACE_NAMES[self._face]}", "dim"))
        pane.title(head)
        pane.blocks.show(tokens, self._face, self._instead(output, text is not None))

    def _fill_template(self, pane: BlockPane, which: int, form: str) -> None:
        output = self._data.outputs[which]
        rendered = _rendered(output, form)
        between = f" {self._glyphs.separator} "
        head: list[Piece] = [(f"{which + 1} {one_line(output.name)}{between}", color(which))]
        head.append((one_line(rendered.template if rendered else form or OWN_TEMPLATE), "strong"))
        if rendered is not None and not rendered.trouble:
            head.append((f"  {rendered.count:,} tokens", ""))
        if self._face != "text":
            head.append((f"  {FACE_NAMES[self._face]}", "dim"))
        pane.title(head)
        instead = self._instead(output, rendered is not None)
        if rendered is not None and rendered.trouble:
            instead = [[(one_line(rendered.trouble), "bad")]]
        pane.blocks.show(rendered.tokens[:MOST_SHOWN] if rendered else (), self._face, instead)

    def _instead(self, output: TokenizerOutput, is_read: bool) -> list[Line]:
        """What a pane says where it has no tokens."""
        if output.trouble:
            return error_lines(EngineError(*output.trouble))
        if self._data.trouble is not None:
            return error_lines(self._data.trouble)
        return [[("no tokens" if is_read else "loading...", "dim")]]

    def _update_sheet(self) -> None:
        sheet = self.query_one("#token-sheet", Pager)
        if self.view == "difference":
            sheet.show(self._difference())
            return
        outputs = [*self._data.outputs[self._first :], *self._data.outputs[: self._first]]
        parallel = [line.name for line in LINES if line.parallel]
        width = self.size.width - 2
        sheet.show(texts_table(outputs, list(self._data.texts), parallel, width, self._glyphs))

    def _difference(self) -> list[Line]:
        """Between the first two templates, or the first one and the raw text."""
        panes = [(which, self._forms.get(at, "raw" if at == 0 else ""))
                 for at, which in enumerate(self._panes())]  # fmt: skip
        chosen = panes[1:3] if len(panes) > 2 else panes[:2]
        sides = [(self._data.outputs[which], form) for which, form in chosen]
        lines: list[Line] = []
        texts = []
        for at, (output, form) in enumerate(sides):
            rendered = _rendered(output, form)
            label = ("only here: [- -]", "only here: {+ +}")[at]
            name = one_line(rendered.template if rendered else form or OWN_TEMPLATE)
            role = ("base", "tuned")[at]
            title = f"{one_line(output.name)} {self._glyphs.separator} {name}  "
            lines.append([(title, role), (label, role)])
            if output.trouble:
                return [*lines, *error_lines(EngineError(*output.trouble))]
            if rendered is None:
                return [*lines, [("loading...", "dim")]]
            if rendered.trouble:
                return [*lines, [(one_line(rendered.trouble), "bad")]]
            for note in rendered.notes:
                lines.append([(f"  {one_line(note)}", "dim")])
            texts.append(rendered)
        if texts[0].text == texts[1].text:
            return [
                *lines,
                [],
                [("The rendered texts are identical.", "good")],
                [(spell(texts[0].text, self._glyphs, spaces=False), "")],
            ]
        return [*lines, [], *difference_lines(texts[0], texts[1], self._glyphs)]

    def _update_token(self) -> None:
        pane = list(self.query(BlockPane))[self._focused_pane]
        tokens = pane.blocks.tokens
        line: Line = []
        if tokens:
            at = pane.blocks.at
            line = [self._pane_name(), *describe(tokens[at], at, len(tokens), self._glyphs)]
        self.query_one("#token", Lines).show(line)

    def _pane_name(self) -> Piece:
        """Of the pane with the focus: its tokenizer, or the template where these are compared."""
        number = self._focused_pane
        which = self._panes()[self._first + number]
        output = self._data.outputs[which]
        name = output.name
        if self.view != "pieces":
            form = self._form(number)
            rendered = _rendered(output, form)
            name = rendered.template if rendered else form or OWN_TEMPLATE
        short = fit(one_line(name), _NAME_CELLS, self._glyphs.ellipsis)
        return (f" {which + 1} {short}: ", color(which))


def _rendered(output: TokenizerOutput, form: str) -> RenderedTemplate | None:
    return next((rendered for rendered in output.renders if rendered.form == form), None)
