"""The review of rows, on a job of made files: every key, every mistake, what is on disk then."""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from engine.errors import EngineError
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.synthesis.outcomes import Outcome, append_outcomes
from engine.synthesis.review_sample import sample_order
from engine.synthesis.reviews import Review, read_reviews
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tests.tui.synthesis.made_job import TEXTS, make_source, write_made_job
from tui.app import FinetopApp
from tui.runs.list_page import RunListPage
from tui.screens.dialogs import ErrorDialog, TextWindow
from tui.screens.pick_window import PickWindow
from tui.synthesis.made_page import MadePage
from tui.synthesis.review_page import ReviewPage
from tui.widgets.table import Table

SIZES = [(160, 50), (80, 24)]
CLAIM = "The writer of review 1 is satisfied."


@pytest.fixture
def job(tmp_path: Path) -> JobDirectory:
    (tmp_path / "runs").mkdir()
    return write_made_job(tmp_path / "runs")


@pytest.fixture
def app(job: JobDirectory, companion: FakeCompanion) -> FinetopApp:
    return FinetopApp(Store(job.path.parent), companion=lambda: companion)  # type: ignore[arg-type, return-value]


async def open_review(pilot: Pilot[None]) -> None:
    await see(pilot, "reviews-made")
    await pilot.press("enter")
    await see(pilot, "10 of 10 sources")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ReviewPage))
    await see(pilot, "claim#1")


def rows_of(pilot: Pilot[None]) -> Table:
    return pilot.app.screen.query_one("#rows", Table)


def source(at: int) -> str:
    return make_source(at).id


async def on_disk(
    pilot: Pilot[None], job: JobDirectory, decided: dict[str, str]
) -> dict[str, Review]:
    """Wait until these decisions, and no others, are in the job."""

    def read() -> dict[str, str]:
        return {name: one.decision for name, one in read_reviews(job.reviews).items()}

    await until(pilot, lambda: read() == decided)
    return read_reviews(job.reviews)


