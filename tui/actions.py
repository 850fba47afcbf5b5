"""What a key press does to runs: the one place where screens reach the engine's verbs.

Every method may block and raise EngineError, so screens call them on a thread.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM

from engine.jobs.directory import JobDirectory
from engine.jobs.recipe import Recipe, TrainRecipe
from engine.jobs.store import Store

STOP_STAGES = ("ask", "SIGTERM", "SIGKILL")
"""Each firmer than the one before; only the first lets the run save."""


class Actions:
    """Launching, stopping, resuming and hiding, on a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def launch(self, recipe: Recipe) -> Path:
        """Start a run; its directory, once its worker has answered."""
        from engine.jobs import launch

        parents = [recipe.model.checkpoint] if isinstance(recipe, TrainRecipe) else []
        return launch.launch(recipe, self.store.root, parents=parents).path

    def resume(self, path: Path, *, adopt: bool) -> None:
        from engine.jobs import launch

        launch.resume(JobDirectory(path), adopt=adopt)

    def stop(self, path: Path, stage: str) -> None:
        """One stage of STOP_STAGES."""
        from engine.jobs import launch, process

        job = JobDirectory(path)
        if stage == "ask":
            launch.request_stop(job)
        else:
            process.send_signal(job, {"SIGTERM": SIGTERM, "SIGKILL": SIGKILL}[stage])

    def hide(self, path: Path, hidden: bool) -> None:
        from engine.jobs import views

        job = JobDirectory(path)
        views.write_notes(job, dataclasses.replace(views.notes(job), hidden=hidden))

    def warning(self) -> str:
        """Why a run may not outlive this session; empty where nothing speaks for it."""
        from engine.jobs import session

        return session.warning()


ActionsFactory = Callable[[Store], Actions]
