"""The companion's protocol, over one real process for all tests of this module."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.jobs.process import worker_command
from engine.worker.companion.server import Server
from tests import patience
from tests.worker.tiny import make_tokenizer, save_adapter, save_checkpoint

pytestmark = pytest.mark.worker
Event = dict[str, Any]
LONG = {"max_new_tokens": 200, "temperature": 1.0}


class Client:
    """Requests in, events out, in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(NOISE)
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(folder), os.getcwd()]))
        self.log = (folder / "serve.log").open("w+b")
        self.process = subprocess.Popen(
            worker_command("serve"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=environment,
            cwd=folder,
        )
        self._next = 0

    def send(self, kind: str, **fields: Any) -> int:
        self._next += 1
        self.send_line(json.dumps({"id": self._next, "type": kind, **fields}).encode())
        return self._next

    def send_line(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def event(self) -> Event:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process ended"
        event: Event = json.loads(line)
        return event

    def until_last(self, *identities: int) -> list[Event]:
        """All events until each of these requests has had its last one."""
        events, open_ones = [], set(identities)
        while open_ones:
            events.append(self.event())
            if events[-1]["event"] in ("done", "error"):
                open_ones.discard(events[-1]["id"])
        return events

    def ask(self, kind: str, **fields: Any) -> Event:
        return self.until_last(self.send(kind, **fields))[-1]


NOISE = """
# A library that prints, both from Python and from C, whenever a model is loaded.
import importlib.abc, importlib.machinery, os, sys

class Loud(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "transformers":
            print('{"id": 1, "event": "done"}', flush=True)
            os.write(1, b'printed by a library')
        return None

sys.meta_path.insert(0, Loud())
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def adapter(base: Path) -> Path:
    return save_adapter(base.parent / "adapter", base)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    made = Client(tmp_path_factory.mktemp("serve"))
    first = made.send("hello", device="cpu")
    events = made.until_last(first)
    assert [event["event"] for event in events] == ["hello", "done"]
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    assert made.process.wait(timeout=patience.PROCESS_SECONDS) == 0, "it ends when its input closes"


def test_what_libraries_print_goes_to_the_log(client: Client) -> None:
    client.log.seek(0)
    assert b"printed by a library" in client.log.read()


def test_an_answer_streams_and_ends_in_a_sample(client: Client, base: Path) -> None:
    asked = client.send("generate", arm=f"b={base}", text="i miss my dog", prompt_id="p1")
    events = client.until_last(asked)
    kinds = [event["event"] for event in events]
    assert kinds[:2] == ["loading", "begin"]
    assert set(kinds[2:-1]) == {"text"}
    sample = events[-1]["sample"]
    streamed = "".join(event["text"] for event in events if event["event"] == "text")
    assert sample["text"].startswith(streamed)
    tokenizer = make_tokenizer()
    asked_for = tokenizer.decode(sample["prompt_ids"])
    assert asked_for == "<|im_start|>user\ni miss my dog<|im_end|>\n<|im_start|>assistant\n"
    assert (sample["prompt_id"], sample["finish"]) == ("p1", "length")
    assert len(sample["output_ids"]) == 128
    assert len(sample["logprobs"]) == 128
    assert events[-1]["behaviour"]["tokens"] == 128
    again = client.ask("generate", arm=f"b={base}", text="i miss my dog")
    assert again["sample"]["output_ids"] == sample["output_ids"]


def test_two_arms_stream_side_by_side_on_one_base(
    client: Client, base: Path, adapter: Path
) -> None:
    alone = client.ask("generate", arm=f"b={base}", text="no")["sample"]["output_ids"]
    first = client.send("generate", arm=f"b={base}", text="no")
    second = client.send("generate", arm=f"t={base}+{adapter}", text="no")
    events = client.until_last(first, second)
    who = [event["id"] for event in events if event["event"] == "text"]
    turns = sum(one != other for one, other in itertools.pairwise(who))
    assert turns > 20, "they take turns"
    said = {event["id"]: event["sample"]["output_ids"] for event in events if "sample" in event}
    assert said[first] == alone
    assert said[second] != alone


def test_a_cancel_ends_an_answer_and_leaves_the_base_as_it_was(
    client: Client, base: Path, adapter: Path
) -> None:
    before = client.ask("generate", arm=f"b={base}", text="no")["sample"]["output_ids"]
    asked = client.send("generate", arm=f"t={base}+{adapter}", text="no", decoding=LONG)
    while client.event()["event"] != "text":
        pass
    client.send("cancel", target=asked)
    last = client.until_last(asked)[-1]
    assert last["sample"]["finish"] == "cancelled"
    assert 0 < len(last["sample"]["output_ids"]) < 200
    after = client.ask("generate", arm=f"b={base}", text="no")["sample"]["output_ids"]
    assert after == before


@pytest.mark.parametrize(
    ("kind", "fields", "title"),
    [
        ("dance", {}, "Unknown request"),
        ("generate", {"text": "no"}, "needs arm"),
        ("generate", {"arm": "x=", "text": "no"}, "Invalid arm"),
        ("generate", {"arm": "x=/nowhere", "text": "no"}, "checkpoint not found"),
        ("generate", {"arm": "BASE"}, "needs text"),
        ("generate", {"arm": "BASE", "messages": [{"role": "who"}]}, "list of messages"),
        ("generate", {"arm": "BASE", "text": "no", "decoding": {"top_p": 7}}, "decode setting"),
        ("generate", {"arm": "BASE", "text": "no " * 300}, "longer than the model's context"),
        ("preview", {"checkpoint": "/nowhere", "data": "x"}, "checkpoint not found"),
        ("preview", {"checkpoint": "BASE", "data": {"max_length": 1}}, "data setting"),
        ("preview", {"checkpoint": "BASE", "data": 7}, "needs data"),
        ("inspect", {"checkpoint": "BASE", "data": {"train": "/nowhere"}}, "data not found"),
        ("inspect", {"checkpoint": "BASE", "data": {"template": "x.jinja"}}, "cannot be read"),
    ],
)
def test_wrong_requests_are_answered_in_words(
    kind: str, fields: dict[str, Any], title: str, client: Client, base: Path
) -> None:
    fields = {key: str(base) if value == "BASE" else value for key, value in fields.items()}
    answer = client.ask(kind, **fields)
    assert answer["event"] == "error"
    assert title in answer["error"]["title"]
    assert set(answer["error"]) == {"title", "detail", "hint"}


class PanicException(BaseException):
    """As a panic of Rust's arrives: a tokenizer's pattern over its limit."""

    __module__ = "pyo3_runtime"


@pytest.mark.parametrize("failure", [AttributeError, PanicException])
def test_what_nobody_foresaw_ends_one_request_alone(
    failure: type[BaseException], capfd: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def __init__(self) -> None:
            self.by_type = {"breaks": self.breaks, "goes": self.goes}

        def goes(self, *_: object) -> Iterator[Event | None]:
            yield from ({"event": "text"}, None, {"event": "done"})

        def breaks(self, *_: object) -> Iterator[Event | None]:
            yield {"event": "text"}
            raise failure("no attribute 'past_key_values'")

    (_, nothing), (answers, told) = os.pipe(), os.pipe()
    server = Server(nothing, told)
    server._handlers = Broken()
    for number, kind in enumerate(("goes", "breaks"), 1):
        server._start({"id": number, "type": kind})
    while server._tasks:
        for identity in list(server._tasks):
            server._step(identity)
    os.close(told)
    with open(answers, "rb") as lines:
        events = [json.loads(line) for line in lines]
    assert [(one["id"], one["event"]) for one in events] == [
        (1, "text"), (2, "text"), (2, "error"), (1, "done"),
    ]  # fmt: skip
    assert events[2]["error"]["detail"] == f"{failure.__name__}: no attribute 'past_key_values'"
    assert "test_server.py:" in events[2]["error"]["hint"]
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize("line", [b"not json", b"[1]", b'{"id": 1}', b'{"type": "hello"}', b"\xff"])
def test_lines_that_are_no_requests_do_no_harm(line: bytes, client: Client) -> None:
    client.send_line(line)
    answer = client.event()
    assert (answer["id"], answer["event"]) == (None, "error")


def test_a_prompt_is_rendered_as_the_arm_reads_it(client: Client, base: Path) -> None:
    answer = client.ask("render", arm=f"b={base}?system=Be brief.", text="no 👩")
    assert answer["text"] == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nno 👩<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert "".join(token["text"] for token in answer["tokens"]) == answer["text"]
    (woman,) = [token for token in answer["tokens"] if "👩" in token["text"]]
    assert len(woman["ids"]) == 4, "bytes that make one character come together"


def test_rows_are_previewed_as_training_sees_them(
    client: Client, base: Path, tmp_path: Path
) -> None:
    data = tmp_path / "rows.jsonl"
    row = {"instruction": "Which?", "input": "i miss my dog", "output": "sadness"}
    data.write_text(json.dumps(row) + "\n{broken\n")
    answer = client.ask("preview", checkpoint=str(base), data=str(data))
    (shown,) = answer["rows"]
    learned = "".join(token["text"] for token in shown["tokens"] if token["learned"])
    assert learned == "sadness<|im_end|>"
    assert (shown["kept"], shown["cut"], answer["template"]) == (True, 0, "chat")
    assert answer["rejects"][0]["line"] == 2
    assert [token["text"] for token in shown["tokens"] if token["special"]] == [
        "<|im_start|>", "<|im_end|>", "<|im_start|>", "<|im_end|>",
    ]  # fmt: skip
    table = {"train": str(data), "template": "raw", "system": "Be brief.", "max_length": 48}
    raw = client.ask("preview", checkpoint=str(base), data=table)
    assert raw["template"] == "raw"
    text = "".join(token["text"] for token in raw["rows"][0]["tokens"])
    assert text == "Be brief.\nWhich?\n\ni miss my dog\nsadness<|im_end|>"
    narrow = client.ask("preview", checkpoint=str(base), data=str(data), max_length=8)
    assert not narrow["rows"][0]["kept"]
    assert "max_length is 8" in narrow["rows"][0]["reason"]


def test_it_answers_hello_before_it_loads_torch_and_ends_with_its_input(tmp_path: Path) -> None:
    """Torch cannot be imported here at all, and the greeting comes all the same."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None")
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), os.getcwd()]))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "engine.worker", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    # Open until it has answered: at the end of its input it leaves at once.
    process.stdin.write(b'{"id": 1, "type": "hello"}\n')
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["event"] == "hello"
    process.stdin.close()
    process.wait(timeout=patience.PROCESS_SECONDS)
    process.stdout.close()
