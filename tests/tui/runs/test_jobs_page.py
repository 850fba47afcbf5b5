"""The Runs screen on real job directories."""

import json
import time
from pathlib import Path

import pytest

from engine.jobs import directory, status, summary
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.launching import resume as resume_module
from engine.recipes.recipe import GenerateRecipe, Recipe, TrainRecipe
from tests.conftest import Eventually
from tests.jobs.waiters import Line
from tests.tui.building import write_curves, write_event, write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.formatting import progress
from tui.glyphs import UNICODE
from tui.launch.page import LaunchPage
from tui.runs.runs_status_lines import about
from tui.screens.dialogs import ConfirmDialog, ErrorDialog
from tui.screens.page import Page
from tui.snapshots import RunRow
from tui.watch.page import WatchPage
from tui.widgets.text_field import TextField

WIDE, NARROW = (160, 50), (80, 24)


def line_of(app: FinetopApp, name: str) -> str:
    found = [line for line in screen_text(app).splitlines()[3:] if f" {name} " in line]
    assert found, screen_text(app)
    return found[0]


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_every_state_is_said_in_words(app: FinetopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await see(pilot, "0.9")
        for name, words in {
            "live": "40%",
            "waiting": "queued #1",
            "emotion-lora": "done",
            "bad-lr": "failed at 21%",
            "stopped": "stopped at 30",
            "lost": "lost at 30%",
        }.items():
            assert words in line_of(app, name)
        assert "└ ✓ child" in screen_text(app)


async def test_answers_that_were_left_out_are_counted_beside_the_state(
    app: FinetopApp, root: Path
) -> None:
    job = directory.create(root, GenerateRecipe(name="partly", arms=["b=x"], prompts="bundled:all"))
    message = "2 answers, 2 left out (see the log)"
    now = time.time() + 60
    status.write(job, Status(State.DONE, step=2, total=4, started=now, heartbeat=now,
                             rejected=2, message=message))  # fmt: skip
    view = summary.view(job)
    assert view is not None
    assert progress(view, UNICODE) == [("2 left out", "warn")]
    said = about(RunRow(view), "·")
    assert (" · done, 2 left out", "warn") in said
    assert "".join(text for text, _ in said) == " partly · done, 2 left out · 2 answers"
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "partly")
        assert "✓" in line_of(app, "partly")
        assert "2 left out" in line_of(app, "partly")
    status.write(job, Status(State.FAILED, step=2, total=4, rejected=1))
    view = summary.view(job)
    assert view is not None
    assert about(RunRow(view), "·")[-1] == (" · 1 left out", "warn")


async def test_curves_and_numbers_come_from_the_event_files(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: "█" in line_of(app, "emotion-lora"))
        line = line_of(app, "emotion-lora")
        assert "0.728" in line  # the loss written at step 60
        assert "0.778" in line  # its held-out loss, 0.05 above
        assert "2.18" in line  # exp of that
        assert line.count("█") == 2, "the loss and the perplexity have a curve each"


async def test_columns_fall_away_from_the_right(app: FinetopApp) -> None:
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "live")
        head = screen_text(app).splitlines()[2]
        assert "loss" in head
        assert "ppl" not in head
        await pilot.resize_terminal(160, 50)
        await until(pilot, lambda: "ppl" in screen_text(app).splitlines()[2])


async def test_a_new_event_comes_on_screen(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "40%")
        before = line_of(app, "live")
        write_curves(JobDirectory(root / "live"), range(41, 90))
        await until(pilot, lambda: line_of(app, "live") != before)


async def test_the_chosen_run_stays_chosen_when_others_come(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "live")
        await pilot.press("down", "down")
        chosen = app.selected
        write_run(root, "newcomer", state=State.STOPPED, created=time.time() + 5)
        await see(pilot, "newcomer")
        assert app.selected == chosen
        assert f"> {'✓'}" in line_of(app, Path(chosen or "").name)


async def test_a_word_narrows_the_list_and_esc_widens_it(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "live")
        await pilot.press("slash", *"emotion")
        await until(pilot, lambda: "bad-lr" not in screen_text(app))
        assert "emotion-lora" in screen_text(app)
        await pilot.press("enter", "escape")
        await see(pilot, "bad-lr")


async def test_hiding_is_written_and_can_be_taken_back(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "live")
        await pilot.press("x")
        await see(pilot, "1 hidden")
        assert "live " not in "".join(screen_text(app).splitlines()[3:10])
        assert summary.notes(JobDirectory(root / "live")).hidden
        await pilot.press("X")
        await until(pilot, lambda: any(" live " in line for line in screen_text(app).split("\n")))


