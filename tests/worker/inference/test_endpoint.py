"""A model behind an address: its answers as any arm's, and whatever else it sends told in words."""

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from engine.chat import Message
from engine.compare import endpoint_keys, samples
from engine.compare.arms import format_arm, parse_arm
from engine.compare.items import Item
from engine.errors import EngineError
from engine.recipes.settings import Decode
from engine.worker.companion.handlers import Handlers
from engine.worker.inference import endpoint, endpoint_retry
from engine.worker.inference.endpoint_batch import EndpointBatch
from tests import patience
from tests.worker.inference.endpoints import Server, serving, stream

Event = dict[str, Any]
KEY = "sk-very-secret-0123"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def ask(arm: str, cancelled: Callable[[], bool] = lambda: False, **fields: Any) -> list[Event]:
    events = []
    for event in Handlers().generate({"arm": arm, "text": "no?", **fields}, cancelled):
        if event:
            events.append(event)
        else:
            time.sleep(0.001)
    return events


def arm_of(server: Server, more: str = "") -> str:
    return f"e={server.address}?model=tiny{more}"


def allow(server: Server) -> None:
    """Agree to the key of these tests at this server."""
    endpoint_keys.allow(endpoint_keys.uses_of([parse_arm(arm_of(server, "&key=MY_KEY"))]))


def test_an_answer_streams_and_ends_in_a_sample(server: Server) -> None:
    server.reply = stream("Hel", "lo 👩", "\x1b]0;x\x07")
    decoding = {"max_new_tokens": 9, "temperature": 0.5, "seed": 3}
    arm = format_arm(parse_arm(arm_of(server, "&system=Be brief.&prefix=Think.")))
    events = ask(arm, decoding=decoding, prompt_id="p")
    assert events[0]["event"] == "begin"
    said = "".join(event["text"] for event in events if event["event"] == "text")
    sample = samples.from_table(json.loads(json.dumps(events[-1]["sample"])))
    assert said == sample.text == "Hello 👩\x1b]0;x\x07", "cleaned where it is shown"
    assert (sample.arm, sample.prompt_id, sample.finish) == (arm, "p", "stop")
    assert (sample.output_ids, sample.decode.temperature) == ((), 0.5)
    assert 0 < sample.timings.first_token <= sample.timings.total
    (path, _, body) = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "tiny", "stream": True, "max_tokens": 9, "temperature": 0.5, "top_p": 1.0,
        "seed": 3, "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Think.\nno?"},
        ],
    }  # fmt: skip


def test_raw_prompts_and_servers_that_do_not_stream(server: Server) -> None:
    server.kind = "application/json"
    server.reply = b'{"choices": [{"text": "yes", "finish_reason": "length"}]}'
    sample = ask(arm_of(server, "&prompt=raw"))[-1]["sample"]
    assert (sample["text"], sample["finish"]) == ("yes", "length")
    assert server.asked[0][0] == "/v1/completions"
    assert server.asked[0][2]["prompt"] == "no?"


def test_what_a_server_tells_apart_as_reasoning_stands_between_marks(server: Server) -> None:
    thoughts: list[dict[str, Any]] = [
        {"role": "assistant", "reasoning_content": "Two"}, {"reasoning_content": " and two."},
        {"reasoning_content": None, "content": "It"}, {"content": " is 4."},
    ]  # fmt: skip
    chunks = [{"choices": [{"delta": one}]} for one in thoughts]
    server.reply = b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in chunks)
    server.reply += b"data: [DONE]\n\n"
    events = ask(arm_of(server))
    whole = "<think>\nTwo and two.\n</think>\n\nIt is 4."
    assert events[-1]["sample"]["text"] == whole
    assert "".join(event["text"] for event in events if event["event"] == "text") == whole
    server.kind = "application/json"
    message = {"reasoning": "Hm", "content": ""}
    choice = {"message": message, "finish_reason": "length"}
    server.reply = json.dumps({"choices": [choice]}).encode()
    assert ask(arm_of(server))[-1]["sample"]["text"] == "<think>\nHm", "cut while it thought"


def test_the_key_is_sent_and_never_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with pytest.raises(EngineError, match="was not sent to this address before"):
        ask(arm_of(server, "&key=MY_KEY"))
    assert not server.asked
    allow(server)
    server.status, server.kind = 401, "application/json"
    server.reply = json.dumps({"error": f"wrong key {KEY}"}).encode()
    with pytest.raises(EngineError, match="rejected the API key") as caught:
        ask(arm_of(server, "&key=MY_KEY"))
    assert server.asked[0][1]["Authorization"] == f"Bearer {KEY}"
    told = f"{caught.value.title}{caught.value.detail}{caught.value.hint}{caplog.text}"
    assert KEY not in told
    assert "401" in told
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(EngineError, match="API key is missing") as caught:
        ask(arm_of(server, "&key=MY_KEY"))
    assert "MY_KEY" in caught.value.detail


