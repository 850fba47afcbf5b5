"""A report's folder among the user's own: what does not belong to it is named, never followed, and
no folder is taken away from under a shell or a job."""

import os
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.report.report_folder import verify_report, write_report
from tests.report.reported import read_folder, write_jobs


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return write_jobs(tmp_path / "runs")


@pytest.mark.parametrize("name", ["é.txt", os.fsdecode(b"\xff\xfe"), "a\nb", "data/\u202egnp.exe"])
def test_a_file_of_any_name_is_not_part_of_the_report(
    job: JobDirectory, tmp_path: Path, name: str
) -> None:
    out = write_report([job], tmp_path / "report")
    (out / name).write_text("x")
    check = verify_report(out)
    assert [(one.name, one.reason) for one in check.differences] == [
        (name, "not part of the report")
    ]
    with pytest.raises(EngineError, match="more than a report"):
        write_report([job], out, force=True)


@pytest.mark.parametrize("kind", ["link to a folder", "link to nothing", "pipe"])
def test_what_is_no_file_is_named_and_never_replaced(
    job: JobDirectory, tmp_path: Path, kind: str
) -> None:
    out = write_report([job], tmp_path / "report")
    if kind == "pipe":
        os.mkfifo(out / "more")
    else:
        (out / "more").symlink_to(tmp_path / ("runs" if "folder" in kind else "gone"))
    check = verify_report(out)
    assert [(one.name, one.reason) for one in check.differences] == [("more", "not a regular file")]
    with pytest.raises(EngineError, match="more than a report"):
        write_report([job], out, force=True)
    assert os.path.lexists(out / "more")


def test_a_file_of_the_report_that_became_a_folder_or_a_link_differs(
    job: JobDirectory, tmp_path: Path
) -> None:
    out = write_report([job], tmp_path / "report")
    (out / "report.md").unlink()
    (out / "report.md").symlink_to(tmp_path / "gone")
    assert [one.name for one in verify_report(out).differences] == ["report.md"]
    (out / "data/inputs.json").unlink()
    (out / "data/inputs.json").symlink_to(tmp_path)
    with pytest.raises(EngineError, match="no report"):
        verify_report(out)


def test_the_working_directory_is_not_replaced(
    job: JobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell in it would stay in the folder that was removed, and see no report."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(EngineError, match="working directory") as caught:
        write_report([job], Path())
    assert str(tmp_path / "here/report") in caught.value.hint
    assert os.path.samefile(os.curdir, tmp_path / "here")
    out = write_report([job], Path("report"))
    monkeypatch.chdir(out)
    before = read_folder(out)
    with pytest.raises(EngineError, match="working directory"):
        write_report([job], Path(), force=True)
    assert read_folder(out) == before


def test_a_mount_point_is_said_before_the_work(
    job: JobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a container's empty volume is one: it cannot be renamed."""
    (tmp_path / "volume").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "volume")
    said: list[str] = []
    with pytest.raises(EngineError, match="mount point"):
        write_report([job], tmp_path / "volume", progress=said.append)
    assert said == []


@pytest.mark.parametrize("through_link", [False, True])
def test_no_report_is_written_into_its_own_job(
    job: JobDirectory, tmp_path: Path, through_link: bool
) -> None:
    """It would be deleted with the job that it outlives."""
    folder = job.path
    if through_link:
        folder = tmp_path / "link"
        folder.symlink_to(job.path)
    with pytest.raises(EngineError, match="lies in a job"):
        write_report([job], folder / "report")
    assert not (job.path / "report").exists()
