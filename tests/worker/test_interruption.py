"""A stop that is asked for ends work that never looks for one, and nothing behind it."""

import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.jobs import directory
from engine.jobs.status import State
from engine.recipes.recipe import ExportRecipe
from engine.worker import interruption
from engine.worker.attempt import Attempt, Stopped
from engine.worker.interruption import do_until_stopped
from tests.worker.here import begin_here


@pytest.fixture
def attempt(root: Path) -> Iterator[Attempt]:
    job = directory.create(root, ExportRecipe(source="x=/m", targets=["merged"], out="/out"))
    attempt = begin_here(job)
    yield attempt
    attempt.finish(State.STOPPED)


def work_on() -> None:
    """Work that swallows what libraries swallow, for longer than any test waits."""
    ends = time.monotonic() + 600
    while time.monotonic() < ends:
        try:
            time.sleep(0.001)
        except Exception:
            continue


@pytest.mark.timeout(300)
def test_work_that_asks_nothing_is_ended(attempt: Attempt) -> None:
    cleaned = []

    def work() -> None:
        attempt.files.stop_request.touch()
        try:
            work_on()
        finally:
            cleaned.append(True)

    with pytest.raises(Stopped):
        do_until_stopped(attempt, work)
    assert cleaned == [True]


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_python_forgets_comes_again(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interruption, "AGAIN_SECONDS", 0.01)

    class Thing:
        pass

    def work() -> None:
        attempt.files.stop_request.touch()
        thing = Thing()
        _ = weakref.ref(thing, lambda _: work_on())
        del thing  # what is raised in the callback is printed, and no more
        gc.collect()
        work_on()

    with pytest.raises(Stopped):
        do_until_stopped(attempt, work)


def test_an_error_that_follows_from_it_is_a_stop_too(attempt: Attempt) -> None:
    def work() -> None:
        attempt.files.stop_request.touch()
        raise EngineError("Failed to import.")

    with pytest.raises(Stopped):
        do_until_stopped(attempt, work)


def test_what_is_not_stopped_returns_or_raises_as_it_is(attempt: Attempt) -> None:
    assert do_until_stopped(attempt, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        do_until_stopped(attempt, lambda: 1 // 0)


def test_nothing_is_raised_behind_it(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "POLL_SECONDS", 0.001)
    do_until_stopped(attempt, lambda: None)
    attempt.files.stop_request.touch()
    for _ in range(50):
        time.sleep(0.001)  # a moment for what may not come
