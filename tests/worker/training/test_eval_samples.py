"""The file of samples where a run goes on: nothing is said twice, nothing half."""

import json
from pathlib import Path

from engine.worker.training.eval_samples import append, rewind


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_bytes().splitlines()]


def test_what_was_said_after_the_last_evaluation_that_was_saved_is_taken_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "samples.jsonl"
    append(path, [{"step": 0, "text": "a"}, {"step": 0, "text": "b"}])
    append(path, [{"step": 10, "text": "\u2028 é \ud800"}])
    append(path, [{"step": 20, "text": "c"}])
    rewind(path, 10)
    assert steps(path) == [0, 0, 10]
    rewind(path, -1)
    assert steps(path) == []


def test_what_a_killed_writer_left_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    append(path, [{"step": 0}, {"step": 10}])
    path.write_bytes(path.read_bytes() + b'[1]\n{"step": 5, "te')
    rewind(path, 10)
    append(path, [{"step": 20}])
    assert steps(path) == [0, 10, 20]


def test_a_file_with_nothing_to_take_out_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    rewind(path, 3)
    assert not path.exists()
    append(path, [{"step": 3}])
    before = path.stat().st_ino
    rewind(path, 3)
    assert path.stat().st_ino == before