async def test_runs_of_other_folders_are_counted_and_named(tmp_path: Path, root: Path) -> None:
    write_run(tmp_path / "elsewhere", "far", points=10, created=time.time() + 9)
    app = FinetopApp(Store(root, [tmp_path / "elsewhere"]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "7 runs, 1 in other folders")
        await pilot.press("home")
        await see(pilot, str(tmp_path / "elsewhere"))


async def test_the_shipped_run_comes_first(tmp_path: Path, root: Path) -> None:
    shipped = write_run(tmp_path / "shipped", "pretrain", points=30, created=1.0)
    app = FinetopApp(Store(root, shipped=[shipped.path]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "pretrain")
        assert "pretrain" in screen_text(app).splitlines()[3]
        await pilot.press("home")
        await see(pilot, "bundled with finetop")
        await pilot.press("x")
        await see(pilot, "1 hidden")
        assert not (shipped.path / "user.json").exists()


async def test_stop_asks_first_and_only_then_gets_firmer(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "40%")
        await pilot.press("s")
        request = JobDirectory(root / "live").attempt(1).stop_request
        await until(pilot, request.exists)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "SIGTERM" in screen_text(app)
        await pilot.press("n")
        assert isinstance(app.screen, Page)


async def test_a_lost_run_is_resumed_only_after_a_question(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "lost at 30%")
        await pilot.press("end", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "Resume lost on this machine?" in screen_text(app)
        assert "gpu-box" in screen_text(app)


async def test_a_run_that_is_done_is_given_more(
    app: FinetopApp, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[tuple[str, Recipe | None]] = []

    def resume(job: JobDirectory, recipe: Recipe | None, **_: object) -> None:
        resumed.append((job.path.name, recipe))

    monkeypatch.setattr(resume_module, "resume_job", resume)
    write_run(root, "patient", points=30, created=time.time() + 9)
    (root / "patient" / "checkpoints").mkdir()
    (root / "patient" / "checkpoints" / "marks.json").write_text('{"ended": "patience"}')
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "done")
        await pilot.press("home", "r")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "its metric stopped improving" in " ".join(screen_text(app).split())
        await pilot.press("y")
        await until(pilot, lambda: len(resumed) == 1)
        await pilot.press("down", "down", "down", "r")
        await see(pilot, "It trained for 3 epochs. New total epochs:")
        assert "schedule will end at the new last step" in screen_text(app)
        field = app.screen.query_one(TextField)
        assert field.value == "6"
        for wrong, why in (("3", "must be greater than 3"), ("many", "must be a number")):
            field.value = wrong
            await pilot.press("enter")
            await see(pilot, why)
        field.value = "5"
        await pilot.press("enter")
        await until(pilot, lambda: len(resumed) == 2)
    patient, more = resumed
    assert patient == ("patient", TrainRecipe(name="patient"))
    assert isinstance(more[1], TrainRecipe)
    assert (more[0], more[1].training.epochs) == ("emotion-lora", 5.0)


async def test_only_keys_that_work_are_named(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "live")
        keys = screen_text(app).splitlines()[-1]
        assert "s stop" in keys
        assert "r resume" not in keys
        assert "c compare" not in keys  # it has left no model yet
        await pilot.press("down", "down")
        keys = screen_text(app).splitlines()[-1]
        assert "s stop" not in keys
        assert "c compare" in keys


async def test_enter_watches_and_n_prefills(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "live")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await pilot.press("1", "n")
        await until(pilot, lambda: isinstance(app.screen, LaunchPage))


async def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    app = FinetopApp(Store(tmp_path / "none"))
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "No runs yet. Press 2")


async def test_leaving_says_that_runs_go_on(
    app: FinetopApp, capsys: pytest.CaptureFixture[str]
) -> None:
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "live")
        await pilot.press("q")
    assert "2 runs still running in the background" in capsys.readouterr().err


def forgets(job: JobDirectory, shifts: dict[int, float], marks: dict[str, int]) -> None:
    for step, shift in shifts.items():
        write_event(job.events, step, {"forget/nll_shift": shift, "forget/kl_to_base": shift / 2})
    job.checkpoints.mkdir()
    (job.checkpoints / "marks.json").write_text(json.dumps(marks))


async def test_what_was_forgotten_is_shown_and_marked_over_the_budget(
    app: FinetopApp, root: Path
) -> None:
    marks = {"best": 60, "within_budget": 20, "crossed_at": 40}
    forgets(JobDirectory(root / "emotion-lora"), {20: 0.04, 40: 0.2, 60: 0.31}, marks)
    forgets(JobDirectory(root / "child"), {10: -0.01, 20: 0.04}, {"best": 20})
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "+0.31 !")
        assert " +0.04 " in line_of(app, "child")
        await see(pilot, "! 1 over budget")
        await pilot.press("down", "down")
        await see(pilot, "over the budget of 0.1 since step 40")
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: "forgetting" not in screen_text(app).splitlines()[2])
        await see(pilot, "over the budget of 0.1 since step 40")


