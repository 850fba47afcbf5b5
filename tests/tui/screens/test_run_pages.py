"""The pages that lie over a run: its log, its overview, and the machine."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from engine.jobs.devices import Device
from engine.jobs.directory import JobDirectory
from engine.jobs.hardware import Gpu, HardwareSample, Occupant
from engine.jobs.store import Store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import TrainRecipe
from engine.recipes.settings import Training
from tests.tui.building import write_run
from tests.tui.conftest import screen_text, see, until
from tui.app import FinetopApp
from tui.glyphs import ASCII, UNICODE
from tui.runs.list_page import RunListPage
from tui.runs.run_log import LogPage
from tui.runs.run_overview import OverviewPage
from tui.screens.hardware import HardwarePage, machine_lines
from tui.watch.page import WatchPage

WIDE, NARROW = (160, 50), (80, 24)


async def open_sheet(app: FinetopApp, pilot: object, key: str, page: type) -> None:
    await see(pilot, "live")  # type: ignore[arg-type]
    await until(pilot, lambda: app.selected is not None)  # type: ignore[arg-type]
    await pilot.press(key)  # type: ignore[attr-defined]
    await until(pilot, lambda: isinstance(app.screen, page))  # type: ignore[arg-type]


def log_of(root: Path) -> Path:
    return JobDirectory(root / "live").attempt(1).log


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_the_log_is_whole_and_followed(
    app: FinetopApp, root: Path, size: tuple[int, int]
) -> None:
    log_of(root).write_text("".join(f"line {at}\n" for at in range(300)))
    async with app.run_test(size=size) as pilot:
        await open_sheet(app, pilot, "f", LogPage)
        await see(pilot, "line 299")
        assert "300 lines" in screen_text(app)
        with log_of(root).open("a") as file:
            file.write("a last \x1b]0;pwn\x07 word\n")
        await see(pilot, "a last ␛]0;pwn␇ word")
        await pilot.press("home")
        await see(pilot, "line 0")
        with log_of(root).open("a") as file:
            file.write("unseen\n")
        await see(pilot, "302 lines")
        assert "unseen" not in screen_text(app), "who reads is left where he reads"
        await pilot.press("end")
        await see(pilot, "unseen")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))


async def test_a_word_is_found_and_found_again(app: FinetopApp, root: Path) -> None:
    lines = [f"step {at}" + (" Saved [b]" if at in (10, 150, 290) else "") for at in range(300)]
    log_of(root).write_text("\n".join(lines) + "\n")
    async with app.run_test(size=NARROW) as pilot:
        await open_sheet(app, pilot, "f", LogPage)
        await see(pilot, "step 299")
        assert "n N hit" not in screen_text(app)
        await pilot.press("slash", *"saved", "space", *"[b", "enter")
        await see(pilot, "“saved [b”: match 3 of 3")
        assert ">step 290" in screen_text(app)
        await pilot.press("N")
        await see(pilot, ">step 150")
        await pilot.press("n", "n")
        await see(pilot, ">step 10 ")
        assert "1 of 3" in screen_text(app)
        with log_of(root).open("a") as file:
            file.write("saved [b] again\n")
        await see(pilot, "1 of 4")
        assert ">step 10 " in screen_text(app)
        await pilot.press("slash", *"zz", "enter")
        await see(pilot, "no matches")
        await pilot.press("escape")
        await until(pilot, lambda: "no matches" not in screen_text(app))
        assert isinstance(app.screen, LogPage)


async def test_long_lines_are_broken_and_all_sizes_hold(app: FinetopApp, root: Path) -> None:
    log_of(root).write_text("begin " + "漢字 x" * 200 + " finish\n")
    async with app.run_test(size=NARROW) as pilot:
        await open_sheet(app, pilot, "f", LogPage)
        await see(pilot, "begin")
        assert "finish" in screen_text(app)
        for size in ((20, 5), (300, 100), (21, 6), (80, 24)):
            await pilot.resize_terminal(*size)
        await see(pilot, "finish")
        await pilot.press("a")
        await see(pilot, "finish")


async def test_a_silent_run_says_so(app: FinetopApp, root: Path) -> None:
    log_of(root).unlink()
    async with app.run_test(size=NARROW) as pilot:
        await open_sheet(app, pilot, "f", LogPage)
        await see(pilot, "The log is empty.")


async def test_digits_lead_from_a_sheet_to_the_pages(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await open_sheet(app, pilot, "f", LogPage)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, OverviewPage))
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, HardwarePage))
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))


@pytest.mark.parametrize("size", [WIDE, NARROW, (20, 5)])
async def test_the_overview_tells_what_lies_there(
    app: FinetopApp, root: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    job = JobDirectory(root / "live")
    record = json.loads(job.record_file.read_text())
    record["inputs"] = {str(tmp_path / "rows.jsonl"): "abc123"}
    job.record_file.write_text(json.dumps(record))
    recipe = TrainRecipe(name="live", training=Training(learning_rate=5e-3))
    job.recipe_file.write_text(recipes.to_toml(recipe))
    job.attempt(1).process.write_text(json.dumps({"packages": {"torch": "2.13.0\x1b[31m"}}))
    job.samples.write_text("{}\n" * 1234)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.selected is not None)
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, OverviewPage))
        await see(pilot, "id ")  # its facts come from a thread
        seen = ""
        while screen_text(app) not in seen:
            seen += screen_text(app)
            await pilot.press("pagedown")
            await pilot.pause(0.02)
        if size == (20, 5):
            return
        for word in ("answers 1,234", "abc123", "no longer exists", "bundled:demo-base",
                     "2.13.0␛[31m", "* learning_rate = 0.005", "  epochs = 3.0"):  # fmt: skip
            # A line is broken where the folder's name leaves it no room.
            assert " ".join(word.split()) in " ".join(seen.split()), word


async def test_the_overview_of_a_run_that_is_gone_says_so(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "live")
        row = next(row for row in app.runs.rows if row.path == root / "live")
        shutil.rmtree(root / "live")
        app.push_screen(OverviewPage(row))  # by key the list may have seen first that it is gone
        await see(pilot, "This run no longer exists.")


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_this_machine_is_read_while_one_looks(app: FinetopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await open_sheet(app, pilot, "g", HardwarePage)
        await see(pilot, "Machine")
        text = screen_text(app)
        assert "cores" in text
        assert "GB of" in text
        assert "free" in text
        assert str(app.store.root)[:20] in text
        first = len(app.readings)
        await until(pilot, lambda: len(app.readings) > first + 1)
        await until(pilot, lambda: not set(UNICODE.spark).isdisjoint(screen_text(app)))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))


async def test_a_page_that_nobody_opened_reads_nothing(app: FinetopApp) -> None:
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "live")
        assert app._hardware_feed is None
        assert app.readings == ()


GPU = Gpu(
    Device("cuda", "GPU-0", "NVIDIA H200", 0, 141 * 10**9), 43, 61 * 10**9, 412.0, 700.0, 54, 1980,
    3201, (Occupant(4242, "ali\x1bce", "python train.py", 58 * 10**9), Occupant(7, "", "", None)),
)  # fmt: skip
READING = HardwareSample(100.0, 12.0, 16, 20 * 10**9, 128 * 10**9, 80 * 10**9, 500 * 10**9, (GPU,))


def text_of(readings: list[HardwareSample], width: int = 100, *, ascii_only: bool = False) -> str:
    lines = machine_lines(readings, "/runs/one", width, ASCII if ascii_only else UNICODE)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_everything_of_a_gpu_is_shown() -> None:
    text = text_of([READING])
    for word in ("NVIDIA H200  cuda:0", "43%", "61.0 GB of 141", "412 W of 700", "54 °C",
                 "clock        1,980 MHz", "mem clock    3,201 MHz",
                 "58 GB     pid 4242  ali␛ce  python train.py",
                 "(no permission)", "12%", "420 GB of 500", "80 GB free at /runs/one"):  # fmt: skip
        assert word in text, (word, text)


def test_what_is_not_known_is_a_dash_and_what_is_missing_is_said() -> None:
    bare = Gpu(GPU.device)
    text = text_of([dataclasses.replace(READING, gpus=(bare,), disk_free=None, disk_total=None)])
    assert text.count("—") >= 5
    assert "/runs/one does not exist" in text
    assert "No GPU found" in text_of([dataclasses.replace(READING, gpus=())])
    trouble = dataclasses.replace(READING, gpus=(), trouble="Driver\x07 mismatch")
    assert "Driver␇ mismatch" in text_of([trouble])
    assert "Reading" in text_of([])


def test_small_curves_go_from_nothing_to_all_there_is() -> None:
    readings = [dataclasses.replace(READING, cpu=value) for value in (0, 50, 100)]
    cpu = next(line for line in text_of(readings).splitlines() if "CPU" in line)
    assert cpu.endswith("▁▅█")
    many = [dataclasses.replace(READING, cpu=100.0 * (at == 7)) for at in range(300)]
    cpu = next(line for line in text_of(many).splitlines() if "CPU" in line)
    assert cpu.count("█") == 1, "a peak is kept where readings share a cell"
    slow = dataclasses.replace(GPU, clock=495, memory_clock=None, power=206.0, power_limit=None)
    fast = dataclasses.replace(GPU, clock=1980, memory_clock=None, power_limit=None)
    text = text_of([dataclasses.replace(READING, gpus=(gpu,)) for gpu in (slow, fast)])
    told = {line.split()[0]: line for line in text.splitlines() if line}
    assert told["clock"].endswith("▃█"), "of the most that was seen"
    assert told["power"].endswith("412 W             ▅█")
    assert told["mem"].split() == ["mem", "clock", "—"]
    lost = [READING, dataclasses.replace(READING, gpus=()), READING]
    assert "·" in text_of(lost)


@pytest.mark.parametrize("width", [10, 30, 58, 80, 300])
def test_no_line_is_longer_than_the_screen(width: int) -> None:
    text = text_of([READING] * 300, width, ascii_only=True)
    assert "54 C" in text
    if width >= 58:
        assert max(map(len, text.splitlines())) <= width + 2


async def test_the_log_of_another_folder_is_read_where_it_lies(tmp_path: Path) -> None:
    write_run(tmp_path / "far", "far", points=3, log="said far away\n")
    app = FinetopApp(Store(tmp_path / "runs", [tmp_path / "far"]))
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "far")
        await pilot.press("home", "f")
        await see(pilot, "said far away")


async def test_sheets_and_dialogs_are_ascii_where_that_is_all_there_is(
    root: Path,
) -> None:
    app = FinetopApp(Store(root), glyphs=ASCII)
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "* live")
        for key, word in {
            "u": "Inputs", "f": "step 40", "g": "Machine", "m": "note", "b": "no groups",
        }.items():  # fmt: skip
            await pilot.press(key)
            await see(pilot, word)
            assert [one for one in screen_text(app) if not one.isascii()] == []
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunListPage))
        await pilot.press("o", "space", "down", "down", "d")
        await see(pilot, "All settings are identical.")
        assert [one for one in screen_text(app) if not one.isascii()] == []
