"""What exports that were killed left beside the folder that they were to make.

Owns which of it nobody works on: the job is here, and no worker holds it. Removes nothing. A hidden
folder is left alone where its job is in no folder of runs that is known, or on another host that
does not answer: whether it works is not known.
"""

import glob
from pathlib import Path

from engine.jobs import lock, status
from engine.jobs.directory import name_partial
from engine.jobs.status import State
from engine.jobs.store import Store


def find_leftovers(out: Path, store: Store) -> tuple[Path, ...]:
    """The hidden folders of killed exports of `out`; a link in the place of one is nobody's."""
    jobs = {job.path.name: job for job in store.jobs()}
    prefix = name_partial(out, "").name
    found = []
    for path in sorted(out.parent.glob(f"{glob.escape(prefix)}*")):
        job = jobs.get(path.name.removeprefix(prefix))
        if job is None or path.is_symlink() or not path.is_dir():
            continue
        state = status.derive(job, status.read(job))
        may_work = state.alive or state is State.LOST or lock.holder(job.lock_file) is not None
        if not may_work:
            found.append(path)
    return tuple(found)
