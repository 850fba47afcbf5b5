"""`finetop report`: writes, verifies, says what differs, and its exit codes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.report.reported import write_jobs
from tui.cli import main


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_jobs(tmp_path / "runs").path.parent


def run(
    root: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0
) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["report", *arguments, "--runs", str(root)]) == code
    read = capsys.readouterr()
    return read.out, read.err


def test_it_prints_the_folder_and_what_it_does(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = run(root, capsys, "impact-child", "--out", str(tmp_path / "r"))
    assert out == f"{tmp_path / 'r'}\n"
    assert err == "reading ...\nrendering ...\nwriting ...\n"


def test_arms_and_delta_are_those_of_the_options(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "r"
    run(root, capsys, "impact-child", "--out", str(folder), "--arms", "base,emotion",
        "--delta", "3")  # fmt: skip
    table = json.loads((folder / "report.json").read_text())["table"]
    assert (table["arms"], table["delta"]) == (["base", "emotion"], 0.03)


def test_a_report_is_verified_with_its_jobs_and_without_them(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "r"
    run(root, capsys, "impact-child", "--out", str(folder))
    out, _ = run(root, capsys, "--verify", str(folder))
    assert out == "Collected again from impact-child.\n19 files: all equal.\n"
    shutil.rmtree(root / "child")
    out, _ = run(root, capsys, "--verify", str(folder))
    assert out == (
        "Not collected again, not here: child: rendered from its own inputs.\n"
        "19 files: all equal.\n"
    )


def test_a_difference_is_named_and_the_exit_code_is_1(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "r"
    run(root, capsys, "impact-child", "--out", str(folder))
    path = folder / "report.md"
    path.write_text(path.read_text().replace("points", "poinks", 1))
    out, _ = run(root, capsys, "--verify", str(folder), code=1)
    assert out.startswith("report.md: line ")
    assert "poinks" in out.splitlines()[0]
    assert out.endswith("19 files: 1 differs.\n")
    table = json.loads(run(root, capsys, "--verify", str(folder), "--json", code=1)[0])
    assert [one["name"] for one in table["differences"]] == ["report.md"]
    assert (table["files"], table["jobs"], table["not_collected"]) == (19, ["impact-child"], "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["impact-child"],
        ["--out", "x"],
        ["impact-child", "--verify", "x"],
        ["--verify", "x", "--force"],
        ["--verify", "missing"],
        ["emotion-lora", "--out", "x"],
        ["impact-child", "--out", "x", "--arms", "base,none"],
        ["impact-child", "--out", "no/where"],
    ],
    ids=" ".join,
)
def test_wrong_use_writes_nothing(
    root: Path,
    tmp_path: Path,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    out, err = run(root, capsys, *arguments, code=2)
    assert out == ""
    assert "finetop: " in err
    assert not (tmp_path / "x").exists()
