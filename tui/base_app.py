"""What both apps share: modes, keys that work everywhere, and the way of messages to pages.

Refuses to read a disk and to know what a screen draws. Store, actions and companion come in
through the constructor, so that a test can hand others. What is listed is for the apps to say.
"""

import asyncio
import contextlib
import gc
import os
import signal
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.actions import SkipAction
from textual.app import App
from textual.binding import Binding
from textual.events import Event, Key, MouseScrollDown, MouseScrollUp, Resize
from textual.filter import LineFilter
from textual.screen import Screen
from textual.timer import Timer

from engine.errors import EngineError
from engine.jobs.store import Store
from engine.recipes.recipe import SynthesizeRecipe, TrainRecipe
from tui import navigation, theme
from tui.actions import Actions
from tui.background import run_in_background
from tui.cell_diff_driver import CellDiff, with_cell_diff
from tui.companion_device import CompanionDevice, choose, held
from tui.feeds.base import FeedThread
from tui.glyphs import ASCII, UNICODE, Glyphs
from tui.keymap import KEYS
from tui.messages import FeedFailed, MachineMeasured, MachineRead, RunChanged, RunsChanged
from tui.screens import sort_order
from tui.screens.modal import Window
from tui.screens.page import Page
from tui.screens.sort_order import SortOrder
from tui.snapshots import Machine, RunDetail, RunRow, RunsSnapshot
from tui.terminal_abilities import ALL_ABILITIES, Abilities
from tui.text_guard import TextGuard

if TYPE_CHECKING:
    from engine.jobs.hardware import HardwareSample
    from tui.charts.view_store import ChartSettings
    from tui.companion import Companion
    from tui.feeds.hardware_feed import HardwareFeed
    from tui.synthesis.recipe_draft import WrittenTexts

_BY_HAND = (Key, MouseScrollDown, MouseScrollUp)
OPENING_SECONDS = 1.0
"""Longest that keys wait for a window to open."""
SETTLING_SECONDS = 0.3
"""How long the terminal's size has to stay before all is drawn again."""
FIRST_SECONDS = 0.15
"""Longest that the first paint waits for the list of runs."""


