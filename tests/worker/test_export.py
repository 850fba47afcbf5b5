"""The export job: whole and proven or not at all, whatever ends it."""

import errno
import os
import random
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory, lock, status
from engine.jobs.directory import JobDirectory, name_partial
from engine.jobs.status import State, Status
from engine.number_format import write_size
from engine.recipes.recipe import ExportRecipe
from engine.release.proof import read_proofs
from engine.worker import export
from engine.worker.attempt import Attempt, Stopped
from tests.checkpoints.made import make_adapter, make_model
from tests.conftest import Eventually
from tests.worker.here import begin_here
from tests.worker.release.stand_ins import FAILED, StandIns

ALL = ["adapter", "merged", "gguf"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "mine"


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> StandIns:
    monkeypatch.setattr("engine.worker.attempt.WRITE_SECONDS", 0.0)
    made = StandIns()
    for name, module in made.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return made


def make_job(root: Path, out: Path, targets: list[str] = ALL) -> JobDirectory:
    base = make_model(out.parents[1] / "base")
    adapter = make_adapter(out.parents[1] / "adapter", str(base))
    recipe = ExportRecipe(source=f"mine={adapter}", targets=targets, out=str(out))
    return directory.create(root, recipe)


def run_here(job: JobDirectory) -> Attempt:
    """Run the job to its end in this process; the attempt, which is ended."""
    attempt = begin_here(job)
    try:
        export.run(attempt)
    finally:
        attempt.finish(State.FAILED)
    return attempt


def left_beside(out: Path) -> list[str]:
    return sorted(os.listdir(out.parent))


def test_all_targets_are_written_proven_and_published_at_once(
    root: Path, out: Path, stand_ins: StandIns
) -> None:
    job = make_job(root, out)
    partial = name_partial(out, job.path.name)
    seen: list[tuple[bool, bool]] = []
    stand_ins.before = lambda step: seen.append((partial.is_dir(), out.exists()))
    run_here(job)
    assert seen
    assert set(seen) == {(True, False)}
    assert left_beside(out) == ["mine"]
    assert sorted(os.listdir(out)) == ["adapter", "gguf", "merged"]
    assert sorted(os.listdir(out / "gguf")) == [
        "Modelfile", "README.md", "mine-.gguf", "mine-q8_0.gguf", "proof.json",
    ]  # fmt: skip
    assert (out / "gguf" / "Modelfile").read_text() == "FROM ./mine-q8_0.gguf\n"
    modes = {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()}
    assert modes == {out.stat().st_mode & 0o666}
    proofs = read_proofs(job.proof)
    assert [(one.target, one.file, one.dtype) for one in proofs] == [
        ("adapter", "adapter", "float32"), ("merged", "merged", "bfloat16"),
        ("gguf", "gguf/mine-.gguf", "bfloat16"), ("gguf:q8_0", "gguf/mine-q8_0.gguf", "q8_0"),
    ]  # fmt: skip
    assert all(one.passed for one in proofs)


def test_it_waits_in_the_queue_until_the_machine_has_room(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others use the memory at first; then half of it is free, and then all."""
    attempt = begin_here(make_job(root, out, ["merged"]))
    needed = attempt._needed_memory()
    free = iter([0, 0, needed - 1, needed - 1, needed])
    said: list[str] = []
    monkeypatch.setattr("engine.worker.attempt.QUEUE_SECONDS", 0.0)
    monkeypatch.setattr("engine.estimates.fit.free_main_memory", lambda: next(free))
    monkeypatch.setattr(
        attempt, "update", lambda **fields: said.append(f"{fields['state']} {fields['message']}")
    )
    assert [one.kind for one in attempt.wait_for_devices("cpu")] == ["cpu"]
    monkeypatch.undo()
    attempt.finish(State.STOPPED)
    size = write_size(needed)
    assert needed > 500e6
    assert said == [
        f"queued #1 in the queue for cpu and {size} of memory, 0 B free",
        f"queued #1 in the queue for cpu and {size} of memory, {write_size(needed - 1)} free",
        "starting loading libraries",
    ]


def test_gguf_alone_leaves_no_merged_model(root: Path, out: Path, stand_ins: StandIns) -> None:
    run_here(make_job(root, out, ["gguf:q8_0"]))
    assert (left_beside(out), os.listdir(out)) == (["mine"], ["gguf"])
    (spec,) = stand_ins.specs
    assert spec.checkpoint is not None
    assert spec.checkpoint.name == ".merged"


def test_each_target_is_proven_as_its_user_loads_it(
    root: Path, out: Path, stand_ins: StandIns
) -> None:
    run_here(make_job(root, out))
    base = out.parents[1] / "base"
    bases = {spec.target: spec.shipped_base for spec in stand_ins.specs}
    assert bases == {"adapter": base, "merged": None, "gguf": None, "gguf:q8_0": None}
    assert {spec.reference for spec in stand_ins.specs} != {None}
    assert stand_ins.specs[0].dtype == "float16", "an adapter answers in the type of its base"
    assert {spec.before for spec in stand_ins.specs} == {base}
    assert all(spec.ends == (1, 2) and spec.rows == 100 for spec in stand_ins.specs)


def test_a_failed_check_is_a_failed_export(root: Path, out: Path, stand_ins: StandIns) -> None:
    stand_ins.checks = lambda spec: [FAILED] if spec.target == "merged" else []
    job = make_job(root, out)
    with pytest.raises(EngineError) as failed:
        run_here(job)
    assert failed.value.title.startswith("The export is not what was trained: adapter, merged")
    assert "merged: same answers: 1 of 20 differs.\n  prompt 3" in failed.value.detail
    assert "adapter: nothing was proven" in failed.value.detail
    assert left_beside(out) == []
    found = {proof.target: proof for proof in read_proofs(job.proof)}
    assert found["merged"].checks[0].differences == FAILED.differences
    assert len(found) == 4, "all targets are checked"


def test_proofs_of_an_attempt_before_are_not_kept(
    root: Path, out: Path, stand_ins: StandIns
) -> None:
    job = make_job(root, out)
    run_here(job)
    shutil.rmtree(out)

    def refuse(step: str) -> None:
        raise EngineError("No merge.")

    stand_ins.before = refuse
    with pytest.raises(EngineError, match="No merge"):
        run_here(job)
    assert read_proofs(job.proof) == ()


@pytest.mark.parametrize("moment", ["start", "end"])
def test_a_folder_that_is_there_is_never_touched(
    root: Path, out: Path, stand_ins: StandIns, moment: str
) -> None:
    def occupy(step: str = "card") -> None:
        if step == "card":
            out.mkdir()
            (out / "precious").write_text("1")

    if moment == "start":
        occupy()
    else:
        stand_ins.before = occupy
    with pytest.raises(EngineError, match="already exists"):
        run_here(make_job(root, out))
    assert (left_beside(out), os.listdir(out)) == (["mine"], ["precious"])


def test_a_folder_made_in_the_last_moment_is_never_touched(
    root: Path, out: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def occupy(source: Path, place: Path) -> None:
        if Path(place) == out:
            out.mkdir()
            (out / "precious").write_text("1")
        rename(source, place)

    monkeypatch.setattr("engine.atomic.os.rename", occupy)
    with pytest.raises(EngineError, match="already exists"):
        run_here(make_job(root, out))
    assert (left_beside(out), os.listdir(out)) == (["mine"], ["precious"])


def test_a_file_in_float32_is_judged_by_the_type_that_was_merged_in(
    root: Path, out: Path, stand_ins: StandIns
) -> None:
    run_here(make_job(root, out, ["gguf:f32", "gguf:q8_0"]))
    assert [(one.target, one.dtype) for one in stand_ins.specs] == [
        ("gguf:f32", "bfloat16"), ("gguf:q8_0", "q8_0"),
    ]  # fmt: skip


@pytest.mark.parametrize("step", ["adapter", "merged", "gguf", "proof", "card"])
def test_a_stop_leaves_nothing(root: Path, out: Path, stand_ins: StandIns, step: str) -> None:
    job = make_job(root, out)
    attempt = begin_here(job)

    def stop(now: str) -> None:
        if now == step:
            attempt.files.stop_request.touch()

    stand_ins.before = stop
    with pytest.raises(Stopped):
        export.run(attempt)
    attempt.finish(State.STOPPED)
    assert left_beside(out) == []


_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "FILE")
_BROKEN = OSError(errno.EIO, os.strerror(errno.EIO), "FILE")
_IN_RUST = RuntimeError("serializing: I/O error: No space left on device (os error 28)")
"""As safetensors says it, whose errors are none of Python's."""


@pytest.mark.parametrize(
    ("step", "refusal"),
    [
        ("adapter", _FULL), ("merged", _IN_RUST), ("gguf", _BROKEN), ("proof", _FULL),
        ("card", _BROKEN),
    ],
)  # fmt: skip
def test_a_disk_that_refuses_is_left_as_it_was(
    root: Path, out: Path, stand_ins: StandIns, step: str, refusal: Exception
) -> None:
    def refuse(now: str) -> None:
        if now == step:
            if isinstance(refusal, OSError):
                raise OSError(refusal.errno, refusal.strerror, str(out.parent / ".mine" / "x"))
            raise refusal

    stand_ins.before = refuse
    with pytest.raises(EngineError) as failed:
        run_here(make_job(root, out))
    assert failed.value.title == "The disk refused the export: nothing of it remains."
    detail = failed.value.detail
    assert re.search(rf"are needed in {out.parent}, .+ were free when it began: adapter", detail)
    assert left_beside(out) == []


def test_too_little_room_is_said_before_anything_is_written(
    root: Path, out: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("engine.release.disk_need.shutil.disk_usage", lambda _: usage)
    steps: list[str] = []
    stand_ins.before = steps.append
    with pytest.raises(EngineError, match="does not fit on this disk"):
        run_here(make_job(root, out))
    assert (steps, left_beside(out)) == ([], [])


def start_worker(
    job: JobDirectory, seconds: float, most_bytes: int = 0
) -> "subprocess.Popen[bytes]":
    """A real worker; no file that it writes may have more than `most_bytes`, where that is not
    0."""

    def limit() -> None:
        if most_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-m", "tests.worker.release.stand_ins", str(job.path), str(seconds)]
    return subprocess.Popen(command, preexec_fn=limit, env=os.environ | {"PYTHONPATH": os.getcwd()})


def test_kill_9_leaves_a_hidden_folder_that_the_next_attempt_removes(
    root: Path, out: Path, eventually: Eventually
) -> None:
    job = make_job(root, out)
    partial = name_partial(out, job.path.name)
    moments = random.Random(16)

    def works(number: int) -> bool:
        now = status.read(job)
        return now is not None and (now.attempt, now.state) == (number, State.RUNNING)

    for number in (1, 2, 3):
        worker = start_worker(job, seconds=0.5)
        eventually(lambda number=number: works(number))
        time.sleep(moments.uniform(0, 1.5))  # a moment, not a wait
        worker.kill()
        worker.wait()
        assert set(left_beside(out)) <= {partial.name}, "never half an export"
    (partial / "left").touch()
    assert start_worker(job, seconds=0).wait() == 0
    assert left_beside(out) == ["mine"]
    assert not list(out.rglob("left"))
    assert lock.holder(job.lock_file) is None
    now = status.read(job)
    assert now is not None
    assert now.state is State.DONE
    assert now.attempt == 4
    assert now.message.startswith(f"{out}: 4 targets, 4 checks passed")


def test_what_a_killed_export_of_the_same_folder_left_is_removed(
    root: Path, out: Path, stand_ins: StandIns
) -> None:
    killed = make_job(root, out)
    left = name_partial(out, killed.path.name)
    left.mkdir()
    (left / "model.safetensors").touch()
    status.write(killed, Status(State.RUNNING, host=socket.gethostname()))
    attempt = run_here(make_job(root, out))
    assert left_beside(out) == ["mine"]
    assert f"removed what a killed export left: {left}\n" in attempt.files.log.read_text()


def test_a_disk_that_takes_no_large_file_ends_it_in_words(root: Path, out: Path) -> None:
    job = make_job(root, out)
    assert start_worker(job, seconds=0, most_bytes=3000).wait() == 1
    now = status.read(job)
    assert now is not None
    assert now.error is not None
    assert now.error.title.startswith("The disk refused the export")
    assert left_beside(out) == []
