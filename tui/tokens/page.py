"""Tokens: the same text through several tokenizers, and what their templates write."""

from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from engine.errors import EngineError
from engine.tokenizers.tokenizer_output import format_conversation, parse_conversation
from tui.screens.dialogs import ErrorDialog
from tui.screens.page import bindings_of
from tui.tokens.block_pane import Blocks
from tui.tokens.panes import VIEWS, YOURS, TokenPanes
from tui.tokens.requests import FORMS, TokenizeRequest
from tui.tokens.token_text import FACES
from tui.widgets.pager import Pager

MOST_WRITTEN = 20_000
"""Characters of a text of one's own; `finetop tokenize` takes more."""


class LastChoiceRead(Message):
    """It is known which tokenizers were compared last time; none: there was no such time."""

    def __init__(self, refs: tuple[str, ...]) -> None:
        super().__init__()
        self.refs = refs


class TokensPage(TokenPanes):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("tokens")
    name_in_keymap = "tokens"
    initial_focus = "#tokens-0 Blocks"

    def on_mount(self) -> None:
        self.query_one("#token-counts", Pager).can_focus = False
        super().on_mount()
        self.run_worker(self._recall, thread=True)

    def open(self) -> None:
        super().open()
        self._ask()
        self._show()

    def on_last_choice_read(self, event: "LastChoiceRead") -> None:
        self._recalled, self._refs = True, event.refs or self._refs
        self.open()

    async def on_unmount(self) -> None:
        self._tokenize_client.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        blocks = self._view in ("pieces", "templates")
        if action == "send":
            return self.in_field
        if action in ("step", "turn_face"):
            return blocks
        if action == "turn_text":
            return self._view == "pieces"
        if action in ("turn_form", "open_answer"):
            return self._view == "templates" or (
                action == "open_answer" and self._view == "difference"
            )
        if action == "turn_panes":
            return self._view != "difference" and len(self._panes()) > self._room()
        return action != "filter"

    def go_back(self) -> bool:
        if self.in_field:
            self._close_field()
            return True
        if self._view != VIEWS[0]:
            self._turn_to(VIEWS[0])
            return True
        return super().go_back()

    def action_turn_view(self, by: int) -> None:
        self._turn_to(VIEWS[(VIEWS.index(self._view) + by) % len(VIEWS)])

    def action_turn_text(self, by: int) -> None:
        names = list(self._texts)
        self._text_name = names[(names.index(self._text_name) + by) % len(names)]
        self._show()

    def action_turn_face(self) -> None:
        self._face = FACES[(FACES.index(self._face) + 1) % len(FACES)]
        self._show()

    def action_turn_form(self) -> None:
        number = self._focused_pane
        at = FORMS.index(self._form(number))
        self._forms[self._first + number] = FORMS[(at + 1) % len(FORMS)]
        self._show()

    def action_turn_panes(self, by: int) -> None:
        self._first = (self._first + by) % len(self._panes())
        self._show()

    def action_open_answer(self) -> None:
        self._opened = not self._opened
        self._ask()
        self._show()

    def action_step(self, by: int) -> None:
        if isinstance(self.focused, Blocks):
            self.focused.action_step(by)

    def action_edit(self) -> None:
        field = self.query_one(TextArea)
        talks = self._view in ("templates", "difference")
        field.load_text(format_conversation(self._said) if talks else self._texts[self._text_name])
        field.select_all()  # what is typed takes its place
        field.add_class("open")
        field.focus()
        self.show_keys()

    def action_send(self) -> None:
        if not self.in_field:
            return
        text = self.query_one(TextArea).text
        if self._view in ("templates", "difference"):
            try:
                self._said = parse_conversation(text[:MOST_WRITTEN])
            except EngineError as error:
                self.app.push_screen(ErrorDialog(error))
                return
        elif text:
            self._cut = max(0, len(text) - MOST_WRITTEN)
            self._texts[YOURS] = text[:MOST_WRITTEN]
            self._text_name = YOURS
        self._close_field()
        self._ask()
        self._show()

    def action_pick(self) -> None:
        from tui.tokens.pick_tokenizers import PickTokenizers

        def take(refs: tuple[str, ...] | None) -> None:
            if refs:
                self._refs, self._first = refs, 0
                self._forms.clear()
                self._ask()
                self._show()
                self.run_worker(lambda: self._keep(refs), thread=True)

        self.app.push_screen(PickTokenizers(self._refs), take)

    def _close_field(self) -> None:
        self.query_one(TextArea).remove_class("open")
        self.focus_initial()
        self.show_keys()

    def _turn_to(self, view: str) -> None:
        self._view, self._first = view, 0
        self._show()
        if view in ("texts", "difference"):
            self.query_one("#token-sheet").focus()
        else:
            self.focus_initial()

    def _recall(self) -> None:
        """On a thread: it reads a file."""
        self.post_message(LastChoiceRead(self.services.actions.kept_tokenizers()))

    def _keep(self, refs: tuple[str, ...]) -> None:
        """On a thread: it writes a file."""
        try:
            self.services.actions.keep_tokenizers(refs)
        except OSError as error:
            said = f"The choice is not remembered: {error.strerror}"
            self.app.call_from_thread(self.services.notify_user, said, "warning")

    def _ask(self) -> None:
        if not self._recalled:
            return  # what is asked for now may be another's
        texts = tuple(self._texts.items())
        self._tokenize_client.ask(TokenizeRequest(self._refs, texts, self._said, self._opened))
