"""Going on: two at the same time, changed data, and a save that takes its time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory, inputs, launch, lock, process, queue, status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.launching import locate, resume, training
from engine.recipes import recipe
from engine.recipes.recipe import Recipe, TrainRecipe
from tests import patience
from tests.conftest import Eventually
from tests.jobs.waiters import Line

CPU = TrainRecipe(name="mine", device="cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"instruction": "a", "input": "b", "output": "c"}\n')
    return path


@pytest.fixture
def job(root: Path, data: Path) -> JobDirectory:
    """A run on `data` that was stopped with a checkpoint."""
    made = directory.create(root, CPU, inputs=[data])
    (made.checkpoints / "checkpoint-5").mkdir(parents=True)
    status.write(made, Status(State.STOPPED, step=5, total=9))
    return made


@pytest.fixture
def busy(tmp_path: Path, eventually: Eventually, warm_server: None) -> Iterator[Line]:
    """A queue whose CPU is taken: what is resumed waits, and loads no library."""
    with Line(tmp_path, eventually) as line:
        line.add("busy", "cpu")
        yield line


def changed(job: JobDirectory, *changes: str) -> Recipe:
    return recipe.parse(recipe.with_changes(recipe.to_table(job.recipe()), changes))


def epochs(job: JobDirectory) -> float:
    found = job.recipe()
    assert isinstance(found, TrainRecipe)
    return found.training.epochs


def finetop(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tui.cli", "--runs", str(root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_that_resume_at_once_one_is_told_that_it_lost(
    job: JobDirectory, busy: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume.resume_job(job, changed(job, "training.epochs=5"))
    try:
        # The second one's look at the state came before the first one's start.
        with monkeypatch.context() as then:
            then.setattr(status, "derive", lambda *_: State.STOPPED)
            then.setattr(launch, "END_SECONDS", 0.0)
            with pytest.raises(EngineError, match="another process") as caught:
                resume.resume_job(job, changed(job, "training.epochs=7"))
        assert caught.value.exit_code == 2
        assert epochs(job) == 5
        assert job.latest_attempt() == 2, "the one before, and the one that won"
        assert list(job.path.glob(".next-recipe*")) == []
    finally:
        queue_away(job)


def queue_away(job: JobDirectory) -> None:
    assert launch.wait(lambda: bool(queue.waiting()), patience.PROCESS_SECONDS), (
        "its first status comes before"
    )
    queue.cancel(job.path.name)
    assert launch.wait(lambda: lock.holder(job.lock_file) is None, patience.PROCESS_SECONDS)
    assert status.derive(job, status.read(job)) is State.STOPPED


def test_the_commands_that_resume_at_once_tell_the_truth(
    job: JobDirectory, root: Path, busy: Line
) -> None:
    asked = {
        number: finetop(root, "resume", job.path.name, "--set", f"training.epochs={number}")
        for number in (5, 6, 7)
    }
    told = {
        number: one.communicate(timeout=patience.PROCESS_SECONDS) for number, one in asked.items()
    }
    won = [number for number, one in asked.items() if one.returncode == 0]
    assert len(won) == 1, told
    assert epochs(job) == won[0]
    for number, one in asked.items():
        if number not in won:
            assert one.returncode == 2
            assert "Traceback" not in told[number][1]
    queue_away(job)


def test_changed_data_is_refused_unless_forced(
    job: JobDirectory, root: Path, data: Path, busy: Line
) -> None:
    old = data.read_text()
    data.write_text(old * 2)
    with pytest.raises(EngineError, match="has changed since") as caught:
        resume.resume_job(job)
    assert str(data) in caught.value.detail
    assert "--force" in caught.value.hint
    assert job.latest_attempt() == 0
    refused = finetop(root, "resume", job.path.name)
    assert "has changed since" in refused.communicate(timeout=patience.PROCESS_SECONDS)[1]
    assert refused.returncode == 2
    forced = finetop(root, "resume", job.path.name, "--force")
    assert forced.communicate(timeout=patience.PROCESS_SECONDS)[0].strip() == job.path.name
    queue_away(job)
    with pytest.raises(EngineError, match="has changed since"):
        resume.resume_job(job)  # forced once is not forced for ever
    data.write_text(old)
    resume.resume_job(job)
    queue_away(job)


def test_data_that_is_gone_is_named(job: JobDirectory, data: Path) -> None:
    data.unlink()
    with pytest.raises(EngineError, match="is missing") as caught:
        resume.resume_job(job)
    assert str(data) in caught.value.detail


def test_a_run_that_begins_again_takes_the_data_as_it_is(
    job: JobDirectory, data: Path, busy: Line
) -> None:
    (job.checkpoints / "checkpoint-5").rmdir()
    data.write_text(data.read_text() * 3)
    resume.resume_job(job, changed(job, f"data.train={data}"))
    queue_away(job)
    record = job.record()
    assert record is not None
    assert record.inputs == {str(data): directory.sha256(data)}
    (job.checkpoints / "checkpoint-5").mkdir()
    inputs.check(record.inputs)


def test_a_folder_of_data_is_compared_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "a.arrow").write_bytes(b"a")
    known = {str(folder): directory.sha256(folder)}
    inputs.check(known)
    (folder / "train" / "b.arrow").write_bytes(b"")
    with pytest.raises(EngineError, match="has changed"):
        inputs.check(known)


def test_what_a_recipe_names_is_found_and_made_absolute(
    root: Path, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("probe.txt", "form.jinja", "prompts.txt"):
        (tmp_path / name).write_text("text\n")
    wanted = recipe.parse(recipe.with_changes(recipe.to_table(CPU), [
        f"data.train={data.name}", "data.template=form.jinja", "forgetting.probe=probe.txt",
        "samples.prompts=prompts.txt", f"replay.data={data.name}",
    ]))  # fmt: skip
    assert isinstance(wanted, TrainRecipe)
    found = locate.locate(wanted, root)
    assert found.recipe.data.template == str(tmp_path / "form.jinja")
    assert found.recipe.forgetting.probe == str(tmp_path / "probe.txt")
    assert found.recipe.samples.prompts == str(tmp_path / "prompts.txt")
    assert found.recipe.replay.data == found.recipe.data.train == str(data)
    assert {path.name for path in found.files} == {data.name, "form.jinja", "probe.txt"}
    assert locate.locate(found.recipe, root).recipe == found.recipe, "twice is as once"


@pytest.mark.parametrize(
    ("change", "words"),
    [("forgetting.probe=none.txt", "probe text does not exist"), ("data.template=no.j2",
            "template does not exist"),
     ("replay.data=run:nobody", "No run 'nobody'"), ("replay.data=/no/file.jsonl", "/no/file"),
     ("samples.prompts=/no/prompts", "/no/prompts"), ("device=cuda:31",
             "Device 'cuda:31' not found")],
)  # fmt: skip
def test_a_wrong_name_fails_before_anything_is_made(root: Path, change: str, words: str) -> None:
    wanted = recipe.parse(recipe.with_changes(recipe.to_table(CPU), [change]))
    assert isinstance(wanted, TrainRecipe)
    with pytest.raises(EngineError) as caught:
        training.launch_training(wanted, root)
    assert words in str(caught.value)
    assert list(root.iterdir()) == []


SAVING = """
import socket, sys, time
from pathlib import Path
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State, Status
job, saves = JobDirectory(Path(sys.argv[1])), sys.argv[2] == "saves"
lock = Lock(job.lock_file)
lock.acquire()
while not (job.path / "saved").exists():
    beat = time.time() if saves else 1.0
    status.write(job, Status(State.STOPPING, heartbeat=beat, host=socket.gethostname()))
    print("held", flush=True)
    time.sleep(0.05)