@pytest.mark.parametrize("size", SIZES)
async def test_source_answers_and_row_are_beside_or_below(
    app: FinetopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await open_review(pilot)
        lines = screen_text(app).splitlines()
        heads = [next(y for y, line in enumerate(lines) if one in line)
                 for one in ("source reviews.", "raw answers 2", "row undecided")]  # fmt: skip
        assert len(set(heads)) == (1 if size[0] > 120 else 3)
        assert "0 of 10 decided" in lines[2]
        assert "view: agree 4, disagree 2" in lines[3]
        assert TEXTS[0][:30] in screen_text(app)


async def test_decisions_show_at_once_go_on_and_are_written(
    app: FinetopApp, job: JobDirectory
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("a")
        assert rows_of(pilot).chosen == source(1)
        await pilot.press("x")
        assert rows_of(pilot).chosen == source(2)
        await pilot.press("A")
        await see(pilot, "3 of 10 decided · 1 accepted · 1 rejected · 1 ask again")
        kept = await on_disk(
            pilot, job, {source(0): "accept", source(1): "reject", source(2): "ask again"}
        )
        assert all(one.round == 0 and one.row == {} for one in kept.values())
        # A row that a gate holds back is accepted where a person says so.
        assert rows_of(pilot).chosen == source(3)
        await pilot.press("a")
        await see(pilot, "2 accepted")


async def test_a_source_without_a_row_cannot_be_accepted(
    app: FinetopApp, job: JobDirectory
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        rows_of(pilot).choose(source(5))
        await see(pilot, "No row could be made: e writes")
        await see(pilot, "claim#3 · cut · length")
        assert "a accept" not in screen_text(app).splitlines()[-1]
        await pilot.press("a")
        await pilot.press("A")
        await on_disk(pilot, job, {source(5): "ask again"})


async def test_undo_takes_back_the_last_then_the_chosen(app: FinetopApp, job: JobDirectory) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("a", "x", "u")
        assert rows_of(pilot).chosen == source(1)
        await on_disk(pilot, job, {source(0): "accept"})
        await see(pilot, "1 of 10 decided · 1 accepted")
        await pilot.press("u")
        await on_disk(pilot, job, {})
        await see(pilot, "0 of 10 decided")
        assert "u undo" not in screen_text(app).splitlines()[-1]


async def test_an_edit_passes_the_gates_and_is_kept(
    app: FinetopApp, job: JobDirectory, companion: FakeCompanion
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("e")
        field = app.screen.query_one("#row-field", TextArea)
        assert field.has_focus
        assert f'claim = "{CLAIM}"' in field.text
        field.text = (
            field.text.replace(CLAIM, 'It is "good".')
            .replace('"It is', "'It is")
            .replace('good"."', "good\".'")
        )
        await pilot.press("ctrl+s")
        kept = await on_disk(pilot, job, {source(0): "edit"})
        row = {"text": TEXTS[0], "claim": 'It is "good".', "view": "agree"}
        assert kept[source(0)].row == row
        assert companion.checked == [(source(0), row)]
        assert rows_of(pilot).chosen == source(1)
        await see(pilot, "1 edited")


async def test_a_gate_that_holds_an_edit_back_says_why_and_can_be_overruled(
    app: FinetopApp, job: JobDirectory
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("e")
        field = app.screen.query_one("#row-field", TextArea)
        field.text = field.text.replace(CLAIM, "It is forbidden.")
        await pilot.press("ctrl+s")
        await see(pilot, "refusal: claim: it says forbidden")
        assert rows_of(pilot).chosen == source(0)
        await see(pilot, "1 edit held back")
        await pilot.press("a")
        kept = await on_disk(pilot, job, {source(0): "accept"})
        assert kept[source(0)].row["claim"] == "It is forbidden."
        assert [one.name for one in kept[source(0)].reasons] == ["refusal"]
        await see(pilot, "1 edited")


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (f'"{CLAIM}"', f'"{CLAIM}', "TOML"),
        ('view = "agree"', 'view = "perhaps"', "choice"),
        ('view = "agree"', "", "missing"),
        ("claim = ", 'more = "x"\nclaim = ', "unknown"),
        (f'"{CLAIM}"', "7", "wrong"),
    ],
)
async def test_a_wrong_edit_is_told_and_nothing_is_written(
    app: FinetopApp, job: JobDirectory, before: str, after: str, reason: str
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("e")
        field = app.screen.query_one("#row-field", TextArea)
        assert before in field.text
        field.text = field.text.replace(before, after)
        await pilot.press("ctrl+s")
        await see(pilot, reason)
        assert field.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: rows_of(pilot).has_focus)
        assert not job.reviews.exists()
        await see(pilot, CLAIM[:25])


async def test_gates_that_cannot_be_asked_leave_the_edit_open(
    app: FinetopApp, job: JobDirectory, companion: FakeCompanion
) -> None:
    companion.gates_error = EngineError("datasketch is not installed.", "", "Install it.")
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("e")
        field = app.screen.query_one("#row-field", TextArea)
        field.text = field.text.replace(CLAIM, "It is good.")
        await pilot.press("ctrl+s")
        await see(pilot, "datasketch is not inst")
        assert "It is good." in field.text
        companion.gates_error = None
        await pilot.press("ctrl+s")
        await on_disk(pilot, job, {source(0): "edit"})


async def test_an_edit_begins_at_what_was_asked_for(app: FinetopApp, job: JobDirectory) -> None:
    """The source stands before it, and may be longer than the screen."""
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot)
        await pilot.press("e", "!", "ctrl+s")
        kept = await on_disk(pilot, job, {source(0): "edit"})
        assert kept[source(0)].row == {"text": TEXTS[0], "claim": f"{CLAIM}!", "view": "agree"}


async def test_an_unchanged_edit_is_no_decision(app: FinetopApp, job: JobDirectory) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("e", "ctrl+s")
        await until(pilot, lambda: rows_of(pilot).has_focus)
        assert not job.reviews.exists()


async def test_filters_search_and_random_order(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await see(pilot, "reason: near duplicate")
        text = screen_text(app)
        for one in ("to decide", "passed", "held back", "set aside", "reason: copy", "8 rows"):
            assert one in text
        app.screen.query_one(Table).choose("reason:near duplicate")
        await pilot.press("enter")
        await see(pilot, "1 listed: near duplicate")
        assert rows_of(pilot).chosen == source(7)
        await pilot.press("escape")
        await see(pilot, "10 listed")
        await pilot.press("slash", *"plastic")
        await see(pilot, "1 listed")
        await pilot.press("escape")
        await see(pilot, "10 listed")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await pilot.press("end", "enter")
        await see(pilot, "random, seed 7")
        assert list(rows_of(pilot)._keys) == sample_order(map(source, range(10)), 7)


async def test_moving_notes_and_the_end(app: FinetopApp, job: JobDirectory) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("n")
        assert rows_of(pilot).chosen == source(1)
        await pilot.press("p")
        assert rows_of(pilot).chosen == source(0)
        await pilot.press("G")
        assert rows_of(pilot).chosen == source(9)
        await pilot.press("g")
        assert rows_of(pilot).chosen == source(0)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, TextWindow))
        await pilot.press(*"odd", "enter")
        await see(pilot, "note: odd")
        await pilot.press("x")
        kept = await on_disk(pilot, job, {source(0): "reject"})
        assert kept[source(0)].note == "odd"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MadePage))


