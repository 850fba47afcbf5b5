"""Samples on disk: all that was written comes back, whatever the end of the file looks like."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from engine.answer_parts import AnswerParts
from engine.chat import Message, ToolCall
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


CALL = '<tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'


def test_calls_and_reasoning_stand_beside_the_text(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    text = f"<think>Hm.</think>I look. {CALL}<tool_call>{{"
    tools = ({"type": "function", "function": {"name": "f"}},)
    wrote = dataclasses.replace(sample(), text=text, tools=tools)
    samples.append(path, [wrote])
    table = json.loads(path.read_text())
    assert table["text"] == text
    assert table["spoken"] == "I look."
    assert table["reasoning"] == "Hm."
    assert table["tool_calls"] == [
        {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    ]
    assert table["malformed_calls"][0]["text"] == "<tool_call>{"
    assert table["tools"] == list(tools)
    (read,) = samples.read(path)
    assert read == wrote
    assert read.key == wrote.key != dataclasses.replace(wrote, tools=()).key


def test_parts_that_the_text_does_not_tell_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    parts = AnswerParts("sad", "why", (ToolCall("f", "{}", "c1"),))
    samples.append(path, [dataclasses.replace(sample(), text="sad", known_parts=parts)])
    (read,) = samples.read(path)
    assert read.parts == parts
    assert read.spoken == "sad"


def test_a_plain_answer_is_written_as_before_and_old_files_show_their_calls(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    samples.append(path, [sample()])
    table = json.loads(path.read_text())
    assert not {"spoken", "tool_calls", "tools", "known_parts"} & set(table)
    path.write_text(json.dumps(table | {"text": f"Look: {CALL}"}))  # of an older version
    (read,) = samples.read(path)
    assert [call.name for call in read.parts.tool_calls] == ["f"]
    assert read.spoken == "Look:"


def test_answers_that_differ_in_their_calls_alone_are_not_the_same() -> None:
    one, other, again = (
        dataclasses.replace(
            sample(),
            text="",
            known_parts=AnswerParts("", "", (ToolCall("f", arguments, identity),)),
        )
        for arguments, identity in (("{}", "a"), ('{"x": 1}', "a"), ("{}", "b"))
    )
    assert not one.is_same_answer(other)
    assert one.is_same_answer(again), "a server makes ids up"


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
    [
        {"finish": "bored"},
        {"decode": {"top_p": 9}},
        {"messages": [{"x": 1}]},
        {"seed": ""},
        {"seed": float("inf")},
        {"logprobs": [10**400]},
        {"spoken": "x", "tool_calls": [{}]},
        {"spoken": "x", "malformed_calls": [3]},
        {"tools": [3]},
    ],
)
def test_a_table_that_is_no_sample_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        samples.from_table(samples.to_table(sample()) | change)
