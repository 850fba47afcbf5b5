"""Real workers that are killed while they make data: no row is lost, and none is made twice."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.jobs import launch, lock, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.launching import resume, synthesis
from engine.recipes.recipe import SynthesizeRecipe
from engine.synthesis.outcomes import read_outcomes
from tests.patience import SECONDS
from tests.worker.inference.endpoints import Server, serving
from tests.worker.synthesis.making import (
    answer_rightly,
    lines,
    make_recipe,
    right_row,
    write_reviews,
)

IN_FLIGHT = 4


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.answer = answer_rightly
        made.before_answer = lambda: time.sleep(0.01)  # so that a kill finds answers in flight
        yield made


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


@pytest.mark.worker
def test_no_row_is_lost_or_made_twice_by_workers_that_are_killed(
    server: Server, tmp_path: Path
) -> None:
    assert kill_again_and_again(server, tmp_path, kills=3, count=24) == 3
