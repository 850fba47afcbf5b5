"""Files where the user wants them: nothing that is there is lost, through no door."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import output_file
from engine.errors import EngineError


def test_a_new_file_is_whole_and_everybody_may_read_it_who_may_read_new_files(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new.csv"
    output_file.check(path)
    output_file.write(path, [b"a", b"b\n"])
    assert path.read_bytes() == b"ab\n"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert [one.name for one in tmp_path.iterdir()] == ["new.csv"]


def test_what_is_there_stays_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    for attempt in (output_file.check, lambda one: output_file.write(one, [b"new"])):
        with pytest.raises(EngineError, match="already exists"):
            attempt(path)
    assert path.read_text() == "mine"
    output_file.check(path, force=True)
    output_file.write(path, [b"new"], force=True)
    assert path.read_text() == "new"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "device", "folder"])
def test_nothing_is_written_through_a_link_a_pipe_or_a_device(
    tmp_path: Path, kind: str, force: bool
) -> None:
    target, path = tmp_path / "target", tmp_path / "path"
    if kind == "link":
        target.write_text("mine")
    if kind.endswith("link"):
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/null")
    else:
        path.mkdir()
    before = path.lstat()
    for attempt in (
        output_file.check,
        lambda one, force: output_file.write(one, [b"x"], force=force),
    ):
        with pytest.raises(EngineError, match="not a file"):
            attempt(path, force=force)
    assert path.lstat().st_mode == before.st_mode
    assert not target.exists() or target.read_text() == "mine"


@pytest.mark.parametrize("links", [True, False])
def test_what_came_during_the_work_stays_too(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.csv"

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    output_file.write(tmp_path / "other.csv", [b"new"])
    assert (tmp_path / "other.csv").read_bytes() == b"new"

    def pieces() -> Iterator[bytes]:
        yield b"new"
        path.write_text("came meanwhile")

    with pytest.raises(EngineError, match="already exists"):
        output_file.write(path, pieces())
    assert path.read_text() == "came meanwhile"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.csv", "other.csv"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise EngineError("The source broke.")

    with pytest.raises(EngineError, match="source broke"):
        output_file.write(tmp_path / "a.csv", pieces())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EngineError, match="folder does not exist"):
        output_file.check(tmp_path / "no" / "a.csv")
    with pytest.raises(EngineError, match="cannot be written"):
        output_file.write(tmp_path / "no" / "a.csv", [b""])