def test_a_key_that_a_server_repeats_is_in_no_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    allow(server)
    call = {"id": KEY, "function": {"name": "f", "arguments": json.dumps({"a": KEY})}}
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": f"I know {KEY[:9]}"}, {"reasoning_content": f"{KEY[9:]}."},
        {"content": f"It is {KEY}, {KEY[:5]}"}, {"content": f"{KEY[5:]}!"},
        {"tool_calls": [call]},
    ]  # fmt: skip
    chunks = [{"choices": [{"delta": one}]} for one in deltas]
    server.reply = b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in chunks)
    server.reply += b"data: [DONE]\n\n"
    sample = ask(arm_of(server, "&key=MY_KEY"))[-1]["sample"]
    assert KEY not in json.dumps(sample)
    assert sample["text"] == "<think>\nI know ….\n</think>\n\nIt is …, …!"


def test_a_short_key_is_a_placeholder_and_a_word_of_answers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "EMPTY")
    allow(server)
    server.reply = stream("The set is EMPTY.")
    assert ask(arm_of(server, "&key=MY_KEY"))[-1]["sample"]["text"] == "The set is EMPTY."


@pytest.mark.parametrize("before", [0, 100, 280, 290, 299, 1190, 1199])
def test_no_part_of_a_key_is_in_an_error(
    before: int, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    allow(server)
    server.status, server.reply = 400, b" " * before + b"x" * (before < 300) * before + KEY.encode()
    with pytest.raises(EngineError) as caught:
        ask(arm_of(server, "&key=MY_KEY"))
    assert "secret" not in caught.value.detail
    assert "sk-" not in caught.value.detail


def test_a_key_does_not_follow_a_redirect(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    allow(server)
    with serving() as other:
        server.status, server.headers = 307, {"Location": f"{other.address}/chat/completions"}
        with pytest.raises(EngineError, match="redirects"):
            ask(arm_of(server, "&key=MY_KEY"))
        assert not other.asked


@pytest.mark.parametrize(
    ("reply", "kind", "title"),
    [
        (b"data: what?\n\n", "text/event-stream", "an invalid reply"),
        (b"data: [1]\n\n", "text/event-stream", "an invalid reply"),
        (b'data: {"choices": "x"}\n\n', "text/event-stream", "an invalid reply"),
        (b'data: {"choices": [3]}\n\n', "text/event-stream", "an invalid reply"),
        (b'data: {"error": {"message": "full"}}\n\n', "text/event-stream", "reported an error"),
        (stream("a", finish=None, end=b""), "text/event-stream", "sent an incomplete answer"),
        (b"", "text/event-stream", "sent an incomplete answer"),
        (b"x" * (3 << 20), "text/event-stream", "sent too much data"),
        (b"\xff\x00\x1b[31m", "application/octet-stream", "an invalid reply"),
        (b"<html>", "text/html", "an invalid reply"),
        (b"{}", "application/json", "sent no answer"),
        (b"[" * 100_000, "application/json", "an invalid reply"),
    ],
)
def test_rubbish_is_told_in_words(reply: bytes, kind: str, title: str, server: Server) -> None:
    server.reply, server.kind = reply, kind
    with pytest.raises(EngineError) as caught:
        ask(arm_of(server))
    assert title in caught.value.title
    assert server.address in caught.value.detail
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 1000


@pytest.mark.parametrize(
    ("status", "title"),
    [(302, "redirects"), (404, "no such"), (400, "rejected"), (501, "failed")],
)
def test_other_statuses_are_told_and_not_followed(status: int, title: str, server: Server) -> None:
    server.status, server.reply = status, b"no\x1b[2J"
    server.headers = {"Location": f"{server.address}/elsewhere"}
    with pytest.raises(EngineError, match=title) as caught:
        ask(arm_of(server))
    assert str(status) in caught.value.detail
    assert len(server.asked) == 1, "no other page was asked"


def test_a_busy_server_is_asked_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_retry, "FIRST_SECONDS", 0.001)
    server.busy, server.reply = [429, 503], stream("Hello")
    *_, last = ask(arm_of(server))
    assert last["sample"]["text"] == "Hello"
    assert len(server.asked) == 3
    server.asked.clear()
    for status, title in ((500, "The endpoint failed."), (429, "The endpoint is busy.")):
        server.asked.clear()
        server.busy = [status] * endpoint_retry.TRIES
        with pytest.raises(EngineError) as caught:
            ask(arm_of(server))
        assert caught.value.title == title
        assert len(server.asked) == endpoint_retry.TRIES
        assert f"{status} " in caught.value.detail
        assert f"(tried {endpoint_retry.TRIES} times)" in caught.value.detail


def test_the_seconds_of_an_answer_are_those_of_the_try_that_answered(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 0.0

    def begin_answer() -> None:
        nonlocal passed
        passed = 1000.0 if len(server.asked) == 1 else 1005.0

    clock = SimpleNamespace(monotonic=lambda: passed)
    monkeypatch.setattr(endpoint, "time", clock)
    monkeypatch.setattr(endpoint_retry, "FIRST_SECONDS", 0.001)
    server.busy, server.reply, server.before_answer = [503], stream("Hello"), begin_answer
    *_, last = ask(arm_of(server))
    assert len(server.asked) == 2
    assert last["sample"]["timings"] == {"first_token": 5.0, "total": 5.0}


def test_a_wait_for_a_busy_server_ends_at_once(server: Server) -> None:
    server.busy, server.headers = [429], {"Retry-After": "100"}
    began = time.monotonic()
    events = ask(arm_of(server), lambda: bool(server.asked))
    assert time.monotonic() - began < 60
    assert events[-1]["sample"]["finish"] == "cancelled"


@pytest.mark.parametrize(
    ("headers", "tries", "delay"),
    [
        ({}, 1, 1.0),
        ({}, 3, 4.0),
        ({}, endpoint_retry.TRIES, None),
        ({"Retry-After": "7"}, 1, 7.0),
        ({"Retry-After": "0"}, 4, 0.0),
        ({"Retry-After": "9999999999"}, 1, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2915 07:28:00 GMT"}, 1, None),
        ({"Retry-After": "soon"}, 2, 2.0),
        ({"Retry-After": "-5"}, 2, 2.0),
        ({"Retry-After": "1.5"}, 1, 1.5),
        ({"Retry-After": "120"}, 1, 120.0),
        ({"Retry-After": "121"}, 1, None),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            1,
            30.0,
        ),
        (
            {
                "retry-after": "Wed, 21 Oct 2015 07:28:30 -0000",
                "date": "Wed, 21 Oct 2015 09:28:25 +0200",
            },
            1,
            5.0,
        ),
    ],
)
def test_the_server_says_when(headers: dict[str, str], tries: int, delay: float | None) -> None:
    assert endpoint_retry.find_delay(429, headers, tries) == delay
    assert endpoint_retry.find_delay(404, headers, tries) is None
    assert endpoint_retry.find_delay(501, headers, tries) is None
    for status in (408, 500, 502, 503, 504, 520, 529):
        assert endpoint_retry.find_delay(status, headers, tries) == delay


def test_a_date_is_in_gmt_wherever_this_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        soon = time.strftime("%a, %d %b %Y %H:%M:%S", time.gmtime(time.time() + 60))
        delay = endpoint_retry.find_delay(429, {"Retry-After": soon}, 1)
        assert delay is not None
        assert 0 < delay <= 60
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_server_that_is_down_or_silent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="cannot be reached"):
        ask("e=http://127.0.0.1:9/v1?model=m")
    server.holds = True
    with monkeypatch.context() as then:
        then.setattr(endpoint, "TOTAL_SECONDS", 0.3)
        with pytest.raises(EngineError, match="did not finish its answer"):
            ask(arm_of(server))
    monkeypatch.setattr(endpoint, "SILENT_SECONDS", 0.05)
    until_the_end = server.hold.wait
    server.hold.wait = lambda timeout=None: until_the_end()  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="timed out"):
        ask(arm_of(server))