async def test_a_later_round_makes_a_decision_void(app: FinetopApp, job: JobDirectory) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        await pilot.press("A")
        await see(pilot, "1 ask again")
        row = {"text": TEXTS[0], "claim": "A second try.", "view": "agree"}
        append_outcomes(job.outcomes, [Outcome(source(0), "passed", row, round=1)])
        await see(pilot, "A second try.")
        await see(pilot, "0 of 10 decided")


async def test_a_decision_that_cannot_be_written_is_taken_back(
    app: FinetopApp, job: JobDirectory
) -> None:
    job.reviews.mkdir()
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "reviews-made")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        await pilot.press("escape")
    job.reviews.rmdir()
    async with FinetopApp(Store(job.path.parent)).run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        job.reviews.mkdir()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, ErrorDialog))
        await pilot.press("escape")
        await see(pilot, "0 of 10 decided")


async def test_hostile_texts_reach_no_terminal(app: FinetopApp, job: JobDirectory) -> None:
    nasty = "\x1b[2Jgone\u202e"
    row = {"text": nasty, "claim": nasty, "view": nasty}
    append_outcomes(job.outcomes, [Outcome(source(0), "passed", row)])
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "reviews-made")
        await pilot.press("enter")
        await see(pilot, "gone")
        assert "\x1b" not in screen_text(app)
        await pilot.press("enter")
        await see(pilot, "␛[2Jgone�")
        await pilot.press("e")
        field = app.screen.query_one("#row-field", TextArea)
        assert "\x1b" not in field.text
        assert "\x1b" not in screen_text(app)
        assert "\u202e" not in screen_text(app)


async def test_the_editor_of_the_environment_edits_a_row(
    app: FinetopApp, job: JobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text(f'#!/bin/sh\nsed -i "s/{CLAIM}/Edited outside./" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        monkeypatch.setattr(app, "suspend", _suspend)
        await pilot.press("E")
        kept = await on_disk(pilot, job, {source(0): "edit"})
        assert kept[source(0)].row["claim"] == "Edited outside."
        assert "Edited outside." in json.dumps([one.row for one in kept.values()])


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("", "No editor is set."),
        ("false", "The editor failed."),
        ("no-such-editor", "no-such-editor"),
    ],
)
async def test_a_missing_or_failing_editor_is_told(
    app: FinetopApp, job: JobDirectory, monkeypatch: pytest.MonkeyPatch, command: str, text: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", command)
    async with app.run_test(size=(160, 50)) as pilot:
        await open_review(pilot)
        monkeypatch.setattr(app, "suspend", _suspend)
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        await see(pilot, text)
    assert not job.reviews.exists()
    assert not [name for name in os.listdir("/tmp") if name == "row.toml"]


def _suspend() -> AbstractContextManager[None]:
    return nullcontext()


async def test_the_dashboard_opens_on_the_rows_of_a_job(
    job: JobDirectory, companion: FakeCompanion
) -> None:
    app = FinetopApp(Store(job.path.parent), companion=lambda: companion, made=job.path)  # type: ignore[arg-type,return-value]
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, MadePage))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunListPage))
