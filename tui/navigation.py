"""Makes the pages that the app shows, each imported when it is first shown.

The one place that imports them, so that pages import neither the app nor one another.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from engine.recipes.recipe import SynthesizeRecipe
    from tui.snapshots import RunRow


def launch_page() -> Screen[Any]:
    from tui.launch.page import LaunchPage

    return LaunchPage()


def watch_page() -> Screen[Any]:
    from tui.watch.page import WatchPage

    return WatchPage()


def compare_page() -> Screen[Any]:
    from tui.compare.page import ComparePage

    return ComparePage()


def impact_page() -> Screen[Any]:
    from tui.impact.page import ImpactPage

    return ImpactPage()


def tokens_page() -> Screen[Any]:
    from tui.tokens.page import TokensPage

    return TokensPage()


MODES: dict[str, Callable[[], Screen[Any]]] = {
    "launch": launch_page,
    "watch": watch_page,
    "compare": compare_page,
    "impact": impact_page,
    "tokens": tokens_page,
}
"""The pages that have a number, by the names of their modes; Runs is the app's own."""


def browse_page(path: Path, then: str, arms: tuple[str, str] | None = None) -> Screen[Any]:
    from tui.browse.page import BrowsePage

    return BrowsePage(path, then, arms)


def make_page(recipe: "SynthesizeRecipe") -> Screen[Any]:
    from tui.synthesis.make_page import MakePage

    return MakePage(recipe)


def made_page(path: Path) -> Screen[Any]:
    from tui.synthesis.made_page import MadePage

    return MadePage(path)


def run_log_page(row: "RunRow") -> Screen[Any]:
    from tui.runs.run_log import LogPage

    return LogPage(row)


def overview_page(row: "RunRow") -> Screen[Any]:
    from tui.runs.run_overview import OverviewPage

    return OverviewPage(row)


def hardware_page() -> Screen[Any]:
    from tui.screens.hardware import HardwarePage

    return HardwarePage()
