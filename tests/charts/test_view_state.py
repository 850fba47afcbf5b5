"""The view of a directory is kept, and a bad one never keeps anybody from looking."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.charts.view_state import SCHEMA, ViewState, load, save, state_file


def test_it_is_kept_by_directory_and_not_in_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    state = ViewState(
        tag_filter="loss", pinned_tags=["a"], smoothing=0, rows=3, window=[1.5, 4.0], axis="tokens"
    )
    assert save(one, state) == ""
    assert load(one) == (state, "")
    assert load(other) == (ViewState(), "")
    (tmp_path / "link").symlink_to(one)
    assert load(tmp_path / "link")[0] == state
    assert not list(one.iterdir())


def test_names_of_odd_bytes_are_left_out(tmp_path: Path) -> None:
    notes: dict[str, Any] = {"a\udcff": {"note": "x"}, "b": {"note": "y\udcff", "tags": ["z"]}}
    state = ViewState(pinned_tags=["a\udcff", "b"], sort_by="c\udcff", notes=notes)
    assert save(tmp_path, state) == ""
    notes = {"b": {"note": "y", "tags": ["z"]}}
    assert load(tmp_path) == (ViewState(pinned_tags=["b"], sort_by="c", notes=notes), "")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "damaged"),
        (b'{"schema": 1, "vi', "damaged"),
        (b"[1]", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"\xff\xfe", "damaged"),
        (b" " * (1 << 21), "damaged"),
        (b"{}", "an older"),
        (json.dumps({"schema": SCHEMA + 1, "view": {}}).encode(), "a newer"),
        (json.dumps({"schema": SCHEMA, "view": 3}).encode(), "unknown format"),
    ],
)
def test_a_bad_one_falls_back_with_a_note(tmp_path: Path, content: bytes, word: str) -> None:
    path = state_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    state, note = load(tmp_path)
    assert state == ViewState()
    assert word in note
    assert path.read_bytes() == content
    assert save(tmp_path, ViewState(rows=4)) == ""
    assert load(tmp_path) == (ViewState(rows=4), "")
    assert save(tmp_path, ViewState(rows=5)) == ""
    (aside,) = path.parent.glob("*.aside")
    assert aside.read_bytes() == content, "it is kept, and what is understood is not"


def test_directories_looked_at_together_are_a_place_of_their_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    save((one, other), ViewState(rows=2))
    save(one, ViewState(rows=1))
    assert load((other, one)) == (ViewState(rows=2), "")
    assert load((one,)) == load(one) == (ViewState(rows=1), "")
    assert load(other) == (ViewState(), "")


@pytest.mark.parametrize(
    "change",
    [
        {"rows": -1},
        {"rows": "2"},
        {"axis": "sideways"},
        {"pinned_tags": [1]},
        {"smoothing": 1},
        {"window": [2.0, 1.0]},
        {"window": [1.0]},
        {"window": [0.0, math.inf]},
        {"notes": {"a": "said"}},
        {"notes": {"a": {"note": 3}}},
    ],
)
def test_values_out_of_range_fall_back(tmp_path: Path, change: dict[str, Any]) -> None:
    save(tmp_path, ViewState())
    path = state_file(tmp_path)
    table = json.loads(path.read_text())
    table["view"] |= change
    path.write_text(json.dumps(table))
    assert load(tmp_path)[0] == ViewState()
    assert load(tmp_path)[1]


def test_settings_of_a_later_minor_change_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path, ViewState(rows=5))
    path = state_file(tmp_path)
    table = json.loads(path.read_text())
    table["view"]["unknown"] = 1
    path.write_text(json.dumps(table))
    assert load(tmp_path) == (ViewState(rows=5), "")


def test_a_state_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINETOP_STATE", str(tmp_path / "file"))
    assert "cannot be saved" in save(tmp_path, ViewState())
    assert load(tmp_path)[0] == ViewState()
