import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import raw_row
from engine.data.raw_row import BYTE_ORDER_MARK
from engine.data.rows import Example, Message, Reject, Rows, preview, read, recognise, stream
from engine.errors import EngineError
from tests.checkpoints.made import HTML_PAGE, LFS_POINTER

USER, ANSWER = Message("user", "q"), Message("assistant", "a")
GOOD = {"prompt": "q", "completion": "a"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def only(path: Path) -> tuple[Message, ...]:
    (example,) = read(path).examples
    return example.messages


def lines(found: Rows) -> list[int]:
    """Where the examples come from."""
    return [int(example.source.rpartition(":")[2]) for example in found.examples]


def reason_of(path: Path, row: object, *, good: object = GOOD) -> str:
    """Why a row is refused that stands below a good one."""
    (reject,) = read(write(path, good, row)).rejects
    assert (reject.line, reject.file) == (2, str(path))
    return reject.reason


@pytest.mark.parametrize(
    ("row", "schema", "messages"),
    [
        ({"instruction": "q", "output": "a"}, "instruction/output", (USER, ANSWER)),
        (
            {"instruction": "do", "input": "q", "output": "a"},
            "instruction/output",
            (Message("user", "do\n\nq"), ANSWER),
        ),
        ({"instruction": "q", "input": " ", "output": "a"}, "instruction/output", (USER, ANSWER)),
        ({"instruction": "", "input": "q", "output": "a"}, "instruction/output", (USER, ANSWER)),
        (
            {"instruction": "q", "output": "a", "system": "s"},
            "instruction/output",
            (Message("system", "s"), USER, ANSWER),
        ),
        (
            {"instruction": "do", "context": "q", "response": "a"},
            "instruction/response",
            (Message("user", "do\n\nq"), ANSWER),
        ),
        ({"prompt": "q", "completion": "a"}, "prompt/completion", (USER, ANSWER)),
        ({"prompt": "q", "response": "a"}, "prompt/response", (USER, ANSWER)),
        ({"question": "q", "answer": "a"}, "question/answer", (USER, ANSWER)),
        (
            {"prompt": "q", "chosen": "a", "rejected": "b"},
            "prompt/chosen/rejected",
            (USER, ANSWER),
        ),
        (
            {
                "prompt": [{"role": "user", "content": "q"}],
                "chosen": [{"role": "assistant", "content": "a"}],
            },
            "prompt/chosen/rejected",
            (USER, ANSWER),
        ),
        (
            {
                "prompt": "q",
                "chosen": [
                    {"role": "user", "content": "q"},
                    {"role": "assistant", "content": "a"},
                ],
            },
            "prompt/chosen/rejected",
            (USER, ANSWER),
        ),
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            "messages",
            (USER, ANSWER),
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "q"}]},
                    {"role": "assistant", "content": "a"},
                ]
            },
            "messages",
            (USER, ANSWER),
        ),
        (
            {
                "system": "s",
                "conversations": [
                    {"from": "human", "value": "q"},
                    {"from": "gpt", "value": "a"},
                ],
            },
            "conversations",
            (Message("system", "s"), USER, ANSWER),
        ),
    ],
)
def test_each_schema(
    tmp_path: Path, row: object, schema: str, messages: tuple[Message, ...]
) -> None:
    path = write(tmp_path / "data.jsonl", row)
    assert read(path).schema == recognise(row) == schema
    assert only(path) == messages


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q"}, "missing field 'completion'"),
        ({"other": 1}, "missing field 'prompt' and 'completion'"),
        ({"prompt": "q", "completion": None}, "missing field 'completion'"),
        ({"prompt": "q", "completion": " \n"}, "empty 'completion'"),
        ({"prompt": "", "completion": "a"}, "empty 'prompt'"),
        ({"prompt": "q", "completion": 5.5}, "field 'completion' must be text, not a number"),
        ({"prompt": "q", "completion": 1e300}, "field 'completion' must be text, not a number"),
        ({"prompt": {}, "completion": "a"}, "field 'prompt' must be text, not an object"),
        ({"prompt": "q", "completion": "a\0"}, "field 'completion' contains a NUL character"),
        (
            {"prompt": "q", "completion": "a\ud800"},
            "field 'completion' is not valid Unicode at character 2",
        ),
        (["q", "a"], "a row must be an object, not a list"),
        (None, "a row must be an object, not nothing"),
    ],
)
def test_each_fault_of_a_row_is_named(tmp_path: Path, row: object, reason: str) -> None:
    assert reason_of(tmp_path / "data.jsonl", row) == reason


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ("text", "'messages' must be a list of messages, not text"),
        ([], "'messages' is an empty list"),
        ("[]", "'messages' is an empty list"),
        ("5", "'messages' must be a list of messages, not a number"),
        ("[{'role': 'user'}]", "'messages' is a list in Python's notation, not in JSON"),
        (["x"], "messages[0] must be an object, not text"),
        ([{"content": "x"}], "messages[0]: missing field 'role'"),
        ([{"role": "user"}], "messages[0]: missing field 'content'"),
        (
            [{"role": "judge", "content": "x"}],
            "messages[0]: role 'judge' is not system, user, assistant or tool",
        ),
        (
            [{"role": [], "content": "x"}],
            "messages[0]: role '[]' is not system, user, assistant or tool",
        ),
        (
            [{"role": "user", "content": [{"type": "image"}]}],
            "messages[0]: contains an image, and only text is trained on",
        ),
        ([{"role": "user", "content": 5.5}], "messages[0]: 'content' must be text, not a number"),
        ([{"role": "assistant", "content": ""}], "messages[0]: empty answer"),
        ([{"role": "user", "content": "q"}], "no answer to train on"),
        ([{"role": "assistant", "content": "a"}], "no user message to answer"),
    ],
)
def test_each_fault_of_a_conversation_is_named(tmp_path: Path, turns: object, reason: str) -> None:
    good = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    assert reason_of(tmp_path / "data.jsonl", {"messages": turns}, good=good) == reason


