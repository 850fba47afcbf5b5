"""Samples over the steps, read as the file grows."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import PRETRAIN_RUN
from tui.feeds import samples_reader
from tui.feeds.samples_reader import SamplesReader
from tui.snapshots import StepAnswer


def line(step: int, text: str, prompt: str = "Say it.", name: str = "p1") -> bytes:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": prompt}]
    return json.dumps({"step": step, "prompt_id": name, "messages": said, "text": text}).encode()


def append(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(one + b"\n" for one in lines))


def read(samples: SamplesReader) -> dict[str, list[tuple[int, str]]]:
    return {
        history.prompt: [(one.step, one.text) for one in history.answers]
        for history in samples.prompt_histories
    }


def test_the_shipped_run_has_six_prompts_over_ten_steps() -> None:
    samples = SamplesReader(PRETRAIN_RUN / "samples.jsonl")
    assert samples.poll()
    while samples.pending:
        samples.poll()
    assert [len(history.answers) for history in samples.prompt_histories] == [10] * 6
    assert samples.prompt_histories[0].prompt == "What is the capital of Norway?"
    assert samples.prompt_histories[0].answers[-1] == StepAnswer(
        2165, "The capital of Norway is Oslo."
    )
    assert not samples.poll()


def test_only_what_was_appended_is_read_and_a_part_of_a_line_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    samples = SamplesReader(path)
    assert not samples.poll()
    append(path, line(0, "no"), line(0, "non", "Dis-le.", "p2"))
    assert samples.poll()
    whole = line(10, "yes") + b"\n"
    with path.open("ab") as file:
        file.write(whole[:30])
    assert not samples.poll()
    with path.open("ab") as file:
        file.write(whole[30:])
    assert samples.poll()
    assert read(samples) == {"Say it.": [(0, "no"), (10, "yes")], "Dis-le.": [(0, "non")]}
    assert not samples.poll()


def test_a_run_taken_up_again_says_anew_what_it_had_said(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    append(path, line(0, "a"), line(10, "b"), line(20, "lost"), line(30, "lost"))
    samples = SamplesReader(path)
    samples.poll()
    append(path, line(20, "c"))
    samples.poll()
    assert read(samples) == {"Say it.": [(0, "a"), (10, "b"), (20, "c")]}


def test_a_file_that_was_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    append(path, line(0, "old"), line(10, "old"))
    samples = SamplesReader(path)
    samples.poll()
    path.unlink()
    append(path, line(0, "new"))
    assert samples.poll()
    while samples.pending:
        samples.poll()
    assert read(samples) == {"Say it.": [(0, "new")]}


@pytest.mark.parametrize(
    "bad",
    [b"{", b"[]", b"3", b'{"step": 1}', b"\xff\xfe", b"[" * 100_000,
     b'{"step": "1", "text": "x", "messages": [{"role": "user", "content": "x"}]}',
     b'{"step": 1, "text": null, "messages": [{"role": "user", "content": "x"}]}',
     b'{"step": 1, "text": "x", "messages": []}', b'{"step": 1, "text": "x", "messages": [1]}'],
)  # fmt: skip
def test_a_bad_line_is_passed_over(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "samples.jsonl"
    append(path, line(0, "a"), bad, line(10, "b"))
    samples = SamplesReader(path)
    samples.poll()
    assert read(samples) == {"Say it.": [(0, "a"), (10, "b")]}


def test_what_was_said_is_cleaned_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: dict[str, Any] = {"MOST_CHARACTERS": 50, "MOST_PROMPTS": 2, "MOST_STEPS": 3}
    for name, value in limits.items():
        monkeypatch.setattr(samples_reader, name, value)
    path = tmp_path / "samples.jsonl"
    append(path, *(line(step, f"\x1b]0;x\x07{step}" + "y" * 99) for step in range(6)))
    append(path, *(line(0, "x", f"prompt {at}") for at in range(5)))
    samples = SamplesReader(path)
    samples.poll()
    first = samples.prompt_histories[0].answers
    assert len(samples.prompt_histories) == 2
    assert [one.step for one in first] == [0, 4, 5]
    assert first[0].text.startswith("␛]0;x␇0yyy")
    assert len(first[0].text) == 50


def test_a_large_file_is_read_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_reader, "SLICE_BYTES", 64)
    path = tmp_path / "samples.jsonl"
    append(path, *(line(step, "a") for step in range(9)))
    samples = SamplesReader(path)
    polls = 1
    samples.poll()
    while samples.pending:
        samples.poll()
        polls += 1
    assert polls > 9
    assert len(samples.prompt_histories[0].answers) == 9
