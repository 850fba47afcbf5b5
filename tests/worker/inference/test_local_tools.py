"""Tools of a local arm: written into its prompt or refused, and its calls found in raw output."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.chat import Message, ToolCall, Tools
from engine.compare import samples
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.companion.handlers import Handlers
from engine.worker.data.chat_template import prompt_text
from engine.worker.inference.decoding import BatchDecoder
from engine.worker.inference.models import wrap_model
from tests.worker.inference.test_generate_job import attempt_at, job_of
from tests.worker.tiny import WORDS, make_model, make_tokenizer, save_checkpoint

TOOLS: Tools = (
    {
        "type": "function",
        "function": {
            "name": "find_code",
            "parameters": {"type": "object", "properties": {"code": {"type": "string"}}},
        },
    },
)
ASKED = (Message("user", "What is it?"),)


def answered(
    text: str, words: tuple[str, ...] = (), tools: Tools = (), prompt: str = "no"
) -> Sample:
    """The sample of an answer with this text, whose special tokens are `words`."""
    tokenizer = make_tokenizer(words=(*WORDS, *words))
    loaded_arm = wrap_model(make_model(len(tokenizer)), tokenizer)
    decoder = BatchDecoder(loaded_arm, [tokenizer(prompt)["input_ids"]], Decode())
    answer = decoder.answers[0]
    answer.output_ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
    answer.logprobs = [-0.5] * len(answer.output_ids)
    answer.finish = "stop"
    return decoder.sample(0, "p", ASKED, "a=b", tools)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[TOOL_CALLS]find_code[ARGS]{"code": "7"}', ("[TOOL_CALLS]", "[ARGS]")),
        ('<|python_tag|>{"name": "find_code", "parameters": {"code": "7"}}', ("<|python_tag|>",)),
        ('<tool_call>{"name": "find_code", "arguments": {"code": "7"}}</tool_call>',
         ("<tool_call>", "</tool_call>")),
    ],
)  # fmt: skip
def test_calls_are_found_where_their_marks_are_special_tokens(
    text: str, words: tuple[str, ...]
) -> None:
    sample = answered(text, words)
    assert sample.text == text, "no mark is skipped"
    assert sample.parts.tool_calls == (ToolCall("find_code", '{"code": "7"}'),)
    assert sample.spoken == ""
    assert samples.from_table(json.loads(json.dumps(samples.to_table(sample)))) == sample


def test_a_prompt_that_opens_reasoning_makes_the_answer_begin_in_it() -> None:
    sample = answered("Two and two make four", ("<think>", "</think>"), prompt="no<think>\n")
    assert (sample.parts.reasoning, sample.spoken) == ("Two and two make four", "")
    assert samples.from_table(samples.to_table(sample)).parts == sample.parts
    assert answered("Two and two make four").spoken == "Two and two make four"


def test_a_schema_says_what_an_argument_is() -> None:
    text = "<function=find_code><parameter=code>007</parameter></function>"
    sample = answered(text, tools=TOOLS)
    assert sample.parts.tool_calls[0].arguments == '{"code": "007"}'
    text = text.replace("007", "7")
    assert answered(text).parts.tool_calls[0].arguments == '{"code": 7}'
    assert answered(text, tools=TOOLS).parts.tool_calls[0].arguments == '{"code": "7"}'


@pytest.mark.parametrize("form", [None, "raw", "instruct"])
def test_a_template_that_leaves_tools_out_is_refused(form: str | None) -> None:
    tokenizer = make_tokenizer()
    with pytest.raises(EngineError, match="leaves out the definitions of tools"):
        prompt_text(ASKED, tokenizer, form, tools=TOOLS)
    talk = (*ASKED, Message("assistant", "", tool_calls=(ToolCall("find_code"),)))
    with pytest.raises(EngineError, match="leaves out the tool calls of earlier answers"):
        prompt_text(talk, tokenizer, form)
    assert "What is it?" in prompt_text(ASKED, tokenizer, form), "without tools nothing is missing"


def test_chatml_writes_tools_calls_and_results() -> None:
    talk = (
        *ASKED,
        Message("assistant", "", tool_calls=(ToolCall("find_code", '{"code": "7"}'),)),
        Message("tool", "found"),
    )
    text = prompt_text(talk, make_tokenizer(), "chatml", tools=TOOLS)
    assert '"find_code"' in text
    assert '"code": "7"' in text
    assert "found" in text


def test_arms_of_a_job_are_given_tools_or_say_why_not(tmp_path: Path) -> None:
    base = save_checkpoint(tmp_path / "base")
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([TOOLS[0]["function"]]))
    arms = [f"c={base}?prompt=chatml&tools={tools}", f"own={base}?tools={tools}", f"plain={base}"]
    job = job_of(tmp_path, arms, ["no"])
    attempt_at(job)
    made = {one.arm.partition("=")[0]: one for one in samples.read(job.samples)}
    assert set(made) == {"c", "plain"}
    assert (made["c"].tools, made["plain"].tools) == (TOOLS, ())
    assert len(made["c"].prompt_ids) > len(made["plain"].prompt_ids)
    (reject,) = [json.loads(line) for line in job.rejects.read_text().splitlines()]
    assert reject["arm"].startswith("own=")
    assert "leaves out the definitions of tools" in reject["reason"]
    assert attempt_at(job), "what is there is not made again"
    assert len(samples.read(job.samples)) == 2


def ask(kind: str, **fields: Any) -> dict[str, Any]:
    handlers = Handlers()
    list(handlers.hello({"device": "cpu", "warm": False}, lambda: False))
    *_, last = [event for event in handlers.by_type[kind](fields, lambda: False) if event]
    return last


def test_what_arms_may_call_is_told_where_it_differs_and_rendered(tmp_path: Path) -> None:
    base = save_checkpoint(tmp_path / "base")
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(list(TOOLS)))
    arms = [f"a={base}?prompt=chatml&tools={tools}", f"b={base}?prompt=chatml"]
    told = ask("facts", arms=arms, text="no")
    assert {row["what"]: row["values"] for row in told["differences"]}["tools"] == [
        "find_code", "none",
    ]  # fmt: skip
    assert told["arms"][0]["prompt_tokens"] > told["arms"][1]["prompt_tokens"]
    assert "find_code" in ask("render", arm=arms[0], text="no")["text"]
    own = [{"name": "now"}]
    rendered = ask("render", arm=arms[0], text="no", tools=own)["text"]
    assert "now" in rendered
    assert "find_code" not in rendered, "a prompt's own tools come first"
    sample = ask("generate", arm=arms[1], text="no", tools=own, decoding={"max_new_tokens": 2})
    assert [one["function"]["name"] for one in sample["sample"]["tools"]] == ["now"]
    refused = ask("facts", arms=[f"c={base}?tools={tools}"], text="no")
    assert "leaves out" in refused["arms"][0]["error"]["title"]
