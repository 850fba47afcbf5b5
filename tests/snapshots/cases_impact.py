"""Impact: the list of evaluations, the matrix, items, answers, the window that starts one."""

from engine.compare.votes import Book, Vote, book_of
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from tests.snapshots.cases import case
from tests.snapshots.cases_runs import choose
from tests.snapshots.directories import write_runs
from tests.snapshots.fixed_environment import NOW
from tests.snapshots.recorder import RUNS, Recorder
from tests.tui.impact.evaluated import (
    BASE,
    COUNSEL,
    EMOTION,
    add_staged_samples,
    staged_results,
    start_from,
    strength_results,
    write_evaluation,
)
from tui.glyphs import ASCII
from tui.impact.answers_page import AnswersPage
from tui.impact.items_page import ItemsPage
from tui.impact.notes_page import NotesPage
from tui.impact.page import ImpactPage
from tui.impact.tradeoff_page import TradeoffPage
from tui.screens.dialogs import TextWindow
from tui.screens.evaluate_window import EvaluateWindow
from tui.screens.pick_window import PickWindow


def write_evaluations() -> JobDirectory:
    """The runs of other cases, an evaluation that runs, and a whole one of two stages."""
    write_runs()
    arms = (BASE, EMOTION)
    write_evaluation(RUNS, "impact-live", arms=arms, state=State.RUNNING, step=450, total=1800,
                     created=NOW - 40, message="emotion: french")  # fmt: skip
    job = write_evaluation(RUNS, "impact-child", staged_results(), created=NOW - 60)
    add_staged_samples(job)
    return job


async def open_impact(recorder: Recorder, chosen: str) -> None:
    await recorder.see("impact-child", "11 jobs")
    await recorder.settle()
    await choose(recorder, chosen)
    await recorder.reach(ImpactPage, "5")


@case({"impact-none": ImpactPage})
async def impact_none(recorder: Recorder) -> None:
    write_runs()
    async with recorder.finetop():
        await recorder.see("9 jobs")
        await recorder.settle()
        await choose(recorder, "measured")
        await recorder.reach(ImpactPage, "5")
        await recorder.shoot("impact-none", "No evaluations yet.")


@case(
    {
        "impact": ImpactPage,
        "impact-base": ImpactPage,
        "impact-items-only": ImpactPage,
        "impact-report": TextWindow,
        "impact-list": ImpactPage,
        "impact-running": ImpactPage,
    }
)
async def impact(recorder: Recorder) -> None:
    write_evaluations()
    async with recorder.finetop():
        await open_impact(recorder, "child")
        await recorder.shoot("impact", "arithmetic, counsel", "skills not trained")
        await recorder.press("j", "b")
        await recorder.shoot("impact-base", "primary family, corrected by Holm")
        await recorder.press("j", "j", "h")
        await recorder.shoot("impact-items-only", "song, emotion")
        await recorder.reach(TextWindow, "w")
        await recorder.shoot("impact-report", "Folder for the report")
        await recorder.reach(ImpactPage, "escape")
        await recorder.press("escape")
        await recorder.shoot("impact-list", "2 evaluations")
        await recorder.press("home", "enter")
        await recorder.shoot("impact-running", "No results yet: emotion: french")


@case({"impact-votes-ascii": ImpactPage, "impact-broken": ImpactPage})
async def impact_odd(recorder: Recorder) -> None:
    job = write_evaluations()
    write_evaluation(RUNS, "impact-cut", '{"schema": 2, "arms"', created=NOW - 30)
    book = Book(book_of(job.path, "ana"))
    for at, choice in enumerate(("right", "right", "tie", "left")):
        ratings = {BASE: {"helpful": 2}, COUNSEL: {"helpful": 4}}
        book.cast(Vote(f"p{at}", f"p{at}", BASE, COUNSEL, choice, ratings=ratings, judge="ana"))  # type: ignore[arg-type]
    async with recorder.finetop(glyphs=ASCII):
        await recorder.see("impact-cut", "12 jobs")
        await recorder.settle()
        await choose(recorder, "impact-child")
        await recorder.reach(ImpactPage, "5")
        await recorder.shoot("impact-votes-ascii", "votes: counsel against base")
        await recorder.press("1")
        await choose(recorder, "impact-cut")
        await recorder.reach(ImpactPage, "5")
        await recorder.shoot("impact-broken", "results.json cannot be read")


