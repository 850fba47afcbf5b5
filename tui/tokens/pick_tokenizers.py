"""A window to choose tokenizers in: those that were found, and any other by its path."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from engine.errors import EngineError
from engine.text import one_line
from tui.screens.modal import Window
from tui.widgets.lines import Lines
from tui.widgets.table import Column, Table, TableRow

if TYPE_CHECKING:
    from tui.services import Services

COLUMNS = (Column("tokenizer", 20, 36), Column("where", 16, 60))
MOST = 8


class TokenizersFound(Message):
    """The folders were searched."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.found = tuple(found)


class PickTokenizers(Window[tuple[str, ...] | None]):
    """Dismissed with the refs of those that are marked, in the order of marking."""

    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", show=False),
        Binding("enter", "take", show=False),
    ]

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self._marked = list(chosen)
        self._known = {ref: ref for ref in chosen}
        self._searching = True

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Table(COLUMNS, empty="looking ...")
            field = Input(
                placeholder="tab: a path of tokenizer.json, folder, .model or .gguf", compact=True
            )
            field.add_class("text-field")
            field.cursor_blink = False
            yield field
            yield Lines(id="token-picking")

    def on_mount(self) -> None:
        self._refresh_rows()
        self.run_worker(self._search, thread=True)

    def on_tokenizers_found(self, event: TokenizersFound) -> None:
        self._searching = False
        self._known = dict(event.found) | {
            ref: name for ref, name in self._known.items() if ref not in dict(event.found)
        }
        self._refresh_rows()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        path = event.value.strip()
        if not path:
            self.action_take()
            return
        self._known.setdefault(path, path)
        self._mark(path)
        event.input.value = ""
        self._refresh_rows()
        self.query_one(Table).choose(path)

    def action_mark(self) -> None:
        chosen = self.query_one(Table).chosen
        if chosen is not None and not isinstance(self.focused, Input):
            if chosen in self._marked:
                self._marked.remove(chosen)
            else:
                self._mark(chosen)
            self._refresh_rows()

    def action_take(self) -> None:
        if not isinstance(self.focused, Input):
            chosen = self.query_one(Table).chosen
            self.dismiss(tuple(self._marked) or ((chosen,) if chosen else None))

    def _mark(self, ref: str) -> None:
        if ref not in self._marked and len(self._marked) < MOST:
            self._marked.append(ref)

    def _search(self) -> None:
        """On a thread: it walks through folders."""
        services = cast("Services", self.app)
        try:
            found = services.actions.tokenizers()
        except EngineError as error:
            self.app.call_from_thread(services.notify_user, one_line(error.title), "warning")
            found = []
        self.post_message(TokenizersFound(found))

    def _refresh_rows(self) -> None:
        rows = []
        for ref, name in self._known.items():
            order = f"{self._marked.index(ref) + 1} " if ref in self._marked else "  "
            where = "" if name == ref else ref
            rows.append(
                TableRow(
                    ref,
                    (((order, "key"), (one_line(name), "")), ((one_line(where), "dim"),)),
                    marked=ref in self._marked,
                )
            )
        self.query_one(Table).show(rows)
        told = "looking ...  " if self._searching else ""
        full = f"  {MOST} at most" if len(self._marked) == MOST else ""
        self.query_one("#token-picking", Lines).show(
            [(f"{told}space marks, enter takes {len(self._marked)}, tab a path{full}", "dim")]
        )