def test_lines_that_are_no_json_are_refused_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    good = json.dumps(GOOD).encode()
    deep, digits = b"[" * 100_000, b'{"prompt": ' + b"9" * 5000 + b"}"
    pieces = [good, b"", b'{"prompt" "q"}', b"caf\xe9", deep, digits, b"\x00", b"  ", good]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(pieces))
    found = read(path)
    assert lines(found) == [1, 9]
    assert [(reject.line, reject.reason) for reject in found.rejects] == [
        (3, "not valid JSON: Expecting ':' delimiter at column 11"),
        (4, "not valid UTF-8: byte 0xe9 at position 4"),
        (5, "not valid JSON: nested too deeply"),
        (6, "not valid JSON: a number is too long"),
        (7, "not valid JSON: Expecting value at column 1"),
    ]
    assert found.rejects[1].text == "caf\\xe9"
    assert len(found.rejects[2].text) == 2000


def test_a_row_without_end_is_skipped_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    line = json.dumps(GOOD).encode() + b"\n"
    path.write_bytes(line + b"x" * (2 * raw_row.LONGEST_ROW + 7) + b"\n" + line)
    found = read(path)
    assert lines(found) == [1, 3]
    assert [(one.line, one.reason) for one in found.rejects] == [
        (2, "the row is longer than 8 MiB")
    ]


