import json
from pathlib import Path

import pytest

from engine.bundled import DATA
from engine.data import dataset_list
from engine.data.dataset_list import DataSet, list_datasets, preview, resolve
from engine.errors import EngineError

ROW = json.dumps({"prompt": "q", "completion": "a"}) + "\n"


def listed(*folders: Path) -> list[DataSet]:
    return [one for one in list_datasets(folders) if not one.ref.startswith("bundled:")]


def test_bundled_ones_come_first() -> None:
    found = list_datasets([])
    assert [one.ref for one in found] == ["bundled:emotion", "bundled:counsel", "bundled:rehearsal"]
    assert found[0].path == DATA / "emotion" / "train.jsonl"
    assert found[0].eval_path == DATA / "emotion" / "eval.jsonl"
    with pytest.raises(EngineError, match="unknown bundled dataset other"):
        resolve("bundled:other")


@pytest.mark.skipif(not DATA.exists(), reason="the bundled data is not made yet")
@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("emotion", "instruction/output"),
        ("counsel", "prompt/chosen/rejected"),
        ("rehearsal", "messages"),
    ],
)
def test_bundled_ones_can_be_learned_from(name: str, schema: str) -> None:
    found = resolve(f"bundled:{name}")
    assert (found.schema, found.reason, found.estimated) == (schema, None, False)
    assert found.rows == len(found.path.read_text().splitlines())
    assert not preview(found, 5).rejects


@pytest.mark.parametrize("word", ["eval", "validation", "valid", "val", "dev", "test"])
@pytest.mark.parametrize("prefix", ["", "mood_", "mood-", "mood.", "my.mood_"])
def test_train_and_eval_are_one_data_set(tmp_path: Path, prefix: str, word: str) -> None:
    folder = tmp_path / "mood"
    folder.mkdir()
    for name in (f"{prefix}train.jsonl", f"{prefix}{word}.jsonl"):
        (folder / name).write_text(ROW * 3)
    (found,) = listed(tmp_path)
    assert (found.path.name, found.rows) == (f"{prefix}train.jsonl", 3)
    assert found.eval_path == folder / f"{prefix}{word}.jsonl"
    assert found.name == (prefix.rstrip("_-.") or "mood")
    assert resolve(str(found.path)) == found
    assert resolve(str(folder)) == found


def test_eval_is_preferred_to_test_and_test_stays_listed(tmp_path: Path) -> None:
    for name in ("train", "test", "validation"):
        (tmp_path / f"{name}.jsonl").write_text(ROW)
    train, test = sorted(listed(tmp_path), key=lambda one: one.name == "test")
    assert train.eval_path == tmp_path / "validation.jsonl"
    assert (test.name, test.eval_path) == ("test", None)


def test_the_suffix_of_the_pair_may_differ_but_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "a_train.jsonl").write_text(ROW)
    (tmp_path / "a_eval.csv").write_text("prompt,completion\nq,a\n")
    (tmp_path / "b_eval.jsonl").write_text(ROW)
    found = {one.name: one.eval_path for one in listed(tmp_path)}
    assert found == {"a": tmp_path / "a_eval.csv", "b_eval": None}


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    files = {
        "empty.jsonl": "",
        "odd.csv": "a,b\n1,2\n",
        "bad.jsonl": '{"prompt": "q", "completion": ""}\n' * 9,
        "broken.json": "[",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "gone.jsonl").symlink_to("nowhere")
    found = {one.path.name: str(one.reason) for one in listed(tmp_path)}
    assert found.keys() == {*files, "gone.jsonl"}
    for name, part in {
        "empty.jsonl": "is empty",
        "odd.csv": "unknown columns",
        "bad.jsonl": "no valid row in bad.jsonl (9 invalid)",
        "broken.json": "not valid JSON",
        "gone.jsonl": "cannot be read: No such file",
    }.items():
        assert part in found[name]
        with pytest.raises(EngineError):
            resolve(str(tmp_path / name))


def test_configs_and_what_runs_write_are_no_data(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{\n  "name": "x"\n}\n')
    (tmp_path / "tokenizer.json").write_text('{"model": {}}')
    (tmp_path / "lines.json").write_text(ROW * 2)
    (tmp_path / "list.json").write_text("[" + ROW + "]")
    (tmp_path / "notes.txt").write_text("hello")
    run = tmp_path / "run"
    run.mkdir()
    (run / "job.json").write_text("{}")
    (run / "samples.jsonl").write_text(ROW)
    (tmp_path / ".hidden.jsonl").write_text(ROW)
    assert sorted(one.name for one in listed(tmp_path)) == ["lines", "list"]


def test_the_search_is_shallow_and_survives_loops(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    for folder in (tmp_path, deep.parent, deep):
        (folder / f"{folder.name[0]}.jsonl").write_text(ROW)
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to("self")
    found = listed(tmp_path, tmp_path, tmp_path / "absent")
    assert len(found) == 2


def test_the_rows_of_a_large_file_are_estimated(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    count = 3 * dataset_list.COUNTED_BYTES // len(ROW)
    path.write_text(ROW * count)
    found = resolve(str(path))
    assert found.estimated
    assert found.rows == pytest.approx(count, rel=0.01)


def test_a_large_file_of_bad_rows_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_text(json.dumps({"prompt": "q", "completion": ""}) + "\n")
    with path.open("a") as file:
        file.write('{"prompt": "q"}\n' * 2000)
    (found,) = listed(tmp_path)
    assert found.reason == "no valid row in large.jsonl (the first 1,000 are invalid)"


def test_a_change_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(ROW)
    assert resolve(str(path)).rows == 1
    path.write_text(ROW * 2)
    assert resolve(str(path)).rows == 2


def test_a_preview_shows_good_and_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(ROW + "oops\n" + ROW * 9)
    shown = preview(resolve(str(path)), 3)
    assert (len(shown.examples), len(shown.rejects)) == (2, 1)


def test_a_folder_with_one_data_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("MIT")
    (tmp_path / "README.md").write_text("# Rows")
    (tmp_path / "2020_rows.jsonl").write_text(ROW)
    assert resolve(str(tmp_path)).path == tmp_path / "2020_rows.jsonl"
    (tmp_path / "more.jsonl").write_text(ROW)
    with pytest.raises(EngineError, match="has no unique training file"):
        resolve(str(tmp_path))


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    for wrong in (str(tmp_path / "absent.jsonl"), "a\0b", "~nobody-here/x"):
        with pytest.raises(EngineError, match="data not found:"):
            resolve(wrong)
    with pytest.raises(EngineError, match="has no unique training file"):
        resolve(str(tmp_path))
