"""Samples on disk: all that was written comes back, whatever the end of the file looks like."""

import dataclasses
import math
from pathlib import Path

import pytest

from engine.chat import Message
from engine.compare import samples
from engine.compare.samples import Sample, Timings
from engine.errors import EngineError
from engine.recipes.settings import Decode


def sample(number: int = 1) -> Sample:
    return Sample(
        prompt_id=f"p{number}",
        messages=(Message("user", "i miss my dog\n"), Message("assistant", "oh")),
        arm="base=bundled:demo-base",
        seed=7,
        template_hash="ab" * 32,
        prompt_ids=(1, 2, 3),
        output_ids=(4, 5),
        text="sad\u2028ness \x1b[31m 👩‍🚀 \ud800",
        finish="stop",
        logprobs=(-0.25, -1.5),
        decode=Decode(max_new_tokens=9, temperature=0.5),
        timings=Timings(0.1, 0.2),
        dtype="bfloat16",
        batch=4,
    )


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    samples.append(path, [sample(1)])
    samples.append(path, [sample(2), sample(3)])
    read = samples.read(path)
    assert [one.prompt_id for one in read] == ["p1", "p2", "p3"]
    assert read[0] == sample(1)
    assert read[0].key == sample(1).key != read[1].key


def test_a_log_probability_that_is_not_finite_is_null(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    odd = dataclasses.replace(sample(), logprobs=(-math.inf, -1.0))
    samples.append(path, [odd])
    assert b'"logprobs": [null, -1.0]' in path.read_bytes()
    back = samples.read(path)[0].logprobs
    assert math.isnan(back[0])
    assert back[1] == -1.0


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_cut_line_is_left_out_and_the_next_one_is_not_lost(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "samples.jsonl"
    samples.append(path, [sample(1)])
    whole = path.read_bytes()
    samples.append(path, [sample(2)])
    path.write_bytes(path.read_bytes()[: kept if kept < 0 else len(whole) + kept])
    complete = ["p1", "p2"] if kept == -1 else ["p1"]
    assert [one.prompt_id for one in samples.read(path)] == complete
    samples.append(path, [sample(3)])
    assert [one.prompt_id for one in samples.read(path)] == [*complete, "p3"]


def test_no_file_has_no_samples_and_another_file_is_refused(tmp_path: Path) -> None:
    assert samples.read(tmp_path / "none.jsonl") == []
    other = tmp_path / "other.jsonl"
    other.write_text('{"loss": 1}\n')
    with pytest.raises(EngineError) as caught:
        samples.read(other)
    assert f"{other}:1" in caught.value.detail


@pytest.mark.parametrize(
    "change",
    [{"finish": "bored"}, {"decode": {"top_p": 9}}, {"messages": [{"x": 1}]}, {"seed": ""}],
)
def test_a_table_that_is_no_sample_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        samples.from_table(samples.to_table(sample()) | change)
