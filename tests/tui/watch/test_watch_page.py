"""The Watch screen on real job directories."""

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from engine.bundled import PRETRAIN_RUN
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.jobs.summary import view
from tests.tui.building import write_curves, write_event, write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.charts.run_lines import headline, standing
from tui.glyphs import UNICODE
from tui.snapshots import RunRow
from tui.watch.page import WatchPage

SIZES = [(160, 50), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
async def test_one_run_is_shown_whole(app: FinetopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "step 40/100")
        await see(pilot, "◆")  # an evaluation on the chart
        text = screen_text(app)
        for part in ("running", "epoch 1.2/3", "9,812 tok/s", "0:41 left", "lr 0.00096"):
            assert part in text
        assert " step 40" in text.splitlines()  # its log
        if size[0] > 100:
            assert "in the background" in text
            assert "memory 1.2 GB" in text
            assert "gradient norm" in text


def test_what_a_run_may_end_with_is_told_instead_of_a_promise(tmp_path: Path) -> None:
    def said(**values: object) -> tuple[str, str]:
        job = write_run(tmp_path, f"run-{len(values)}", state=State.RUNNING, points=4, **values)  # type: ignore[arg-type]
        shown = view(job)
        assert shown is not None
        row = RunRow(shown)
        lines = (headline(row, UNICODE), standing(row, {}, "-"))
        return tuple("".join(text for text, _ in line) for line in lines)  # type: ignore[return-value]

    first, second = said()
    assert ("in the background" in first, second) == (True, "")
    first, second = said(bound="runs stop when Slurm job 7 ends")
    assert ("this terminal" in first, second) == (False, " runs stop when Slurm job 7 ends")


async def test_a_new_event_comes_on_screen(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, " step 40  train")
        write_curves(JobDirectory(root / "live"), [41])
        await see(pilot, " step 41  train")


async def test_the_log_is_followed_and_cleaned(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "step 40")
        log = JobDirectory(root / "live").attempt(1).log
        log.write_text("\n".join(f"line {at}" for at in range(5000)) + "\nlast \x1b]0;x\x07[/red]")
        await see(pilot, "last ␛]0;x␇[/red]")


async def test_the_cursor_reads_out_a_step_and_esc_lets_it_go(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "◆")
        await pilot.press("h", "h", "h")
        await until(pilot, lambda: " step 40  train" not in screen_text(app))
        await pilot.press("escape")
        await see(pilot, " step 40  train")
        await pilot.press("escape")
        await see(pilot, "progress")


async def test_smoothing_scale_and_axis_are_turned(app: FinetopApp) -> None:
    async with app.run_test(size=(99, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "smoothed 0.6")
        await pilot.press("plus")
        await see(pilot, "smoothed 0.8")
        await pilot.press("minus", "minus")
        await see(pilot, "smoothed 0.3")
        await pilot.press("y", "x", "x")
        await see(pilot, "smoothed 0.3 · log scale")
        await see(pilot, "39s  train")


async def test_other_charts_where_not_all_fit(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "loss · smoothed")
        await pilot.press("v")
        await see(pilot, "perplexity · smoothed 0.6 · eval best 2.8163 at step 40")


async def test_a_failed_run_says_why(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "bad-lr")
        await pilot.press("down", "down", "down", "down", "enter")
        await see(pilot, "failed at step 21")
        for part in ("The loss is NaN.", "step 21", "Lower the learning rate."):
            assert part in screen_text(app)


async def test_a_value_of_another_step_says_so(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 40)) as pilot:
        await see(pilot, "bad-lr")
        await pilot.press("down", "down", "down", "down", "enter")
        await see(pilot, "failed at step 21")
        await see(pilot, "step 21  loss 1.431  eval 1.520 at step 20  ppl 4.183")


async def test_brackets_go_through_the_runs(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "step 40/100")
        await pilot.press("right_square_bracket")
        await see(pilot, "queued #1")
        await pilot.press("left_square_bracket", "left_square_bracket")
        await see(pilot, "lost at step 30")


async def test_a_diverged_loss_is_named(app: FinetopApp, root: Path) -> None:
    job = write_run(root, "diverged", points=9, created=9e9)
    write_event(job.events, 10, {"train/loss": float("nan"), "train/perplexity": float("inf")})
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "NaN")
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await see(pilot, "loss NaN")
        await see(pilot, "ppl inf")


