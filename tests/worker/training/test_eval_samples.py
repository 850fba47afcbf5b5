"""Samples while training: which prompts; the file where a run goes on, nothing twice or half."""

import json
from pathlib import Path

from engine.chat import Message
from engine.data.rows import Example
from engine.worker.data.chat_template import choose_template, render_prompt
from engine.worker.data.encode import encode
from engine.worker.data.prepare import PreparedDataset
from engine.worker.training.eval_samples import append, prompts_of_rows, rewind
from tests.worker.data.families import QWEN3


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


def test_prompts_of_rows_that_are_one_answer_each_are_what_stands_before_it() -> None:
    tokenizer = QWEN3.tokenizer()
    template = choose_template(tokenizer)
    roles = ("user", "assistant") * 2
    talk = tuple(map(Message, roles, ("who?", "joy", "and?", "love")))
    example = Example(talk, "rows.jsonl:1")
    rows = encode(example, tokenizer, template, 500)
    data = PreparedDataset([], rows, [], eval_examples=[example] * len(rows))
    prompts = prompts_of_rows(data, 5, tokenizer)
    assert [prompt.messages for prompt in prompts] == [talk[:1], talk[:3]]
    assert [prompt.ids for prompt in prompts] == [
        render_prompt(talk[:1], tokenizer), render_prompt(talk[:3], tokenizer)
    ]  # fmt: skip


def test_prompts_of_rows_bring_the_tools_of_their_rows() -> None:
    tokenizer = QWEN3.tokenizer()
    template = choose_template(tokenizer, "chatml")
    tools = ({"type": "function", "function": {"name": "f", "parameters": {}}},)
    talk = (Message("user", "who?"), Message("assistant", "joy"))
    example = Example(talk, "rows.jsonl:1", tools=tools)
    rows = encode(example, tokenizer, template, 500)
    data = PreparedDataset([], rows, [], eval_examples=[example])
    (prompt,) = prompts_of_rows(data, 5, tokenizer)
    assert (prompt.messages, prompt.tools) == (talk[:1], tools)
    assert prompt.ids == render_prompt(talk[:1], tokenizer, "chatml", tools=tools)
