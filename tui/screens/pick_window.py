"""A window to pick rows of a table in: one of them, or several that are marked.

Owns the table, the marks, the field beside it and the line of keys. What the rows are, what is
typed for, and what is done with what was picked are the caller's: descriptions and functions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textual import events
from textual.actions import SkipAction
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import AwaitMount
from textual.widgets import Input

from engine.errors import EngineError
from engine.text import one_line
from tui.screens.modal import Window
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager
from tui.widgets.table import Column, Table, TableRow
from tui.widgets.text_field import TextField

LINES = 18
"""Of a table, where there is room for them."""
_PADDING = 2
"""Empty lines of a dialog, above and below."""
_ABOUT_LINES = 4
"""For what is said of the chosen row."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What a window was left with."""

    key: str | None
    """Of the chosen row; None where there was none."""
    marked: tuple[str, ...] = ()
    """Keys of the marked rows, in the order of marking."""


@dataclass(frozen=True, slots=True)
class Multi:
    """`space` marks rows."""

    marked: Sequence[str] = ()
    """Marked from the start; keys of rows that are not listed stay marked."""
    most: int = 0
    """0 is any number."""
    numbered: bool = False
    """Whether the order of marking shows."""


@dataclass(frozen=True, slots=True)
class FilterField:
    """What is typed narrows the list."""

    hint: str
    rows: Callable[[str], Sequence[TableRow]]
    """The rows for a text. Raises EngineError, whose detail says why it is no filter; then the
    rows stay as they are."""
    by_slash: bool = False
    """Whether it opens by `/`, below the list; else it is above, and has the focus throughout."""
    keys: str = ""
    """What keys do in a field that was opened by `/`."""


@dataclass(frozen=True, slots=True)
class EntryField:
    """What is typed is handed over; it stands below the list, and is reached by `tab`."""

    hint: str
    submit: "Callable[[PickWindow, str], None]"