async def test_three_opens_what_runs(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await see(pilot, "step 40/100")


def says(job: JobDirectory, step: int, *answers: str) -> None:
    """Append one answer to each prompt, as a worker does at an evaluation."""
    with job.samples.open("a") as file:
        for at, text in enumerate(answers):
            said = [{"role": "user", "content": f"question {at} [/red]"}]
            row = {"step": step, "prompt_id": f"p{at}", "messages": said, "text": text}
            file.write(json.dumps(row) + "\n")


@pytest.fixture
def measured(root: Path) -> JobDirectory:
    """A run over its budget, with two prompts answered at four steps."""
    job = write_run(root, "measured", points=60, total=60, created=9e9, message="ended early")
    for step, shift in [(0, 0.0), (20, 0.04), (40, 0.2), (60, 0.31)]:
        write_event(job.events, step, {"forget/nll_shift": shift, "forget/kl_to_base": shift / 2})
        says(job, step, f"first at {step}", f"second at {step}\nwith \x1b[2J a line")
    job.checkpoints.mkdir()
    marks = {"best": 60, "within_budget": 20, "crossed_at": 40, "ended": "budget"}
    (job.checkpoints / "marks.json").write_text(json.dumps(marks))
    return job


@pytest.mark.parametrize("size", SIZES)
async def test_forgetting_has_a_chart_with_its_budget(
    app: FinetopApp, measured: JobDirectory, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await see(pilot, "measured")
        await pilot.press("home", "enter")
        await see(pilot, "◆")
        if size[0] < 100:
            await pilot.press("v")  # takes its turn
        await see(pilot, "forgetting, nats/token")
        await see(pilot, "╌ budget 0.1 ╌")
        text = screen_text(app)
        assert "b KL 0.155" in text
        assert "smoothed" not in text.split("forgetting, nats/token")[1].split("\n")[0]
        assert "ended early · forgetting +0.31 ! · over the budget of 0.1 since step 40" in text
        if size[0] > 100:
            assert "best eval/loss: step 60 · last within budget: step 20" in text


async def test_each_skill_has_a_chart_of_its_own(app: FinetopApp, root: Path) -> None:
    job = write_run(root, "skilled", points=40, total=40, created=9e9)
    for step, score in [(0, 0.6), (20, 0.4), (40, 0.35)]:
        write_event(job.events, step, {"eval/skill/facts": score, "eval/skill_nll/prose": 1.5})
    job.checkpoints.mkdir()
    marks = {"best": 20, "lost": {"facts": 40}}
    (job.checkpoints / "marks.json").write_text(json.dumps(marks))
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "skilled")
        await pilot.press("home", "enter")
        await see(pilot, "facts fell at step 40")
        await see(pilot, "skill facts")
        await see(pilot, "skill prose, nats/token")


async def test_a_run_without_an_alarm_has_no_such_chart(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "gradient norm")
        assert "forgetting" not in screen_text(app)
        assert "n p prompt" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_samples_are_read_over_prompts_and_steps(
    app: FinetopApp, measured: JobDirectory, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await see(pilot, "measured")
        await pilot.press("home", "enter")
        await see(pilot, "before training  first at 0")
        await see(pilot, "newest, step 60  first at 60")
        assert "prompt 1/2 · “question 0 [/red]”" in screen_text(app)
        await pilot.press("n")
        await see(pilot, "newest, step 60  second at 60")
        assert "with ␛[2J a line" in screen_text(app)
        await pilot.press("less_than_sign", "less_than_sign")
        await see(pilot, "step 20  second at 20")
        await see(pilot, " step 20  train")  # the cursor of the charts is there as well
        await pilot.press("greater_than_sign")
        await see(pilot, "step 40  second at 40")
        await pilot.press("x", "x", "less_than_sign")  # by time; the cursor stays where it was
        await see(pilot, "step 20  second at 20")
        await pilot.press("escape")
        await see(pilot, "newest, step 60  second at 60")
        await pilot.press("p")
        await see(pilot, "newest, step 60  first at 60")


async def test_a_new_answer_takes_its_place(app: FinetopApp, root: Path) -> None:
    live = JobDirectory(root / "live")
    says(live, 0, "nothing yet")
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "before training  nothing yet")
        says(live, 40, "something")
        await see(pilot, "newest, step 40  something")
        await see(pilot, "before training  nothing yet")


async def test_the_log_takes_its_turn_where_both_do_not_fit(app: FinetopApp, root: Path) -> None:
    says(JobDirectory(root / "live"), 0, "an answer")
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "an answer")
        assert " step 40" not in screen_text(app).splitlines()
        await pilot.press("t")
        await until(pilot, lambda: " step 40" in screen_text(app).splitlines())
        assert "an answer" not in screen_text(app)
        await pilot.resize_terminal(80, 40)
        await see(pilot, "an answer")
        assert " step 40" in screen_text(app).splitlines()
        await until(pilot, lambda: "t log" not in screen_text(app))


async def test_the_shipped_run_shows_what_it_said(tmp_path: Path) -> None:
    app = FinetopApp(Store(tmp_path / "none", shipped=[PRETRAIN_RUN]))
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "pretrain")
        await pilot.press("enter")
        await see(pilot, "What is the capital of Norway?")
        await see(pilot, "The capital of Norway is Norwayima.")
        await see(pilot, "newest, step 2,165  The capital of Norway is Oslo.")


