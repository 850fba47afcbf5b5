import ast
from collections import defaultdict

import pytest
from textual.binding import Binding

from tests.tui.conftest import screen_text, see
from tui.app import FinetopApp
from tui.browse.metrics_page import MetricsPage
from tui.browse.page import BrowsePage
from tui.browse.shift_page import ShiftPage
from tui.browse.vote_page import VotePage
from tui.compare.page import ComparePage
from tui.impact.answers_page import AnswersPage
from tui.impact.classification_page import ClassificationPage
from tui.impact.format_page import FormatPage
from tui.impact.items_page import ItemsPage
from tui.impact.notes_page import NotesPage
from tui.impact.page import ImpactPage
from tui.impact.tradeoff_page import TradeoffPage
from tui.keymap import KEYS, SCREENS, Key, keys_of
from tui.launch.page import LaunchPage
from tui.runs.list_page import LISTS, RunListPage
from tui.runs.run_log import LogPage
from tui.runs.run_overview import OverviewPage
from tui.screens.hardware import HardwarePage
from tui.screens.page import Page
from tui.synthesis.made_page import MadePage
from tui.synthesis.make_page import MakePage
from tui.synthesis.review_page import ReviewPage
from tui.tokens.page import TokensPage
from tui.watch.page import WatchPage

PAGES: dict[str, type[Page]] = {
    "runs": RunListPage,
    "launch": LaunchPage,
    "watch": WatchPage,
    "compare": ComparePage,
    "impact": ImpactPage,
    "items": ItemsPage,
    "answers": AnswersPage,
    "tokens": TokensPage,
    "browse": BrowsePage,
    "metrics": MetricsPage,
    "shift": ShiftPage,
    "classification": ClassificationPage,
    "format": FormatPage,
    "notes": NotesPage,
    "tradeoff": TradeoffPage,
    "vote": VotePage,
    "make": MakePage,
    "made": MadePage,
    "review": ReviewPage,
    "logs": RunListPage,
    "log": LogPage,
    "overview": OverviewPage,
    "machine": HardwarePage,
}


def test_no_key_says_two_things_on_one_screen() -> None:
    for screen in PAGES:
        holders = defaultdict(list)
        for key in keys_of(screen):
            for one in key.key.split(","):
                holders[one].append(key.id)
        assert {one: ids for one, ids in holders.items() if len(ids) > 1} == {}


def test_every_id_is_one_of_its_kind() -> None:
    ids = [key.id for key in KEYS]
    assert len(ids) == len(set(ids))


def test_every_key_has_help_and_a_known_screen() -> None:
    for key in KEYS:
        assert key.help.endswith("."), key
        assert key.screen in SCREENS


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.screen}.{key.action}")
def test_every_action_exists_and_takes_what_it_is_given(key: Key) -> None:
    name, _, rest = key.action.partition("(")
    owner = PAGES.get(key.screen, FinetopApp)
    action = getattr(owner, f"action_{name}")
    given = ast.literal_eval(f"({rest.rstrip(')')},)") if rest else ()
    assert action.__code__.co_argcount == 1 + len(given)


@pytest.mark.parametrize("screen", PAGES)
def test_bindings_are_those_of_the_table(screen: str) -> None:
    page = PAGES[screen]
    bound = {one.key for one in page.BINDINGS if isinstance(one, Binding)}
    assert bound == {key.key for key in KEYS if PAGES.get(key.screen) is page}


def test_a_key_of_both_lists_of_runs_does_the_same_on_both() -> None:
    jobs, logs = ({key.key: key.action for key in KEYS if key.screen == one} for one in LISTS)
    assert {key: (jobs[key], logs[key]) for key in jobs.keys() & logs.keys()
            if jobs[key] != logs[key]} == {}  # fmt: skip


async def test_help_shows_every_key_with_this_screens_first(app: FinetopApp) -> None:
    async with app.run_test(size=(100, 360)) as pilot:
        await see(pilot, "live")
        await pilot.press("3", "question_mark")
        await see(pilot, "Move the cursor to an earlier step.")
        text = screen_text(app)
        for key in KEYS:
            assert key.help in text
        assert text.index("Move the cursor") < text.index("Quit; runs keep running.")
        await pilot.press("escape")
        assert isinstance(app.screen, WatchPage)


async def test_the_palette_runs_what_it_finds(app: FinetopApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await see(pilot, "live")
        await pilot.press("colon", *"start", "space", *"new", "enter")
        await see(pilot, "Learning rate")
        assert isinstance(app.screen, LaunchPage)
