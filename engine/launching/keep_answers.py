"""Saves existing answers as a job, as if a generate job had produced them.

The job is whole when it appears, and it has ended: no worker ever writes into it.
"""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from engine.compare import samples as sample_files
from engine.compare.arms import parse_arm
from engine.compare.samples import Sample
from engine.jobs import directory, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.recipes.recipe import GenerateRecipe
from engine.recipes.settings import Decode


def keep(
    samples: Sequence[Sample], root: Path, *, name: str, prompts: str, decode: Decode
) -> JobDirectory:
    """A new generate job under `root` that holds these answers.

    `prompts` is where their prompts come from, with skills and references; empty where the user
    wrote them. `decode` is used by arms without their own settings. Raises EngineError where the
    root cannot be written.
    """
    arms = {one.arm: parse_arm(one.arm) for one in samples}
    built_on = dict.fromkeys(
        arm.adapter or arm.checkpoint for arm in arms.values() if not arm.is_endpoint
    )
    now = time.time()
    ended = Status(
        State.DONE, attempt=0, step=len(samples), total=len(samples), started=now, heartbeat=now,
        host=socket.gethostname(), message="saved from Compare",
    )  # fmt: skip

    def fill(job: JobDirectory) -> None:
        sample_files.append(job.samples, samples)
        status.write(job, ended)

    recipe = GenerateRecipe(name=name, arms=list(arms), prompts=prompts, decode=decode)
    return directory.create(root, recipe, list(built_on), fill=fill)
