"""Browse on a job's answers, and what it leads to: numbers, token shift, blind votes."""

from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.judge.questions import Question
from tests.judge.judged import judge_job
from tests.snapshots.cases import case
from tests.snapshots.cases_compare import draw_again
from tests.snapshots.cases_runs import choose, open_runs
from tests.snapshots.directories import write_runs
from tests.snapshots.fixed_environment import NOW
from tests.snapshots.recorder import RUNS, Recorder
from tests.tui.browse.answered import BASE, TUNED, write_answers
from tui.browse.metrics_page import MetricsPage
from tui.browse.page import BrowsePage
from tui.browse.rating_window import RatingWindow
from tui.browse.shift_page import ShiftPage
from tui.browse.vote_page import VotePage
from tui.screens.dialogs import Dialog, TextWindow
from tui.screens.pick_window import PickWindow
from tui.widgets.table import Table


async def open_answers(recorder: Recorder) -> None:
    """Four pairs are listed, and one is read."""
    await open_runs(recorder)
    await choose(recorder, "answers")
    await recorder.see("enter browse")
    await recorder.reach(BrowsePage, "enter")
    await recorder.see("4 pairs, 1 identical", "Sing of rain.")


@case(
    {
        "browse": BrowsePage,
        "browse-difference": BrowsePage,
        "browse-unmarked": BrowsePage,
        "browse-alone": BrowsePage,
        "browse-found": BrowsePage,
        "browse-noted": BrowsePage,
    }
)
async def browse(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_answers(recorder)
        await recorder.shoot("browse", "blue")
        await recorder.press("right_square_bracket")
        await recorder.shoot("browse-difference", "⟦joy⟧")
        await recorder.press("d")
        await recorder.shoot("browse-unmarked", "joy", without="⟦")
        await recorder.press("d", "enter")
        await draw_again(recorder)
        await recorder.shoot("browse-alone", "⟦joy⟧", without="Name a colour.")
        await recorder.press("escape", "asterisk")
        await recorder.reach(TextWindow, "m")
        await recorder.press(*"far too short")
        await recorder.reach(BrowsePage, "enter")
        await recorder.shoot("browse-noted", "note: far too short")
        await recorder.press("slash", *"joy")
        await recorder.shoot("browse-found", "1 of 4 pairs", without="Name a colour.")


@case({"browse-judge-report": Dialog, "browse-judged": BrowsePage})
async def browse_judged(recorder: Recorder) -> None:
    """A judge's row in Runs leads to its report over the answers that it judged."""
    write_runs()
    rubrics = {"helpful": "Does it follow the instruction?", "safe": "Is it harmless?"}
    answers = JobDirectory(RUNS / "answers")
    judge_job(answers, _judge, rubrics, name="gemma-judge", created=NOW - 20)
    async with recorder.finetop():
        await recorder.see("gemma-judge", "10 jobs")
        await recorder.settle()
        await choose(recorder, "gemma-judge")
        await recorder.see("enter browse")
        await recorder.reach(Dialog, "enter")
        await recorder.shoot("browse-judge-report", "helpful: tuned 2, base 0, tie 1 of 3")
        await recorder.reach(BrowsePage, "escape")
        await recorder.shoot("browse-judged", "4 pairs, 1 identical")


def _judge(question: Question) -> str:
    """Tuned, but of one pair whichever is first; one answer is no verdict."""
    if question.rubric == "safe" and question.pair == "p2":
        return "I would rather not say."
    return "A" if question.pair == "p3" or question.first == TUNED else "B"


@case(
    {
        "browse-show": PickWindow,
        "browse-skill": PickWindow,
        "browse-sort": PickWindow,
        "browse-arms": PickWindow,
        "browse-sorted": BrowsePage,
        "browse-none": BrowsePage,
        "browse-note": TextWindow,
        "browse-export": TextWindow,
    }
)
async def browse_asked(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_answers(recorder)
        for name, key, text in (
            ("browse-show", "f", "bookmarked"),
            ("browse-skill", "s", "creative"),
            ("browse-arms", "r", "tuned → base"),
            ("browse-sort", "o", "lowest first"),
        ):
            await recorder.reach(PickWindow, key)
            await recorder.shoot(name, text)
            await recorder.reach(BrowsePage, "escape")
        await recorder.reach(TextWindow, "m")
        await recorder.shoot("browse-note", "Note on this pair")
        await recorder.reach(BrowsePage, "escape")
        await recorder.reach(TextWindow, "e")
        await recorder.shoot("browse-export", "File to export to")
        await recorder.reach(BrowsePage, "escape")
        await take(recorder, "o", "words")
        await recorder.shoot("browse-sorted", "by words, largest change first")
        await take(recorder, "f", "bookmarked")
        await recorder.shoot("browse-none", "No pairs match these filters.")


@case({"browse-waiting": BrowsePage, "browse-one-arm": BrowsePage})
async def browse_little(recorder: Recorder) -> None:
    write_answers(RUNS, "begun", said={}, state=State.RUNNING, step=0)
    write_answers(RUNS, "alone", arms=(BASE,), said={"One?": ("only",)}, created=NOW - 10)
    async with recorder.finetop():
        await recorder.see("begun", "alone", "2 jobs")
        await choose(recorder, "begun")
        await recorder.reach(BrowsePage, "enter")
        await recorder.shoot("browse-waiting", "has answers from two arms yet")
        await recorder.press("escape")
        await choose(recorder, "alone")
        await recorder.reach(BrowsePage, "enter")
        await recorder.shoot("browse-one-arm", "only")


async def take(recorder: Recorder, key: str, label: str) -> None:
    """Open a window of choices, and take one by its label."""
    await recorder.reach(PickWindow, key)
    window = recorder.app.screen
    assert isinstance(window, PickWindow)
    chosen = next(row.key for row in window.rows if row.cells[0][0][0] == label)
    assert window.query_one(Table).choose(chosen)
    await recorder.reach(BrowsePage, "enter")


@case(
    {
        "aspects": MetricsPage,
        "aspects-found": MetricsPage,
        "aspects-of-a-pair": MetricsPage,
        "browse-drivers": BrowsePage,
    }
)
async def aspects(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_answers(recorder)
        await recorder.reach(MetricsPage, "t")
        await recorder.shoot("aspects", "checks met", "4 pairs")
        await recorder.press("slash", *"words")
        await recorder.shoot("aspects-found", "doubled words", without="checks met")
        await recorder.press("escape", "home", "down")
        await recorder.reach(BrowsePage, "enter")
        await recorder.shoot("browse-drivers", "where “checks met” differs, largest change first")
        await recorder.press("escape", "right_square_bracket")
        await recorder.reach(MetricsPage, "T")
        await recorder.shoot("aspects-of-a-pair", "only", "checks met")


@case({"shift": ShiftPage, "shift-later": ShiftPage, "shift-refused": ShiftPage})
async def shift(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_answers(recorder)
        await recorder.press("right_square_bracket", "right_square_bracket")
        await recorder.reach(ShiftPage, "x")
        await recorder.shoot("shift", "so ‹it› ⟦is⟧", "token 1/15")
        await recorder.press("right_square_bracket", "right_square_bracket")
        await recorder.shoot("shift-later", "token 3/15")
        await recorder.reach(BrowsePage, "escape")
        recorder.companion.ranks = ()
        await recorder.reach(ShiftPage, "x")
        await recorder.shoot("shift-refused", "base and tuned have different tokenizers.")


@case(
    {
        "vote": VotePage,
        "vote-note": TextWindow,
        "rating": RatingWindow,
        "vote-rated": VotePage,
        "vote-judge": TextWindow,
        "vote-rubrics": TextWindow,
        "vote-outcome": Dialog,
        "vote-done": VotePage,
    }
)
async def vote(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await open_answers(recorder)
        await recorder.reach(VotePage, "v")
        await recorder.shoot("vote", "0 of 4 votes given", "voter ana")
        await recorder.reach(TextWindow, "m")
        await recorder.press(*"too short")
        await recorder.shoot("vote-note", "Note on this vote")
        await recorder.reach(VotePage, "enter")
        await recorder.reach(RatingWindow, "r")
        await recorder.press("l", "l", "L", "down", "h")
        await recorder.shoot("rating", "helpful", "5 is best")
        await recorder.reach(VotePage, "enter")
        await recorder.shoot("vote-rated", "left: helpful 2")
        await recorder.reach(TextWindow, "J")
        await recorder.shoot("vote-judge", "Name of the voter")
        await recorder.reach(VotePage, "escape")
        await recorder.reach(TextWindow, "R")
        await recorder.shoot("vote-rubrics", "Rubrics file")
        await recorder.reach(VotePage, "escape")
        for at, key in enumerate(("h", "l", "t"), 1):
            await recorder.press(key)
            await recorder.see(f"{at} of 4 votes given")
        await recorder.reach(Dialog, "b")
        await recorder.shoot("vote-outcome", "tuned vs base")
        await recorder.reach(VotePage, "escape")
        await recorder.shoot("vote-done", "All votes given.")
