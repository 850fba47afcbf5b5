"""A generate job whose arms were given tools: what they call, think and say."""

import json
from pathlib import Path

from engine.answer_parts import parts_of_reply, split_text
from engine.chat import Message, ToolCall, Tools
from engine.compare import samples
from engine.compare.samples import Sample, Timings
from engine.jobs.directory import JobDirectory
from engine.recipes.settings import Decode
from tests.tui.browse.answered import TUNED, write_answers

ENDPOINT = "served=http://127.0.0.1:8000/v1?model=big"
TOOLS: Tools = tuple(
    {"type": "function", "function": {"name": name, "parameters": {}}}
    for name in ("get_weather", "get_time")
)
OSLO = ToolCall("get_weather", '{"city": "Oslo"}', "c1")
ASKED: dict[str, tuple[Message, ...]] = {
    "w1": (Message("user", "What is the weather in Oslo?"),),
    "w2": (
        Message("user", "And is it late there?"),
        Message("assistant", "I look.", tool_calls=(ToolCall("get_time", '{"city": "Oslo"}'),)),
        Message("tool", '{"time": "23:10"}', name="get_time"),
    ),
    "w3": (Message("user", "Is it colder in Bergen?"),),
    "w4": (Message("user", "What is 2 + 3?"),),
}


def write_call(name: str, city: str) -> str:
    """A call as a Hermes or Qwen model writes it."""
    call = {"name": name, "arguments": {"city": city}}
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


_THOUGHT = "<think>\nThe user wants the weather.\nI have a tool for it.\n</think>\n\n"
ANSWERS: dict[str, tuple[str, str]] = {
    "w1": (f"I check it.\n{write_call('get_weather', 'Oslo')}",
           f"{_THOUGHT}I look it up.\n{write_call('get_weather', 'Oslo')}"),
    "w2": ("It is 23:10 there, so quite late.", "Yes, it is late: 23:10."),
    "w3": ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ber',
           f"{write_call('get_weather', 'Bergen')}\n{write_call('get_weather', 'Oslo')}"),
    "w4": ("It is 5.", write_call("get_time", "\x1b[31mOslo")),
}  # fmt: skip
"""By prompt what the endpoint says, whose parser finds no call, and what the tuned model says."""


def write_called(root: Path, name: str = "calls", created: float = 0.0) -> JobDirectory:
    """The job's directory, with the prompts beside it: two say which call is right."""
    job = write_answers(root, name, arms=(ENDPOINT, TUNED), said={}, created=created)
    expected = {"w1": [OSLO], "w3": [ToolCall("get_weather", '{"city": "Bergen"}')]}
    rows = [
        {
            "id": prompt,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "skill": "tools",
            "reference": _reference(expected.get(prompt, [])),
        }
        for prompt, messages in ASKED.items()
    ]
    prompts = root.parent / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    samples.append(job.samples, [_sample(prompt, at) for at in (0, 1) for prompt in ASKED])
    return job


def _reference(calls: list[ToolCall]) -> str:
    return json.dumps([call.to_json() for call in calls]) if calls else ""


def _sample(prompt: str, at: int) -> Sample:
    text = ANSWERS[prompt][at]
    parts = parts_of_reply(text, "", []) if not at else split_text(text)
    return Sample(prompt, ASKED[prompt], (ENDPOINT, TUNED)[at], 7, "hash", (1, 2), (3,) * 4, text,
                  "stop", (-0.5,) * 4, Decode(max_new_tokens=64), Timings(0.1, 0.5),
                  tools=TOOLS, known_parts=parts if not at else None)  # fmt: skip
