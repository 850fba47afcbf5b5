"""A window to choose tokenizers in: those that were found, and any other by its path."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.text import one_line
from tui.background import run_in_background
from tui.screens.page import Page
from tui.screens.pick_window import EntryField, Multi, Picked, PickWindow
from tui.widgets.table import Column, TableRow

if TYPE_CHECKING:
    from tui.services import Services

COLUMNS = (Column("tokenizer", 20, 36), Column("source", 16, 60))
MOST = 8


def pick_tokenizers(
    page: Page, chosen: Sequence[str], take: Callable[[tuple[str, ...]], None]
) -> None:
    """Have tokenizers marked; `take` is called with their refs, in the order of marking."""
    known = _KnownTokenizers(page.services, chosen)

    def receive(picked: Picked) -> None:
        refs = picked.marked or ((picked.key,) if picked.key else ())
        if refs:
            take(refs)

    PickWindow(
        COLUMNS,
        known.rows,
        multi=Multi(chosen, most=MOST, numbered=True),
        field=EntryField("tab: path of a tokenizer.json, folder, .model or .gguf", known.enter),
        keys=known.keys,
        empty="searching...",
        lines=None,
        on_open=known.search,
    ).open(page.app, receive)


class _KnownTokenizers:
    """What the window lists: what was found, then what was chosen before, then what is typed."""

    def __init__(self, services: "Services", chosen: Sequence[str]) -> None:
        self._services = services
        self._names = {ref: ref for ref in chosen}
        self._searching = True

    @property
    def rows(self) -> list[TableRow]:
        return [
            TableRow(
                ref, (((one_line(name), ""),), (("" if name == ref else one_line(ref), "dim"),))
            )
            for ref, name in self._names.items()
        ]

    def keys(self, window: PickWindow) -> str:
        searching = "searching...   " if self._searching else ""
        count = len(window.marked)
        full = f" (at most {MOST})" if count == MOST else ""
        return f"{searching}{count} marked{full}   space mark   enter apply   tab path"

    def search(self, window: PickWindow) -> None:
        """Have the folders searched, and list what is found."""

        def add(tokenizers: list[tuple[str, str]]) -> None:
            self._searching = False
            names = dict(tokenizers)
            known = {ref: name for ref, name in self._names.items() if ref not in names}
            self._names = names | known
            window.replace_rows(self.rows)

        def fail(error: EngineError) -> None:
            self._services.notify_user(one_line(error.title), "warning")
            add([])

        run_in_background(window, self._services.actions.tokenizers, add, failed=fail)

    def enter(self, window: PickWindow, path: str) -> None:
        """List a path that was typed, marked."""
        self._names.setdefault(path, path)
        window.replace_rows(self.rows)
        window.mark(path)
        window.choose(path)
