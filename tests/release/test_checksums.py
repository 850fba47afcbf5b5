"""Sums of an export, by the names that `sha256sum -c` reads."""

import subprocess
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.release.checksums import check_sums, write_sums


def fill(folder: Path) -> Path:
    (folder / "curves").mkdir(parents=True)
    (folder / "README.md").write_text("# A\n")
    (folder / "curves" / "größe.csv").write_text("1\n")
    write_sums(folder)
    return folder


def test_sums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("OK")) == (0, 2)
    assert check_sums(folder) == ()


def test_every_difference_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    (folder / "README.md").write_text("# B\n")
    (folder / "curves" / "größe.csv").unlink()
    (folder / "more").write_text("")
    assert [line.partition(":")[0] for line in check_sums(folder)] == [
        "README.md", "curves/größe.csv", "more",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a\nb", "a\\b"])
def test_a_name_that_no_line_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    folder = fill(tmp_path / "out")
    (folder / name).write_text("")
    with pytest.raises(EngineError, match="cannot publish"):
        write_sums(folder)


def test_a_link_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "out")
    (folder / "link").symlink_to("README.md")
    with pytest.raises(EngineError, match="cannot publish"):
        write_sums(folder)
