"""Make data: what is asked of which source, the job while it works, and the review of its rows."""

import json
from pathlib import Path

from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes import recipe as recipes
from engine.synthesis.reviews import Review, append_review
from tests.snapshots.cases import case
from tests.snapshots.fixed_environment import NOW
from tests.snapshots.recorder import RUNS, Recorder
from tests.tui.synthesis.made_job import RECIPE, TEXTS, make_source, write_made_job
from tui.actions import Actions
from tui.launch.page import LaunchPage
from tui.runs.list_page import RunListPage
from tui.screens.dialogs import Dialog
from tui.screens.pick_window import PickWindow
from tui.screens.text_area_window import TextAreaWindow
from tui.synthesis.made_page import MadePage
from tui.synthesis.make_page import MakePage
from tui.synthesis.review_page import ReviewPage
from tui.synthesis.row_field_window import RowFieldWindow
from tui.widgets.table import Table

GROUPS = ("source", "questions", "pairs", "gates", "budget")


@case(
    {
        "launch-data-list": LaunchPage,
        "make-new": MakePage,
        "make-field": RowFieldWindow,
        "make-text": TextAreaWindow,
        "make": MakePage,
        "make-recipe": MakePage,
        **{f"make-form-{group}": MakePage for group in GROUPS},
    }
)
async def make_data(recorder: Recorder) -> None:
    RUNS.mkdir()
    Path("data").mkdir()
    rows = [{"review": text, "stars": at % 5} for at, text in enumerate(TEXTS)]
    Path("data", "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("make.toml").write_text(
        recipes.to_toml(RECIPE).replace("reviews.jsonl", "data/reviews.jsonl")
    )
    async with recorder.finetop(Actions(Store(RUNS))):
        await recorder.reach(LaunchPage, "2")
        await recorder.see("demo-base", "reviews")
        sets = recorder.app.screen.query_one("#sets", Table)
        sets.focus()
        sets.choose(next(one for one in sets._keys if "reviews" in one))
        await recorder.shoot("launch-data-list", "n make data", "unknown")
        await recorder.reach(MakePage, "n")
        await recorder.shoot("make-new", "taken: {rev")
        await recorder.reach(RowFieldWindow, "a")
        await recorder.shoot("make-field", "Field of the rows")
        await recorder.reach(MakePage, "escape")
        await recorder.press("o", *"make.toml", "enter")
        await recorder.see("claim", "ready: ctrl+s")
        recorder.app.screen.query_one("#asked", Table).choose("text:asking.instructions")
        await recorder.reach(TextAreaWindow, "enter")
        await recorder.shoot("make-text", "Read this review: {review}")
        await recorder.reach(MakePage, "escape")
        await recorder.shoot("make", "ready: ctrl+s", "[question]")
        await recorder.press("v")
        await recorder.shoot("make-recipe", "[recipe]")
        for group in GROUPS:
            await recorder.press("m")
            await recorder.shoot(f"make-form-{group}", f"{group.capitalize()}  page")


@case({"runs-made": RunListPage, "made-running": MadePage, "made": MadePage})
async def made(recorder: Recorder) -> None:
    RUNS.mkdir()
    write_made_job(RUNS, "at-work", state=State.RUNNING, finished=4, created=NOW)
    write_made_job(RUNS, "all-made", created=NOW - 100)
    async with recorder.finetop():
        await recorder.see("2 jobs")
        await recorder.shoot("runs-made", "enter rows")
        await recorder.reach(MadePage, "enter")
        await recorder.shoot("made-running", "4 of 10 sources", "left")
        await recorder.reach(RunListPage, "escape")
        await recorder.press("end")
        await recorder.reach(MadePage, "enter")
        await recorder.shoot("made", "10 of 10 sources", "near duplicate")


@case(
    {
        "review": ReviewPage,
        "review-set-aside": ReviewPage,
        "review-editing": ReviewPage,
        "review-wrong-edit": ReviewPage,
        "review-filter": PickWindow,
        "review-filtered": ReviewPage,
        "review-statistics": Dialog,
    }
)
async def review(recorder: Recorder) -> None:
    RUNS.mkdir()
    job = write_made_job(RUNS, created=NOW)
    for at, decision in ((0, "accept"), (1, "reject"), (9, "ask again")):
        append_review(job.reviews, Review(make_source(at).id, 0, decision, when=NOW))  # type: ignore[arg-type]
    async with recorder.finetop():
        await recorder.see("1 job")
        await recorder.reach(MadePage, "enter")
        await recorder.see("10 of 10 sources")
        await recorder.reach(ReviewPage, "enter")
        rows = recorder.app.screen.query_one("#rows", Table)
        rows.choose(make_source(3).id)
        await recorder.shoot("review", "3 of 10 decided", "copy: claim: 95%")
        rows.choose(make_source(5).id)
        await recorder.shoot("review-set-aside", "No row could be made")
        rows.choose(make_source(2).id)
        await recorder.see("Good value")
        await recorder.press("e")
        await recorder.shoot("review-editing", "ctrl+s apply", 'view = "agree"')
        await recorder.press("quotation_mark", "ctrl+s")
        await recorder.shoot("review-wrong-edit", "not TOML")
        await recorder.press("escape")
        await recorder.reach(PickWindow, "f")
        await recorder.shoot("review-filter", "reason: copy")
        recorder.app.screen.query_one(Table).choose("reason:copy")
        await recorder.reach(ReviewPage, "enter")
        await recorder.shoot("review-filtered", "1 listed: copy")
        await recorder.reach(Dialog, "t")
        await recorder.shoot("review-statistics", "distinct-1")
