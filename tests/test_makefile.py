"""What `make` promises a newcomer, in a tree of its own, with stubs for the Python it finds."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
MAKE = shutil.which("make")
MARKS = (".venv/bin/python", ".venv/.train", ".venv/.dev")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not there")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What `make` looks at: nothing is set up yet."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(HERE / name, tmp_path)
    return tmp_path


def make(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [str(MAKE), *arguments], capture_output=True, text=True, check=False, cwd=tree, env=clean
    )


def stub(tree: Path, *, too_old: bool = False, lacks_venv: bool = False, cut: str = "") -> str:
    """A Python that answers the questions of the Makefile; it notes that it was asked for pip."""
    program = tree / "stub"
    program.write_text(f"""#!/bin/sh
case "$*" in
  *version_info*) exit {int(too_old)} ;;
  --version) echo Python 3.9.2 ;;
  *ensurepip*) exit {int(lacks_venv)} ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python; exit {int(cut == "venv")} ;;
  "-m pip"*) echo "$*" >> asked; exit {int(cut == "pip")} ;;
esac
""")
    program.chmod(0o755)
    return f"PYTHON={program}"


@pytest.mark.parametrize("target", ["run", "test", "demo", "check", "bench"])
def test_a_python_that_is_not_there_is_told(tree: Path, target: str) -> None:
    ended = make(tree, target, "PYTHON=no-such-python")
    assert ended.returncode == 2
    assert "finetop needs Python 3.11 or later, and there is no no-such-python here." in (
        ended.stdout
    )
    assert not (tree / ".venv").exists()


def test_one_that_is_too_old_is_told_with_a_way_out(tree: Path) -> None:
    ended = make(tree, "run", stub(tree, too_old=True))
    assert ended.returncode == 2
    assert "is Python 3.9.2." in ended.stdout
    assert "make PYTHON=python3.12 run" in ended.stdout
    assert not (tree / ".venv").exists()


def test_one_without_venv_or_pip_is_told_with_a_way_out(tree: Path) -> None:
    ended = make(tree, "test", stub(tree, lacks_venv=True))
    assert ended.returncode == 2
    assert "cannot make virtual environments" in ended.stdout
    assert "apt install python3-venv" in ended.stdout
    assert not (tree / ".venv").exists()


def test_the_size_is_said_before_anything_is_downloaded(tree: Path) -> None:
    ended = make(tree, ".venv/.dev", stub(tree))
    assert ended.returncode == 0, ended.stderr
    for part in ("about 300 MB", "about 3 GB", "a few minutes"):
        assert part in ended.stdout
    train, dev = (tree / "asked").read_text().splitlines()
    assert "--constraint constraints.txt" in train
    assert "--editable .[train]" in train
    assert "--editable .[train,dev]" in dev


@pytest.mark.parametrize("cut", ["venv", "pip"])
def test_a_set_up_that_was_cut_short_is_not_taken_for_a_whole_one(tree: Path, cut: str) -> None:
    assert make(tree, "test", stub(tree, cut=cut)).returncode == 2
    assert not (tree / ".venv" / ".train").exists()
    assert (tree / ".venv" / "bin" / "python").exists() is (cut == "pip")
    whole = stub(tree)
    if cut == "pip":  # the index answers again
        shutil.copy(tree / "stub", tree / ".venv" / "bin" / "python")
    assert make(tree, ".venv/.dev", whole).returncode == 0


@pytest.mark.parametrize("names", [(), ("faults",), ("demo", "kill")])
def test_goals_after_bench_are_its_benchmarks(tree: Path, names: tuple[str, ...]) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    for name in MARKS:
        (tree / name).touch()
    first, *rest = make(tree, "--dry-run", "bench", *names).stdout.splitlines()
    assert first.split() == [".venv/bin/python", "-m", "tests.benchmarks", *names]
    assert set(rest) <= {":"}, "nothing else is run"


def test_the_second_time_it_starts_at_once(tree: Path) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    for name in MARKS:
        (tree / name).touch()
    assert make(tree, "--question", ".venv/.dev").returncode == 0
    for target, command in (("run", ".venv/bin/finetop"), ("test", "-m pytest")):
        (line,) = make(tree, "--dry-run", target).stdout.splitlines()
        assert command in line
    for name in ("pyproject.toml", "constraints.txt"):
        later = (tree / ".venv" / ".dev").stat().st_mtime_ns + 10**9
        os.utime(tree / name, ns=(later, later))
        assert make(tree, "--question", ".venv/.dev").returncode == 1, f"{name} is newer"
        os.utime(tree / name, ns=(0, 0))