status.write(job, Status(State.STOPPED))
"""


@pytest.mark.parametrize(("saves", "signals"), [("saves", 0), ("hangs", 1)])
def test_who_is_seen_to_save_is_waited_for(job: JobDirectory, saves: str, signals: int) -> None:
    job.attempt(1).path.mkdir()
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        if "still saving" in line:
            (job.path / "saved").touch()

    child = subprocess.Popen(
        [sys.executable, "-c", SAVING, str(job.path), saves], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        child.stdout.readline()
        state = launch.stop(job, grace=0.2, said=hear)
        assert [line for line in said if line.startswith("sent")] == ["sent SIGTERM"] * signals
        assert state is (State.CRASHED if signals else State.STOPPED)
        assert any("still saving" in line for line in said) == (not signals)
    finally:
        child.kill()
        child.wait()


def test_a_limit_that_the_user_sets_holds(job: JobDirectory) -> None:
    job.attempt(1).path.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", SAVING, str(job.path), "saves"], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert child.stdout is not None
        child.stdout.readline()
        stop = finetop(job.path.parent, "stop", job.path.name, "--grace", "0.2")
        assert "sent SIGTERM" in stop.communicate(timeout=patience.PROCESS_SECONDS)[1]
        assert child.wait() == -signal.SIGTERM, "it had not come to its end by itself"
    finally:
        child.kill()
        child.wait()


def test_the_mark_of_a_launch_is_the_workers_own(job: JobDirectory, busy: Line) -> None:
    resume.resume_job(job)
    try:
        noted = directory.read_json(job.attempt(job.latest_attempt()).process)
        assert noted is not None
        assert noted["pid"] == lock.holder(job.lock_file)
        assert len(str(noted["launch"])) == 8
        assert process.changed_recipe(job, str(noted["launch"])).exists() is False
    finally:
        os.kill(lock.holder(job.lock_file) or 0, 9)
