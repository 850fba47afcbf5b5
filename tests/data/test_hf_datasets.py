"""What `datasets` leaves on disk, written by hand as it writes it: listed without reading Arrow."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.data import hf_datasets
from engine.data.dataset_list import DataSet, list_datasets, preview, resolve, resolve_eval
from engine.errors import EngineError
from engine.recipes.settings import Data

ARROW = b"\xff\xff\xff\xff\x00\x00"
LABELLED = {
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["sad", "glad"], "_type": "ClassLabel"},
}
ROW = json.dumps({"prompt": "q", "completion": "a"}) + "\n"


def write(path: Path, table: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table))


def save(folder: Path, features: Mapping[str, Any] | None = LABELLED, parts: int = 1) -> Path:
    """As `Dataset.save_to_disk`."""
    names = [f"data-{at:05d}-of-{parts:05d}.arrow" for at in range(parts)]
    write(folder / "state.json", {"_data_files": [{"filename": name} for name in names]})
    for name in names:
        (folder / name).write_bytes(ARROW)
    if features is not None:
        write(folder / "dataset_info.json", {"features": features})
    return folder


def save_splits(folder: Path, *splits: str) -> Path:
    """As `DatasetDict.save_to_disk`."""
    write(folder / "dataset_dict.json", {"splits": splits})
    for split in splits:
        save(folder / split)
    return folder


def cache(
    home: Path,
    name: str,
    splits: Mapping[str, int],
    *,
    config: str = "default",
    parts: int = 1,
    features: Mapping[str, Any] = LABELLED,
) -> Path:
    """One data set in the cache, as `load_dataset` leaves it."""
    folder = home / name.replace("/", "___") / config / "0.0.0" / "0123abcd"
    owned = name.rpartition("/")[2]
    entries = {
        split: {"name": split, "num_examples": count, "dataset_name": owned}
        for split, count in splits.items()
    }
    write(folder / "dataset_info.json", {"features": features, "splits": entries})
    for split in splits:
        for at in range(parts):
            tail = "" if parts == 1 else f"-{at:05d}-of-{parts:05d}"
            (folder / f"{owned}-{split}{tail}.arrow").write_bytes(ARROW)
    (folder / "cache-b1946ac9.arrow").write_bytes(ARROW)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def listed(*folders: Path) -> list[DataSet]:
    return [one for one in list_datasets(folders) if not one.ref.startswith("bundled:")]


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_DATASETS_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert hf_datasets.find_cache() == Path("/home/me/.cache/huggingface/datasets")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/xdg")
    assert hf_datasets.find_cache() == Path("/var/xdg/huggingface/datasets")
    monkeypatch.setenv("HF_HOME", "/var/hf")
    assert hf_datasets.find_cache() == Path("/var/hf/datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", "~/sets")
    assert hf_datasets.find_cache() == Path("/home/me/sets")


def test_the_cache_is_listed_with_its_rows_and_columns(home: Path) -> None:
    folder = cache(home, "owner/mood", {"test": 20, "train": 100, "validation": 10})
    (found,) = listed()
    assert (found.name, found.rows, found.estimated) == ("owner/mood", 100, False)
    assert (found.schema, found.columns) == ("text/label", ("text", "label"))
    assert found.path == folder / "mood-train.arrow"
    assert found.eval_path == folder / "mood-validation.arrow"
    for ref in ("owner/mood", str(folder), found.ref, str(folder / "mood-train.arrow")):
        assert resolve(ref) == found
    assert resolve_eval("owner/mood").path == found.eval_path
    test = resolve(str(folder / "mood-test.arrow"))
    assert (test.name, test.rows, test.eval_path) == ("owner/mood test", 20, None)


def test_parts_and_configs_of_the_cache(home: Path) -> None:
    folder = cache(home, "wiki", {"train": 7}, config="en", parts=3)
    (found,) = listed()
    assert (found.name, found.rows) == ("wiki en", 7)
    assert found.path == folder / "wiki-train-00000-of-00003.arrow"
    (folder / "wiki-train-00001-of-00003.arrow").unlink()
    (broken,) = listed()
    assert "shard 00001 of 3 is missing" in str(broken.reason)
    with pytest.raises(EngineError, match="shard 00001 of 3 is missing"):
        resolve(found.ref)


def test_what_of_the_cache_cannot_be_used(home: Path) -> None:
    cache(home, "a", {"test": 1, "other": 1})
    cache(home, "b", {"train": 1}, features={"x": {}, "y": {}})
    odd = cache(home, "c", {"train": 1})
    (odd / "dataset_info.json").write_text("[")
    (home / "d" / "default" / "0.0.0" / "ff.incomplete").mkdir(parents=True)
    write(home / "d" / "default" / "0.0.0" / "ff.incomplete" / "dataset_info.json", {})
    reasons = {one.name: str(one.reason) for one in listed()}
    assert reasons.keys() == {"a", "b", "c"}
    assert "has no train split" in reasons["a"]
    assert "unknown columns" in reasons["b"]
    assert "not valid JSON" in reasons["c"]
    named = Data(columns={"prompt": "x", "completion": "y"})
    assert resolve("b", (), named).schema == "prompt/completion"
    with pytest.raises(EngineError, match="no column 'z'"):
        resolve("b", (), Data(columns={"prompt": "z"}))


def test_a_cache_that_is_not_there(home: Path) -> None:
    assert listed() == []
    with pytest.raises(EngineError, match="data not found: owner/none"):
        resolve("owner/none")


def test_saved_folders_are_one_data_set_each(home: Path, tmp_path: Path) -> None:
    both = save_splits(tmp_path / "data" / "mood", "train", "test", "validation")
    alone = save(tmp_path / "data" / "alone", parts=2)
    unknown = save(tmp_path / "data" / "unknown", features=None)
    found = {one.name: one for one in listed(tmp_path / "data")}
    assert found.keys() == {"mood", "alone", "unknown"}
    assert found["mood"].path == both / "train"
    assert found["mood"].eval_path == both / "validation"
    assert (found["mood"].schema, found["mood"].rows) == ("text/label", None)
    assert (found["alone"].path, found["alone"].eval_path) == (alone, None)
    assert (found["unknown"].path, found["unknown"].schema) == (unknown, None)
    assert resolve(str(both)) == resolve(str(both / "train")) == found["mood"]
    assert resolve(str(both / "test")).eval_path is None
    assert resolve_eval(str(both)).path == both / "validation"


def test_saved_folders_that_are_broken(tmp_path: Path) -> None:
    folder = save_splits(tmp_path / "a", "left", "right")
    with pytest.raises(EngineError, match="has no train split") as caught:
        resolve(str(folder))
    assert "left, right" in caught.value.detail
    lost = save(tmp_path / "b")
    (lost / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(EngineError, match=r"data-00000-of-00001.arrow is missing"):
        resolve(str(lost))
    write(lost / "state.json", {"_data_files": []})
    with pytest.raises(EngineError, match="lists no files"):
        resolve(str(lost))
    write(lost / "state.json", {"_data_files": [{"filename": "../../secret.arrow"}]})
    with pytest.raises(EngineError, match=r"secret.arrow is missing"):
        resolve(str(lost))


def test_files_in_parts_are_one(tmp_path: Path) -> None:
    """As a data set's repository on the hub lies in a folder."""
    folder = tmp_path / "mood" / "data"
    folder.mkdir(parents=True)
    for at in range(2):
        (folder / f"train-{at:05d}-of-00002-0f3a.jsonl").write_text(ROW * (at + 1))
    (folder / "test-00000-of-00001.jsonl").write_text(ROW)
    (found,) = listed(tmp_path)
    assert (found.name, found.rows) == ("mood", 3)
    assert found.eval_path == folder / "test-00000-of-00001.jsonl"
    assert resolve(str(tmp_path / "mood")) == found
    shown = preview(found, 9)
    names = [Path(one.source).name for one in shown.examples]
    assert names == [
        "train-00000-of-00002-0f3a.jsonl:1",
        "train-00001-of-00002-0f3a.jsonl:1",
        "train-00001-of-00002-0f3a.jsonl:2",
    ]
    (folder / "train-00001-of-00002-0f3a.jsonl").unlink()
    (broken,) = (one for one in listed(tmp_path) if one.reason)
    assert "shard 00001 of 2 is missing" in str(broken.reason)


