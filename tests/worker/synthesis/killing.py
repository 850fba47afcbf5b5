"""Real workers of a job that makes data, killed again and again: what must hold after that."""

import os
import random
import signal
from pathlib import Path

from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume, synthesis
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.outcomes import read_outcomes
from tests.patience import SECONDS
from tests.worker.inference.endpoints import Server
from tests.worker.synthesis.making import lines, make_recipe, right_row, write_reviews

IN_FLIGHT = 4


def kill_while_it_works(job: JobDirectory, answers: int) -> bool:
    """Kill the worker once so many answers are on disk; False where it had ended before."""
    launch.wait(lambda: len(lines(job.samples)) >= answers, SECONDS)
    worker = lock.holder(job.lock_file)
    if worker is None:
        return False
    os.kill(worker, signal.SIGKILL)
    launch.wait(lambda: lock.holder(job.lock_file) is None, SECONDS)
    return True


def kill_again_and_again(server: Server, folder: Path, *, kills: int, count: int) -> int:
    """Make `count` rows by workers of which so many are killed; how often one really was."""
    recipe = make_recipe(
        write_reviews(folder, count), server.address, {"asking.in_flight": IN_FLIGHT}
    )
    assert isinstance(recipe, SynthesizeRecipe)
    job = synthesis.launch_synthesis(recipe, folder / "runs")
    dice, done, killed = random.Random(kills), 0, 0
    for _ in range(kills):
        done = len(lines(job.samples)) + dice.randrange(1, 2 * 2 * count // (kills + 1))
        killed += kill_while_it_works(job, min(done, 2 * count - IN_FLIGHT))
        if status.derive(job, status.read(job)) is State.DONE:
            break
        resume.resume_job(job)
    launch.wait(lambda: lock.holder(job.lock_file) is None, SECONDS)
    now = status.read(job)
    assert now is not None
    assert now.state is State.DONE, now
    outcomes = read_outcomes(job.outcomes)
    assert len(lines(job.outcomes)) == len(outcomes) == count, "no row twice, none lost"
    for number in range(1, count + 1):
        assert outcomes[f"reviews.jsonl:{number}"].row == right_row(number)
    ids = [line["prompt_id"] for line in lines(job.samples)]
    assert len(ids) == len(set(ids)) == 2 * count, "no answer on disk was asked for again"
    assert len(server.asked) <= 2 * count + killed * IN_FLIGHT, "but for those in flight"
    return killed
