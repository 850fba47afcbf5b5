"""`finetop data write`: what it writes, prints and refuses."""

import json
from pathlib import Path

import pytest

from engine.jobs.directory import create
from engine.recipes.recipe import TrainRecipe
from tests.synthesis.made_job import decide, make_job, make_outcome, make_source
from tui import cli


def finetop(root: Path, *arguments: str) -> int:
    return cli.main(["--runs", str(root), "data", "write", *arguments])


@pytest.fixture
def job(root: Path) -> str:
    outcomes = [make_outcome(1), make_outcome(2, opinion="disagree"), make_outcome(3)]
    made = make_job(root, [make_source(n) for n in (1, 2, 3)], outcomes, [decide(1, "accept")])
    return made.path.name


def test_accepted_rows_are_written_and_said(
    job: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    assert finetop(root, job, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    assert f"{out}: rows 1, sources 1" in printed
    assert "not reviewed" not in printed
    assert "opinion: agree 1, disagree 0" in printed
    assert len(out.read_text().splitlines()) == 1
    assert finetop(root, job, "--out", str(out), "--accept-all", "--force", "--json") == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["rows"], written["unreviewed"]) == (3, 2)
    assert written["out"] == str(out)
    assert all(Path(written[name]).is_file() for name in ("out", "provenance", "card"))
    assert written["statistics"]["labels"]["opinion"]["disagree"]["count"] == 1
    assert written["review"]["words"].startswith("the rows that were reviewed (1)")


def test_rows_reviewed_by_nobody_are_called_so(
    job: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetop(root, job, "--out", str(tmp_path / "rows.jsonl"), "--accept-all") == 0
    assert "not reviewed by a person: 2" in capsys.readouterr().out


def test_what_is_refused(
    job: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text("of the user")
    for arguments, words in (
        ((job, "--out", str(tmp_path / "rows.jsonl")), "already exists"),
        ((job, "--out", str(tmp_path / "rows.csv")), "JSONL or Parquet"),
        ((job, "--out", str(tmp_path / "no" / "rows.parquet")), "folder does not exist"),
        (("nothing", "--out", str(tmp_path / "a.jsonl")), "nothing"),
        ((create(root, TrainRecipe()).path.name, "--out", str(tmp_path / "a.jsonl")),
         "does not make data"),
    ):  # fmt: skip
        assert finetop(root, *arguments) == 2
        assert words in capsys.readouterr().err
    assert (tmp_path / "rows.jsonl").read_text() == "of the user"
