"""The bundled run: a finished job that names no machine, with true curves and samples."""

import json
import re

from engine.bundled import PRETRAIN_RUN
from engine.compare import samples
from engine.events.log_dir import LogDir
from engine.jobs import status
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State

MEGABYTES = 1.5
TAGS = {
    "train/loss",
    "train/perplexity",
    "train/learning_rate",
    "train/grad_norm",
    "train/tokens_per_second",
    "train/tokens",
    "eval/loss",
    "eval/perplexity",
    "skill/facts",
    "skill/arithmetic",
    "skill/french",
    "skill/formats",
    "skill/python",
}


def test_it_is_a_job_that_is_done() -> None:
    job = JobDirectory(PRETRAIN_RUN)
    record, found = job.record(), status.read(job)
    assert record is not None
    assert found is not None
    assert (record.id, record.kind) == ("pretrain", "pretrain")
    assert status.derive(job, found) is State.DONE
    assert found.step == found.total > 500


def test_its_curves_are_whole_and_fall() -> None:
    log = LogDir(PRETRAIN_RUN / "events")
    log.poll()
    assert set(log.series) == TAGS
    loss = log.series["train/loss"]
    found = status.read(JobDirectory(PRETRAIN_RUN))
    assert found is not None
    assert loss.steps[0] == 1
    assert found.step - 10 < loss.steps[-1] <= found.step
    assert loss.values[0] > 7
    assert loss.values[-1] < 0.6
    assert (
        sum(file.stat().st_size for file in (PRETRAIN_RUN / "events").iterdir()) < MEGABYTES * 1e6
    )


def test_its_samples_are_samples_of_several_steps() -> None:
    found = samples.read(PRETRAIN_RUN / "samples.jsonl")
    lines = (PRETRAIN_RUN / "samples.jsonl").read_text("utf-8").splitlines()
    steps = {json.loads(line)["step"] for line in lines}
    assert len(found) == len(lines) == 6 * len(steps)
    assert len(steps) >= 4
    assert any(sample.text == "The capital of Norway is Oslo." for sample in found)


def test_it_names_no_machine_and_no_path() -> None:
    for file in PRETRAIN_RUN.rglob("*"):
        assert re.fullmatch(r"[a-z0-9._]+", file.name)
        if file.is_file():
            content = file.read_bytes()
            assert not re.search(rb"/(work|root|home|tmp|usr|Users)\b", content), file
    (events,) = (PRETRAIN_RUN / "events").iterdir()
    assert events.name.endswith(".pretraining.1")
