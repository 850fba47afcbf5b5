"""What every test has: folders of its own, no network, waiting on conditions."""

import contextlib
import functools
import gc
import importlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from engine.jobs import launch
from tests import patience, warm

# Enough for values; tests of damage to files ask for their own number.
hypothesis.settings.register_profile("suite", max_examples=50, deadline=None)
hypothesis.settings.load_profile("suite")

for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ[name] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them, and their children, ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = (
    "test_offline.py", "test_exact.py", "test_memory.py", "test_generate.py", "test_install.py",
    "test_leakage.py", "test_pretrain.py", "test_out_of_memory.py", "test_terminal.py",
    "test_stages.py", "test_position_tables.py",
)  # fmt: skip
"""Files begun first, so that no process is left alone with them at the end."""


@pytest.hookimpl(tryfirst=True)  # in here, what modules write and warn of is kept by pytest
def pytest_make_collect_report(collector: pytest.Collector) -> None:
    if isinstance(collector, pytest.Module):
        import_part(collector.config)


@functools.cache
def import_part(config: pytest.Config) -> None:
    """In a run of all tests, each process imports a part of the test modules before all others.

    Every process needs every module, with its asserts rewritten, which is most of the collection
    of a new checkout. In one and the same order, each process would rewrite all of them.
    """
    if hasattr(config, "workerinput") and config.args_source is config.ArgsSource.TESTPATHS:
        number, count = int(config.workerinput["workerid"][2:]), config.workerinput["workercount"]
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))[number::count]:
            name = ".".join(path.relative_to(config.rootpath).with_suffix("").parts)
            with contextlib.suppress(Exception, pytest.skip.Exception):  # its collection says it
                importlib.import_module(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish() -> None:
    # A third of the time of tests of pages was the collector's walk through libraries and tests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 40)


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What starts workers where a test is not `cold`; one for all processes of the tests."""
    folder, owner = tmp_path_factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder, owner = folder.parent, os.getppid()
    return warm.install(folder / "warm", owner)


@pytest.fixture(scope="session")
def warm_server(warm_python: Path) -> None:
    """Its libraries are loaded: on a busy machine that takes longer than a launch waits."""
    if hasattr(os, "pidfd_open"):
        warm.wait(warm_python)


@pytest.fixture(autouse=True)
def workers(
    request: pytest.FixtureRequest, own_folders: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers start warm, unless the test is marked `cold`."""
    if request.node.get_closest_marker("cold") is None and hasattr(os, "pidfd_open"):
        monkeypatch.setenv("FINETOP_PYTHON", str(request.getfixturevalue("warm_python")))
        if request.node.get_closest_marker("worker"):
            request.getfixturevalue("warm_server")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch waits for its worker as long as a test does: both begin on the same busy machine."""
    for name in ("START_SECONDS", "END_SECONDS", "SIGN_SECONDS"):
        monkeypatch.setattr(launch, name, patience.PROCESS_SECONDS)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new path for each test: pytest's own numbering looks through all that there are."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_folders(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the runs, the state, the queue or the models of whoever runs it."""
    home = next(homes)
    home.mkdir()
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "FINETOP_DATA", "FINETOP_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    for name in ("FINETOP_STATE", "FINETOP_LOCKS", "FINETOP_RUNS", "FINETOP_MODELS", "HF_HOME"):
        folder = home / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))  # stored arms, folders of models


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


Eventually = Callable[..., None]


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition, and fail with its name when it does not come."""

    def wait(
        condition: Callable[[], object], what: str = "", seconds: float = patience.PROCESS_SECONDS
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"did not come within {seconds} s: {what or condition}")
            time.sleep(0.02)

    return wait
