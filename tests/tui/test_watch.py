"""The Watch screen on real job directories."""

import time
from pathlib import Path

import pytest

from engine.jobs.directory import JobDirectory
from tests.tui.building import write_curves, write_event, write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.screens.watch import WatchPage

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
            assert "this terminal may close" in text
            assert "memory 1.2 GB" in text
            assert "gradient norm" in text


async def test_a_new_event_is_on_screen_within_a_second(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, " step 40  train")
        start = time.monotonic()
        write_curves(JobDirectory(root / "live"), [41])
        await see(pilot, " step 41  train")
        assert time.monotonic() - start < 1.0


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
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "smoothed 0.6")
        await pilot.press("plus")
        await see(pilot, "smoothed 0.8")
        await pilot.press("minus", "minus")
        await see(pilot, "smoothed 0.3")
        await pilot.press("y", "x")
        await see(pilot, "by time · log")


async def test_other_charts_where_not_all_fit(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "loss · smoothed")
        await pilot.press("v")
        await see(pilot, "perplexity · smoothed")


async def test_a_failed_run_says_why(app: FinetopApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await see(pilot, "bad-lr")
        await pilot.press("down", "down", "down", "down", "enter")
        await see(pilot, "failed at 21")
        for part in ("The loss is NaN.", "step 21", "Lower the learning rate."):
            assert part in screen_text(app)


async def test_brackets_go_through_the_runs(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await see(pilot, "step 40/100")
        await pilot.press("right_square_bracket")
        await see(pilot, "queued #1")
        await pilot.press("left_square_bracket", "left_square_bracket")
        await see(pilot, "lost at 30")


async def test_a_diverged_loss_is_named(app: FinetopApp, root: Path) -> None:
    job = write_run(root, "diverged", points=9, created=9e9)
    write_event(job.events, 10, {"train/loss": float("nan"), "train/perplexity": float("inf")})
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "NaN")
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await see(pilot, "train NaN")
        await see(pilot, "ppl inf")


async def test_three_opens_what_runs(app: FinetopApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await see(pilot, "step 40/100")
