"""A run's tokenizer: whole in every folder, its large files once on disk."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from engine.worker.model import tokenizer_files
from engine.worker.model.tokenizer_files import TokenizerFiles, link_or_copy, share_large_files

LARGE = bytes(range(256)) * 2000


class Tokenizer:
    """Writes files as a tokenizer does, and counts how often it was asked to."""

    def __init__(self, large: bytes = LARGE) -> None:
        self.large = large
        self.saved = 0

    def save_pretrained(self, folder: str) -> None:
        self.saved += 1
        path = Path(folder)
        (path / "additional_chat_templates").mkdir(parents=True)
        (path / "tokenizer.json").write_bytes(self.large)
        (path / "tokenizer_config.json").write_text("{}")
        (path / "additional_chat_templates" / "tool_use.jinja").write_text("a template")


def _save(files: TokenizerFiles, folder: Path) -> int:
    """As a checkpoint is made: beside, then renamed."""
    aside = folder.with_name(".saving")
    aside.mkdir()
    written = files.save(aside)
    aside.rename(folder)
    return written


def _folders(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("checkpoint-*"), reverse=True)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.fixture
def files(tokenizer: Tokenizer, tmp_path: Path) -> TokenizerFiles:
    return TokenizerFiles(tokenizer, lambda: _folders(tmp_path))


def _assert_whole(folder: Path, large: bytes = LARGE) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "tokenizer.json", "tokenizer_config.json", "additional_chat_templates/tool_use.jinja",
    }  # fmt: skip
    assert (folder / "tokenizer.json").read_bytes() == large
    assert (folder / "tokenizer_config.json").read_text() == "{}"


def _inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_large_file_is_written_once(
    files: TokenizerFiles, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    written = [_save(files, tmp_path / f"checkpoint-{step}") for step in (1, 2, 3)]
    for folder in _folders(tmp_path):
        _assert_whole(folder)
    large = {_inode(folder / "tokenizer.json") for folder in _folders(tmp_path)}
    small = {_inode(folder / "tokenizer_config.json") for folder in _folders(tmp_path)}
    assert (len(large), len(small), tokenizer.saved) == (1, 3, 1)
    assert written[0] > len(LARGE) > 100 > written[1] == written[2]


def test_another_attempt_finds_the_copy_of_the_first(files: TokenizerFiles, tmp_path: Path) -> None:
    _save(files, tmp_path / "checkpoint-1")
    again = TokenizerFiles(Tokenizer(), lambda: _folders(tmp_path))
    assert _save(again, tmp_path / "checkpoint-2") < 100
    assert _inode(tmp_path / "checkpoint-1/tokenizer.json") == _inode(
        tmp_path / "checkpoint-2/tokenizer.json"
    )


def test_removing_one_leaves_the_others_whole(files: TokenizerFiles, tmp_path: Path) -> None:
    for step in (1, 2):
        _save(files, tmp_path / f"checkpoint-{step}")
    shutil.rmtree(tmp_path / "checkpoint-1")
    _assert_whole(tmp_path / "checkpoint-2")
    _save(files, tmp_path / "checkpoint-3")
    _assert_whole(tmp_path / "checkpoint-3")


@pytest.mark.parametrize("change", ["edited", "removed", "replaced by a link"])
def test_a_copy_that_somebody_changed_is_not_used(
    files: TokenizerFiles, tmp_path: Path, change: str
) -> None:
    _save(files, tmp_path / "checkpoint-1")
    path = tmp_path / "checkpoint-1" / "tokenizer.json"
    if change == "edited":
        path.write_bytes(b"x" * len(LARGE))
    else:
        path.unlink()
    if change == "replaced by a link":
        (tmp_path / "elsewhere").write_bytes(LARGE)
        path.symlink_to(tmp_path / "elsewhere")
    _save(files, tmp_path / "checkpoint-2")
    _assert_whole(tmp_path / "checkpoint-2")
    assert not (tmp_path / "checkpoint-2" / "tokenizer.json").is_symlink()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK])
def test_without_hard_links_it_is_copied(
    files: TokenizerFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(source: Path, path: Path, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(source))

    monkeypatch.setattr(os, "link", refuse)
    for step in (1, 2):
        assert _save(files, tmp_path / f"checkpoint-{step}") > len(LARGE)
        _assert_whole(tmp_path / f"checkpoint-{step}")
    assert _inode(tmp_path / "checkpoint-1/tokenizer.json") != _inode(
        tmp_path / "checkpoint-2/tokenizer.json"
    )


def test_a_full_disk_is_not_answered_with_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, path: Path, **_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "one").write_bytes(b"1")
    with pytest.raises(OSError, match="No space"):
        link_or_copy(tmp_path / "one", tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_result_shares_what_equals_and_nothing_else(tmp_path: Path) -> None:
    names = ("tokenizer.json", "other.json", "model.safetensors", "small.json")
    for folder in ("checkpoint", "adapter"):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(b"{}" if name == "small.json" else LARGE)
    (tmp_path / "adapter" / "other.json").write_bytes(LARGE[::-1])
    alone = share_large_files(tmp_path / "adapter", [tmp_path / "gone", tmp_path / "checkpoint"])
    assert alone == len(LARGE)
    shared = [name for name in names if (tmp_path / "adapter" / name).stat().st_nlink > 1]
    assert shared == ["tokenizer.json"], "weights and what is small are the folder's own"
    assert (tmp_path / "adapter" / "other.json").read_bytes() == LARGE[::-1]
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == sorted(names)


def test_the_limit_is_far_below_a_vocabulary() -> None:
    assert 10_000 < tokenizer_files.LINKED_BYTES < 1_000_000
