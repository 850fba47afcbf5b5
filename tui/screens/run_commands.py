"""What a key does to a run: stop, cancel, move up, resume, extend, prune, delete.

Stopping escalates: a request, SIGTERM, SIGKILL. Asks for confirmation where that is due, and works
on a thread. Knows no list: the run is a parameter.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import Worker

from engine.errors import EngineError
from engine.jobs.status import State
from engine.recipes.recipe import (
    EvaluateRecipe,
    GenerateRecipe,
    JudgeRecipe,
    SynthesizeRecipe,
    TrainRecipe,
)
from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import name_of, size
from tui.screens.page import Page
from tui.snapshots import RunRow

if TYPE_CHECKING:
    from engine.jobs.prune import PrunePlan
    from engine.launching.export import PlannedExport
    from tui.screens.evaluate_window import Evaluable
    from tui.screens.export_window import Exportable

_FIRMER = {
    "ask": (
        "SIGTERM",
        "{} is already stopping. Send SIGTERM?",
        "It stops immediately and may not save a checkpoint.",
    ),
    "SIGTERM": (
        "SIGKILL",
        "Kill {} with SIGKILL?",
        "Its state becomes crashed; resume still works.",
    ),
}
_SENT = {
    "ask": "stopping after a checkpoint; press s again for SIGTERM",
    "SIGTERM": "sent SIGTERM",
    "SIGKILL": "sent SIGKILL",
}
_SENT_TO_SWEEP = {
    "ask": "stopping; its runs at work save a checkpoint, those that wait leave the queue",
    "SIGTERM": "sent SIGTERM; it waits for its runs",
    "SIGKILL": "sent SIGKILL; its runs keep running, or stop if asked to",
}
"""The same of a sweep: signals are for its own worker, which trains nothing."""
_SENT_TO_EXPORT = _SENT | {
    "ask": "stopping; nothing of the export is kept; press s again for SIGTERM"
}
"""The same of an export, which has no checkpoint."""
_WITH_ADDRESSES = GenerateRecipe | EvaluateRecipe | JudgeRecipe | SynthesizeRecipe
"""Jobs that may ask arms behind an address."""
_SENT_BY_KIND = {"sweep": _SENT_TO_SWEEP, "export": _SENT_TO_EXPORT}
_ENDED_EARLY = (State.STOPPED, State.CRASHED, State.LOST, State.FAILED)


def is_possible(command: str, row: RunRow) -> bool:
    """Whether a run is in a state for one of stop, resume, move, compare, evaluate, release,
    log, overview, remove."""
    state = row.view.state
    if command in ("log", "overview"):
        return row.log is None  # what is no job of ours has neither
    if command == "compare":
        return row.output
    if command == "evaluate" and row.view.record.kind == "export":
        return state is State.DONE
    if command in ("evaluate", "release"):
        return row.output and not row.shipped and isinstance(row.view.recipe, TrainRecipe)
    if command == "stop":
        return state.alive and not row.shipped
    if command == "move":
        return state is State.QUEUED
    if command == "resume":
        extendable = state is State.DONE and (
            isinstance(row.view.recipe, TrainRecipe | SynthesizeRecipe) or row.view.left_out > 0
        )
        return (state in _ENDED_EARLY or extendable) and not row.shipped
    if command == "remove":
        return not state.alive and not row.shipped
    return True


def refuse_export(row: RunRow) -> str:
    """Why a run cannot be exported, in one line; empty where it can."""
    if is_possible("release", row):
        return ""
    name, kind = name_of(row), row.view.record.kind
    if row.log is not None and row.view.recipe is None:
        return f"{name} is a log: there are no weights here to export"
    if row.shipped:
        return f"{name} made the base that ships with finetop: tune it, then export that run"
    if not isinstance(row.view.recipe, TrainRecipe):
        return f"{name} is no run but a job of kind {kind}: select the run that trained the model"
    saved = "it saved no weights" if not row.view.state.alive else "no weights are saved yet"
    return f"{name} cannot be exported: {saved}"


class RunCommands:
    """For one page, over which it asks, and with which its work ends."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._sent_stages: dict[str, str] = {}
        """The stage of stopping that a run was sent last, by its key."""

    def run_in_thread(self, task: Callable[[], str | None]) -> Worker[None]:
        """Run something that may block; say what it returns, or how it failed; then look anew."""
        services = self._page.services

        def succeed(notice: str | None) -> None:
            if notice:
                services.notify_user(notice)
            services.feed.wake()

        def fail(error: EngineError) -> None:
            services.show_error(error)
            services.feed.wake()

        return run_in_background(self._page, task, succeed, failed=fail)

    def stop(self, row: RunRow) -> None:
        """Ask it to stop; if it was asked already, offer what is firmer. Cancel one that waits."""
        if row.view.state is State.QUEUED:
            self._cancel(row)
            return
        stopping = "ask" if row.view.state is State.STOPPING else ""
        stage = self._sent_stages.get(row.key) or stopping
        if not stage:
            self._send(row, "ask")
            return
        firmer, title, detail = _FIRMER.get(stage, _FIRMER["SIGTERM"])
        self._confirm(title.format(name_of(row)), detail, lambda: self._send(row, firmer))

    def move(self, row: RunRow, by: int) -> None:
        """Move it in its queue, -1 is one sooner."""

        def move() -> str:
            place = self._page.services.actions.move(row.view.record.id, by)
            return f"{name_of(row)} is now #{place} in the queue"

        self.run_in_thread(move)

    def resume(self, row: RunRow) -> None:
        """Go on with it: a finished one with more to do, one of another host once that is said."""
        self._sent_stages.pop(row.key, None)
        if row.view.pruned:
            self._page.services.notify_user(
                f"{name_of(row)} was pruned: it cannot be resumed; n starts a new run", "warning"
            )
        elif isinstance(row.view.recipe, SynthesizeRecipe) and row.view.state is State.DONE:
            self._resume(row)  # sources that a review wants asked again
        elif row.view.state is State.DONE and not row.view.left_out:
            self._extend(row)
        elif row.view.state is State.LOST:
            host = one_line(row.view.status.host) if row.view.status else "another host"
            detail = (
                f"It ran on {host}. If it still runs there, two processes would write to "
                "one directory."
            )
            title = f"Resume {name_of(row)} on this machine?"
            self._confirm(title, detail, lambda: self._resume(row, adopt=True))
        else:
            self._resume(row)

    def evaluate(self, row: RunRow) -> None:
        """Measure it on suites beside its base, once it is chosen which; then show Impact."""
        from tui.screens.evaluate_window import EvaluateWindow

        page, services = self._page, self._page.services

        def ask(evaluable: "Evaluable") -> None:
            window = EvaluateWindow(row, services.runs.rows, evaluable)
            page.app.push_screen(window, start)

        def start(recipe: EvaluateRecipe | None) -> None:
            if recipe is not None:
                services.notify_user(f"Starting {one_line(recipe.name)}...")
                run_in_background(page, lambda: services.actions.evaluate(recipe), show)

        def show(path: Path) -> None:
            services.feed.wake()
            page.app.call_later(services.show_impact, str(path))

        run_in_background(page, lambda: services.actions.find_evaluable(row.path), ask)

    def release(self, row: RunRow) -> None:
        """Export it in the forms that are chosen, in the background."""
        from tui.screens.export_window import ExportWindow

        page, services = self._page, self._page.services

        def ask(found: "Exportable") -> None:
            window = ExportWindow(name_of(row), found, services.actions.plan_export)
            page.app.push_screen(window, start)

        def start(planned: "PlannedExport | None") -> None:
            if planned is not None:
                self.run_in_thread(lambda: begin(planned))

        def begin(planned: "PlannedExport") -> str:
            path = services.actions.export(planned)
            return f"{one_line(path.name)} exports it; enter on it shows the proof"

        run_in_background(page, lambda: services.actions.find_exportable(row.path), ask)

    def prune(self, row: RunRow) -> None:
        """Free what only resuming needs, once it has been said what that is."""
        from engine.jobs.prune import KEEP

        actions, name = self._page.services.actions, name_of(row)

        def find() -> "list[PrunePlan]":
            return [actions.plan_prune(row.path, keep) for keep in ((), KEEP)]

        def ask(plans: "list[PrunePlan]") -> None:
            from tui.screens.prune_window import PruneWindow

            if not plans[0].items:
                self._page.services.notify_user(f"{name}: nothing to free")
            else:
                self._page.app.push_screen(PruneWindow(name, *plans), carry_out)

        def carry_out(planned: "PrunePlan | None") -> None:
            if planned is not None:
                self.run_in_thread(lambda: drop(planned))

        def drop(planned: "PrunePlan") -> str:
            actions.prune(planned)
            return f"{name}: {size(planned.bytes)} freed"

        def refuse(error: EngineError) -> None:
            line = one_line(" ".join(filter(None, (error.title, error.hint))))
            self._page.services.notify_user(line, "warning")

        run_in_background(self._page, find, ask, failed=refuse)

    def remove(self, row: RunRow) -> None:
        """Delete it, once its name is typed; who uses it is named before."""
        from tui.screens.run_dialogs import RemoveWindow

        actions, name = self._page.services.actions, name_of(row)

        def find() -> tuple[str, ...]:
            return actions.find_users(row.path)

        def remove() -> str:
            actions.remove(row.path)
            return f"{name} was deleted"

        def answer(typed: bool | None) -> None:
            if typed:
                self.run_in_thread(remove)

        self._page.app.push_screen(RemoveWindow(name, one_line(row.key), find), answer)

    def _confirm(self, title: str, detail: str, then: Callable[[], None]) -> None:
        from tui.screens.dialogs import ConfirmDialog

        def answer(yes: bool | None) -> None:
            if yes:
                then()

        self._page.app.push_screen(ConfirmDialog(title, detail), answer)

    def _send(self, row: RunRow, stage: str) -> None:
        self._sent_stages[row.key] = stage

        def stop() -> str:
            self._page.services.actions.stop(row.path, stage)
            sent = _SENT_BY_KIND.get(row.view.record.kind, _SENT)
            return f"{name_of(row)}: {sent[stage]}"

        self.run_in_thread(stop)

    def _cancel(self, row: RunRow) -> None:
        def cancel() -> str:
            self._page.services.actions.cancel(row.view.record.id)
            return f"{name_of(row)} removed from the queue; r queues it again"

        self.run_in_thread(cancel)

    def _extend(self, row: RunRow) -> None:
        """Ask for what a run that is done needs to go on: more to do, or another rule."""
        from engine.jobs.resume_rules import how_to_extend
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
            self._page.app.push_screen(MoreWindow(name_of(row), recipe, needed), answer)
            return
        title = f"{name_of(row)} {needed.why}. Resume?"
        detail = f"Resuming sets {needed.setting} to {needed.value}."
        self._confirm(title, detail, lambda: answer(needed.change))

    def _resume(self, row: RunRow, *, adopt: bool = False, changes: Sequence[str] = ()) -> None:
        def resume() -> str:
            self._page.services.actions.resume(row.path, adopt=adopt, changes=changes)
            return f"{name_of(row)} resumed{', with ' if changes else ''}{' '.join(changes)}"

        def begin() -> None:
            self.run_in_thread(resume)

        recipe = row.view.recipe
        if not isinstance(recipe, _WITH_ADDRESSES):
            begin()
            return
        from engine.compare.arms import answering_arms, parse_arms
        from tui.screens.key_questions import ask_for_hosts, ask_for_keys

        try:
            arms = parse_arms(answering_arms(recipe))
        except EngineError as error:
            self._page.services.show_error(error)
            return
        page, actions, run = self._page, self._page.services.actions, row.path.name

        def ask_hosts() -> None:
            if isinstance(recipe, SynthesizeRecipe):
                ask_for_hosts(page, actions, arms, begin)
            else:
                begin()

        ask_for_keys(page, actions, arms, ask_hosts, run=run)
