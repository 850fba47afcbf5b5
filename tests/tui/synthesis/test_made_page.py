"""A job that makes data while it works: what is shown follows its files."""

from pathlib import Path

import pytest

from engine.jobs import status as statuses
from engine.jobs.status import State, Status
from engine.jobs.store import Store
from engine.synthesis.outcomes import Outcome, append_outcomes
from engine.synthesis.reviews import Review, append_review
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tests.tui.synthesis.made_job import TEXTS, finish_sources, make_source, write_made_job
from tui.app import FinetopApp
from tui.screens.dialogs import ConfirmDialog, Dialog, ErrorDialog, TextWindow
from tui.styled_text import width_of
from tui.synthesis.made_feed import MadeData, MadeFeed
from tui.synthesis.made_lines import NAMES, source_name
from tui.synthesis.made_page import MadePage
from tui.synthesis.make_page import MakePage
from tui.synthesis.row_text import find_place, read_row, write_row


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    root.mkdir()
    return root


def app_on(root: Path, companion: FakeCompanion) -> FinetopApp:
    return FinetopApp(Store(root), companion=lambda: companion)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("size", [(160, 50), (80, 24)])
async def test_what_came_of_sources_is_followed(
    root: Path, companion: FakeCompanion, size: tuple[int, int]
) -> None:
    job = write_made_job(root, state=State.RUNNING, finished=4)
    app = app_on(root, companion)
    async with app.run_test(size=size) as pilot:
        await see(pilot, "reviews-made")
        await pilot.press("enter")
        await see(pilot, "4 of 10 sources · 3 passed")
        await see(pilot, "left")
        assert "tokens 366 read" in screen_text(app)
        finish_sources(job, 4, len(TEXTS))
        await see(pilot, "10 of 10 sources · 6 passed")
        await see(pilot, "copy")
        await see(pilot, "near duplicate")
        await see(pilot, "[31, 83]")
        if size[1] > 24:
            await see(pilot, "reviews.jsonl:10")
        # Half a line is waited for.
        with job.outcomes.open("a") as file:
            file.write('{"source": "reviews.jsonl:6", ')


async def test_why_it_paused_is_said(root: Path, companion: FakeCompanion) -> None:
    write_made_job(
        root, state=State.STOPPED, finished=2, message="paused: none of the first 20 rows (cut)"
    )
    async with app_on(root, companion).run_test(size=(160, 50)) as pilot:
        await see(pilot, "reviews-made")
        await pilot.press("enter")
        await see(pilot, "paused: none of the first 20 rows")
        await see(pilot, "r resume")


async def test_accepted_rows_are_written_and_nothing_is_replaced_unasked(
    root: Path, companion: FakeCompanion, tmp_path: Path
) -> None:
    job = write_made_job(root)
    async with app_on(root, companion).run_test(size=(160, 50)) as pilot:
        await see(pilot, "reviews-made")
        await pilot.press("enter")
        await see(pilot, "10 of 10 sources")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextWindow))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ErrorDialog))
        await see(pilot, "No row is accepted yet.")
        await pilot.press("escape")
        append_review(job.reviews, Review(make_source(0).id, 0, "accept", when=1.0))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextWindow))
        await pilot.press("enter")
        await until(pilot, lambda: Path("rows.jsonl").exists())
        assert TEXTS[0] in Path("rows.jsonl").read_text()
        await until(pilot, lambda: isinstance(pilot.app.screen, MadePage))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextWindow))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, MadePage))
        await pilot.press("enter")
        await see(pilot, "raw answers")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
        await see(pilot, "accepted rows: 1, sources: 1")
        await see(pilot, "agree 1 of 1: 100%")


async def test_a_job_is_cloned_into_make_data(root: Path, companion: FakeCompanion) -> None:
    write_made_job(root)
    async with app_on(root, companion).run_test(size=(160, 50)) as pilot:
        await see(pilot, "reviews-made")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, MakePage))
        await see(pilot, "claim")


def test_the_feed_reads_each_line_once_and_starts_anew_where_a_file_is_replaced(root: Path) -> None:
    job = write_made_job(root, finished=2)
    posted: list[MadeData] = []
    feed = MadeFeed(job.path, lambda message: posted.append(message.data))  # type: ignore[attr-defined]
    feed.look()
    assert len(posted[-1].outcomes) == 2
    feed.look()
    assert len(posted) == 1
    append_review(job.reviews, Review(make_source(0).id, 0, "reject", when=1.0))
    feed.look()
    assert posted[-1].standing_of(make_source(0).id) == "rejected"
    append_review(job.reviews, Review(make_source(0).id, 0, "undo", when=2.0))
    feed.look()
    assert posted[-1].standing_of(make_source(0).id) == "undecided"
    job.outcomes.unlink()
    append_outcomes(job.outcomes, [Outcome(make_source(4).id, "passed", {"text": "x"})] * 9)
    feed.look()
    feed.look()
    assert list(posted[-1].outcomes) == [make_source(4).id]


def test_a_state_of_another_kind_is_refused(root: Path) -> None:
    job = write_made_job(root)
    statuses.write(job, Status(State.DONE))
    text = job.recipe_file.read_text()
    job.recipe_file.write_text('version = 2\nkind = "generate"\nname = "x"\n')
    errors: list[object] = []
    MadeFeed(job.path, errors.append).look()
    assert "does not make data" in str(errors[0].error)  # type: ignore[attr-defined]
    job.recipe_file.write_text(text)


def test_a_row_as_text_is_read_back_as_it_was() -> None:
    row = {"text": 'a "quoted"\nline\twith \\ and \u202e', "n": 3, "b": True, "l": ["x", "y, z"]}
    assert read_row_unchecked(write_row(row)) == row


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        (["b", "c d"], (4, 8)),
        (["c d"], (5, 10)),
        (["text"], (0, 10)),
        (["n"], (3, 5)),
        (["gone"], (0, 0)),
        (["none"], (0, 0)),
    ],
)
def test_an_edit_begins_where_a_field_stands(asked: list[str], place: tuple[int, int]) -> None:
    row = {"text": "a\nb", "n": 3, "none": None, "b": "one", "c d": "t"}
    line, column = find_place(row, asked)
    assert (line, column) == place
    assert len(write_row(row).split("\n")[line]) >= column


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a.csv:7", "a.csv:7"),
        ("20200325_counsel_chat.csv:1022", "20200325_counsel_c…:1022"),
        ("prompts-2", "prompts-2"),
        ("評論評論評論評論評論評論評論.csv:22", "評論評論評論評論評論…:22"),
        ("a" * 30, "a" * 23 + "…"),
        ("a:" + "9" * 30, "a:" + "9" * 21 + "…"),
    ],
)
def test_sources_of_a_file_with_a_long_name_are_told_apart(source: str, shown: str) -> None:
    assert source_name(source, "…") == shown
    assert width_of(source_name(source, "…")) <= NAMES


def read_row_unchecked(text: str) -> dict[str, object]:
    import tomllib

    return tomllib.loads(text)


def test_a_pair_has_its_three_texts() -> None:
    pair = {"prompt": "p", "chosen": "c", "rejected": "r"}
    assert read_row(write_row(pair), None) == pair
    for wrong in ({**pair, "chosen": ""}, {**pair, "more": "x"}, {"prompt": "p"}):
        with pytest.raises(Exception, match="other fields than a pair"):
            read_row(write_row(wrong), None)
