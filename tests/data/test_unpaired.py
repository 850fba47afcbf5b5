"""Unpaired preferences: rows labelled false are left out, and a class is not taken for a label."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.rows import Reject, Rows, read, stream
from engine.data.unpaired import LABELLED_FALSE
from engine.recipes.settings import Data
from tests.data.test_rows import write

TALK = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
TEXTS: list[dict[str, Any]] = [
    {"prompt": "q", "completion": "a"},
    {"question": "q", "answer": "a"},
    {"instruction": "q", "output": "a"},
    TALK,
]


def trained(found: Rows) -> list[int]:
    """The lines that are examples."""
    return [int(example.source.rpartition(":")[2]) for example in found.examples]


def labelled_false(found: Rows) -> list[int]:
    return [reject.line for reject in found.rejects if reject.reason == LABELLED_FALSE]


@pytest.mark.parametrize("row", TEXTS)
@pytest.mark.parametrize("values", [(True, False), ("true", "false"), ("True", "FALSE ")])
def test_rows_labelled_false_are_left_out(
    tmp_path: Path, row: dict[str, Any], values: tuple[object, object]
) -> None:
    good, bad = values
    rows = [row | {"label": good}, row | {"label": bad}, row, row | {"label": None}]
    found = read(write(tmp_path / "a.jsonl", *rows))
    assert (trained(found), labelled_false(found)) == ([1, 3, 4], [2])
    assert found.schema == "/".join(row)


@pytest.mark.parametrize("text", ["1\n{}\n0\n", "1.0\n{}\n0.0\n", "True\n{}\nFalse\n"])
def test_labels_of_a_table(tmp_path: Path, text: str) -> None:
    labels = text.format("").split("\n")[:-1]
    path = tmp_path / "kto.csv"
    path.write_text("prompt,completion,label\n" + "".join(f"q,a,{label}\n" for label in labels))
    found = read(path)
    assert (trained(found), labelled_false(found)) == ([2, 3], [4])


@pytest.mark.parametrize(
    ("row", "labels"),
    [
        ({"question": "q", "answer": "a"}, [1, 0]),  # not TRL's names: 1 may be a toxic one
        (TALK, [1, 0]),
        ({"prompt": "q", "completion": "a"}, [0, 1, 2]),
        ({"prompt": "q", "completion": "a"}, [0, 0]),
        ({"prompt": "q", "completion": "a"}, ["joy", "anger"]),
        ({"prompt": "q", "completion": "a"}, ["false", "half-true", "true"]),
        ({"prompt": "q", "completion": "a"}, [0.5, 1.0, 0.0]),
        ({"prompt": "q", "completion": "a"}, [[False], [True]]),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, [True, False]),
    ],
)
def test_a_class_is_no_such_label_and_is_counted_as_unread(
    tmp_path: Path, row: dict[str, Any], labels: list[Any]
) -> None:
    path = write(tmp_path / "a.jsonl", *[row | {"label": label} for label in labels])
    assert trained(read(path)) == [*range(1, len(labels) + 1)]
    assert not read(path).rejects


@pytest.mark.parametrize("labels", [(0, 1), (False, True), ("false", "true")])
def test_labels_of_texts_are_still_learned(tmp_path: Path, labels: tuple[Any, Any]) -> None:
    path = write(tmp_path / "a.jsonl", *[{"text": "t", "label": label} for label in labels])
    found = read(path)
    assert found.schema == "text/label"
    answers = [example.messages[-1].content for example in found.examples]
    assert answers == [str(label).lower() for label in labels]


def test_a_column_that_is_named_is_the_label(tmp_path: Path) -> None:
    row: dict[str, object] = {"question": "q", "answer": "a"}
    rows: list[dict[str, object]] = [row | {"good": good} for good in (1, 0, "no", None)]
    path = write(tmp_path / "a.jsonl", *rows)
    found = read(path, Data(columns={"label": "good"}))
    assert (trained(found), labelled_false(found)) == ([1, 4], [2])
    assert found.rejects[1].reason == "field 'label' must be true or false, not 'no'"


@pytest.mark.parametrize("column", ["liked", "label"])
@pytest.mark.parametrize("values", [(True, False), (1, 0)])
def test_the_tag_of_llama_factory_is_the_label(
    tmp_path: Path, column: str, values: tuple[object, object]
) -> None:
    entry = {"file_name": "a.jsonl", "columns": {"messages": "messages", "kto_tag": column}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"mine": entry}))
    found = read(write(tmp_path / "a.jsonl", *[TALK | {column: value} for value in values]))
    assert (trained(found), labelled_false(found)) == ([1], [2])


@given(st.lists(st.sampled_from([True, False, None, "true", "false", 0, 1, 2, "x"]), min_size=1))
def test_every_row_is_trained_on_or_labelled_false(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Any]
) -> None:
    """By the definition: JSON's false always, words and 0 in a column without anything else."""
    path = write(
        tmp_path_factory.mktemp("rows") / "a.jsonl",
        *[{"prompt": "q", "completion": "a", "label": label} for label in labels],
    )
    texts = [str(label).lower() for label in labels if label is not None]
    is_boolean = all(text in ("true", "false", "0", "1") for text in texts)
    numbers = any(text in ("0", "1") for text in texts)
    both = {"true", "1"} & {*texts} and {"false", "0"} & {*texts}
    clear = is_boolean and (bool(both) or not numbers)
    expected = [
        label is False or (clear and str(label).lower() in ("false", "0")) for label in labels
    ]
    rows = list(stream(path))
    assert [isinstance(row, Reject) for row in rows] == expected
