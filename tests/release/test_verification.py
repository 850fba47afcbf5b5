"""What was done to an export after it was made is a difference that is named, and no error."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import atomic
from engine.errors import EngineError
from engine.release.checksums import write_sums
from engine.release.proof import encode_proofs
from engine.release.verification import verify_export
from tests.release.made_proof import make_proofs


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An export of an adapter and a GGUF file."""
    out = tmp_path / "out"
    for proof in make_proofs():
        folder = out / proof.file.partition("/")[0]
        (folder / "curves").mkdir(parents=True)
        (folder / "weights").write_bytes(b"1234")
        (folder / "curves" / "run.csv").write_bytes(b"1,2")
        for name in proof.file.split("/")[1:]:
            (folder / name).write_bytes(b"GGUF")
        atomic.write_json(folder / "proof.json", encode_proofs((proof,)))
        write_sums(folder)
    return out


def find_differences(out: Path) -> dict[str, tuple[str, ...]]:
    return {folder.name: folder.differences for folder in verify_export(out) if not folder.passed}


def test_an_export_is_what_was_written(out: Path, tmp_path: Path) -> None:
    assert find_differences(out) == {}
    moved = out.rename(tmp_path / "elsewhere")
    assert find_differences(moved) == {}
    alone = (moved / "adapter").rename(tmp_path / "downloaded")
    assert find_differences(alone) == {}, "a folder is a repository of its own, of any name"


def test_one_bit_anywhere_is_seen(out: Path) -> None:
    moments = random.Random(5)
    for path in [one for one in (out / "adapter").rglob("*") if one.is_file()]:
        whole = path.read_bytes()
        for at in (0, len(whole) // 2, len(whole) - 1):
            spoiled = bytearray(whole)
            spoiled[at] ^= 1 << moments.randrange(8)
            path.write_bytes(spoiled)
            assert find_differences(out).keys() == {"adapter"}, (path, at)
        path.write_bytes(whole)


def _swap(folder: Path) -> None:
    one, other = (folder / "weights").read_bytes(), (folder / "curves" / "run.csv").read_bytes()
    (folder / "weights").write_bytes(other)
    (folder / "curves" / "run.csv").write_bytes(one)


def _repeat(folder: Path) -> None:
    sums = folder / "SHA256SUMS"
    sums.write_text(f"{'0' * 64}  weights\n{sums.read_text()}")


def _resum(folder: Path, content: str) -> None:
    (folder / "proof.json").write_text(content)
    (folder / "SHA256SUMS").unlink()
    write_sums(folder)


SUMS = "SHA256SUMS"
NO_NAME = "is a name that cannot be written down"
NO_PROOF = "proof.json: The proof of an export cannot be read."


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda one: (one / "more").write_bytes(b""), "more: not in SHA256SUMS"),
        (lambda one: (one / "weights").unlink(), "weights: missing"),
        (lambda one: (one / "weights").rename(one / "w"), "weights: missing"),
        (_swap, "curves/run.csv: its SHA-256 is not the one in SHA256SUMS"),
        (_repeat, "SHA256SUMS: not as it was written"),
        (lambda one: (one / SUMS).write_bytes(b"\xff\x00 \n"), "SHA256SUMS: not as it was written"),
        (lambda one: (one / SUMS).unlink(), "SHA256SUMS cannot be read: No such file or directory"),
        (lambda one: (one / SUMS).write_bytes(bytes((1 << 24) + 1)),
         "SHA256SUMS is larger than 16,777,216 bytes"),
        (lambda one: (one / "link").symlink_to("/etc/hostname"), "'link' is a link"),
        (lambda one: (one / "link").symlink_to("link"), "'link' is a link"),
        (lambda one: os.mkfifo(one / "pipe"), "'pipe' is no file"),
        (lambda one: (one / "\x1b[31m").touch(), rf"'\x1b[31m' {NO_NAME}"),
        (lambda one: Path(os.fsdecode(os.fsencode(one) + b"/\xff")).touch(),
         rf"'\udcff' {NO_NAME}"),
        (lambda one: _resum(one, "[" * 100_000), NO_PROOF),
        (lambda one: _resum(one, "[]"), NO_PROOF),
        (lambda one: (one / "proof.json").unlink(), "proof.json: missing"),
    ],
)  # fmt: skip
def test_what_was_done_is_named(out: Path, spoil: Callable[[Path], object], told: str) -> None:
    spoil(out / "adapter")
    found = find_differences(out)
    assert list(found) == ["adapter"]
    assert told in found["adapter"]


def test_folders_that_changed_places_are_named(out: Path) -> None:
    (out / "gguf").rename(out / "merged")
    (out / "adapter").rename(out / "gguf")
    found = find_differences(out)
    assert list(found) == ["gguf", "merged"]
    assert "proof.json: it is of 'adapter', which is not here" in found["gguf"]


def test_what_lies_beside_the_folders_is_named(out: Path) -> None:
    (out / "pytorch_model.bin").touch()
    (out / "more").mkdir()
    assert find_differences(out) == {
        "out": ("'more' is no part of the export", "'pytorch_model.bin' is no part of the export")
    }


def test_no_export_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(EngineError, match="no export"):
            verify_export(place)