async def test_a_skill_that_fell_is_marked_and_named_once(tmp_path: Path, root: Path) -> None:
    said = "facts -35.0 points at step 40 (90% interval -43.1 to -26.4, n = 100), below -5 in two"
    job = write_run(root, "fallen", points=40, created=9e9, message=said)
    job.checkpoints.mkdir()
    lost = {"facts": 40, "\x1b[2Jfrench": 20}
    (job.checkpoints / "marks.json").write_text(json.dumps({"lost": lost}))
    app = FinetopApp(Store(root))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "✓ ! fallen")
        await pilot.press("home")
        await see(pilot, "facts -35.0 points at step 40 (90% interval")
        await see(pilot, "french fell at step 20")
        assert "facts fell" not in screen_text(app)


async def test_a_shift_that_is_no_number_is_over_every_budget(app: FinetopApp, root: Path) -> None:
    forgets(JobDirectory(root / "child"), {10: float("nan")}, {})
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "NaN !")


async def test_the_cursor_begins_on_the_newest_run_at_work(tmp_path: Path, root: Path) -> None:
    shipped = write_run(tmp_path / "shipped", "pretrain", points=30, created=1.0)
    now = time.time()
    write_run(root, "newest-waits", state=State.QUEUED, created=now + 9, heartbeat=now)
    app = FinetopApp(Store(root, shipped=[shipped.path]))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "> ● live")
        await pilot.press("home")
        await see(pilot, "> ✓ pretrain")
        await pilot.pause(1.5)  # and is left where it was put
        await see(pilot, "> ✓ pretrain")


async def test_a_family_of_stages_is_drawn_as_a_tree(tmp_path: Path) -> None:
    root = tmp_path / "family"
    write_run(root, "a", points=5, created=10.0)
    for at, (name, parent) in enumerate([("b", "a"), ("c", "b"), ("d", "a")]):
        write_run(root, name, points=5, created=20.0 - at, parents=[f"run:{parent}"],
                  checkpoint=f"run:{parent}")  # fmt: skip
    app = FinetopApp(Store(root))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "└ ✓ c")
        lines = [line[2:].split("  ")[0].rstrip() for line in screen_text(app).splitlines()[3:7]]
        assert lines == ["✓ a", "├ ✓ b", "│ └ ✓ c", "└ ✓ d"]


async def test_a_waiting_run_is_moved_and_cancelled(
    app: FinetopApp, root: Path, tmp_path: Path, eventually: Eventually
) -> None:
    later = time.time() + 86_400
    write_run(root, "second", state=State.QUEUED, created=later, message="#2 in the queue for CPU",
              heartbeat=time.time())  # fmt: skip
    with Line(tmp_path, eventually) as line:
        line.add("other", "cpu")
        line.add("waiting", "1")
        second = line.add("second", "2")
        async with app.run_test(size=WIDE) as pilot:
            await see(pilot, "queued #2")
            await pilot.press("home")
            await see(pilot, "K J move")
            assert "s cancel" in screen_text(app).splitlines()[-1]
            await pilot.press("K")
            await until(pilot, lambda: second.last == "1")
            await pilot.press("J")
            await until(pilot, lambda: second.last == "2")
            await pilot.press("s")
            await until(pilot, lambda: second.last == "cancelled")
            await pilot.press("s")  # its ticket is gone
            await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
            assert "is not in this machine's queue" in screen_text(app)
            await pilot.press("escape", "down")
            await until(pilot, lambda: "K J move" not in screen_text(app))


async def test_the_alarm_is_not_told_twice(tmp_path: Path, root: Path) -> None:
    said = "forgetting +0.200 nats/token at step 40, above the budget of 0.100"
    job = write_run(root, "forgetful", points=40, created=9e9, message=said)
    forgets(job, {40: 0.2}, {"crossed_at": 40})
    app = FinetopApp(Store(root))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "+0.20 !")
        await pilot.press("home")
        await see(pilot, "forgetful · done · over the budget of 0.1 since step 40")
        assert "nats/token at step" not in screen_text(app)
