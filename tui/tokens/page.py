"""Tokens: the same text through several tokenizers, and what their templates write."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import TextArea

from engine.chat import Message as ChatMessage
from engine.errors import EngineError
from engine.text import one_line
from engine.tokenizers.sample_texts import CONVERSATION, LINES
from engine.tokenizers.tokenizer_output import (
    TokenizerOutput,
    format_conversation,
    parse_conversation,
)
from tui.background import run_in_background
from tui.screens.dialogs import ErrorDialog
from tui.screens.page import Page, bindings_of
from tui.tokens.panes import VIEWS, YOURS, TokenData, TokenPanes
from tui.tokens.requests import TokenizeClient, TokenizeRequest

BUNDLED = "bundled:demo-base"
MOST_WRITTEN = 20_000
"""Characters of a text of one's own; `finetop tokenize` takes more."""


class TokensPage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("tokens")
    name_in_keymap = "tokens"
    initial_focus = "#tokens-0 Blocks"

    def __init__(self) -> None:
        super().__init__()
        self._refs: tuple[str, ...] = (BUNDLED,)
        self._recalled = False
        """Whether it is known which tokenizers were compared last time."""
        self._texts: dict[str, str] = {line.name: line.text for line in LINES}
        self._left_out = 0
        """Characters that were left out of one's own text."""
        self._conversation: tuple[ChatMessage, ...] = CONVERSATION
        self._opens_answer = False
        self._client = TokenizeClient(lambda: self.services.companion(), self._show)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield TokenPanes(self.glyphs)
        field = TextArea(
            id="token-field", classes="text-field", soft_wrap=True, tab_behavior="focus"
        )
        field.cursor_blink = False
        yield field
        yield keys

    @property
    def panes(self) -> TokenPanes:
        return self.query_one(TokenPanes)

    def on_mount(self) -> None:
        run_in_background(self, self.services.actions.kept_tokenizers, self._use_last_choice)

    async def on_unmount(self) -> None:
        self._client.stop()

    def open(self) -> None:
        super().open()
        self._ask()
        self._show()

    def redraw(self) -> None:
        super().redraw()
        self.panes.use_glyphs(self.glyphs)

    def on_token_panes_updated(self) -> None:
        self.show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.ready:
            return False
        match action:
            case "send":
                return self.in_field
            case "step" | "turn_face":
                return self.panes.shows_blocks
            case "turn_text":
                return self.panes.view == "pieces"
            case "turn_form":
                return self.panes.view == "templates"
            case "open_answer":
                return self.panes.shows_conversation
            case "turn_panes":
                return self.panes.has_more
        return action != "filter"

    def go_back(self) -> bool:
        if self.in_field:
            self._close_field()
            return True
        if self.panes.view != VIEWS[0]:
            self.panes.show_view(VIEWS[0])
            return True
        return super().go_back()

    def action_turn_view(self, by: int) -> None:
        self.panes.turn_view(by)

    def action_turn_text(self, by: int) -> None:
        self.panes.turn_text(by)

    def action_turn_face(self) -> None:
        self.panes.turn_face()

    def action_turn_form(self) -> None:
        self.panes.turn_form()

    def action_turn_panes(self, by: int) -> None:
        self.panes.turn_panes(by)

    def action_step(self, by: int) -> None:
        self.panes.step(by)

    def action_open_answer(self) -> None:
        self._opens_answer = not self._opens_answer
        self._ask()
        self._show()

    def action_edit(self) -> None:
        field, panes = self.query_one(TextArea), self.panes
        field.load_text(
            format_conversation(self._conversation)
            if panes.shows_conversation
            else self._texts[panes.text_name]
        )
        field.select_all()  # what is typed takes its place
        field.add_class("open")
        field.focus()
        self.show_keys()

    def action_send(self) -> None:
        if not self.in_field:
            return
        text = self.query_one(TextArea).text
        if self.panes.shows_conversation:
            try:
                self._conversation = parse_conversation(text[:MOST_WRITTEN])
            except EngineError as error:
                self.app.push_screen(ErrorDialog(error))
                return
        elif text:
            self._left_out = max(0, len(text) - MOST_WRITTEN)
            self._texts[YOURS] = text[:MOST_WRITTEN]
            self.panes.text_name = YOURS
        self._close_field()
        self._ask()
        self._show()

    def action_pick(self) -> None:
        from tui.tokens.pick_tokenizers import pick_tokenizers

        def take(refs: tuple[str, ...]) -> None:
            self._refs = refs
            self.panes.begin()
            self._ask()
            self._show()
            keep = self.services.actions.keep_tokenizers
            run_in_background(self, lambda: keep(refs), failed=self._warn)

        pick_tokenizers(self, self._refs, take)

    def _close_field(self) -> None:
        self.query_one(TextArea).remove_class("open")
        self.focus_initial()
        self.show_keys()

    def _use_last_choice(self, refs: tuple[str, ...]) -> None:
        self._recalled, self._refs = True, refs or self._refs
        self.open()

    def _warn(self, error: EngineError) -> None:
        text = one_line(f"The choice could not be saved: {error.detail}")
        self.services.notify_user(text, "warning")

    def _ask(self) -> None:
        if not self._recalled:
            return  # what is asked for now may be another's
        texts = tuple(self._texts.items())
        self._client.ask(TokenizeRequest(self._refs, texts, self._conversation, self._opens_answer))

    def _show(self) -> None:
        if not self.ready:
            return
        outputs = [self._client.readings.get(ref, TokenizerOutput(ref, ref)) for ref in self._refs]
        self.panes.show(
            TokenData(
                tuple(outputs),
                dict(self._texts),
                self._conversation,
                self._opens_answer,
                self._left_out,
                self._client.busy,
                self._client.trouble,
            )
        )
