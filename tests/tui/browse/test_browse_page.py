"""Browse: pairs of a job's answers listed, filtered, sorted, noted, exported; the numbers."""

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.compare import annotations, samples
from engine.compare.annotations import Remark
from engine.compare.answer_pairs import AnswerPair
from engine.compare.items import Item
from engine.jobs.directory import JobDirectory
from engine.jobs.status import State
from engine.jobs.store import Store
from engine.recipes.settings import Decode
from tests.tui.browse.answered import BASE, TUNED, add_answers, noticed, sample, write_answers
from tests.tui.conftest import FakeCompanion, rests, screen_text, see, until
from tui.app import FinetopApp
from tui.browse.metrics_page import MetricsPage
from tui.browse.page import BrowsePage
from tui.browse.pair_list import alike, unlike
from tui.browse.vote_page import VotePage
from tui.glyphs import ASCII
from tui.runs.list_page import RunListPage
from tui.screens.pick_window import PickWindow
from tui.widgets.table import Table

WIDE, NARROW = (160, 50), (80, 24)


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    return write_answers(tmp_path / "answers-root" / "runs")


@asynccontextmanager
async def browsing(
    job: JobDirectory, size: tuple[int, int] = WIDE, **settings: Any
) -> AsyncIterator[tuple[FinetopApp, Pilot[Any]]]:
    app = FinetopApp(Store(job.path.parent), **settings)
    async with app.run_test(size=size) as pilot:
        await see(pilot, job.path.name)
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "Sing of rain.")
        yield app, pilot


