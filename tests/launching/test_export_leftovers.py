"""Which hidden folders beside an export are those of killed exports of it."""

import socket
import time
from pathlib import Path

from engine.jobs import directory, status
from engine.jobs.directory import name_partial
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.launching.export_leftovers import find_leftovers
from engine.recipes.recipe import ExportRecipe

HERE = socket.gethostname()


def leave(root: Path, out: Path, state: State, host: str = HERE, heartbeat: float = 0.0) -> Path:
    """The hidden folder of an export of `out` that has this status, and no worker here."""
    job = directory.create(root, ExportRecipe(source="x=/m", targets=["merged"], out=str(out)))
    status.write(job, Status(state, attempt=1, host=host, heartbeat=heartbeat))
    partial = name_partial(out, job.path.name)
    partial.mkdir()
    return partial


def test_only_those_that_nobody_works_on(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "a [x] * out"
    killed = {leave(root, out, State.RUNNING), leave(root, out, State.FAILED)}
    leave(root, out, State.RUNNING, "elsewhere", time.time())
    leave(root, out, State.RUNNING, "elsewhere")  # lost: its disk may be away
    leave(root, tmp_path / "a [x] * out2", State.FAILED)
    name_partial(out, "unknown-1a2b").mkdir()
    linked = leave(root, out, State.FAILED)
    linked.rmdir()
    linked.symlink_to(tmp_path)
    assert set(find_leftovers(out, Store(root))) == killed
    assert find_leftovers(tmp_path / "none" / "out", Store(root)) == ()
