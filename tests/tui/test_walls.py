"""The dashboard's process stays light, whatever screen is open."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import patience
from tests.tui.building import write_run

HERE = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch", "transformers", "peft", "datasets", "accelerate", "scipy", "sklearn", "pyarrow",
    "pandas", "tensorboard", "rouge_score", "sacrebleu", "nltk", "engine.worker",
)  # fmt: skip

VISIT = """
import asyncio, psutil, sys
from pathlib import Path
from engine.jobs.store import Store
from tui.app import FinetopApp
from tui.feeds.header_usage import measure

async def visit():
    app = FinetopApp(Store(Path(sys.argv[1])), measure=measure)
    async with app.run_test(size=(120, 40)) as pilot:
        for key in (*"123456", "question_mark", "escape", "colon", "escape", "1"):
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
    assert modules & {"tui.launch.page", "tui.watch.page", "tui.compare.page"} == set()


PLANTED = {
    "engine/new_room/heavy.py": "import torch",
    "engine/new_room/worker.py": "def f() -> None:\n    from engine.worker import train",
    "engine/new_room/screen.py": "import textual",
    "engine/demo/making/new_maker.py": "import pyarrow",
    "tui/new_page/heavy.py": "def f() -> None:\n    import transformers",
    "tui/new_page/worker.py": "import engine.worker",
}
"""What no room may import, each in a module that no wall in pyproject.toml names."""


def test_a_new_room_is_within_the_walls(tmp_path: Path) -> None:
    copied = shutil.ignore_patterns("__pycache__", "*.jsonl", "*.safetensors", "*.tfevents.*")
    for folder in ("engine", "tui"):
        shutil.copytree(HERE / folder, tmp_path / folder, ignore=copied)
    shutil.copy(HERE / "pyproject.toml", tmp_path)
    for name, code in PLANTED.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(code)
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as f; f()"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
    )  # fmt: skip
    assert found.returncode == 1, found.stderr
    for name in PLANTED:
        module = name.removesuffix(".py").replace("/", ".")
        assert f"{module} -> " in found.stdout, f"nothing was said of {module}"