async def choose(pilot: Pilot[Any], key: str, label: str) -> None:
    """Open a window of choices, and take one by its label."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, PickWindow))
    window = pilot.app.screen
    assert isinstance(window, PickWindow)
    await see(pilot, label)
    window.query_one(Table).choose(
        next(row.key for row in window.rows if row.cells[0][0][0] == label)
    )
    await pilot.press("enter")


async def listed(pilot: Pilot[Any], *prompts: str) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, BrowsePage))
    page = pilot.app.screen
    assert isinstance(page, BrowsePage)
    await until(pilot, lambda: [pair.id for pair in page._pairs] == list(prompts))


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_enter_on_a_job_of_answers_lists_them_and_shows_one(
    job: JobDirectory, size: tuple[int, int]
) -> None:
    async with browsing(job, size) as (app, pilot):
        text = screen_text(app)
        assert "4 pairs, 1 identical" in text
        assert "base → tuned" in text
        assert "4 pairs, 1 identical · greedy, max 64 tokens" in text
        assert "!" not in text
        assert "reference: blue" in text
        await pilot.press("right_square_bracket")
        await see(pilot, "⟦joy⟧")
        assert "checks: exactly 1 word" in screen_text(app)
        assert "5 words · complete" in screen_text(app)
        await pilot.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await see(pilot, "⟦joy⟧")
        await pilot.press("d")
        await until(pilot, lambda: "⟦" not in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Name a colour." not in screen_text(app))
        await see(pilot, "enter list")
        await pilot.press("p")
        await see(pilot, "Name a colour.")
        await pilot.press("escape")
        await see(pilot, "Sing of rain.")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))


async def test_filters_skills_words_and_orders(job: JobDirectory) -> None:
    async with browsing(job) as (app, pilot):
        await listed(pilot, "p1", "p2", "p3", "p4")
        await choose(pilot, "f", "different answers")
        await listed(pilot, "p2", "p3", "p4")
        await choose(pilot, "f", "tuned truncated")
        await listed(pilot, "p3")
        await choose(pilot, "f", "tuned repetitive")
        await listed(pilot, "p3")
        await choose(pilot, "f", "bookmarked")
        await see(pilot, "No pairs match these filters.")
        await choose(pilot, "f", "all")
        await choose(pilot, "s", "creative")
        await listed(pilot, "p2", "p3")
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert isinstance(app.focused, Input)
        app.focused.value = "JOY"
        await listed(pilot, "p2")
        await pilot.press("escape")
        await choose(pilot, "s", "all")
        await choose(pilot, "o", "words")
        await see(pilot, "by words, largest change first")
        await listed(pilot, "p3", "p2", "p4", "p1")
        assert "2→15" in screen_text(app)
        await pilot.press("O")
        await listed(pilot, "p3", "p4", "p1", "p2")
        await pilot.press("O")
        await listed(pilot, "p2", "p1", "p4", "p3")
        await choose(pilot, "o", "overlap")
        await listed(pilot, "p2", "p3", "p4", "p1")


async def test_notes_and_bookmarks_are_kept(job: JobDirectory) -> None:
    async with browsing(job) as (app, pilot):
        await pilot.press("asterisk", "down", "m")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert isinstance(app.focused, Input)
        app.focused.value = "odd [/red]"
        await pilot.press("enter")
        await see(pilot, "note: odd [/red]")
        wanted = {"p1": Remark(marked=True), "p2": Remark("odd [/red]")}
        await until(pilot, lambda: annotations.read(job.path) == wanted)
        await choose(pilot, "f", "has a note")
        await listed(pilot, "p2")
        await choose(pilot, "f", "bookmarked")
        await listed(pilot, "p1")
        await pilot.press("asterisk")
        await listed(pilot)
        await until(pilot, lambda: "p1" not in annotations.read(job.path))


async def test_a_note_that_cannot_be_written_is_said_and_not_shown_as_kept(
    job: JobDirectory,
) -> None:
    async with browsing(job) as (_, pilot):
        annotations.file_of(job.path).write_text("{broken")
        await pilot.press("asterisk")
        await see(pilot, "The notes are not valid JSON.")
        assert annotations.file_of(job.path).read_text() == "{broken"


async def test_answers_come_while_one_reads(tmp_path: Path) -> None:
    job = write_answers(tmp_path / "runs", said={}, state=State.RUNNING)
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=NARROW) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "has answers from two arms yet")
        assert "50%" in screen_text(app)
        add_answers(job, {"One?": ("a", "b")}, (BASE, TUNED))
        await see(pilot, "1 pairs, 0 identical")
        await pilot.press("asterisk")
        add_answers(job, {"Two?": ("a", "a")}, (BASE, TUNED), first=2)
        await see(pilot, "2 pairs, 1 identical")


async def test_any_two_of_several_arms(tmp_path: Path) -> None:
    said = {"One?": ("first", "second", "third")}
    job = write_answers(tmp_path / "runs", arms=(BASE, TUNED, "other=/x/y"), said=said)
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "⟦second⟧")
        await choose(pilot, "r", "other → tuned")
        await see(pilot, "⟦third⟧")
        assert "first" not in screen_text(app).replace("change first", "")


async def test_what_differs_beside_the_weights_is_said(tmp_path: Path) -> None:
    job = write_answers(tmp_path / "runs", said={"One?": ("first", "second")})
    again = dataclasses.replace(
        samples.read(job.samples)[1], template_hash="", dtype="bfloat16", batch=16,
        decode=Decode(max_new_tokens=64, temperature=0.7, top_k=9),
    )  # fmt: skip
    samples.append(job.samples, [again])
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "! greedy | temp 0.7, seed 7, top-k 9 · ! template 3f9a2c1d | raw prompt")
        await see(pilot, "! float32 | bfloat16 · ! batch size 1 | batch size 16")
        assert "1 pairs, 0 identical · max 64 tokens\n" in screen_text(app)


@pytest.mark.parametrize(
    ("arm", "template"),
    [
        ("e=http://127.0.0.1:9/v1?model=m", "its own template"),
        ("e=http://127.0.0.1:9/v1?model=m&prompt=raw", "raw prompt"),
    ],
)
def test_an_endpoint_writes_its_own_prompt(arm: str, template: str) -> None:
    here, there = sample(1, "One?", BASE, "first"), sample(1, "One?", arm, "second")
    there = dataclasses.replace(there, template_hash="")
    pair = AnswerPair(Item("p1", here.messages), here, there, {}, {}, 1.0)
    assert unlike(pair) == [
        f"template 3f9a2c1d | {template}",
        "batch size 1 | its own batching",
    ]
    assert template in alike(dataclasses.replace(pair, left=there))
    garbled = dataclasses.replace(there, arm="=")
    assert "raw prompt" in alike(dataclasses.replace(pair, left=garbled, right=garbled))


async def test_one_arm_alone_is_shown_once(tmp_path: Path) -> None:
    job = write_answers(tmp_path / "runs", arms=(BASE,), said={"One?": ("only",)})
    app = FinetopApp(Store(job.path.parent))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "only")
        assert screen_text(app).count("only") == 1
        await pilot.press("right_square_bracket", "v", "r")
        assert isinstance(app.screen, BrowsePage)


async def test_damage_is_told(job: JobDirectory) -> None:
    with job.samples.open("a") as file:
        file.write('{"not": "a sample"}\n')
    (job.path.parent.parent / "prompts.jsonl").unlink()
    async with browsing(job, (200, 40)) as (_, pilot):
        await see(pilot, "1 lines without an answer")
        await see(pilot, "prompts: prompts.jsonl cannot be read: No such file")


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_numbers_and_the_examples_behind_them(
    job: JobDirectory, size: tuple[int, int]
) -> None:
    async with browsing(job, size) as (app, pilot):
        await pilot.press("t")
        await see(pilot, "checks met")
        assert isinstance(app.screen, MetricsPage)
        text = screen_text(app)
        assert "base → tuned · 4 pairs · 1 identical" in text
        line = next(one for one in text.splitlines() if "checks met" in one)
        # Two prompts have checks; base meets one of them, tuned both.
        assert line.split()[:6] == [">", "checks", "met", "0.50", "1.00", "+0.50"]
        assert line.rstrip().endswith("2")
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert isinstance(app.focused, Input)
        app.focused.value = "words"
        await until(pilot, lambda: "checks met" not in screen_text(app))
        await see(pilot, "doubled words")
        await pilot.press("enter", "escape", "home", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, BrowsePage))
        await listed(pilot, "p2")
        await see(pilot, "where “checks met” differs, largest change first")
        await pilot.press("escape")
        await listed(pilot, "p2", "p4", "p1", "p3")
        await pilot.press("T")
        await see(pilot, "prompt p2 only")
        await see(pilot, "checks met")
        line = next(one for one in screen_text(app).splitlines() if "checks met" in one)
        assert line.split() == [">", "checks", "met", "0.00", "1.00", "+1.00"]
        assert "interval" not in screen_text(app)
        await pilot.press("enter", "escape")
        page = app.screen
        assert isinstance(page, BrowsePage)
        # as a row that is no number of one answer asks
        page.select(dataclasses.replace(page.selection, sort="", chosen=("p4", "p2")))
        await listed(pilot, "p4", "p2")


async def test_the_token_shift_of_a_stored_answer(
    job: JobDirectory, companion: FakeCompanion
) -> None:
    async with browsing(job, companion=lambda: companion) as (app, pilot):
        await pilot.press("right_square_bracket", "right_square_bracket", "x")
        await see(pilot, "tuned  prompt p3")
        await see(pilot, "so ‹it› ⟦is⟧ so ‹it› ⟦is⟧")
        await see(pilot, "unshifted 33%")
        assert companion.shifted == [(BASE, TUNED)]
        await pilot.press("l", "right_square_bracket")
        await see(pilot, 'token 3/15  " is"')
        await pilot.press("h", "left_square_bracket")
        await see(pilot, 'token 2/15  " it"')
        await pilot.resize_terminal(20, 5)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, BrowsePage))
        companion.ranks = ()
        await pilot.resize_terminal(*WIDE)
        await pilot.press("x")
        await see(pilot, "base and tuned have different tokenizers.")


async def test_export_from_the_screen(job: JobDirectory, tmp_path: Path) -> None:
    lines = job.samples.read_text().splitlines(keepends=True)
    job.samples.write_text("".join(reversed(lines)))  # as they may have been made
    async with browsing(job) as (app, pilot):
        for _ in range(2):
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.focused, Input))
            assert isinstance(app.focused, Input)
            app.focused.value = str(tmp_path / "a.json")
            await pilot.press("enter")
            await noticed(pilot, "Wrote")
        await see(pilot, "already exists")
    table = json.loads((tmp_path / "a.json").read_text())
    assert [one["name"] for one in table["models"]] == ["base", "tuned"]
    told = [(one["custom_fields"]["prompt_id"], one["tags"]) for one in table["examples"]]
    assert told == [
        ("p1", ["knowledge"]), ("p2", ["creative"]), ("p3", ["creative"]), ("p4", ["reasoning"]),
    ]  # fmt: skip


async def test_it_is_safe_in_ascii_at_any_size(tmp_path: Path) -> None:
    hostile = "a\x1b]0;pwn\x07[/red][bold]\x9b31m\u202eb\r\nc"
    name = "x\x1b[31m[/red]=bundled:demo-base"
    job = write_answers(
        tmp_path / "runs",
        arms=(name, TUNED),
        said={hostile: (hostile, hostile * 3), "p": ("", "y")},
    )
    app = FinetopApp(Store(job.path.parent), glyphs=ASCII)
    texts = []
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "[/red][bold]")
        await pilot.press("asterisk", "enter", "enter")
        for key in ("", "t", "escape", "v", "r", "escape", "l", "escape"):
            if key:
                await pilot.press(key)
            for size in [(20, 5), (120, 40)]:
                await pilot.resize_terminal(*size)
                await pilot.pause()
                texts.append(screen_text(app))
    marks = "".join(texts).translate(str.maketrans("", "", "\n␛␇␡␍⏎\ufffd"))
    assert [one for one in marks if not one.isascii() or ord(one) < 32] == []


async def test_long_text_without_spaces_freezes_nothing(tmp_path: Path) -> None:
    job = write_answers(tmp_path / "runs", said={"p": ("x" * 20_000, "y z " * 9_000)})
    async with FinetopApp(Store(job.path.parent)).run_test(size=NARROW) as pilot:
        await see(pilot, "enter browse")
        await pilot.press("enter")
        await see(pilot, "xxxx")
        await see(pilot, "y z y z")


async def test_a_page_with_nothing_new_draws_nothing(
    job: JobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    async with browsing(job) as (app, pilot):
        display = app._display

        def count(*given: Any) -> None:
            drawn.append(given)
            display(*given)

        monkeypatch.setattr(app, "_display", count)
        for key, page in (("", BrowsePage), ("t", MetricsPage), ("v", VotePage)):
            if key:
                await pilot.press("escape", key) if key == "v" else await pilot.press(key)
                await until(pilot, lambda page=page: isinstance(app.screen, page))  # type: ignore[misc]
            await rests(pilot, drawn, str(page))


async def test_compare_offers_sets_of_prompts_and_earlier_answers(
    root: Path, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = write_answers(root, "earlier", created=1.0)
    for job in Store(root).jobs():
        job.held_out.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    asked: list[Any] = []
    app = FinetopApp(Store(root), companion=lambda: companion)  # type: ignore[arg-type, return-value]

    def generate(recipe: Any) -> Path:
        asked.append(recipe)
        return earlier.path

    monkeypatch.setattr(app.actions, "generate", generate)
    async with app.run_test(size=(120, 40)) as pilot:
        await see(pilot, "live")
        await pilot.press("4")
        await see(pilot, "prompt 1/")
        await choose(pilot, "b", "browse job: earlier")
        await see(pilot, "Sing of rain.")
        await pilot.press("escape")
        await choose(pilot, "b", "prompts: general")
        await see(pilot, "Sing of rain.")
        await pilot.press("escape")
        await choose(pilot, "b", "prompts: held-out rows of child")
        await see(pilot, "Sing of rain.")
        await pilot.press("escape")
        await pilot.press("b")
        await see(pilot, "prompts: from a file")
        await see(pilot, "2 prompts, 2 arms")
    recipe, held_out = asked
    assert (recipe.name, recipe.prompts) == ("answers-general", "bundled:general")
    assert [arm.partition("=")[0] for arm in recipe.arms] == ["base", "tuned"]
    assert held_out.arms[1] == "tuned=run:child"
    assert (held_out.name, held_out.prompts) == ("answers-child", "run:child")
