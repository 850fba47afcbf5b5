"""How a list of runs looks: its columns and rows, what it can be sorted by, the lines below it.

Implemented for jobs (`job_table`) and for watched logs (`log_table`). Reads no disk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tui.glyphs import Glyphs
from tui.runs.list_memory import RunListMemory
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


class RunTable(Protocol):
    """`glyphs` and what `arrange` is given hold until they are given anew."""

    glyphs: Glyphs
    empty: str
    """What stands in the place of rows as long as there is no run."""
    columns: tuple[Column, ...]

    @property
    def sorted_by(self) -> str:
        """The title of the column that is sorted by."""

    def arrange(
        self, rows: Sequence[RunRow], memory: RunListMemory, *, tree: bool
    ) -> list[RunRow | Heading]:
        """The lines of the list, in the order of `memory`; `tree`: families may stay together."""

    def rows(self, memory: RunListMemory) -> Callable[[int], TableRow]:
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

    def summary(self, listed: ListedRuns, memory: RunListMemory) -> Line:
        """A line on all of them."""
