"""Real Parquet and Arrow files, saved folders and caches, written by pyarrow and datasets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import dataset_list, rows
from engine.data.rows import Message
from engine.errors import EngineError
from engine.recipes.settings import Data
from engine.worker.data.arrow import read_raw

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
CONVERSATION = (Message("user", "q"), Message("assistant", "a"))
COLUMNS = {"prompt": [f"q{at}" for at in range(2500)], "completion": ["a"] * 2500}


def read(path: Path, **data: Any) -> rows.Rows:
    return rows.read(path, Data(**data), raw=read_raw)


def write(path: Path, table: pyarrow.Table) -> Path:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=700)
    elif path.suffix == ".feather":
        pyarrow.feather.write_feather(table, path)
    else:
        with (
            pyarrow.OSFile(str(path), "wb") as sink,
            pyarrow.ipc.new_stream(sink, table.schema) as writer,
        ):
            writer.write_table(table, max_chunksize=1800)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "without-a-suffix"])
def test_each_format_gives_all_rows_with_their_numbers(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, pyarrow.table(COLUMNS))
    found = read(path)
    assert found.schema == "prompt/completion"
    assert [one.messages[0].content for one in found.examples] == COLUMNS["prompt"]
    assert found.examples[-1].source == f"{path}:2500"
    assert dataset_list.resolve(str(path)).path == path


def test_bad_rows_are_rejects_by_their_number(tmp_path: Path) -> None:
    table = pyarrow.table({"prompt": ["q", None, "q", ""], "completion": ["a", "a", None, "a"]})
    found = read(write(tmp_path / "a.parquet", table))
    assert [(one.line, one.reason) for one in found.rejects] == [
        (2, "missing field 'prompt'"),
        (3, "missing field 'completion'"),
        (4, "empty 'prompt'"),
    ]
    assert json.loads(found.rejects[0].text) == {"prompt": None, "completion": "a"}


def test_large_strings_dictionaries_lists_and_structs(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "messages": pyarrow.array([TURNS]),
            "topic": pyarrow.array(["x"]).dictionary_encode(),
            "when": pyarrow.array([0], pyarrow.timestamp("s")),
        }
    )
    assert read(write(tmp_path / "a.parquet", table)).examples[0].messages == CONVERSATION
    large = pyarrow.table(
        {
            "prompt": pyarrow.array(["q"], pyarrow.large_string()),
            "answer": pyarrow.array(["a"], pyarrow.string_view()),
        }
    )
    assert read(write(tmp_path / "b.arrow", large)).examples[0].messages == CONVERSATION
    # A row with a value that JSON does not know can still be shown.
    odd = pyarrow.table({"prompt": ["q", ""], "answer": ["a", "a"], "raw": [b"\xff", b"\xff"]})
    assert "xff" in read(write(tmp_path / "c.parquet", odd)).rejects[0].text


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_a_file_that_breaks_off(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", pyarrow.table(COLUMNS))
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // 3])
    with pytest.raises(EngineError, match="cannot be read") as caught:
        read(path)
    assert str(path) in caught.value.detail


def test_saved_by_datasets(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

    labels = Features({"text": Value("string"), "label": ClassLabel(names=["sad", "glad"])})
    train = Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, -1]}, features=labels)
    test = Dataset.from_dict({"text": ["d"], "label": [1]}, features=labels)
    DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "mood", num_shards={
        "train": 2, "test": 1,
    })  # fmt: skip
    chosen = dataset_list.resolve(str(tmp_path / "mood"))
    assert (chosen.schema, chosen.columns) == ("text/label", ("text", "label"))
    found = read(chosen.path)
    assert found.labels == ("glad", "sad")
    assert [one.messages[-1].content for one in found.examples] == ["sad", "glad"]
    assert [one.reason for one in found.rejects] == ["missing field 'label'"]
    assert found.examples[0].source.endswith("data-00000-of-00002.arrow:1")
    assert found.rejects[0].file.endswith("data-00001-of-00002.arrow")
    assert chosen.eval_path is not None
    assert read(chosen.eval_path).examples[0].messages[-1].content == "glad"

    talks = Features(
        {"conversations": Sequence({"from": Value("string"), "value": Value("string")})}
    )
    turns = {"from": ["human", "gpt"], "value": ["q", "a"]}
    Dataset.from_dict({"conversations": [turns]}, features=talks).save_to_disk(tmp_path / "talks")
    assert read(tmp_path / "talks").examples[0].messages == CONVERSATION


def test_parquet_of_datasets_names_its_labels(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"sentence": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    made = Dataset.from_dict({"sentence": ["a", "b"], "label": [1, 0]}, features=features)
    made.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    found = read(tmp_path / "train-00000-of-00001.parquet")
    assert [one.messages[-1].content for one in found.examples] == ["yes", "no"]
    unnamed = write(tmp_path / "b.parquet", pyarrow.table({"text": ["a", "b"], "label": [1, 0]}))
    assert read(unnamed).labels == ("0", "1")


def test_the_cache_of_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import load_dataset

    source = {"train": tmp_path / "some.jsonl", "validation": tmp_path / "more.jsonl"}
    for at, file in enumerate(source.values()):
        row = {"prompt": f"q{at}", "completion": "a"}
        file.write_text((json.dumps(row) + "\n") * (3 - at))
    load_dataset(
        "json",
        data_files={split: str(file) for split, file in source.items()},
        cache_dir=str(tmp_path / "cache"),
    )
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (found,) = (one for one in dataset_list.list_datasets([]) if one.name == "json")
    assert (found.rows, found.schema) == (3, "prompt/completion")
    assert len(read(found.path).examples) == 3
    assert found.eval_path is not None
    assert len(read(found.eval_path).examples) == 2


def test_named_columns_and_groups(tmp_path: Path) -> None:
    table = pyarrow.table({"Frage": ["q"], "Antwort": ["a"], "who": [7]})
    path = write(tmp_path / "a.parquet", table)
    named = {"prompt": "Frage", "completion": "Antwort"}
    example = read(path, columns=named, group="who").examples[0]
    assert (example.messages, example.group) == (CONVERSATION, "7")
    with pytest.raises(EngineError, match="no column 'whom'"):
        read(path, columns=named, group="whom")


def test_other_formats_are_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("prompt,completion\nq,a\n")
    assert read(path).examples[0].messages == CONVERSATION


@given(
    st.lists(
        st.tuples(*[st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)] * 2),
        min_size=1,
        max_size=20,
    )
)
def test_every_row_is_an_example_or_a_reject(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str | None, str | None]]
) -> None:
    made = [("q", "a"), *pairs]
    table = pyarrow.table({"prompt": [q for q, _ in made], "answer": [a for _, a in made]})
    found = read(write(tmp_path_factory.getbasetemp() / "any.parquet", table))
    lines = [int(one.source.rpartition(":")[2]) for one in found.examples]
    assert sorted(lines + [one.line for one in found.rejects]) == list(range(1, len(made) + 1))


def test_the_light_engine_never_loads_pyarrow(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pyarrow.table(COLUMNS))
    look = (
        "import sys; from pathlib import Path; from engine.data.dataset_list import list_datasets; "
        f"found = list_datasets([Path({str(tmp_path)!r})]); assert found[-1].name == 'a', found; "
        "print({'pyarrow', 'datasets', 'torch', 'pandas', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