def test_a_cancel_hangs_up_and_keeps_what_was_said(server: Server) -> None:
    server.reply, server.holds = stream("Hel", "lo", finish=None, end=b""), True
    heard: list[str] = []

    def cancelled() -> bool:
        return "".join(heard) == "Hello"

    task = Handlers().generate({"arm": arm_of(server), "text": "no?"}, cancelled)
    last: Event = {}
    for event in task:
        last = event or last
        heard += [event["text"]] if event and event["event"] == "text" else []
    assert (last["sample"]["text"], last["sample"]["finish"]) == ("Hello", "cancelled")
    assert server.hung_up.wait(patience.SECONDS)


def test_a_set_is_asked_a_few_at_a_time(server: Server) -> None:
    server.reply = stream("yes")
    arm = parse_arm(arm_of(server))
    prompts = [Item(str(at), (Message("user", f"{at}?"),)) for at in range(9)]
    batch = EndpointBatch(arm, prompts, Decode())
    found = []
    while not batch.done:
        found += batch.step()
        time.sleep(0.001)
    assert sorted(one.prompt_id for one in found) == [prompt.id for prompt in prompts]
    assert {one.text for one in found} == {"yes"}
    assert len(server.asked) == 9


@pytest.mark.parametrize(
    ("arm", "why"),
    [
        ("e=http:///v1?model=m", "the URL is not"),
        ("e=http://me:secret@host/v1?model=m", "the URL is not"),
        ("e=http://host:999999/v1?model=m", "invalid URL"),
        ("e=http://host/v1", "model= is missing"),
        ("e=http://host/v1?model=m&prompt=instruct", "applies its own template"),
        ("e=http://host/v1?model=m&key=sk-123", "name of an environment variable"),
        ("e=x/y?model=m", "starts with http"),
        ("e=x/y?temperature=hot", "temperature must be"),
        ("e=x/y?max_new_tokens=0", "must be at least 1"),
    ],
)
def test_addresses_and_settings_that_are_wrong(arm: str, why: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_arm(arm)
    assert why in caught.value.title
