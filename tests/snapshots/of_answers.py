"""Browse on a job's answers, and what it leads to: numbers, token shift, blind votes."""

from engine.jobs.status import State
from tests.snapshots.directories import write_runs
from tests.snapshots.of_compare import draw_again
from tests.snapshots.of_runs import choose, open_runs
from tests.snapshots.scenes import scene
from tests.snapshots.stage import RUNS, Stage
from tests.snapshots.surroundings import NOW
from tests.tui.browse.answered import BASE, write_answers
from tui.browse.metrics_page import MetricsPage
from tui.browse.page import BrowsePage
from tui.browse.rating_window import RatingWindow
from tui.browse.shift_page import ShiftPage
from tui.browse.vote_page import VotePage
from tui.screens.dialogs import Dialog
from tui.screens.prompts import Ask, Choose
from tui.widgets.table import Table


async def open_answers(stage: Stage) -> None:
    """Four pairs are listed, and one is read."""
    await open_runs(stage)
    await choose(stage, "answers")
    await stage.see("enter browse")
    await stage.reach(BrowsePage, "enter")
    await stage.see("4 pairs, 1 the same", "Sing of rain.")


@scene(
    {
        "browse": BrowsePage,
        "browse-difference": BrowsePage,
        "browse-unmarked": BrowsePage,
        "browse-alone": BrowsePage,
        "browse-found": BrowsePage,
        "browse-noted": BrowsePage,
    }
)
async def browse(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_answers(stage)
        await stage.shoot("browse", "blue")
        await stage.press("right_square_bracket")
        await stage.shoot("browse-difference", "⟦joy⟧")
        await stage.press("d")
        await stage.shoot("browse-unmarked", "joy", without="⟦")
        await stage.press("d", "enter")
        await draw_again(stage)
        await stage.shoot("browse-alone", "⟦joy⟧", without="Name a colour.")
        await stage.press("escape", "asterisk")
        await stage.reach(Ask, "m")
        await stage.press(*"far too short")
        await stage.reach(BrowsePage, "enter")
        await stage.shoot("browse-noted", "note: far too short")
        await stage.press("slash", *"joy")
        await stage.shoot("browse-found", "1 of 4", without="Name a colour.")


@scene(
    {
        "browse-show": Choose,
        "browse-skill": Choose,
        "browse-sort": Choose,
        "browse-arms": Choose,
        "browse-sorted": BrowsePage,
        "browse-none": BrowsePage,
        "browse-note": Ask,
        "browse-export": Ask,
    }
)
async def browse_asked(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_answers(stage)
        for name, key, text in (
            ("browse-show", "f", "bookmarked"),
            ("browse-skill", "s", "creative"),
            ("browse-arms", "r", "tuned → base"),
            ("browse-sort", "o", "words in common"),
        ):
            await stage.reach(Choose, key)
            await stage.shoot(name, text)
            await stage.reach(BrowsePage, "escape")
        await stage.reach(Ask, "m")
        await stage.shoot("browse-note", "A note on p1")
        await stage.reach(BrowsePage, "escape")
        await stage.reach(Ask, "e")
        await stage.shoot("browse-export", "Export to a file")
        await stage.reach(BrowsePage, "escape")
        await take(stage, "o", "words")
        await stage.shoot("browse-sorted", "by words, largest change first")
        await take(stage, "f", "bookmarked")
        await stage.shoot("browse-none", "No pair passes these filters.")


@scene({"browse-waiting": BrowsePage, "browse-one-arm": BrowsePage})
async def browse_little(stage: Stage) -> None:
    write_answers(RUNS, "begun", said={}, state=State.RUNNING)
    write_answers(RUNS, "alone", arms=(BASE,), said={"One?": ("only",)}, created=NOW - 10)
    async with stage.finetop():
        await stage.see("begun", "alone", "2 runs here")
        await choose(stage, "begun")
        await stage.reach(BrowsePage, "enter")
        await stage.shoot("browse-waiting", "they come as they are made")
        await stage.press("escape")
        await choose(stage, "alone")
        await stage.reach(BrowsePage, "enter")
        await stage.shoot("browse-one-arm", "only")


async def take(stage: Stage, key: str, label: str) -> None:
    """Open a window of choices, and take one by its label."""
    await stage.reach(Choose, key)
    window = stage.app.screen
    assert isinstance(window, Choose)
    chosen = next(one.key for one in window._offers if one.label == label)
    assert window.query_one(Table).choose(chosen)
    await stage.reach(BrowsePage, "enter")


@scene(
    {
        "aspects": MetricsPage,
        "aspects-found": MetricsPage,
        "aspects-of-a-pair": MetricsPage,
        "browse-drivers": BrowsePage,
    }
)
async def aspects(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_answers(stage)
        await stage.reach(MetricsPage, "t")
        await stage.shoot("aspects", "checks met", "4 prompts answered by both")
        await stage.press("slash", *"words")
        await stage.shoot("aspects-found", "doubled words", without="checks met")
        await stage.press("escape", "home", "down")
        await stage.reach(BrowsePage, "enter")
        await stage.shoot("browse-drivers", "by checks met, largest change first")
        await stage.press("escape", "right_square_bracket")
        await stage.reach(MetricsPage, "T")
        await stage.shoot("aspects-of-a-pair", "alone", "checks met")


@scene({"shift": ShiftPage, "shift-later": ShiftPage, "shift-refused": ShiftPage})
async def shift(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_answers(stage)
        await stage.press("right_square_bracket", "right_square_bracket")
        await stage.reach(ShiftPage, "x")
        await stage.shoot("shift", "so ‹it› ⟦is⟧", "token 1/15")
        await stage.press("right_square_bracket", "right_square_bracket")
        await stage.shoot("shift-later", "token 3/15")
        await stage.reach(BrowsePage, "escape")
        stage.companion.ranks = ()
        await stage.reach(ShiftPage, "x")
        await stage.shoot("shift-refused", "These two arms have different tokenizers.")


@scene(
    {
        "vote": VotePage,
        "vote-note": Ask,
        "rating": RatingWindow,
        "vote-rated": VotePage,
        "vote-judge": Ask,
        "vote-rubrics": Ask,
        "vote-outcome": Dialog,
        "vote-done": VotePage,
    }
)
async def vote(stage: Stage) -> None:
    write_runs()
    async with stage.finetop():
        await open_answers(stage)
        await stage.reach(VotePage, "v")
        await stage.shoot("vote", "0 of 4 judged", "judge ana")
        await stage.reach(Ask, "m")
        await stage.press(*"too short")
        await stage.shoot("vote-note", "A note, kept with this vote")
        await stage.reach(VotePage, "enter")
        await stage.reach(RatingWindow, "r")
        await stage.press("l", "l", "L", "down", "h")
        await stage.shoot("rating", "helpful", "1 to 5")
        await stage.reach(VotePage, "enter")
        await stage.shoot("vote-rated", "left: helpful 2")
        await stage.reach(Ask, "J")
        await stage.shoot("vote-judge", "Who judges?")
        await stage.reach(VotePage, "escape")
        await stage.reach(Ask, "R")
        await stage.shoot("vote-rubrics", "Rubrics from a file")
        await stage.reach(VotePage, "escape")
        for at, key in enumerate(("h", "l", "t"), 1):
            await stage.press(key)
            await stage.see(f"{at} of 4 judged")
        await stage.reach(Dialog, "b")
        await stage.shoot("vote-outcome", "tuned against base")
        await stage.reach(VotePage, "escape")
        await stage.shoot("vote-done", "All are judged.")
