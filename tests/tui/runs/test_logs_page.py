"""`finetop watch` on screen: any log directory, read-only."""

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from tests.events.encoding import bytes_field, event, event_file, metadata, number_field, simple
from tests.tui.building import write_event, write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.logs_app import LogsApp
from tui.watch.page import WatchPage

SIZES = [(160, 50), (80, 24)]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two foreign runs, a job of finetop, and a file that only looks like events."""
    top = tmp_path / "logs"
    (top / "ppo").mkdir(parents=True)
    for step in range(1, 30):
        write_event(top / "ppo" / "seed1", step, {"Loss/policy": 1 / step, "reward": step / 7})
        write_event(top / "ppo" / "seed2", step, {"Loss/policy": 2 / step, "reward": step / 9})
    write_run(top, "tuned", state=State.FAILED, points=12, created=5.0)
    (top / "broken").mkdir()
    pointer = "version https://git-lfs.github.com/spec/v1\n"
    (top / "broken" / "events.out.tfevents.1.x").write_text(pointer)
    return top


@pytest.fixture
def logs_app(logs: Path, tmp_path: Path) -> LogsApp:
    return LogsApp([logs], Store(tmp_path / "runs"))


@pytest.mark.parametrize("size", SIZES)
async def test_all_runs_are_listed_with_their_newest_values(
    logs_app: LogsApp, size: tuple[int, int]
) -> None:
    async with logs_app.run_test(size=size) as pilot:
        await see(pilot, "4.1429")
        await see(pilot, "4 runs")
        text = screen_text(logs_app)
        for part in ("ppo/seed1", "ppo/seed2", "✗ tuned", "git-LFS pointer", "policy", "reward"):
            assert part in text
        assert "0.034483" in text


async def test_watch_draws_whatever_tags_there_are(logs_app: LogsApp) -> None:
    async with logs_app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "4.1429")
        await pilot.press("/", *"seed2", "enter", "enter")
        await until(pilot, lambda: isinstance(logs_app.screen, WatchPage))
        await see(pilot, "Loss/policy")
        await see(pilot, "reward")
        await see(pilot, "event files")
        await see(pilot, "█ 3.2222   Loss/policy █")
        await see(pilot, " step 29")
        assert "done" not in screen_text(logs_app)


async def test_new_runs_and_points_appear(logs_app: LogsApp, logs: Path) -> None:
    async with logs_app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "4 runs")
        write_event(logs / "later", 7, {"loss": 0.125})
        await see(pilot, "later")
        await see(pilot, "0.125")
        write_event(logs / "later", 8, {"loss": 0.0625})
        await see(pilot, "0.0625")


async def test_the_list_is_filtered_by_expressions_and_given_away(
    logs_app: LogsApp, tmp_path: Path
) -> None:
    async with logs_app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "ppo/seed1")
        await pilot.press("/", *"tag:reward and not ")
        await see(pilot, "filter: a term is missing at the end")
        await pilot.press(*"seed1", "enter")
        await until(pilot, lambda: "ppo/seed1" not in screen_text(logs_app))
        assert "ppo/seed2" in screen_text(logs_app)
        for keys, whose, name in (
            ((), "the 1 listed run", "listed.csv"),
            (("escape", "home", "space", "space"), "the 2 marked runs", "marked.json"),
        ):
            await pilot.press(*keys, "e")
            await see(pilot, f"Export all points of all tags of {whose}")
            logs_app.screen.query_one(Input).value = str(tmp_path / name)
            await pilot.press("enter")
            await until(pilot, (tmp_path / name).exists)
        await see(pilot, "ppo/seed1")
    rows = (tmp_path / "listed.csv").read_text().splitlines()[1:]
    assert {tuple(row.split(",")[:2]) for row in rows} == {
        ("ppo/seed2", "Loss/policy"), ("ppo/seed2", "reward"),
    }  # fmt: skip
    assert len(rows) == 2 * 29
    assert set(json.loads((tmp_path / "marked.json").read_text())["runs"]) == {"ppo/seed1"}


async def test_nothing_is_launched_stopped_or_written(logs_app: LogsApp, logs: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in logs.rglob("*")}
    async with logs_app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "✗ tuned")
        await pilot.press("2", "4")
        await pilot.press("end", *"ncsrKJfug")  # what only jobs have keys for
        assert logs_app.screen.query("#runs")
        bar = screen_text(logs_app).splitlines()[-1]
        assert "d diff" not in bar
        assert "clone" not in bar
        await pilot.press("enter")
        await see(pilot, "failed at step 12")
        assert logs_app.screen.check_action("resume", ()) is False
    assert {path: path.stat().st_mtime_ns for path in logs.rglob("*")} == before


async def test_several_runs_on_one_chart_are_read_at_one_point(logs_app: LogsApp) -> None:
    async with logs_app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "4.1429")
        await pilot.press("/", *"seed", "enter", "enter")
        await see(pilot, "reward")
        await pilot.press("o")
        await see(pilot, "space mark")
        await pilot.press("down", "space", "enter")
        await see(pilot, "b ppo/seed2")
        text = screen_text(logs_app)
        assert "ppo/seed1  0.0344828 at step 29" in text
        assert "ppo/seed2  0.0689655 at step 29" in text
        await pilot.press("H")
        await see(pilot, "at step 19")
        await pilot.press("escape")
        await see(pilot, "ppo/seed2  0.0689655 at step 29")
        await pilot.resize_terminal(80, 24)
        await pilot.press("enter", "H")  # one chart alone: still all values
        await see(pilot, "at step 19  best 4.1429 at step 29  last 4.1429")
        await see(pilot, "at step 19  best 3.2222 at step 29  last 3.2222")


async def test_jobs_are_overlaid_too(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "◆")
        await pilot.press("o", "end", "space", "enter")
        await see(pilot, " at step 30  best")
        await see(pilot, " at step 40  best")


async def test_a_perplexity_that_nobody_logged_says_so(logs: Path, tmp_path: Path) -> None:
    for step in range(5):
        write_event(logs / "alone", step, {"val_loss": 1.0 / (step + 1)})
    app = LogsApp([logs / "alone"], Store(tmp_path / "runs"), tags="perplexity")
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "alone")
        await pilot.press("enter")
        await see(pilot, "(derived: exp(val_loss))")


def text_value(tag: str, text: str) -> bytes:
    content = number_field(1, 7) + bytes_field(8, text.encode())
    return bytes_field(1, tag.encode()) + bytes_field(8, content) + metadata("text")


async def test_settings_and_texts_of_another_writer_are_read_from_the_top(
    logs: Path, tmp_path: Path
) -> None:
    settings = {f"option_{at}": at for at in range(30)} | {"output_dir": "far/" * 30 + "end"}
    lines = "\n".join(f"note {at}" for at in range(90)) + "\nbye \x1b]0;x\x07"
    told = [text_value("args", json.dumps(settings)), text_value("notes", lines)]
    event_file(logs / "noted", event(1, 1, simple("reward", 1.0)), *(event(1, 1, t) for t in told))
    app = LogsApp([logs / "noted", logs / "ppo"], Store(tmp_path / "runs"))
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "seed2")
        await pilot.press("/", *"noted", "enter", "enter")
        await see(pilot, "hyperparameters (31):")  # beside the curves, from the top
        await pilot.press("1", "escape", "M", "enter")
        await see(pilot, "b ppo/seed1")  # where values are read instead
        await pilot.press("u")
        await see(pilot, "hyperparameters (31):")
        text = screen_text(app)
        assert "event files" in text
        assert "option_0 = 0" in text
        await pilot.press("pagedown", "pagedown")
        await see(pilot, "far/end")
        await pilot.press("end")
        await see(pilot, "bye ␛]0;x␇")
        assert "note 89" in screen_text(app)


async def test_a_job_of_finetop_has_its_log_and_samples(logs_app: LogsApp, logs: Path) -> None:
    tuned = JobDirectory(logs / "tuned")
    tuned.attempt(1).log.write_text("the worker's last word\n")
    said = [{"role": "user", "content": "why?"}]

    def answer(step: int, text: str) -> None:
        row = {"step": step, "prompt_id": "p", "messages": said, "text": text}
        with tuned.samples.open("a") as file:
            file.write(json.dumps(row) + "\n")

    answer(0, "no idea")
    async with logs_app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "✗ tuned")
        await pilot.press("end", "enter")
        await see(pilot, "the worker's last word")
        await see(pilot, "before training  no idea")
        answer(12, "because")
        await see(pilot, "newest, step 12  because")
        with tuned.attempt(1).log.open("a") as file:
            file.write("and one more\n")
        await see(pilot, "and one more")