def test_the_hubs_cache_is_listed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "datasets--owner--mood"
    for commit in ("old", "new"):
        snapshot = repository / "snapshots" / commit
        (snapshot / "data").mkdir(parents=True)
        (snapshot / "README.md").write_text("words\n" * 20_000)
        (snapshot / "data" / "train.jsonl").write_text(ROW * len(commit))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("new")
    (found,) = listed()
    assert (found.name, found.rows) == ("owner/mood", 3)
    assert found.path == repository / "snapshots" / "new" / "data" / "train.jsonl"
    assert resolve("owner/mood").path == found.path


def test_light_previews_leave_columns_to_a_worker(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1....PAR1")
    (found,) = listed(tmp_path)
    assert (found.name, found.rows, found.schema, found.reason) == ("a", None, None, None)
    with pytest.raises(EngineError, match="which only a worker can read") as caught:
        preview(found, 1)
    assert "data inspect" in caught.value.hint


def test_texts_are_listed_where_they_are_no_notes(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("text;label\na;b\n")
    (tmp_path / "val.txt").write_text("text;label\na;b\n")
    (tmp_path / "note.txt").write_text("buy milk\n")
    (tmp_path / "book.txt").write_text("All happy families are alike.\n\n" * 3000)
    found = {one.name: one for one in listed(tmp_path)}
    assert found.keys() == {tmp_path.name, "book"}
    assert found[tmp_path.name].eval_path == tmp_path / "val.txt"
    assert found["book"].schema == "text"
    assert resolve(str(tmp_path / "note.txt")).rows == 1


def test_held_out_rows_of_a_set_or_a_file(tmp_path: Path) -> None:
    for name in ("train", "eval"):
        (tmp_path / f"{name}.jsonl").write_text(ROW)
    assert resolve_eval(str(tmp_path)).path == tmp_path / "eval.jsonl"
    assert resolve_eval(str(tmp_path / "train.jsonl")).path == tmp_path / "train.jsonl"
    bundled = resolve_eval("bundled:emotion")
    assert (bundled.ref, bundled.path.name) == ("bundled:emotion", "eval.jsonl")
