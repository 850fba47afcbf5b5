"""A page on which one run is the chosen one, with the keys that act on it: `RunCommands`."""

from abc import abstractmethod
from collections.abc import Callable

from textual.worker import Worker

from engine.jobs.status import State
from tui.keymap import Key
from tui.screens.page import Page
from tui.screens.run_commands import RunCommands, is_possible, refuse_export
from tui.snapshots import RunRow

_ON_CHOSEN = (
    "stop", "resume", "move", "compare", "evaluate", "release", "watch", "log", "overview",
    "remove",
)  # fmt: skip
"""What needs a chosen run, in a state for it."""


class RunActions(Page):
    """Subclasses say which run is the chosen one."""

    def __init__(self) -> None:
        super().__init__()
        self.commands = RunCommands(self)

    @property
    @abstractmethod
    def chosen(self) -> RunRow | None:
        """The run that keys act on."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in _ON_CHOSEN:
            return True
        row = self.chosen if self.ready else None
        if action == "release":
            return row is not None  # it says why not
        return row is not None and is_possible(action, row)

    def label_of(self, key: Key) -> str:
        if key.action == "resume" and self.chosen is not None and self.chosen.view.pruned:
            return ""
        waits = self.chosen is not None and self.chosen.view.state is State.QUEUED
        return "cancel" if waits and key.action == "stop" else super().label_of(key)

    def run_in_thread(self, task: Callable[[], str | None]) -> Worker[None]:
        """Run something that may block; say what it returns, or how it failed; then look anew."""
        return self.commands.run_in_thread(task)

    def action_machine(self) -> None:
        row = self.chosen
        # Its disk is the one that matters; a run that is gone by then has none.
        self.services.show_hardware(row.path if row else self.services.store.root)

    def action_log(self) -> None:
        if self.chosen:
            self.services.show_run_log(self.chosen)

    def action_overview(self) -> None:
        if self.chosen:
            self.services.show_overview(self.chosen)

    async def action_compare(self) -> None:
        if self.chosen:
            await self.services.show_compare(self.chosen.key)

    def action_evaluate(self) -> None:
        if self.chosen:
            self.commands.evaluate(self.chosen)

    def action_release(self) -> None:
        if self.chosen is None:
            return
        if reason := refuse_export(self.chosen):
            self.services.notify_user(reason, "warning")
        else:
            self.commands.release(self.chosen)

    def action_stop(self) -> None:
        if self.chosen and self.chosen.view.state.alive:
            self.commands.stop(self.chosen)

    def action_move(self, by: int) -> None:
        if self.chosen:
            self.commands.move(self.chosen, by)

    def action_resume(self) -> None:
        if self.chosen:
            self.commands.resume(self.chosen)
