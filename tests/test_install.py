"""The two installs, from a wheel, in clean environments: the light one and the whole one.

The only tests that ask a network: what builds the wheel, and what the light install needs, comes
from the package index. Where none answers they are skipped.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests import patience

pytestmark = pytest.mark.cold

HERE = Path(__file__).resolve().parent.parent
FEW_STEPS = [
    part
    for change in (
        "training.max_steps=2", "training.evaluations=0", "data.limit=40", "samples.count=0",
        "forgetting.tokens=0", "device=cpu",
    )
    for part in ("--set", change)
]  # fmt: skip
"""It trains; what a run measures meanwhile is proved elsewhere."""


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False,
        env=clean | {"PIP_RETRIES": "2"} | environment, cwd="/", timeout=patience.PROCESS_SECONDS,
    )  # fmt: skip


def check(done: subprocess.CompletedProcess[str]) -> None:
    """That it went well; skips where it did not and no package index answers."""
    if done.returncode:
        asked = run(sys.executable, "-m", "pip", "index", "versions", "textual", PIP_RETRIES="0")
        if asked.returncode:
            pytest.skip(f"no package index answers: {asked.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy: what an earlier build left in the tree would else be in the wheel.
    tree = tmp_path_factory.mktemp("tree") / "finetop"
    names = shutil.ignore_patterns(".*", "build", "runs", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(HERE, tree, ignore=names)
    built = run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, tree)
    check(built)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_has_the_bundled_files_and_none_of_what_made_them(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if name.startswith("engine/demo/")}
    folder = HERE / "engine" / "demo"
    files = {
        path.relative_to(HERE).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not {"making", "__pycache__"} & set(path.parts)
    }
    assert "engine/demo/base/model.safetensors" in files
    assert names == files


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a clean environment with the light install."""
    home = tmp_path_factory.mktemp("light")
    venv.create(home, with_pip=False)
    installed = run(
        *pip(home), "install", "--quiet", "--constraint", HERE / "constraints.txt", wheel,
    )  # fmt: skip
    check(installed)
    return home / "bin"


def test_the_light_install_has_no_torch_and_lists_the_bundled_run(light: Path) -> None:
    found = run(light / "python", "-c", "import torch")
    assert "No module named 'torch'" in found.stderr
    listed = run(light / "finetop", "runs")
    assert listed.returncode == 0, listed.stderr
    assert "pretrain" in listed.stdout
    assert "done" in listed.stdout


def test_launching_from_it_says_what_to_install(light: Path) -> None:
    refused = run(light / "finetop", "train")
    assert refused.returncode == 2
    assert "finetop[train]" in refused.stderr
    assert "FINETOP_PYTHON" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.worker
def test_it_trains_with_the_python_that_finetop_python_names(light: Path, tmp_path: Path) -> None:
    """The other interpreter has torch but no finetop: ours comes last on its path."""
    other = tmp_path / "box"
    venv.create(other, with_pip=False)
    lend_packages(other)
    trained = run(
        light / "finetop", "--runs", tmp_path / "runs", "train", "--follow",
        *FEW_STEPS,
        FINETOP_PYTHON=str(other / "bin/python"),
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert list((tmp_path / "runs").glob("*/adapter/adapter_model.safetensors"))


@pytest.mark.worker
def test_the_whole_install_brings_the_bundled_model(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "whole"
    venv.create(home, with_pip=False)
    lend_packages(home)
    installed = run(*pip(home), "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert installed.returncode == 0, installed.stderr[-2000:]
    trained = run(
        home / "bin/finetop", "--runs", tmp_path / "runs", "train", "--follow",
        *FEW_STEPS,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert list((tmp_path / "runs").glob("*/adapter/adapter_model.safetensors"))
    listed = run(home / "bin/finetop", "checkpoints")
    assert "bundled:demo-base" in listed.stdout
    assert "unusable" not in listed.stdout.split("bundled:demo-base")[0].splitlines()[-1]


def pip(home: Path) -> list[str]:
    """The pip of this environment for another one: a pip of its own would take long to make."""
    return [sys.executable, "-m", "pip", "--python", str(home / "bin/python")]


def lend_packages(home: Path) -> None:
    """Give an environment the packages of this one: torch need not be downloaded again.

    Finetop itself is not among them: it is installed here in place, by a file that is not read.
    """
    (site,) = (home / "lib").glob("python*/site-packages")
    lent = Path(sysconfig.get_paths()["purelib"])
    for path in lent.iterdir():
        if not path.name.startswith(("finetop", "__editable__", "pip", "setuptools")):
            target = site / path.name
            if path.suffix != ".pth" and not target.exists():
                target.symlink_to(path)