class BaseApp(App[None]):
    """Apps say what feeds them, what the first page is, and which runs are pinned."""

    feed: FeedThread
    """Made by each app when it is made."""

    TITLE = "finetop"
    DEFAULT_MODE = "runs"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS: ClassVar = [
        Binding(key.key, key.action, key.label or key.help, show=False, priority=key.priority)
        for key in KEYS
        if not key.screen
    ]
    # As `:` does, with the field there before the next key comes, however fast one types.
    BINDINGS.append(Binding("colon", "palette_at_once", show=False, priority=True))
    # Where no page has a use for it, it tells for one version where it went.
    BINDINGS.append(Binding("a", "explain_moved_key", show=False))

    def __init__(
        self,
        store: Store,
        place: Path | tuple[Path, ...],
        *,
        glyphs: Glyphs = UNICODE,
        actions: Actions | None = None,
        companion: "Callable[[], Companion] | None" = None,
        cell_diff: bool = False,
        terminal: Abilities = ALL_ABILITIES,
        look: str = "",
    ) -> None:
        # Where colours are refused, the terminal's own are left alone.
        if terminal.no_color:
            os.environ["NO_COLOR"] = "1"  # as Textual knows it
        super().__init__(ansi_color="NO_COLOR" in os.environ)
        self._cell_diff = CellDiff() if cell_diff else None
        """The cells that the terminal shows, where only those that change are written."""
        if self._cell_diff is not None:
            self.driver_class = with_cell_diff(self.driver_class, self._cell_diff)
        self._sized = False
        """Whether the terminal has said its size."""
        self._resized: Timer | None = None
        """Runs while the terminal's size may still change."""
        self._text_guard = TextGuard(ascii_only=terminal.ascii_only)
        self.animation_level = "none"
        self.glyphs = glyphs
        self.store = store
        self.actions = actions or Actions(store)
        self._companion_factory = companion or self._make_companion
        self._companion: Companion | None = None
        self.companion_device = CompanionDevice()
        """Where the companion's models run."""
        self._ending: set[asyncio.Task[None]] = set()
        self.runs = RunsSnapshot()
        self.detail: RunDetail | None = None
        self.machine = Machine()
        self.readings: tuple[HardwareSample, ...] = ()
        """The last minutes of the machine, once somebody has asked to see them."""
        self._hardware_feed: HardwareFeed | None = None
        self._chart_settings: ChartSettings | None = None
        self.selected: str | None = None
        """Key of the run that Watch, Compare and Impact are about."""
        self.compared: str | None = None
        """Key of the run whose models a key has just asked to be compared, until they are."""
        self.order, self._order_note = SortOrder(), ""
        """The sort order of Runs, and why the saved one is not used."""
        self.place = place
        """The folder, or the folders, by which its chart settings are remembered."""
        self.tags = ""
        """A filter for tags that was given when it was started."""
        self.draft: TrainRecipe | None = None
        """What Launch is to be filled with when it opens next."""
        self.written_recipes: dict[str, WrittenTexts] = {}
        """What was written in Make data and not started, by source."""
        themes = theme.SIXTEEN if terminal.sixteen_colors else theme.THEMES
        for one in themes.values():
            self.register_theme(one)
        # Without its watcher, which would have the style sheet parsed once more.
        self.set_reactive(BaseApp.theme, themes[theme.choose(look, os.environ)].name)
        self.stylesheet.set_variables(self.get_css_variables())
        for mode, make in navigation.MODES.items():
            self.add_mode(mode, make)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own, and last the one that lets nothing unsafe pass."""
        return [*super().get_line_filters(), self._text_guard]

    @abstractmethod
    def get_default_screen(self) -> Screen[Any]:
        """The page that lists what is fed to it."""

    def on_mount(self) -> None:
        self.add_mode("runs", self.get_default_screen)
        self._catch_hangup()

    def on_load(self) -> None:
        self.order, self._order_note = sort_order.load(self.store.root)
        self.feed.start()
        self.runs = self.decorate_snapshot(self.feed.first(FIRST_SECONDS))

    async def on_unmount(self) -> None:
        self.feed.stop()
        if self._hardware_feed is not None:
            self._hardware_feed.stop()
        if self._companion is not None:
            await self._companion.close()
        self.feed.join()

    @property
    def page(self) -> Page | None:
        """The full screen that shows, a dialog over it or not."""
        stack = self.screen_stack
        return next((one for one in reversed(stack) if isinstance(one, Page)), None)

    async def on_event(self, event: Event) -> None:
        if isinstance(event, _BY_HAND):
            self.feed.rest()
        if isinstance(event, Key) and isinstance(self.screen, Window):
            # A key that comes while it opens is meant for what is in it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.screen.opened.wait(), OPENING_SECONDS)
        await super().on_event(event)

    def on_resize(self, _: Resize) -> None:
        """Draw all cells once more when the size stays.

        Each terminal drops and moves cells in its own way when its size changes, and what was
        written for the old size may reach it later; a size that comes back is no change at all to
        Textual.
        """
        first, self._sized = not self._sized, True
        if first or self._cell_diff is None:
            return
        if self._resized is not None:
            self._resized.stop()
        self._resized = self.set_timer(SETTLING_SECONDS, self._draw_all)

    def _draw_all(self) -> None:
        self._resized = None
        if self._cell_diff is not None:
            self._cell_diff.clear()
            self.screen.refresh()

    def on_runs_changed(self, message: RunsChanged) -> None:
        self.runs = self.decorate_snapshot(message.snapshot)
        self.call_after_refresh(self._first_painted)
        if self.page is not None and self.page.ready:
            self.page.show_runs(self.runs)

    def decorate_snapshot(self, snapshot: RunsSnapshot) -> RunsSnapshot:
        """What was read, as every page is to see it."""
        return snapshot

    @property
    @abstractmethod
    def pins(self) -> Sequence[str]:
        """The `run_key` of each run that stands on top of the list and is always drawn."""

    def on_run_changed(self, message: RunChanged) -> None:
        self.detail = message.detail
        if self.page is not None and self.page.ready:
            self.page.show_detail(message.detail)

    def on_machine_measured(self, message: MachineMeasured) -> None:
        self.machine = message.machine
        if self.page is not None and self.page.ready:
            self.page.show_machine(message.machine)

    def on_machine_read(self, message: MachineRead) -> None:
        self.readings = message.readings
        if self.page is not None and self.page.ready:
            self.page.show_readings(message.readings)

    @property
    def chart_settings(self) -> "ChartSettings":
        """How charts are drawn; the same for every page."""
        if self._chart_settings is None:
            from tui.charts.view_store import ChartSettings

            self._chart_settings = ChartSettings(self, self.place)
        return self._chart_settings

    @property
    def hardware_feed(self) -> "HardwareFeed":
        """What reads the machine; it begins when it is first asked for."""
        if self._hardware_feed is None:
            from tui.feeds.hardware_feed import HardwareFeed

            self._hardware_feed = HardwareFeed(self.store.root, self.post_message)
            self._hardware_feed.start()
        return self._hardware_feed

    def on_feed_failed(self, message: FeedFailed) -> None:
        self.notify_user(f"Unexpected error while reading the runs: {message.reason}", "error")

    def notify_user(self, text: str, severity: Any = "information") -> None:
        """A short notice; `text` is clean already."""
        self.notify(text, severity=severity, markup=False, timeout=6)

    def show_error(self, error: EngineError) -> None:
        """An error, in a window over whatever is shown."""
        from tui.screens.dialogs import ErrorDialog

        self.push_screen(ErrorDialog(error))

    def watch_run(self, key: str | None) -> None:
        """Make a run the one that Watch and Compare are about."""
        self.selected = key
        self.feed.watch(Path(key) if key else None)

    async def show_launch(self, recipe: TrainRecipe | None = None) -> None:
        """Launch, filled with a recipe where one is given."""
        if recipe is not None:
            self.draft = recipe
        await self.switch_mode("launch")

    async def show_watch(self, key: str) -> None:
        """Watch, with this run."""
        self.watch_run(key)
        await self.switch_mode("watch")

    async def show_compare(self, key: str) -> None:
        """Compare, with the models of this run."""
        self.selected = self.compared = key
        await self.switch_mode("compare")

    async def show_impact(self, key: str) -> None:
        """Impact, with this evaluation, or with the newest one of this run."""
        self.selected = key
        await self.switch_mode("impact")

    def show_make(self, recipe: SynthesizeRecipe) -> None:
        """Make data, filled with a recipe."""
        self.push_screen(navigation.make_page(recipe))

    def show_made(self, path: Path) -> None:
        """What a job has made so far, and the way to its review."""
        self.push_screen(navigation.made_page(path))

    def show_browse(self, path: Path, then: str = "", arms: tuple[str, str] | None = None) -> None:
        """The answers of a job; `then` is what is done there first, note or vote."""
        self.push_screen(navigation.browse_page(path, then, arms))

    def show_run_log(self, row: RunRow) -> None:
        """What the workers of a run said."""
        self.push_screen(navigation.run_log_page(row))

    def show_overview(self, row: RunRow) -> None:
        """Recipe, inputs and sizes of a run."""
        self.push_screen(navigation.overview_page(row))

    def show_hardware(self, folder: Path) -> None:
        """How busy the machine is, with the disk that holds `folder`."""
        self.hardware_feed.folder = folder
        self.push_screen(navigation.hardware_page())

    async def action_show(self, mode: str) -> None:
        if not isinstance(self.screen, Page):
            return  # a dialog wants an answer first
        while isinstance(self.screen, Page) and self.screen.is_sub_page:
            await self.pop_screen()
        await self.switch_mode(mode)

    async def action_back(self) -> None:
        page = self.screen
        if isinstance(page, Window):
            page.go_back()
        elif isinstance(page, Page) and not page.go_back() and self.current_mode != "runs":
            await self.switch_mode("runs")

    def action_help(self) -> None:
        from tui.screens.help import HelpPage

        if isinstance(self.screen, Page):
            self.push_screen(HelpPage(self.screen.name_in_keymap))

    async def action_palette(self) -> None:
        from tui.screens.palette import pick_command

        page = self.screen
        if isinstance(page, Page):
            await pick_command(page, self._run_command)

    async def action_palette_at_once(self) -> None:
        if not isinstance(self.screen, Page) or self.screen.in_field:
            raise SkipAction  # a letter like any other there
        await self.action_palette()

    async def _run_command(self, action: str) -> None:
        if self.page is not None:
            is_of_page = hasattr(self.page, f"action_{action.partition('(')[0]}")
            await self.run_action(action, self.page if is_of_page else self)

    def action_turn_glyphs(self) -> None:
        self.glyphs = UNICODE if self.glyphs.is_ascii else ASCII
        if self.page is not None:
            self.page.redraw()

    def action_explain_moved_key(self) -> None:
        if isinstance(self.screen, Page) and not self.screen.in_field:
            self.notify_user("ctrl+g switches between ASCII and Unicode characters.")

    def action_turn_theme(self) -> None:
        """Light colours or dark ones, from now on."""
        turned = theme.other(self.theme)
        self.theme = turned.name
        run_in_background(self, lambda: theme.keep(turned), group="theme")

    def action_leave(self) -> None:
        live = [row for row in self.runs.rows if row.view.state.alive]
        self.exit(message=_farewell(len(live)))

    def _first_painted(self) -> None:
        if self._order_note:
            self.notify_user(self._order_note, "warning")
            self._order_note = ""
        if not gc.isenabled():
            # What was loaded until now stays: the collector need not look at it ever again.
            gc.freeze()
            gc.enable()
        self.feed.go_on()

    def companion(self) -> "Companion":
        """The one companion process, for every screen; started when it is first asked.

        A run that has taken its GPU since keeps that one's memory: another companion answers, on a
        free GPU or the CPU, and back again after the run. One that is answering is let finish.
        """
        device = choose(self.companion_device, held(self.runs), self.machine.gpus)
        moves = not device.same_as(self.companion_device)
        if self._companion is not None and moves and not self._companion.busy:
            task = asyncio.create_task(self._companion.close())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._companion = None
        if self._companion is None or not moves:
            self.companion_device = device
        if self._companion is None:
            self._companion = self._companion_factory()
        return self._companion

    def _make_companion(self) -> "Companion":
        from tui.companion import Companion

        at, runs = self.companion_device, str(self.store.root)
        return Companion(gpu=at.gpu, runs=runs, device=at.device, warm=False)

    def _catch_hangup(self) -> None:
        """Leave in good order when the line drops: the shell gets its terminal back as it was."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, self._hang_up)

    def _hang_up(self, number: int, frame: object) -> None:
        # Where the terminal itself is gone, writing to it may block: then do not wait for ever.
        end = threading.Timer(3.0, os._exit, [128 + number])
        end.daemon = True
        end.start()
        self.call_later(self.exit, return_code=128 + number)


def _farewell(live: int) -> str:
    if not live:
        return ""
    runs = (
        "1 run still running in the background"
        if live == 1
        else f"{live} runs still running in the background"
    )
    return f"{runs}. `finetop` opens the dashboard again; `finetop runs` lists runs."
