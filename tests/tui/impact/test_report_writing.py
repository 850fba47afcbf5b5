"""The report from Impact: its folder is typed, it is written, and what is refused is shown."""

from pathlib import Path

import pytest

from engine.impact.report.report_folder import verify_report
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from tests.impact.report.reported import read_folder, write_jobs
from tests.tui.browse.answered import noticed
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.impact.page import ImpactPage
from tui.widgets.table import Table


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return write_jobs(tmp_path / "runs")


async def test_a_report_is_written_where_the_user_names_a_folder(
    job: JobDirectory, tmp_path: Path
) -> None:
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "impact-child")
        await until(pilot, lambda: app.screen.query_one(Table).choose(str(job.path)))
        await until(pilot, lambda: app.selected == str(job.path))
        await pilot.press("5")
        await see(pilot, "arithmetic, counsel")
        assert "w report" in screen_text(app)
        await pilot.press("w")
        await see(pilot, "Folder for the report")
        await pilot.press(*str(tmp_path / "out"), "enter")
        await noticed(pilot, "Wrote ")
        assert isinstance(app.screen, ImpactPage)
        await until(pilot, lambda: "report: " not in screen_text(app))
        written = read_folder(tmp_path / "out")
        await pilot.press("w")
        await see(pilot, "Folder for the report")
        await pilot.press(*str(tmp_path / "out"), "enter")
        await see(pilot, "The folder is not empty.")
        await pilot.press("escape")
        await see(pilot, "arithmetic, counsel")
        await pilot.press("w", "escape")  # nothing is asked for
        await see(pilot, "w report")
    assert read_folder(tmp_path / "out") == written
    assert verify_report(tmp_path / "out", {}).differences == ()


async def test_without_results_there_is_no_report(job: JobDirectory) -> None:
    job.results.unlink()
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "impact-child")
        await until(pilot, lambda: app.screen.query_one(Table).choose(str(job.path)))
        await until(pilot, lambda: app.selected == str(job.path))
        await pilot.press("5")
        await see(pilot, "The evaluation has no results.")
        await pilot.press("w")
        await pilot.pause()
        assert isinstance(app.screen, ImpactPage)