def test_rows_before_the_first_good_one_are_kept_as_rejects(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('oops\n{"prompt": "q"}\n' + json.dumps(GOOD))
    found = read(path)
    assert [(one.line, one.reason[:14]) for one in found.rejects] == [
        (1, "not valid JSON"),
        (2, "missing field "),
    ]
    assert found.rejects[1].text == '{"prompt": "q"}'


def test_a_limit_counts_examples(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", GOOD, {"prompt": ""}, GOOD, GOOD)
    found = read(path, limit=2)
    assert (len(found.examples), len(found.rejects)) == (2, 1)
    assert len(preview(path, 2).examples) == 1
    kinds = [type(row) for row in stream(path)]
    assert kinds == [Example, Reject, Example, Example]


def test_a_list_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(
        b'\xef\xbb\xbf\n[ {"prompt": "q",\n "completion": "a"},\n\n {"prompt": ""},7, '
        b'{"prompt": "caf\xe9"},\n' + json.dumps(GOOD).encode() + b"]\n"
    )
    found = read(path)
    assert lines(found) == [2, 6]
    assert [(one.line, one.reason) for one in found.rejects] == [
        (5, "missing field 'completion'"),
        (5, "a row must be an object, not a number"),
        (5, "not valid UTF-8"),
    ]


def test_a_long_list_is_read_across_its_pieces(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    prompts = [f"{i} é" * (i % 50 + 1) for i in range(9000)]
    rows = [{"prompt": prompt, "completion": "a" * (len(prompt) % 97 + 1)} for prompt in prompts]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False))
    assert path.stat().st_size > 4 * raw_row.CHUNK
    found = read(path)
    assert [one.messages[0].content for one in found.examples] == prompts
    assert lines(found)[-1] == 4 * 8999 + 2


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (b'[{"prompt": "q"},\n{"prompt": q}]', 2, "Expecting value"),
        (b'[{"prompt": "q"},\n{"prompt": "q"', 2, "Expecting"),
        (b'[{"prompt": "q"}\n{"prompt": "q"}]', 2, "',' or ']' expected"),
        (b'[{"prompt": "q"}\n', 2, "missing ]"),
        (b"[", 1, "Expecting value"),
        (b'[{"a": ' + b"[" * 100_000, 1, "nested too deeply"),
    ],
)
def test_a_broken_list_is_refused_by_line(
    tmp_path: Path, content: bytes, line: int, why: str
) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read(path)
    assert caught.value.title.startswith(f"data.json is not valid JSON: {why}")
    assert caught.value.detail == f"{path}, line {line}"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (LFS_POINTER, "git-LFS pointer"),
        (HTML_PAGE, "web page"),
        (b"PAR1....", "is Parquet or Arrow, which only a worker can read"),
        (b"\x1f\x8b\x08", "is compressed"),
        (b"\xff\xfe{\x00", "is UTF-16"),
        (b"[]", "has no rows"),
        (b"[ ]", "has no rows"),
        (b'{\n"data": []\n}\n', "is one JSON object, not a list of rows"),
        (b'{"a": 1, "b": 2}', "unknown columns"),
        (b"5", "unknown columns"),
    ],
)
def test_a_file_that_is_none_of_it(tmp_path: Path, content: bytes, title: str) -> None:
    path = tmp_path / "data.json"
    path.write_bytes(content)
    with pytest.raises(EngineError) as caught:
        read(path)
    assert title in caught.value.title
    assert str(path) in caught.value.detail


def test_all_rows_bad_says_how_many_and_the_first_reasons(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", *[{"prompt": "q", "completion": ""}] * 5)
    with pytest.raises(EngineError) as caught:
        read(path)
    assert caught.value.title == "no valid row in data.jsonl (5 invalid)"
    assert caught.value.detail.splitlines()[1:] == [
        f"line {line}: empty 'completion'" for line in (1, 2, 3)
    ]
    (reject, *_) = preview(path, 3).rejects
    assert reject.reason == "empty 'completion'"


def test_a_folder_and_nothing_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not a regular file"):
        read(tmp_path)
    with pytest.raises(EngineError, match="cannot be read: No such file"):
        read(tmp_path / "absent.jsonl")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
turns = st.lists(
    st.dictionaries(
        st.sampled_from(["role", "content", "from", "value"]), values | st.just("user")
    ),
    max_size=3,
)
fields = st.sampled_from(
    [
        "prompt",
        "completion",
        "chosen",
        "messages",
        "conversations",
        "instruction",
        "output",
        "system",
    ]
)
rows = st.dictionaries(fields, values | turns, max_size=4)


@given(
    content=st.lists(
        (rows | values).map(lambda row: json.dumps(row).encode())
        | st.binary(max_size=30).map(lambda piece: piece.replace(b"\n", b" ")),
        max_size=8,
    )
)
def test_every_line_is_an_example_or_a_reject(
    tmp_path_factory: pytest.TempPathFactory, content: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    content = [json.dumps(GOOD).encode(), *content]
    path.write_bytes(b"\n".join(content))
    found = read(path)
    # The mark alone is what is left of an empty file that was joined to this one.
    bare = [line.removeprefix(BYTE_ORDER_MARK).strip() for line in content]
    filled = [number for number, line in enumerate(bare, 1) if line]
    assert sorted(lines(found) + [one.line for one in found.rejects]) == filled
    assert all(one.reason for one in found.rejects)


@given(listed=st.lists(rows | values, max_size=6), indent=st.sampled_from([None, 1]))
def test_every_element_is_an_example_or_a_reject(
    tmp_path_factory: pytest.TempPathFactory, listed: list[Any], indent: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps([GOOD, *listed], indent=indent))
    found = read(path)
    assert len(found.examples) + len(found.rejects) == len(listed) + 1


@given(
    content=st.binary(max_size=200),
    start=st.sampled_from(
        [b"", b"[", b'[{"prompt": "q", "completion": "a"},', b"prompt,response\n"]
    ),
    suffix=st.sampled_from([".jsonl", ".json", ".csv", ".txt"]),
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(start + content)
    try:
        found = read(path)
    except EngineError:
        return
    assert found.examples
