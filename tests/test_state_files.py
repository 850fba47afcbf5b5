"""What is remembered comes back; what cannot be used is told of, and never stops anybody."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.jobs import store
from engine.recipes.validation import setting
from engine.state_files import (
    StateFile,
    decode_record,
    encode_record,
    file_of,
    state_folder,
)


@dataclass(frozen=True)
class View:
    rows: int = setting(0, ge=0)
    names: list[str] = field(default_factory=list)


def view_file(path: Path, *, set_aside: bool = False) -> StateFile[View]:
    return StateFile(
        path,
        "view",
        lambda content: decode_record(content, View, 2, "view", folder="/runs"),
        lambda view: encode_record(view, 2, "view", folder="/runs"),
        set_aside=set_aside,
    )


def table(**changes: object) -> bytes:
    return json.dumps({"schema": 2, "folder": "/runs", "view": {"rows": 3}} | changes).encode()


def test_it_comes_back_from_a_folder_that_is_made_for_the_user_alone(tmp_path: Path) -> None:
    file = view_file(tmp_path / "state" / "view.json")
    assert file.load() == (None, "")
    file.save(View(3))
    assert file.load() == (View(3), "")
    assert file.path.parent.stat().st_mode & 0o77 == 0
    assert json.loads(file.path.read_bytes())["folder"] == "/runs"


def test_keys_of_a_later_change_are_passed_over(tmp_path: Path) -> None:
    file = view_file(tmp_path / "view.json")
    file.path.write_bytes(table(view={"rows": 3, "colour": "red"}))
    assert file.load() == (View(3), "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is damaged"),
        (b"[1]", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b'{"schema": 2, "vi', "is damaged"),
        (b'{"view":' * 9_000, "larger than"),
        (b"[" * 60_000, "is damaged"),
        (b"1" * 50_000, "is damaged"),
        (table(schema=3), "from a newer finetop"),
        (table(schema=1), "from an older finetop"),
        (table(schema=None), "from an older finetop"),
        (table(view=3), "has an unknown format"),
        (table(view={"rows": -1}), "has an unknown format"),
        (table(folder="/others"), "has an unknown format"),
    ],
)
def test_one_that_is_of_no_use_is_told_of_and_set_aside(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = view_file(tmp_path / "view.json", set_aside=True)
    file.path.write_bytes(content)
    view, note = file.load()
    assert view is None
    assert note.startswith("The saved view")
    assert reason in note
    file.save(View(4))
    file.save(View(5))
    assert file.load() == (View(5), "")
    assert [path.read_bytes() for path in tmp_path.glob("*.aside")] == [content]


def test_a_pipe_or_a_folder_is_told_of_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        file = view_file(tmp_path / name, set_aside=True)
        assert "not a regular file" in file.load()[1]
        file.save(View(1))
        assert file.load() == (View(1), "")
    (tmp_path / "file").touch()
    assert "cannot be read" in view_file(tmp_path / "file" / "view.json").load()[1]
    with pytest.raises(FileExistsError):
        view_file(tmp_path / "file" / "view.json").save(View(1))


def test_names_of_odd_bytes_are_left_out(tmp_path: Path) -> None:
    file = view_file(tmp_path / "view.json")
    file.save(View(1, ["a\udcff", "b"]))
    assert file.load() == (View(1, ["b"]), "")


def test_places_have_files_of_their_own_whatever_their_bytes() -> None:
    one, other = file_of("views", "/a"), file_of("views", "/b\udcff")
    assert one != other
    assert one.parent == other.parent == state_folder() / "views"


def test_roots_are_read_around_what_is_no_note(tmp_path: Path) -> None:
    root = tmp_path / "runs \udcff"
    root.mkdir()
    store.remember_root(root)
    folder = state_folder() / "roots"
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "nothing").write_bytes(b"/a\0b")
    (folder / "huge").write_bytes(b"/" * (1 << 20))
    assert store.remembered_roots() == [root]
