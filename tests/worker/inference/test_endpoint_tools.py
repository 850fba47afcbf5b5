"""Tools of an endpoint: what is sent, and calls as they come, whole, in deltas, or not at all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.chat import Message, ToolCall
from engine.compare import samples
from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.worker.companion.handlers import Handlers
from engine.worker.inference.endpoint_answer import write_turns
from tests.worker.inference.endpoints import Server, serving

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
OSLO = ToolCall("get_weather", '{"city": "Oslo"}', "c1")
WRITTEN = '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>'
Event = dict[str, Any]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def deltas(*parts: Event, finish: str = "tool_calls") -> bytes:
    chunks: list[Event] = [{"choices": [{"delta": part}]} for part in parts]
    chunks.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in chunks) + b"data: [DONE]\n\n"


def call(index: int | None = 0, identity: str = "", name: str = "", arguments: Any = None) -> Event:
    function = {"name": name} if name else {}
    function |= {} if arguments is None else {"arguments": arguments}
    return {
        **({} if index is None else {"index": index}),
        **({"id": identity, "type": "function"} if identity else {}),
        "function": function,
    }


def ask(server: Server, tools: Any = (WEATHER,), **fields: Any) -> tuple[Sample, str]:
    request = {"arm": f"e={server.address}?model=tiny", "text": "Weather?", **fields}
    request |= {"tools": list(tools)} if tools else {}
    shown, sample = "", None
    for event in Handlers().generate(request, lambda: False):
        if event and event["event"] == "text":
            shown += event["text"]
        elif event and event["event"] == "done":
            sample = samples.from_table(json.loads(json.dumps(event["sample"])))
    assert sample is not None
    return sample, shown


def test_calls_come_in_deltas_and_tools_are_sent(server: Server) -> None:
    server.reply = deltas(
        {"role": "assistant", "content": "I "}, {"content": "look."},
        {"tool_calls": [call(0, "c1", "get_weather", "")]},
        {"tool_calls": [call(0, arguments='{"ci'), call(1, "c2", "now", "{}")]},
        {"tool_calls": [call(0, arguments='ty": "Oslo"}')]},
    )  # fmt: skip
    sample, shown = ask(server)
    assert shown == sample.text == sample.spoken == "I look."
    assert sample.parts.tool_calls == (OSLO, ToolCall("now", "{}", "c2"))
    assert (sample.parts.malformed, sample.parts.lost, sample.finish) == ((), (), "stop")
    assert sample.tools == (WEATHER,)
    assert server.asked[0][2]["tools"] == [WEATHER]


def test_whole_calls_without_an_index_are_calls_of_their_own(server: Server) -> None:
    whole = [call(None, "c1", "get_weather", {"city": "Oslo"}), call(None, "c2", "now", "")]
    server.reply = deltas({"tool_calls": whole})
    assert [one.name for one in ask(server)[0].parts.tool_calls] == ["get_weather", "now"]
    server.kind = "application/json"
    message = {"content": None, "tool_calls": whole}
    server.reply = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
    sample, _ = ask(server)
    assert sample.parts.tool_calls == (OSLO, ToolCall("now", "{}", "c2"))


def test_reasoning_is_kept_apart_whatever_it_holds(server: Server) -> None:
    thought = f"</think> {WRITTEN}"
    server.reply = deltas(
        {"reasoning_content": thought[:5]}, {"reasoning_content": thought[5:]},
        {"tool_calls": [call(0, "c1", "get_weather", '{"city": "Oslo"}')]},
    )  # fmt: skip
    sample, _ = ask(server)
    assert sample.parts.reasoning == thought
    assert (sample.parts.tool_calls, sample.parts.lost, sample.spoken) == ((OSLO,), (), "")


def test_a_call_that_the_parser_lost_and_one_that_is_malformed_are_told_apart(
    server: Server,
) -> None:
    server.reply = deltas({"content": WRITTEN}, finish="stop")
    lost = ask(server)[0].parts
    assert [one.name for one in lost.lost] == ["get_weather"]
    assert (lost.tool_calls, lost.malformed, lost.spoken) == ((), (), "")
    server.reply = deltas({"tool_calls": [call(0, "c1", "get_weather", '{"city": ')]})
    malformed = ask(server)[0].parts
    assert [one.reason for one in malformed.malformed] == ["it ends before its JSON does"]
    assert (malformed.tool_calls, malformed.lost) == ((), ())


def test_without_tools_no_parser_lost_anything(server: Server) -> None:
    server.reply = deltas({"content": WRITTEN}, finish="stop")
    parts = ask(server, ())[0].parts
    assert ([one.name for one in parts.tool_calls], parts.lost) == (["get_weather"], ())
    assert "tools" not in server.asked[0][2]


@pytest.mark.parametrize(
    "calls",
    [
        3, {}, [3], [None], [{}], [{"function": 3}], [{"index": "x", "function": {"name": 3}}],
        [{"index": -5, "function": {"name": "f", "arguments": [1]}}],
        [{"index": at, "function": {"name": "f"}} for at in range(2_000)],
    ],
)  # fmt: skip
def test_rubbish_among_the_calls_is_no_end_of_the_answer(calls: Any, server: Server) -> None:
    server.reply = deltas({"content": "Yes."}, {"tool_calls": calls})
    sample, _ = ask(server)
    assert sample.spoken == "Yes."
    assert len(sample.parts.tool_calls) + len(sample.parts.malformed) <= 256


def test_a_conversation_with_calls_is_sent_in_openai_s_form(server: Server) -> None:
    server.reply = deltas({"content": "It is 4 C."}, finish="stop")
    talk = (
        Message("user", "Weather?"),
        Message("assistant", "", "Hm.", (ToolCall("get_weather", '{"city": "Oslo"}'), OSLO)),
        Message("tool", "4 C", name="get_weather"),
        Message("tool", "5 C", tool_call_id="c1"),
    )
    ask(server, messages=[one.to_json() for one in talk])
    sent = server.asked[0][2]["messages"]
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    assert sent[1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call00000", "type": "function", "function": function},
            {"id": "c1", "type": "function", "function": function},
        ],
    }
    assert sent[2:] == [
        {"role": "tool", "content": "4 C", "tool_call_id": "call00000", "name": "get_weather"},
        {"role": "tool", "content": "5 C", "tool_call_id": "c1"},
    ]


def test_every_made_id_is_another() -> None:
    calls = (ToolCall("f"), ToolCall("g"))
    turns = write_turns([Message("assistant", "x", tool_calls=calls)] * 2)
    identities = [one["id"] for turn in turns for one in turn["tool_calls"]]
    assert len(set(identities)) == 4


def test_a_raw_prompt_has_no_place_for_tools(server: Server) -> None:
    request = {
        "arm": f"e={server.address}?model=tiny&prompt=raw", "text": "x", "tools": [WEATHER],
    }  # fmt: skip
    with pytest.raises(EngineError, match="no place for tools"):
        list(Handlers().generate(request, lambda: False))
    assert server.asked == []


def test_tools_of_a_request_that_are_none_are_refused(server: Server) -> None:
    with pytest.raises(EngineError, match="needs tools"):
        ask(server, [{"name": 3}])
