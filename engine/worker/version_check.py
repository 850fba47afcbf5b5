"""Stops a worker that was started before an update from going on with modules of another layout.

A queued worker imports its job's module when its turn comes, maybe hours after its start. Where the
program was updated meanwhile, half of the modules would be those in memory and half the new ones.
The modules of jobs import this one before any other of ours.
"""

import engine
from engine.errors import EngineError

LAYOUT = 2
"""Of the modules on disk; `engine.LAYOUT` is of those in memory. Version 0.1.0 had neither."""

if getattr(engine, "LAYOUT", 1) != LAYOUT:
    raise EngineError(
        "finetop was updated while this run was queued.",
        f"the worker started with module layout {getattr(engine, 'LAYOUT', 1)}, "
        f"the files now have layout {LAYOUT}",
        "Resume it to start a worker of the new version. Nothing was lost.",
    )
