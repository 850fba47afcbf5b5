"""The `generate` job in this process: arms of all kinds, and prompts that cannot be read."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.compare import samples
from engine.compare.samples import Sample, Timings
from engine.errors import EngineError
from engine.jobs import devices, directory
from engine.jobs.directory import JobDirectory
from engine.jobs.lock import Lock
from engine.jobs.status import State
from engine.recipes.recipe import GenerateRecipe
from engine.recipes.settings import Decode
from engine.worker import generate
from engine.worker.attempt import Attempt, Stopped
from engine.worker.companion.handlers import Handlers
from engine.worker.inference.decoding import BatchDecoder
from tests.worker.inference.endpoints import Server, serving, stream
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint

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


def job_of(root: Path, arms: list[str], prompts: Sequence[str] = PROMPTS) -> JobDirectory:
    asked = root / "asked.txt"
    asked.write_text("\n".join(prompts))
    decode = Decode(max_new_tokens=6)
    recipe = GenerateRecipe(device="cpu", arms=arms, prompts=str(asked), decode=decode)
    return directory.create(root, recipe)


def hear(task: Iterator[dict[str, Any] | None], events: list[dict[str, Any]]) -> None:
    """What a request of the companion tells, until it ends. Raises what it raises."""
    for event in task:
        events += [event] if event else []
        time.sleep(0.001)


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
        attempt_at(job, stop_at=3)  # after the base: endpoints come last
    kept = samples.read(job.samples)
    assert [one.arm for one in kept] == [arms[1]] * 3
    assert not server.asked

    told = attempt_at(job)
    assert told == "10 answers, 2 left out (see the log)"
    made = samples.read(job.samples)
    assert made[:3] == kept, "what was there is not made again"
    assert len({one.key for one in made}) == len(made) == 10
    assert [(one.arm, one.text) for one in made[6:]] == [(arms[0], "yes")] * 4
    assert len(server.asked) == 4
    for arm, length in ((arms[1], 6), (arms[2], 4)):
        own = [one for one in made if one.arm == arm]
        assert sorted(one.prompt_id for one in own) == ["asked-1", "asked-2", "asked-4"]
        assert {len(one.output_ids) for one in own} == {length}
        assert {one.decode for one in own} == {Decode(max_new_tokens=length)}
    log = job.attempt(job.latest_attempt()).log.read_text()
    assert "b: asked-3 left out: The prompt is longer than the model's context." in log
    assert "2 answers left out: see " in log
    assert "rows rejected" not in log
    refused = [json.loads(line) for line in job.rejects.read_text().splitlines()]
    assert [(one["arm"], one["prompt_id"]) for one in refused] == [
        (arms[1], "asked-3"), (arms[2], "asked-3"),
    ]  # fmt: skip


def test_turns_that_are_not_asked_are_counted(base: Path, tmp_path: Path) -> None:
    job = job_of(tmp_path, [f"b={base}"])
    (tmp_path / "asked.txt").write_text('{"turns": ["no", "why"]}\n{"turns": ["yes", "and"]}\n')
    told = attempt_at(job)
    note = "2 prompts have later turns in the file: only the first turn is asked"
    assert told == f"2 answers; {note}"
    assert note in job.attempt(1).log.read_text()
    assert [one.messages[0].content for one in samples.read(job.samples)] == ["no", "yes"]


def test_an_answer_that_ended_is_kept_whatever_becomes_of_those_beside_it(
    base: Path, tmp_path: Path
) -> None:
    words = make_tokenizer()
    around = len(words.apply_chat_template([{"role": "user", "content": ""}],
                                           add_generation_prompt=True)["input_ids"])  # fmt: skip
    nearly = "a" * (254 - around)  # room for two tokens: it ends before the others
    job = job_of(tmp_path, [f"b={base}"], ["no", nearly, "Two and two"])
    with pytest.raises(Stopped):
        attempt_at(job, stop_at=1)
    kept = samples.read(job.samples)
    assert [(one.prompt_id, len(one.output_ids), one.batch) for one in kept] == [("asked-2", 2, 3)]
    assert attempt_at(job) == "3 answers"
    made = samples.read(job.samples)
    assert made[:1] == kept
    assert {one.prompt_id for one in made[1:]} == {"asked-1", "asked-3"}
    assert {one.batch for one in made[1:]} == {3}, "beside the same prompts as if never stopped"


def test_a_question_that_an_endpoint_refuses_is_left_out_alone(
    server: Server, tmp_path: Path
) -> None:
    job = job_of(tmp_path, [f"e={server.address}?model=m"])
    server.refuses = "Two and two"
    for _ in range(2):  # again where it is resumed
        assert attempt_at(job) == "3 answers, 1 left out (see the log)"
        (refused,) = [json.loads(line) for line in job.rejects.read_text().splitlines()]
        assert refused["prompt_id"] == "asked-4"
        assert refused["reason"].startswith("The endpoint rejected the request.")
        assert len(samples.read(job.samples)) == 3
    server.refuses = ""
    assert attempt_at(job) == "4 answers"
    assert not job.rejects.exists()
    again = len(server.asked)
    assert attempt_at(job) == "4 answers"
    assert len(server.asked) == again, "nothing is asked twice"


def test_an_endpoint_that_is_gone_ends_its_own_arm_and_is_told_at_the_end(
    base: Path, server: Server, tmp_path: Path
) -> None:
    gone, well = "g=http://127.0.0.1:9/v1?model=m", f"e={server.address}?model=m"
    job = job_of(tmp_path, [gone, well, f"b={base}"], PROMPTS[:2])
    with pytest.raises(EngineError, match="cannot be reached") as caught:
        attempt_at(job)
    assert "2 answers missing" in caught.value.detail
    assert [one.arm for one in samples.read(job.samples)] == [f"b={base}"] * 2 + [well] * 2
    asked = [{"id": str(at), "messages": [{"role": "user", "content": one}]}
             for at, one in enumerate(PROMPTS[:2])]  # fmt: skip
    task = Handlers().by_type["answers"]({"arms": [gone, well], "prompts": asked}, lambda: False)
    events: list[dict[str, Any]] = []
    with pytest.raises(EngineError, match="cannot be reached"):
        hear(task, events)
    assert [one["sample"]["text"] for one in events] == ["yes", "yes"]


def test_a_strength_without_an_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    job = job_of(tmp_path, [f"b={base}@0.5"])
    with pytest.raises(EngineError, match="no adapter to set a strength"):
        attempt_at(job)
    assert samples.read(job.samples) == []


def test_a_set_that_was_cut_ends_as_one_that_was_not(base: Path, tmp_path: Path) -> None:
    asked = [*(f"{'a' * (at % 40)} {at}" for at in range(70)), "what " * 300]
    decode = Decode(max_new_tokens=12, temperature=0.9)
    (tmp_path / "asked.txt").write_text("\n".join(asked))
    recipe = GenerateRecipe(
        device="cpu", arms=[f"b={base}"], prompts=str(tmp_path / "asked.txt"), decode=decode
    )
    whole, cut = directory.create(tmp_path, recipe), directory.create(tmp_path, recipe)
    last_words = attempt_at(whole)
    lines = whole.samples.read_bytes().splitlines(keepends=True)
    # As a worker leaves it that is killed in the middle of a line.
    cut.samples.write_bytes(b"".join([*lines[:3], *lines[20:50], lines[60][:99]]))
    assert attempt_at(cut) == last_words
    made = samples.read(cut.samples)
    assert len(made) == len({one.key for one in made}) == 70

    def without_timings(job: JobDirectory) -> dict[str, Sample]:
        found = samples.read(job.samples)
        return {one.prompt_id: replace(one, timings=Timings(0, 0)) for one in found}

    assert without_timings(cut) == without_timings(whole), "to the last bit of each logprob"
    assert {one.batch for one in made} == {32, 6}


def test_a_batch_whose_answers_are_known_is_not_computed(base: Path, tmp_path: Path) -> None:
    job = job_of(tmp_path, [f"b={base}"], [f"prompt {at}" for at in range(40)])
    attempt_at(job)
    lines = job.samples.read_text().splitlines(keepends=True)
    job.samples.write_text("".join(lines[:9]))  # the first batch, of 8, and one of the second
    steps = 0

    def counting(decoder: BatchDecoder) -> list[int]:
        nonlocal steps
        steps += 1
        assert len(decoder.answers) == 32
        return step(decoder)

    step = BatchDecoder.step
    with pytest.MonkeyPatch.context() as then:
        then.setattr(BatchDecoder, "step", counting)
        assert attempt_at(job) == "40 answers"
        assert 0 < steps <= 6
        steps = 0
        assert attempt_at(job) == "40 answers"
        assert steps == 0