class PickWindow(Window[Picked | None]):
    """Dismissed with what was picked. Rows may be replaced while it is open."""

    AUTO_FOCUS = "Input, Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False),
        Binding("slash", "filter", show=False),
        # In a field these keys are not text. In the table they wait their turn: a key that is
        # taken first would overtake the `j` that was typed before it.
        Binding("down", "move_in_field(1)", show=False, priority=True),
        Binding("up", "move_in_field(-1)", show=False, priority=True),
        Binding("space", "mark_in_field", show=False, priority=True),
        Binding("space", "mark", show=False),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        rows: Sequence[TableRow],
        *,
        chosen: str | None = None,
        multi: Multi | None = None,
        field: FilterField | EntryField | None = None,
        extra: "Mapping[str, Callable[[PickWindow], None]] | None" = None,
        keys: "str | Callable[[PickWindow], str]" = "enter select   esc cancel",
        empty: str = "",
        head: bool = True,
        lines: int | None = LINES,
        on_open: "Callable[[PickWindow], None] | None" = None,
        title: str = "",
        about: Callable[[str | None], str] | None = None,
    ) -> None:
        """`extra`: further keys; `keys`: what the last line says of all; `empty`: instead of rows.

        `lines` of the table, None for all there is room for. `title` stands above it, and under it
        what `about` says of the chosen row, on a few lines; both clean.
        """
        super().__init__()
        self.rows = tuple(rows)
        self._columns = columns
        self._chosen_first = chosen
        self._multi = multi
        self._marked = list(multi.marked) if multi else []
        self._field = field
        self._extra = extra or {}
        self._keys = keys
        self._empty = empty
        self._head = head
        self._lines = lines
        self._on_open = on_open
        self._title = title
        self._about = about
        self._error = ""

    def open(self, app: App[Any], take: Callable[[Picked], Any]) -> AwaitMount:
        """Show it; `take` is called with what was picked, and not where it was left by `esc`."""

        def receive(picked: Picked | None) -> Any:
            return None if picked is None else take(picked)

        return app.push_screen(self, receive)

    def compose(self) -> ComposeResult:
        dialog = Vertical(classes="dialog")
        dialog.set_class(self._lines is None, "tall")
        with dialog:
            if self._title:
                title = Lines(id="title")
                title.show([(self._title, "strong")])
                yield title
            if self._is_above:
                yield self._input()
            table = Table(self._columns, head=self._head, empty=self._empty)
            table.can_focus = not self._is_above
            yield table
            if self._field is not None and not self._is_above:
                yield self._input()
            if self._about is not None:
                about = Pager(id="about")
                about.can_focus = False
                yield about
            yield Lines(id="keys")

    def on_mount(self) -> None:
        if self._about is not None:
            self.query_one("#about").styles.height = _ABOUT_LINES
        self._fit()
        self._refresh_rows()
        self._table.choose(self._chosen_first)
        if self._on_open is not None:
            self._on_open(self)

    @property
    def chosen(self) -> str | None:
        """The key of the chosen row."""
        return self._table.chosen

    @property
    def marked(self) -> tuple[str, ...]:
        """Keys of the marked rows, in the order of marking."""
        return tuple(self._marked)

    def replace_rows(self, rows: Sequence[TableRow]) -> None:
        """Show other rows; the chosen one and the marks are kept by their keys."""
        self.rows = tuple(rows)
        self._refresh_rows()

    def choose(self, key: str) -> None:
        self._table.choose(key)

    def mark(self, key: str) -> None:
        """Mark a row, where that is not marked and not too many are."""
        most = self._multi.most if self._multi else 0
        if key not in self._marked and not (most and len(self._marked) >= most):
            self._marked.append(key)
            self._refresh_rows()

    def clear_marks(self) -> None:
        self._marked.clear()
        self._refresh_rows()

    def go_back(self) -> None:
        """Leave the filter, where one was opened; else the window."""
        if self._is_filter_open:
            field = self.query_one(Input)
            field.value = ""
            field.display = False
            self._fit()
            self._table.focus()
        else:
            super().go_back()

    def on_key(self, event: events.Key) -> None:
        handle = self._extra.get(event.key)
        if handle is not None and not isinstance(self.focused, Input):
            event.stop()
            handle(self)

    def on_descendant_focus(self) -> None:
        self._update_keys()

    def on_table_row_highlighted(self) -> None:
        self._update_keys()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if isinstance(self._field, FilterField):
            try:
                self.rows, self._error = tuple(self._field.rows(event.value)), ""
            except EngineError as error:
                self._error = error.detail
            self._refresh_rows()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if self._is_filter_open:
            self._table.focus()
        elif isinstance(self._field, EntryField) and text:
            event.input.value = ""
            self._field.submit(self, text)
        else:
            self.action_take()

    def action_move_in_field(self, by: int) -> None:
        self._skip_in_table()
        self._table.action_move(by)

    def action_mark_in_field(self) -> None:
        self._skip_in_table()
        self.action_mark()

    def _skip_in_table(self) -> None:
        """Leave a key to the table, where that has the focus. Raises SkipAction."""
        if not isinstance(self.focused, Input):
            raise SkipAction

    def action_mark(self) -> None:
        key = self.chosen
        if self._multi is None or key is None:
            return
        if key in self._marked:
            self._marked.remove(key)
            self._refresh_rows()
        else:
            self.mark(key)

    def action_filter(self) -> None:
        if isinstance(self._field, FilterField) and self._field.by_slash:
            field = self.query_one(Input)
            field.display = True
            self._fit()
            self.set_focus(field)

    def action_take(self) -> None:
        self.dismiss(Picked(self.chosen, self.marked))

    @property
    def _table(self) -> Table:
        return self.query_one(Table)

    @property
    def _is_above(self) -> bool:
        return isinstance(self._field, FilterField) and not self._field.by_slash

    @property
    def _is_filter_open(self) -> bool:
        by_slash = isinstance(self._field, FilterField) and self._field.by_slash
        return by_slash and self.query_one(Input).display

    def _input(self) -> TextField:
        assert self._field is not None
        if self._is_above and self._multi is not None:
            # A space marks a row here, and is no character of the text.
            return TextField(hint=self._field.hint, spaces=False)
        field = TextField(hint=self._field.hint)
        field.display = not (isinstance(self._field, FilterField) and self._field.by_slash)
        return field

    def _fit(self) -> None:
        """As high as the table and what stands beside it; where there is no room, it is cut."""
        if self._lines is not None:
            beside = sum(one.display for one in self.query("Input, #title, #keys"))
            beside += _ABOUT_LINES * (self._about is not None)
            self.query_one(".dialog").styles.height = self._lines + beside + _PADDING

    def _refresh_rows(self) -> None:
        self._table.show([self._as_shown(row) for row in self.rows])
        self._update_keys()

    def _as_shown(self, row: TableRow) -> TableRow:
        if self._multi is None:
            return row
        marked = row.key in self._marked
        cells = row.cells
        if self._multi.numbered:
            number = f"{self._marked.index(row.key) + 1} " if marked else "  "
            cells = (((number, "key"), *cells[0]), *cells[1:])
        return replace(row, cells=cells, marked=marked)

    def _update_keys(self) -> None:
        if self._about is not None:
            self.query_one(Pager).show([[(self._about(self.chosen), "dim")]])
        text = self._keys if isinstance(self._keys, str) else self._keys(self)
        if isinstance(self._field, FilterField) and isinstance(self.focused, Input):
            text = self._field.keys or text
        line = (f"filter: {one_line(self._error)}", "bad") if self._error else (text, "dim")
        self.query_one("#keys", Lines).show([line])


@dataclass(frozen=True, slots=True)
class PickOption:
    """One of a few things that one is picked of."""

    key: str
    label: str
    about: str = ""


def pick_option(
    app: App[Any],
    title: str,
    options: Sequence[PickOption],
    chosen: str | None,
    take: Callable[[str], None],
) -> None:
    """Have one of `options` picked; `take` is called with its key."""
    rows = [
        TableRow(one.key, (((one_line(one.label), ""),), ((one_line(one.about), "dim"),)))
        for one in options
    ]
    columns = Column(title, 22, 40), Column(" ", 12, 44)
    pick_row(app, PickWindow(columns, rows, chosen=chosen, empty="Nothing found."), take)


def pick_row(app: App[Any], window: PickWindow, take: Callable[[str], None]) -> None:
    """Show a window of single choice; `take` is called with the key of the row, if there is one."""

    def receive(picked: Picked) -> None:
        if picked.key is not None:
            take(picked.key)

    window.open(app, receive)
