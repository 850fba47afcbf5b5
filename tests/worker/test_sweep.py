"""A sweep of real runs: whatever is killed, each point is trained once, and all are measured."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.jobs import directory, launch, lock, status, summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import START_SECONDS, State, Status
from engine.jobs.store import Store
from engine.launching import resume, sweep
from engine.launching.in_use import find_users_of_run
from engine.recipes import recipe as recipes
from engine.recipes.recipe import EvaluateRecipe, SweepRecipe, TrainRecipe
from engine.sweeps.grid import list_points
from engine.sweeps.points_file import find_evaluations, find_runs, read_points
from engine.sweeps.sweep_table import read_sweep_table
from engine.worker.sweep import seconds_left
from tests.conftest import Eventually
from tests.worker.tiny import save_checkpoint

LONG = 100_000
"""Steps of a run that ends only where somebody ends it."""


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> TrainRecipe:
    folder = tmp_path_factory.mktemp("sweep")
    rows = folder / "rows.jsonl"
    rows.write_text(
        "".join(f'{{"prompt": "say {one}", "completion": "number {one}"}}\n' for one in range(24))
    )
    table: dict[str, Any] = {
        "device": "cpu",
        "model": {"checkpoint": str(save_checkpoint(folder / "base"))},
        "data": {"train": str(rows), "max_length": 64, "eval_fraction": 0.2},
        "training": {"batch_size": 2, "evaluations": 1, "saves": 1},
        "samples": {"count": 0},
        "forgetting": {"tokens": 0},
    }
    made = recipes.parse(table)
    assert isinstance(made, TrainRecipe)
    return made


@pytest.fixture
def runs(root: Path) -> Iterator[Path]:
    """The folder of runs; what is at work in it at the end of a test is killed."""
    yield root
    for path in root.iterdir():
        if worker := lock.holder(JobDirectory(path).lock_file):
            os.kill(worker, signal.SIGKILL)


def start(
    wanted: TrainRecipe, root: Path, steps: list[object], suites: tuple[str, ...] = ()
) -> JobDirectory:
    suite = root.parent / "suite.jsonl"
    suite.write_text(
        "".join(f'{{"prompt": "say {one}", "gold": "number {one}"}}\n' for one in range(3))
    )
    recipe = SweepRecipe(
        name="steps", device="cpu", base=wanted, over={"training.max_steps": steps},
        suites=[f"mine={suite}", *suites],
    )  # fmt: skip
    return sweep.launch_sweep(sweep.locate_sweep(recipe, root), root)


def state_of(job: JobDirectory) -> State:
    return status.derive(job, status.read(job))


def message_of(job: JobDirectory) -> str:
    now = status.read(job)
    return now.message if now is not None else ""


def run_of(job: JobDirectory, steps: int) -> JobDirectory | None:
    run = read_points(job).of(f"max_steps{steps}").run
    return JobDirectory(job.path.parent / run) if run else None


def wait_for_steps(job: JobDirectory, steps: int, eventually: Eventually) -> JobDirectory:
    """The run of a point, once it trains."""

    def trains() -> bool:
        run = run_of(job, steps)
        now = status.read(run) if run is not None else None
        return now is not None and now.state is State.RUNNING and now.step > 0

    eventually(trains, f"{steps} trains; the sweep: {message_of(job)}")
    run = run_of(job, steps)
    assert run is not None
    return run


def kill(job: JobDirectory, eventually: Eventually) -> None:
    worker = lock.holder(job.lock_file)
    assert worker
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: lock.holder(job.lock_file) is None)


def wait_for_end(job: JobDirectory, eventually: Eventually) -> State:
    eventually(lambda: not state_of(job).alive, f"the end of {job.path.name}: {message_of(job)}")
    return state_of(job)


@pytest.mark.worker
def test_a_sweep_survives_kill_9_of_a_run_and_of_its_own_worker(
    wanted: TrainRecipe, runs: Path, eventually: Eventually
) -> None:
    job = start(wanted, runs, [LONG, 2, 3])
    long = wait_for_steps(job, LONG, eventually)
    eventually(lambda: run_of(job, 2) is not None, "the next one waits in the queue")
    assert run_of(job, 3) is None, "one that waits is enough"
    kill(job, eventually)
    assert state_of(job) is State.CRASHED
    assert state_of(long) is State.RUNNING, "its runs go on"
    kill(long, eventually)
    second = run_of(job, 2)
    assert second is not None
    assert wait_for_end(second, eventually) is State.DONE, (
        "what waited in the queue comes to its turn"
    )

    resume.resume_job(job)
    assert wait_for_steps(job, LONG, eventually) == long, "the run that it had is resumed"
    eventually(lambda: f"run 2/3: max_steps{LONG} step " in message_of(job), "how far it is")
    assert message_of(job).count("failed") == 0
    kill(long, eventually)
    eventually(lambda: "1 failed" in message_of(job) or not state_of(job).alive, message_of(job))
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)

    store = Store(runs)
    assert len(find_runs(job.path.name, store)) == 3, "no point was started twice"
    assert second.latest_attempt() == 1
    view = summary.view(job)
    assert view is not None
    assert view.left_out == 1
    (row,) = [json.loads(line) for line in job.rejects.read_text().splitlines()]
    assert (row["point"], row["run"], row["state"]) == (
        f"max_steps{LONG}", long.path.name, "crashed",
    )  # fmt: skip
    (evaluation,) = find_evaluations(job.path.name, store)
    recipe = evaluation.recipe()
    assert isinstance(recipe, EvaluateRecipe)
    assert [arm.partition("=")[0] for arm in recipe.arms] == ["base", "max_steps2", "max_steps3"]
    table = read_sweep_table(job, store)
    assert [(one.state, one.run != "") for one in table.rows] == [
        ("crashed", True), ("done", True), ("done", True),
    ]  # fmt: skip
    assert table.evaluation == evaluation.path.name
    assert table.rows[1].eval_loss is not None

    # A run that is resumed by hand counts once the sweep is resumed.
    assert f"run {job.path.name}" in find_users_of_run(long, store)
    now = status.read(long)
    assert now is not None
    changed = recipes.changed(long.recipe(), ["training.max_steps=4", "training.saves=0"])
    saved = [*long.checkpoints.glob("checkpoint-*")]
    assert saved == [], "it is killed before its only save, and starts again"
    resume.resume_job(long, changed)
    assert wait_for_end(long, eventually) is State.DONE
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE
    assert not job.rejects.exists()
    assert len(find_evaluations(job.path.name, store)) == 2, "of other arms"
    assert read_sweep_table(job, store).evaluation != evaluation.path.name
    assert len(find_runs(job.path.name, store)) == 3


@pytest.mark.worker
def test_stopping_a_sweep_stops_its_runs_and_resuming_goes_on(
    wanted: TrainRecipe, runs: Path, eventually: Eventually
) -> None:
    job = start(wanted, runs, [LONG, 2])
    long = wait_for_steps(job, LONG, eventually)
    eventually(lambda: run_of(job, 2) is not None, "the next one waits in the queue")
    waiting = run_of(job, 2)
    assert waiting is not None
    eventually(lambda: state_of(waiting) is State.QUEUED)
    assert launch.stop(job) is State.STOPPED
    assert state_of(long) is State.STOPPED
    assert [*long.checkpoints.glob("checkpoint-*")], "what was trained is saved"
    assert state_of(waiting) is State.STOPPED
    assert find_evaluations(job.path.name, Store(runs)) == []

    (saved,) = long.checkpoints.glob("checkpoint-*")
    resume.resume_job(job)

    def goes_on() -> bool:
        now = status.read(long)
        return now is not None and now.attempt == 2 and now.step > directory.step_of(saved)

    eventually(goes_on, "it goes on where it was")
    assert long.latest_attempt() == 2
    launch.stop(long)
    assert wait_for_end(job, eventually) is State.DONE, launch.log_tail(job.attempt(2).log)
    assert waiting.latest_attempt() == 2
    assert state_of(waiting) is State.DONE
    assert len(find_runs(job.path.name, Store(runs))) == 2


@pytest.mark.worker
def test_an_evaluation_that_is_killed_is_resumed_with_the_sweep(
    wanted: TrainRecipe, runs: Path, eventually: Eventually
) -> None:
    job = start(wanted, runs, [2, 3], ("bundled:facts", "bundled:emotion"))

    def find() -> JobDirectory | None:
        return next(iter(find_evaluations(job.path.name, Store(runs))), None)

    def is_at_work() -> bool:
        evaluation = find()
        return (
            evaluation is not None
            and message_of(job).startswith("evaluating: ")
            and state_of(evaluation) is State.RUNNING
        )

    eventually(lambda: is_at_work() or not state_of(job).alive, message_of(job))
    evaluation = find()
    assert evaluation is not None
    kill(evaluation, eventually)
    assert wait_for_end(job, eventually) is State.FAILED
    now = status.read(job)
    assert now is not None
    assert now.error is not None
    assert now.error.title == "The evaluation of this sweep crashed."
    assert f"finetop resume {job.path.name}" in now.error.hint
    resume.resume_job(job)
    assert wait_for_end(job, eventually) is State.DONE
    assert find_evaluations(job.path.name, Store(runs)) == [evaluation]
    assert evaluation.latest_attempt() == 2
    assert all(run.latest_attempt() == 1 for run in find_runs(job.path.name, Store(runs)).values())


@pytest.mark.worker
def test_a_start_that_was_cut_short_is_made_good_and_a_deleted_run_stays_away(
    wanted: TrainRecipe, runs: Path, eventually: Eventually
) -> None:
    """The directory of a run is there, and neither its worker nor a line on it in the file."""
    located = sweep.locate_sweep(
        SweepRecipe(name="cut", base=wanted, over={"training.max_steps": [2, 3, 4]}), runs
    )
    job = directory.create(runs, located)
    first, second, third = list_points(located)
    made = directory.create(runs, first.recipe, sweep=job.path.name)
    long_ago = made.path.stat().st_mtime - 2 * START_SECONDS
    os.utime(made.path, (long_ago, long_ago))
    gone = {"name": second.name, "run": "cut-max_steps3-0000", "reason": ""}
    job.points.write_text(json.dumps({"schema": 1, "points": [gone], "evaluation": ""}))
    launch.start(job, "sweep", needs_device=False)
    eventually(lambda: run_of(job, 4) is not None, "the third is started")
    assert wait_for_end(made, eventually) is State.DONE
    assert find_runs(job.path.name, Store(runs)).keys() == {first.recipe.name, third.recipe.name}
    launch.stop(job)


@pytest.mark.worker
def test_a_point_that_cannot_be_started_is_left_out_and_tried_again(
    wanted: TrainRecipe, runs: Path, tmp_path: Path, eventually: Eventually
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(Path(wanted.data.train).read_bytes())
    over: dict[str, list[object]] = {
        "data.train": [wanted.data.train, str(rows)], "training.max_steps": [2],
    }  # fmt: skip
    located = sweep.locate_sweep(SweepRecipe(name="two", base=wanted, over=over), runs)
    rows.rename(tmp_path / "elsewhere.jsonl")
    job = sweep.launch_sweep(located, runs)
    eventually(lambda: message_of(job).startswith("evaluating"), message_of(job))
    (row,) = [json.loads(line) for line in job.rejects.read_text().splitlines()]
    assert (row["state"], row["run"]) == ("not started", "")
    assert str(rows) in row["reason"]
    launch.stop(job)
    (tmp_path / "elsewhere.jsonl").rename(rows)
    resume.resume_job(job)
    eventually(lambda: len(find_runs(job.path.name, Store(runs))) == 2, "it is started now")
    launch.stop(job)


def test_no_heavy_library_is_loaded_to_wait_for_runs() -> None:
    code = (
        "import sys, engine.worker.sweep, engine.worker.__main__\n"
        "heavy = ('torch', 'transformers', 'peft', 'accelerate', 'scipy')\n"
        "assert not [one for one in heavy if one in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_runs_in_4_bits_are_not_refused_for_a_package_that_is_there() -> None:
    """Workers hide bitsandbytes from libraries; a sweep looks whether it is installed."""
    code = (
        "import importlib.util, sys\n"
        "installed = importlib.util.find_spec('bitsandbytes') is not None\n"
        "from engine.worker.environment import set_environment\n"
        "from engine.worker.sweep import find_all_packages\n"
        "from engine.jobs.process import missing_packages\n"
        "set_environment()\n"
        "assert missing_packages(['bitsandbytes'])\n"
        "find_all_packages()\n"
        "assert bool(missing_packages(['bitsandbytes'])) is not installed"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_of_a_user_is_in_no_sweep(wanted: TrainRecipe, root: Path) -> None:
    directory.create(root, wanted)
    other = directory.create(root, wanted, sweep="other-1234")
    assert list(find_runs("other-1234", Store(root)).values()) == [other]


def status_of(seconds: float, eta: float | None = None) -> Status:
    return Status(State.RUNNING, started=1.0, heartbeat=1.0 + seconds, eta_seconds=eta)


def test_the_time_left_is_that_of_the_runs() -> None:
    """20 s done; 5 s of 15 s to go; two more of the mean of 20 and 15 s."""
    assert seconds_left([], [], 3) is None
    assert seconds_left([], [status_of(10)], 3) is None
    assert seconds_left([status_of(20)], [], 2) == 40
    assert seconds_left([status_of(20)], [status_of(10, 5)], 2) == 5 + 2 * 17.5
    queued = status_of(0)
    assert seconds_left([status_of(20)], [status_of(10, 5), queued], 1) == 5 + 2 * 17.5
    both = [status_of(10, 10), status_of(10, 10)]
    assert seconds_left([], both, 2) == (20 + 2 * 20) / 2