async def test_axes_in_turn_and_one_that_is_not_there(app: FinetopApp) -> None:
    async with app.run_test(size=(99, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "by step")
        await pilot.press("x")
        await see(pilot, "relative step 39")
        await pilot.press("x", "x")
        await see(pilot, "by wall time")
        await pilot.press("x")
        await see(pilot, "no tokens logged; searched tags")
        await pilot.press("x")
        await see(pilot, "epoch 1.212 ")
        await pilot.press("x")
        await see(pilot, "by step")


async def test_one_chart_alone_and_grids_of_many(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "gradient norm ·")
        await pilot.press("enter")
        await until(pilot, lambda: "gradient norm ·" not in screen_text(app))
        await pilot.press("v")
        await see(pilot, "perplexity ·")
        await pilot.press("escape")
        await see(pilot, "gradient norm ·")
        await pilot.press("d")
        await until(pilot, lambda: "gradient norm ·" not in screen_text(app))
        await pilot.press("d", "d", "d")
        await see(pilot, "tokens_per_second ·")


async def test_tags_are_filtered_by_an_expression(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "◆")
        await pilot.press("/", *"(norm or")
        await see(pilot, "filter: a term is missing at the end")
        await pilot.press(*" epoch)", "enter")
        await see(pilot, "train/epoch ·")
        await see(pilot, "gradient norm ·")
        await pilot.press("escape")
        await see(pilot, "loss · eval best")


async def test_what_a_resume_left_is_shown_on_request(app: FinetopApp, root: Path) -> None:
    job = write_run(root, "again", points=40, created=9e9)
    start = job.events / "events.out.tfevents.1700000000.box.1"
    start.rename(job.events / "events.out.tfevents.1600000000.box.1")
    write_curves(job, range(20, 31))
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "again")
        await pilot.press("home", "enter")
        await see(pilot, "┊")
        page = app.screen
        assert isinstance(page, WatchPage)
        await pilot.press("b")
        await until(pilot, lambda: any(one.faint for one in page.board.charts[0]._curves))
        await pilot.press("b")
        await until(pilot, lambda: not any(one.faint for one in page.board.charts[0]._curves))


async def test_zoom_and_pan_and_back(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "◆")
        page = app.screen
        assert isinstance(page, WatchPage)

        def span() -> tuple[float, float] | None:
            return page.board.charts[0].span

        assert span() == (0.0, 100.0)
        await pilot.press("z")
        await see(pilot, "zoomed")
        await until(pilot, lambda: span() is not None and span() != (0.0, 100.0))
        await pilot.press("left_curly_bracket")
        await until(pilot, lambda: span() == (12.5, 62.5))
        await pilot.press("Z", "Z")
        await until(pilot, lambda: span() == (0.0, 100.0))


async def test_a_chart_is_written_to_files_once(app: FinetopApp, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "◆")
        for name in ("mine", "mine.svg", "nowhere/mine.csv"):
            await pilot.press("e")
            await until(pilot, lambda: app.focused is not None and app.focused.id == "export")
            field = app.focused
            assert isinstance(field, Input)
            field.value = f"{tmp_path}/{name}"
            await pilot.press("enter")
            if name == "mine":
                await until(pilot, (tmp_path / "mine.txt").exists)
            else:
                await see(pilot, "The file already exists" if "svg" in name else "does not exist")
                await pilot.press("escape")
        for name in ("all.png", "all"):
            await pilot.press("E")
            await see(pilot, "Export all points of all tags of live")
            app.screen.query_one(Input).value = f"{tmp_path}/{name}"
            await pilot.press("enter")
            if name == "all":
                await until(pilot, (tmp_path / "all.json").exists)
            else:
                await see(pilot, "holds one chart")
                await pilot.press("escape")
    whole = json.loads((tmp_path / "all.json").read_text())["runs"]["live"]
    assert {"train/loss", "eval/loss", "train/learning_rate"} < set(whole)
    assert len(whole["train/loss"]["steps"]) == 40
    assert (tmp_path / "all.csv").read_text().count("\nlive,eval/loss,") == 4
    assert (tmp_path / "mine.svg").read_text().startswith("<svg")
    assert (tmp_path / "mine.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "mine.txt").read_text().startswith("live · train/loss █")
    rows = (tmp_path / "mine.csv").read_text().splitlines()
    assert rows[0] == "run,tag,step,wall_time,value"
    assert len(rows) == 1 + 40 + 4
    tags = json.loads((tmp_path / "mine.json").read_text())["runs"]["live"]
    assert sorted(tags) == ["eval/loss", "train/loss"]


def views(root: Path) -> str:
    return "".join(one.read_text() for one in (root.parent / "state" / "views").glob("*.json"))


async def test_how_one_looked_is_remembered(root: Path) -> None:
    for asked in ("x", ""):
        app = FinetopApp(Store(root))
        async with app.run_test(size=(120, 40)) as pilot:
            await see(pilot, "live")
            await pilot.press("enter")
            await see(pilot, "◆" if asked else "relative step 39")
            if asked:
                await pilot.press("x")
                await see(pilot, "relative step 39")
                await until(pilot, lambda: "relative" in views(root))


async def test_a_curve_that_stopped_being_numbers_is_told(app: FinetopApp, root: Path) -> None:
    job = write_run(root, "diverged", points=9, created=9e9)
    write_event(job.events, 10, {"train/loss": float("nan")})
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "NaN")
        await pilot.press("home", "enter")
        await see(pilot, "! train/loss: NaN since step 10")
