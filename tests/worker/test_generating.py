"""The `generate` job in this process: arms of all kinds, and prompts that cannot be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.compare import samples
from engine.errors import EngineError
from engine.jobs import devices, directory
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.recipe import GenerateRecipe
from engine.jobs.settings import Decode
from engine.jobs.status import State
from engine.worker import generate
from engine.worker.attempt import Attempt, Stopped
from tests.worker.endpoints import Server, serving, stream
from tests.worker.tiny import save_adapter, save_checkpoint

PROMPTS = ["no", "i miss my dog", "what " * 300, "Two and two"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.reply = stream("yes")
        yield made


class Asked(Attempt):
    """An attempt that is asked to stop after so many answers."""

    stop_at = 10**9

    def stop_requested(self, wait: float = 0.0) -> bool:
        return super().stop_requested(wait) or self._status.step >= self.stop_at

    def log(self, line: str) -> None:
        with self.files.log.open("a") as file:
            file.write(line + "\n")


def attempt_at(job: JobDirectory, stop_at: int = 10**9) -> str:
    """The job's last words. Raises Stopped or EngineError."""
    attempt = Asked(job, Lock(job.lock_file))
    attempt.devices = devices.options("cpu")[0]
    attempt.stop_at = stop_at
    attempt._writer.start()
    try:
        return generate.run(attempt)
    finally:
        attempt.finish(State.STOPPED)


def job_of(root: Path, arms: list[str]) -> JobDirectory:
    asked = root / "asked.txt"
    asked.write_text("\n".join(PROMPTS))
    decode = Decode(max_new_tokens=6)
    recipe = GenerateRecipe(device="cpu", arms=arms, prompts=str(asked), decode=decode)
    return directory.create(root, recipe)


def test_arms_of_all_kinds_answer_what_they_can_read(
    base: Path, server: Server, tmp_path: Path
) -> None:
    adapter = save_adapter(tmp_path / "adapter", base)
    arms = [
        f"e={server.address}?model=m",
        f"b={base}",
        f"t={base}+{adapter}@0.5?max_new_tokens=4",
    ]
    job = job_of(tmp_path, arms)
    with pytest.raises(Stopped):
        attempt_at(job, stop_at=4)  # after the endpoint, whose arm comes first
    kept = samples.read(job.samples)
    assert [(one.arm, one.text) for one in kept] == [(arms[0], "yes")] * 4

    told = attempt_at(job)
    assert told == "10 answers, 2 prompts left out (see the log)"
    made = samples.read(job.samples)
    assert made[:4] == kept, "what was there is not made again"
    assert len({one.key for one in made}) == len(made) == 10
    assert len(server.asked) == 4
    for arm, length in ((arms[1], 6), (arms[2], 4)):
        own = [one for one in made if one.arm == arm]
        assert sorted(one.prompt_id for one in own) == ["asked-1", "asked-2", "asked-4"]
        assert {len(one.output_ids) for one in own} == {length}
        assert {one.decode for one in own} == {Decode(max_new_tokens=length)}
    log = job.attempt(job.latest_attempt()).log.read_text()
    assert "b: asked-3 is left out: The prompt is longer than the model's context." in log


def test_an_endpoint_that_fails_keeps_what_was_answered(
    base: Path, server: Server, tmp_path: Path
) -> None:
    job = job_of(tmp_path, [f"e={server.address}?model=m"])
    server.status = 500
    with pytest.raises(EngineError, match="refuses the question"):
        attempt_at(job)
    server.status = 200
    assert attempt_at(job) == "4 answers"
    again = len(server.asked)
    assert attempt_at(job) == "4 answers"
    assert len(server.asked) == again, "nothing is asked twice"


def test_a_strength_without_an_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    job = job_of(tmp_path, [f"b={base}@0.5"])
    with pytest.raises(EngineError, match="no adapter whose strength"):
        attempt_at(job)
    assert samples.read(job.samples) == []
