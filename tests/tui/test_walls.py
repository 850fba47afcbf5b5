"""The dashboard's process stays light, whatever screen is open."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests import patience
from tests.tui.building import write_run

HERE = Path(__file__).resolve().parents[2]
HEAVY_ROOMS = {"engine.worker", "engine.demo.pretrain"}
HEAVY = (
    "torch", "transformers", "peft", "datasets", "accelerate", "scipy", "sklearn", "pyarrow",
    "pandas", "tensorboard", "engine.worker",
)  # fmt: skip

VISIT = """
import asyncio, psutil, sys
from pathlib import Path
from engine.jobs.store import Store
from tui.app import FinetopApp
from tui.following.machine import measure

async def visit():
    app = FinetopApp(Store(Path(sys.argv[1])), measure=measure)
    async with app.run_test(size=(120, 40)) as pilot:
        for key in ("1", "2", "3", "4", "6", "question_mark", "escape", "colon", "escape", "1"):
            await pilot.press(key)
            await asyncio.sleep(0.5)

asyncio.run(visit())
# Not ru_maxrss: it counts what the process was before it became this program, a fork of pytest.
print(psutil.Process().memory_info().rss >> 20, *sys.modules)
"""


def test_no_screen_loads_a_heavy_library(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", "one", points=50)
    done = subprocess.run(
        [sys.executable, "-c", VISIT, str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        check=False,
        timeout=patience.PROCESS_SECONDS,
        cwd=HERE,
    )
    assert done.returncode == 0, done.stderr
    peak, *modules = done.stdout.split()
    assert [one for one in modules if one in HEAVY or one.startswith("engine.worker.")] == []
    assert int(peak) < 120, "MB at most"


def test_the_first_paint_needs_no_numbers_and_no_screen_but_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import tui.app, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE,
    )
    modules = set(done.stdout.split())
    assert modules & {"numpy", "plotext", "psutil", "pynvml"} == set()
    assert modules & {"tui.screens.launch", "tui.screens.watch", "tui.screens.compare"} == set()


def rooms(folder: Path) -> Iterator[str]:
    """The modules and packages of a folder, by their whole names."""
    for path in folder.iterdir():
        name = ".".join(path.relative_to(HERE).with_suffix("").parts)
        if path.suffix == ".py":
            yield name.removesuffix(".__init__")
        elif (path / "__init__.py").exists():
            yield name


def test_every_light_room_is_within_the_wall() -> None:
    table = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    walled = {
        name
        for contract in table["tool"]["importlinter"]["contracts"]
        if {"engine.worker", "torch"} <= set(contract["forbidden_modules"])
        for name in contract["source_modules"]
    }
    light = {*rooms(HERE / "engine"), *rooms(HERE / "engine" / "demo")} - HEAVY_ROOMS
    assert "engine.demo.probe" in light
    assert light - walled == set()
