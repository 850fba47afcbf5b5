"""What pages and windows may use of the app: its state, its parts, and the ways to other pages.

Pages are typed against these protocols, so that none of them imports an app. Both apps implement
`Services`; only the one on log directories implements `LogServices`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from engine.errors import EngineError
    from engine.jobs.hardware import HardwareSample
    from engine.jobs.store import Store
    from engine.recipes.recipe import SynthesizeRecipe, TrainRecipe
    from tui.actions import Actions
    from tui.charts.view_store import ChartSettings
    from tui.companion import Companion
    from tui.companion_device import CompanionDevice
    from tui.feeds.base import FeedThread
    from tui.feeds.hardware_feed import HardwareFeed
    from tui.glyphs import Glyphs
    from tui.screens.sort_order import SortOrder
    from tui.snapshots import Machine, RunRow, RunsSnapshot
    from tui.synthesis.recipe_draft import WrittenTexts


class Services(Protocol):
    """Used on the app's thread, but for `actions`, whose methods may block."""

    store: "Store"
    actions: "Actions"
    feed: "FeedThread"
    glyphs: "Glyphs"
    companion_device: "CompanionDevice"
    """Where the companion's models run."""

    runs: "RunsSnapshot"
    machine: "Machine"
    readings: "tuple[HardwareSample, ...]"
    """The last minutes of the machine, once a page has asked for them."""

    selected: str | None
    """Key of the run that Watch, Compare and Impact are about."""
    compared: str | None
    """Key of the run that Compare is to take up when it opens next."""
    draft: "TrainRecipe | None"
    """What Launch is to be filled with when it opens next."""
    order: "SortOrder"
    """In which order jobs are listed."""
    tags: str
    """A filter for tags that was given on the command line."""

    @property
    def pins(self) -> Sequence[str]:
        """The `run_key` of each run that stands on top of the list and is always drawn."""

    @property
    def chart_settings(self) -> "ChartSettings":
        """How charts are drawn, kept on disk."""

    @property
    def hardware_feed(self) -> "HardwareFeed":
        """What reads the machine; it begins when it is first asked for."""

    written_recipes: "dict[str, WrittenTexts]"
    """What was written in Make data and not started, by source; kept until the app ends."""

    def companion(self) -> "Companion":
        """The companion process, for every page; started when it is first asked for."""

    def notify_user(self, text: str, severity: Any = "information") -> None:
        """A short notice; `text` is clean already."""

    def show_error(self, error: "EngineError") -> None:
        """An error, in a window over whatever is shown."""

    def watch_run(self, key: str | None) -> None:
        """Make a run the one that Watch and Compare are about."""

    async def show_launch(self, recipe: "TrainRecipe | None" = None) -> None:
        """Launch, filled with a recipe where one is given."""

    async def show_watch(self, key: str) -> None:
        """Watch, with this run."""

    async def show_compare(self, key: str) -> None:
        """Compare, with the models of this run."""

    async def show_impact(self, key: str) -> None:
        """Impact, with this evaluation, or with the newest one of this run."""

    def show_make(self, recipe: "SynthesizeRecipe") -> None:
        """Make data, filled with a recipe."""

    def show_made(self, path: "Path") -> None:
        """What a job that makes data has made so far, and the way to its review."""

    def show_browse(
        self, path: "Path", then: str = "", arms: tuple[str, str] | None = None
    ) -> None:
        """The answers of a job; `then` is what is done there first, note or vote; `arms` are
        compared first, as the job writes them, else the first two of the job."""

    def show_run_log(self, row: "RunRow") -> None:
        """What the workers of a run said."""

    def show_overview(self, row: "RunRow") -> None:
        """Recipe, inputs and sizes of a run."""

    def show_hardware(self, folder: "Path") -> None:
        """How busy the machine is, with the disk that holds `folder`."""


class LogServices(Services, Protocol):
    """What only the app on log directories has."""

    def reload_notes(self) -> None:
        """Show the runs with the notes as they are now."""
