"""Every page and window of both dashboards looks as it is kept in `frames/`.

`make snapshots` keeps how they look now.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from textual.screen import Screen

import tui
from tests.snapshots import (  # noqa: F401
    cases_answers,
    cases_calls,
    cases_compare,
    cases_impact,
    cases_impact_windows,
    cases_launch,
    cases_logs,
    cases_run_pages,
    cases_runs,
    cases_synthesis,
    cases_themes,
    cases_tokens,
    cases_watch,
)
from tests.snapshots.cases import CASES
from tests.snapshots.recorder import FOLDER, WRITING, Recorder
from tui.screens.modal import Window
from tui.screens.page import Page

SIZES = ((80, 24), (160, 50))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", CASES)
async def test_it_looks_as_it_is_kept(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, recorder = CASES[name], Recorder(size, monkeypatch)
    await case.script(recorder)
    assert not recorder.troubles
    assert recorder.taken == dict(case.frames)
    if recorder.differences:
        told = "\n\n".join(recorder.differences)
        pytest.fail(f"{told}\n\nIs this wanted? `make snapshots` keeps it.", pytrace=False)


def test_every_page_and_window_is_shown() -> None:
    for module in pkgutil.walk_packages(tui.__path__, f"{tui.__name__}."):
        importlib.import_module(module.name)
    shown = {page for case in CASES.values() for page in case.frames.values()}
    assert {one.__name__ for one in _last_of(Page, Window)} - {
        one.__name__ for one in shown
    } == set()


def test_every_frame_is_of_a_case() -> None:
    wanted = {
        f"{name}-{width}x{height}.txt"
        for case in CASES.values()
        for name in case.frames
        for width, height in SIZES
    }
    found = {path.name for path in FOLDER.iterdir()}
    for name in found - wanted if WRITING else ():
        (FOLDER / name).unlink()
    assert WRITING or found - wanted == set(), "`make snapshots` removes them"


def test_no_frame_tells_where_it_was_taken(request: pytest.FixtureRequest) -> None:
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        for place in (str(request.config.rootpath), "pytest-of", "/tmp", "/home"):
            assert place not in text, path.name


def _last_of(*classes: type[Screen[Any]]) -> Iterator[type[Screen[Any]]]:
    """The classes below that no other one of the program is made from: those that open."""
    for one in classes:
        below = [each for each in one.__subclasses__() if _ours(each)]
        yield from _last_of(*below)
        if not below:
            yield one


def _ours(one: type) -> bool:
    return one.__module__.partition(".")[0] == tui.__name__
