"""Files that are whole or absent."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine import atomic


def test_a_failed_write_leaves_the_old_content_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "value.json"
    atomic.write_json(path, {"number": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_json(path, {"number": 2})
    assert json.loads(path.read_text()) == {"number": 1}
    assert os.listdir(tmp_path) == ["value.json"]


def test_a_file_system_that_flushes_no_directory_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        really_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.write_json(tmp_path / "value.json", 1)
    assert (tmp_path / "value.json").read_text() == "1\n"


def test_json_has_no_word_for_infinity(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "value.json", {"loss": float("inf")})
    assert os.listdir(tmp_path) == []


def test_text_that_is_not_unicode_is_escaped_not_lost(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "a", "x\ud800y")
    assert (tmp_path / "a").read_text() == "x\\ud800y"


def test_a_directory_never_replaces_another(tmp_path: Path) -> None:
    for name in ("aside", "taken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(FileExistsError):
        atomic.publish_directory(tmp_path / "aside", tmp_path / "taken")
    assert (tmp_path / "taken/file").read_text() == "taken"
    atomic.publish_directory(tmp_path / "aside", tmp_path / "free")
    assert (tmp_path / "free/file").read_text() == "aside"


LIMITED = """
import resource, sys
from pathlib import Path
from engine import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    atomic.replace_or_overwrite(Path(sys.argv[1]), b"n" * int(sys.argv[2]))
except OSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize(("size", "left"), [(1001, b"o" * 3000), (900, b"n" * 900)])
def test_a_file_that_may_not_grow_keeps_its_content_or_has_the_new_one(
    tmp_path: Path, size: int, left: bytes
) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(b"o" * 3000)
    command = [sys.executable, "-c", LIMITED, str(path), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ("" if size <= 1000 else f"{errno.EFBIG}\n")
    assert path.read_bytes() == left
    assert os.listdir(tmp_path) == ["status.json"]
