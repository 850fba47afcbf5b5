"""Earlier turns beside a prompt."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Message
from engine.data.rows import Reject, read, stream
from engine.data.values import is_blank
from tests.data.test_rows import write

HISTORY = [["Blue?", "Bleu."], ["Green?", "Vert."]]
EARLIER = [("user", "Blue?"), ("assistant", "Bleu."), ("user", "Green?"), ("assistant", "Vert.")]
ASKED = [("user", "And red?"), ("assistant", "Rouge.")]
ALPACA = {"instruction": "And red?", "input": "", "output": "Rouge."}


def said(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


def only(path: Path, row: object) -> list[tuple[str, str]]:
    (example,) = read(write(path, row)).examples
    return said(example.messages)


def turns(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in pairs]


@pytest.mark.parametrize(
    "row",
    [
        ALPACA,
        {"prompt": "And red?", "response": "Rouge."},
        {"query": "And red?", "response": "Rouge."},
        {"prompt": turns(ASKED[:1]), "completion": turns(ASKED[1:])},
        {"prompt": "And red?", "completion": turns(ASKED)},
    ],
)
def test_earlier_turns_come_before_the_prompt(tmp_path: Path, row: dict[str, Any]) -> None:
    path = tmp_path / "a.jsonl"
    assert only(path, row | {"history": HISTORY}) == [*EARLIER, *ASKED]
    system = only(path, row | {"history": HISTORY, "system": "s"})
    assert system == [("system", "s"), *EARLIER, *ASKED]
    for empty in (None, [], "", "[]", [["", None]]):
        assert only(path, row | {"history": empty}) == ASKED


def test_earlier_turns_as_turns_and_those_that_are_there_already(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert only(path, ALPACA | {"history": turns(EARLIER)}) == [*EARLIER, *ASKED]
    own = turns([("system", "theirs"), *EARLIER])
    assert only(path, ALPACA | {"history": own, "system": "s"})[:2] == [
        ("system", "theirs"),
        EARLIER[0],
    ]
    whole = {"prompt": turns([*EARLIER, ASKED[0]]), "completion": "Rouge.", "history": HISTORY}
    assert only(path, whole) == [*EARLIER, *ASKED]


def test_earlier_turns_of_pairs(tmp_path: Path) -> None:
    row = {"instruction": "And red?", "chosen": "Rouge.", "rejected": "Non.", "history": HISTORY}
    (example,) = read(write(tmp_path / "a.jsonl", row)).examples
    assert said(example.messages) == [*EARLIER, *ASKED]
    assert said(example.rejected) == [*EARLIER, ASKED[0], ("assistant", "Non.")]


def test_earlier_turns_in_a_cell_are_json(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["instruction", "output", "history"])
        table.writerow(["And red?", "Rouge.", json.dumps(HISTORY)])
        table.writerow(["And red?", "Rouge.", ""])
    assert [said(one.messages) for one in read(path).examples] == [[*EARLIER, *ASKED], ASKED]


def test_the_column_of_llama_factory(tmp_path: Path) -> None:
    entry = {"file_name": "a.jsonl", "columns": {"prompt": "instruction", "history": "before"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    assert only(tmp_path / "a.jsonl", ALPACA | {"before": HISTORY}) == [*EARLIER, *ASKED]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ("Blue? Bleu.", "'history' must be a list of [question, answer], not text"),
        ({"a": 1}, "'history' must be a list of [question, answer], not an object"),
        (7, "'history' must be a list of [question, answer], not a number"),
        (["Blue?", "Bleu."], "history[0] must be [question, answer], not text"),
        ([HISTORY[0], ["Green?"]], "history[1] must be [question, answer], not a list of 1"),
        ([["a", "b", "c"]], "history[0] must be [question, answer], not a list of 3"),
        ([["Blue?", None]], "history[0]: missing answer"),
        ([[" ", "Bleu."]], "history[0]: empty question"),
        ([["Blue?", ["Bleu."]]], "history[0]: the answer must be text, not a list"),
        ([["Blue?", "Bl\0eu."]], "history[0]: the answer contains a NUL character"),
        (turns(EARLIER[:1]), "'history' does not end in an answer"),
    ],
)
def test_a_history_that_cannot_be_read_is_a_reject(
    tmp_path: Path, history: object, reason: str
) -> None:
    path = write(tmp_path / "a.jsonl", ALPACA, ALPACA | {"history": history})
    (reject,) = read(path).rejects
    assert (reject.line, reject.reason) == (2, reason)


def test_a_school_subject_is_no_history(tmp_path: Path) -> None:
    row = {"question": "When?", "answer": "1848", "history": "Europe"}
    assert only(tmp_path / "a.jsonl", row) == [("user", "When?"), ("assistant", "1848")]


CELLS = st.one_of(st.none(), st.text(max_size=3), st.integers(), st.lists(st.text(), max_size=1))


@given(st.recursive(CELLS, lambda inner: st.lists(inner, max_size=3), max_leaves=8))
def test_any_history_is_read_whole_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, history: Any
) -> None:
    path = write(tmp_path_factory.mktemp("rows") / "a.jsonl", ALPACA, ALPACA | {"history": history})
    (last,) = list(stream(path))[1:]
    if isinstance(last, Reject):
        assert "history" in last.reason
        return
    pairs = [] if is_blank(history) else history
    texts = [str(cell) for pair in pairs for cell in pair]
    assert [message.content for message in last.messages] == [*texts, "And red?", "Rouge."]