@case(
    {
        "items": ItemsPage,
        "items-lost": ItemsPage,
        "items-found": ItemsPage,
        "items-of-texts": ItemsPage,
        "answers": AnswersPage,
        "answers-turned": AnswersPage,
    }
)
async def items(recorder: Recorder) -> None:
    write_evaluations()
    async with recorder.finetop():
        await open_impact(recorder, "child")
        await recorder.see("arithmetic, counsel")
        await recorder.reach(ItemsPage, "b", "enter")
        await recorder.shoot("items", "kept 288 (27 regained)")
        await recorder.press("f")
        await recorder.shoot("items-lost", "12 lost")
        await recorder.reach(AnswersPage, "enter")
        await recorder.shoot("answers", "The sum is 0.", "It is 0, I believe.")
        await recorder.press("n", "h")
        await recorder.shoot("answers-turned", "The sum is 1.", "joy")
        await recorder.reach(ItemsPage, "escape")
        await recorder.press("slash", *"question 11")
        await recorder.shoot("items-found", "1 lost")
        await recorder.press("escape", "escape")
        await recorder.reach(ItemsPage, "G", "enter")
        await recorder.shoot("items-of-texts", "nothing is right or wrong")


@case({"notes": NotesPage})
async def notes(recorder: Recorder) -> None:
    write_evaluations()
    async with recorder.finetop():
        await open_impact(recorder, "child")
        await recorder.see("arithmetic, counsel")
        await recorder.reach(NotesPage, "i")
        await recorder.shoot("notes", "all that is known of a cell")


def write_strengths() -> None:
    """An evaluation that was started from the staged one: the child at strengths."""
    job = write_evaluation(RUNS, "impact-strengths", strength_results(), created=NOW - 20)
    start_from(job, "run:child", "run:impact-child")


@case({"tradeoff": TradeoffPage, "tradeoff-first": TradeoffPage, "tradeoff-targets": PickWindow})
async def tradeoff(recorder: Recorder) -> None:
    write_evaluations()
    write_strengths()
    async with recorder.finetop():
        await recorder.see("12 jobs")
        await recorder.settle()
        await choose(recorder, "impact-child")
        await recorder.reach(ImpactPage, "5")
        await recorder.see("arithmetic, counsel")
        await recorder.reach(TradeoffPage, "p")
        await recorder.shoot("tradeoff", " counsel · ")
        await recorder.press("g")
        await recorder.shoot("tradeoff-first", " emotion · on")
        await recorder.reach(PickWindow, "e")
        await recorder.shoot("tradeoff-targets", "skills that were to be gained")


@case({"tradeoff-ascii": TradeoffPage})
async def tradeoff_in_ascii(recorder: Recorder) -> None:
    write_evaluations()
    write_strengths()
    async with recorder.finetop(glyphs=ASCII):
        await recorder.see("12 jobs")
        await recorder.settle()
        await choose(recorder, "impact-child")
        await recorder.reach(ImpactPage, "5")
        await recorder.see("arithmetic, counsel")
        await recorder.reach(TradeoffPage, "p")
        await recorder.shoot("tradeoff-ascii", " counsel - ")


@case(
    {
        "remedies": PickWindow,
        "remedies-impossible": PickWindow,
        "tradeoff-colourless": TradeoffPage,
    }
)
async def remedies(recorder: Recorder) -> None:
    write_evaluations()
    write_strengths()
    recorder.monkeypatch.setenv("NO_COLOR", "1")
    async with recorder.finetop():
        await recorder.see("12 jobs")
        await recorder.settle()
        await choose(recorder, "impact-child")
        await recorder.reach(ImpactPage, "5")
        await recorder.see("arithmetic, counsel")
        await recorder.reach(PickWindow, "b", "x")
        await recorder.shoot("remedies", "arithmetic: lost 12 of 300 items under counsel")
        await recorder.press("j")
        await recorder.shoot("remedies-impossible", "Not possible")
        await recorder.press("escape")
        await recorder.reach(TradeoffPage, "p")
        await recorder.shoot("tradeoff-colourless", " counsel · ")


@case({"evaluate": EvaluateWindow, "evaluate-file": EvaluateWindow})
async def evaluate(recorder: Recorder) -> None:
    write_evaluations()
    child = JobDirectory(RUNS / "child")
    child.held_out.write_text('{"prompt": "i miss my dog"}\n' * 40)
    async with recorder.finetop():
        await recorder.see("impact-child", "11 jobs")
        await recorder.settle()
        await choose(recorder, "child")
        await recorder.reach(EvaluateWindow, "I")
        await recorder.press("l")
        await recorder.shoot("evaluate", "3 arms: base, emotion-lora, child")
        await recorder.press("tab", "l", "l", "l")
        await recorder.shoot("evaluate-file", "File of items: a suite or a data set")


@case({"impact-colourless": ImpactPage, "items-colourless": ItemsPage})
async def impact_without_colours(recorder: Recorder) -> None:
    write_evaluations()
    recorder.monkeypatch.setenv("NO_COLOR", "1")
    async with recorder.finetop():
        await open_impact(recorder, "child")
        await recorder.shoot("impact-colourless", "arithmetic, counsel", "skills not trained")
        await recorder.reach(ItemsPage, "enter")
        await recorder.shoot("items-colourless", "kept 261 (27 regained)")
