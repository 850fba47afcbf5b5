"""What Runs and Watch can do with a run: compare, stop more and more firmly, move up, resume."""

from collections.abc import Callable, Sequence

from textual.worker import Worker

from engine.errors import EngineError
from engine.jobs.status import State
from engine.recipes.recipe import TrainRecipe
from engine.text import one_line
from tui.formatting import name_of
from tui.keymap import Key
from tui.screens.page import Page
from tui.snapshots import RunRow

_FIRMER = {
    "ask": ("SIGTERM", "It was asked to stop. Send SIGTERM?", "It ends at once, and may not save."),
    "SIGTERM": ("SIGKILL", "Kill it with SIGKILL?", "It ends as crashed; resume still works."),
}


class RunActions(Page):
    """Subclasses say which run is the chosen one."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[str, str] = {}
        """Run to the stage of stopping it has heard."""

    @property
    def chosen(self) -> RunRow | None:
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.chosen if self.ready else None
        if action in ("stop", "resume", "move", "compare", "watch", "log", "overview"):
            if row is None:
                return False
            if action in ("log", "overview"):
                return row.log is None  # what is no job of ours has neither
            if action == "compare":
                return row.output
            if action == "stop":
                return row.view.state.alive and not row.shipped
            if action == "move":
                return row.view.state is State.QUEUED
            if action == "resume":
                early = (State.STOPPED, State.CRASHED, State.LOST, State.FAILED)
                return (row.view.state in early or _may_go_further(row)) and not row.shipped
        return True

    def label_of(self, key: Key) -> str:
        waits = self.chosen is not None and self.chosen.view.state is State.QUEUED
        return "cancel" if waits and key.action == "stop" else super().label_of(key)

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

    def action_stop(self) -> None:
        row = self.chosen
        if row is None or not row.view.state.alive:
            return
        if row.view.state is State.QUEUED:
            self._cancel(row)
            return
        stage = self._asked.get(row.key) or ("ask" if row.view.state is State.STOPPING else "")
        if not stage:
            self._send(row, "ask")
            return
        from tui.screens.dialogs import ConfirmDialog

        following, title, detail = _FIRMER.get(stage, _FIRMER["SIGTERM"])

        def answer(yes: bool | None) -> None:
            if yes:
                self._send(row, following)

        self.app.push_screen(ConfirmDialog(f"{name_of(row)}: {title}", detail), answer)

    def action_move(self, by: int) -> None:
        row = self.chosen
        if row is None:
            return

        def move() -> str:
            place = self.services.actions.move(row.view.record.id, by)
            return f"{name_of(row)} is #{place} in line now"

        self.run_in_thread(move)

    def action_resume(self) -> None:
        row = self.chosen
        if row is None:
            return
        self._asked.pop(row.key, None)
        if row.view.state is State.DONE:
            self._go_further(row)
            return
        if row.view.state is not State.LOST:
            self._resume(row)
            return
        from tui.screens.dialogs import ConfirmDialog

        host = one_line(row.view.status.host) if row.view.status else "another host"

        def answer(yes: bool | None) -> None:
            if yes:
                self._resume(row, adopt=True)

        detail = f"It ran on {host}. If it still runs there, two would write to one place."
        title = f"Adopt {name_of(row)} and resume it here?"
        self.app.push_screen(ConfirmDialog(title, detail), answer)

    def run_in_thread(self, task: Callable[[], str | None]) -> Worker[None]:
        """Run something that may block on a thread; say what it returns, or how it failed."""

        from tui.screens.dialogs import ErrorDialog

        def run() -> None:
            try:
                done = task()
            except EngineError as error:
                self.app.call_from_thread(self.app.push_screen, ErrorDialog(error))
            except OSError as error:
                told = EngineError(
                    "That could not be written.", f"{error.filename}: {error.strerror}"
                )
                self.app.call_from_thread(self.app.push_screen, ErrorDialog(told))
            else:
                if done:
                    self.app.call_from_thread(self.services.notify_user, done)
            self.services.feed.wake()

        return self.run_worker(run, thread=True)

    def _send(self, row: RunRow, stage: str) -> None:
        self._asked[row.key] = stage
        said = {
            "ask": "asked to stop; it saves first. s again is firmer",
            "SIGTERM": "sent SIGTERM",
            "SIGKILL": "sent SIGKILL",
        }[stage]

        def stop() -> str:
            self.services.actions.stop(row.path, stage)
            return f"{name_of(row)}: {said}"

        self.run_in_thread(stop)

    def _cancel(self, row: RunRow) -> None:
        def cancel() -> str:
            self.services.actions.cancel(row.view.record.id)
            return f"{name_of(row)} waits no longer; r puts it in line again"

        self.run_in_thread(cancel)

    def _go_further(self, row: RunRow) -> None:
        """Ask for what a run that is done needs to go on: more to do, or another rule."""
        from engine.jobs.resume_rules import how_to_extend
        from tui.screens.dialogs import ConfirmDialog
        from tui.screens.run_dialogs import MoreWindow

        recipe = row.view.recipe
        if not isinstance(recipe, TrainRecipe):
            return
        steps = row.notable_steps
        needed = how_to_extend(recipe, steps.ended if steps else "")

        def answer(change: str | None) -> None:
            if change is not None:
                self._resume(row, changes=(change,))

        if not needed.why:
            self.app.push_screen(MoreWindow(name_of(row), recipe, needed), answer)
            return
        detail = f"{needed.setting} becomes {needed.value}."
        dialog = ConfirmDialog(f"{name_of(row)} ended early: {needed.why}. Go on?", detail)
        self.app.push_screen(dialog, lambda yes: answer(needed.change if yes else None))

    def _resume(self, row: RunRow, *, adopt: bool = False, changes: Sequence[str] = ()) -> None:
        def resume() -> str:
            self.services.actions.resume(row.path, adopt=adopt, changes=changes)
            return f"{name_of(row)} goes on{', with ' if changes else ''}{' '.join(changes)}"

        self.run_in_thread(resume)


def _may_go_further(row: RunRow) -> bool:
    return row.view.state is State.DONE and isinstance(row.view.recipe, TrainRecipe)
