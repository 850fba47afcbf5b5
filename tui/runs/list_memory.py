"""What a list of runs needs remembered: its order, marks, notes and filter, wherever that is kept.

Implemented for jobs (`job_list_memory`) and for watched logs (`log_list_memory`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tui.screens.sort_order import SortOrder
from tui.snapshots import RunRow


class RunListMemory(Protocol):
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
