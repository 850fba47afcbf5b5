"""The two parts of a list of runs: what it remembers, and how its table looks.

Each is implemented for Runs (`runs_memory`, `runs_table`) and for watched logs (`logs_memory`,
`logs_table`). Reads no disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tui.glyphs import Glyphs
from tui.screens.sort_order import SortOrder
from tui.screens.tree_and_groups import Heading
from tui.snapshots import RunRow
from tui.styled_text import Line
from tui.widgets.table import Column, TableRow


@dataclass(frozen=True, slots=True)
class ListedRuns:
    """What stands in a list now, and why."""

    rows: tuple[RunRow, ...] = ()
    """All runs that are known."""
    shown: Sequence[RunRow] = ()
    """Those that are listed, in order."""
    filter_text: str = ""
    filter_error: str = ""
    """Why what is typed is no filter; empty where it is one."""
    filter_open: bool = False
    """Whether the filter's field is on screen, and says itself what it holds."""


class ListMemory(Protocol):
    """Used on the app's thread: nothing here blocks, what is written is written on another."""

    several_marks: bool
    """Whether more than one run can be marked."""
    read_only: bool
    """Whether runs are only looked at, so that none is deleted."""

    @property
    def order(self) -> SortOrder:
        """In which order runs are listed, with groups and pins."""

    @property
    def marked(self) -> Sequence[str]:
        """The `run_key` of the runs that are marked, the one marked last at the end."""

    @property
    def pinned_tags(self) -> Sequence[str]:
        """The tags that come before others."""

    @property
    def run_filter(self) -> str:
        """What the list was narrowed to last time."""

    def load(self, then: Callable[[str], None]) -> None:
        """Read what is not known yet; `then` is called once it is, with a note on what is lost."""

    def change_order(self, order: SortOrder) -> None:
        """List in this order, and keep it."""

    def toggle_marks(self, run_keys: Sequence[str]) -> None:
        """Mark these runs, or none of them where all are marked."""

    def annotate(self, row: RunRow, changes: dict[str, Any]) -> None:
        """Change some of the `UserNotes` on a run."""

    def keep_filter(self, text: str) -> None:
        """The list is narrowed to this from now on."""


class ListTable(Protocol):
    """`glyphs` and what `arrange` is given hold until they are given anew."""

    glyphs: Glyphs
    empty: str
    """What stands in the place of rows as long as there is no run."""
    pinning_tags: str
    """What pinning a tag does for this list, in words."""
    columns: tuple[Column, ...]

    @property
    def sorted_by(self) -> str:
        """The title of the column that is sorted by."""

    def arrange(
        self, rows: Sequence[RunRow], memory: ListMemory, *, tree: bool
    ) -> list[RunRow | Heading]:
        """The lines of the list, in the order of `memory`; `tree`: families may stay together."""

    def rows(self, memory: ListMemory) -> Callable[[int], TableRow]:
        """What makes the row of a line by its place."""

    def next_order(self, order: SortOrder) -> SortOrder:
        """By the next of what can be sorted by."""

    def next_value(self, order: SortOrder) -> SortOrder:
        """With the next of VALUES."""

    def by_tag(self, order: SortOrder, tag: str) -> SortOrder:
        """By the values of another tag."""

    def is_possible(self, action: str, listed: ListedRuns) -> bool:
        """Whether these runs are such that there is something to sort, group or mark."""

    def about(self, row: RunRow) -> Line:
        """A line on the chosen run."""

    def summary(self, listed: ListedRuns, memory: ListMemory) -> Line:
        """A line on all of them."""
