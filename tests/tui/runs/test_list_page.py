"""The list of runs beside running: order, groups, notes, archive, removal, differences."""

import json
import threading
from pathlib import Path

import pytest

from engine.jobs import summary
from engine.jobs.directory import JobDirectory
from engine.jobs.store import Store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import PretrainRecipe, TrainRecipe
from engine.recipes.settings import Training
from tests.tui.building import write_event, write_run
from tests.tui.conftest import screen_text, see, until
from tui.actions import Actions
from tui.app import FinetopApp
from tui.screens import sort_order
from tui.screens.page import Page
from tui.screens.run_dialogs import DifferenceWindow, NoteWindow, RemoveWindow, tags_in
from tui.screens.sort_order import SortOrder
from tui.widgets.text_field import TextField

WIDE, NARROW = (160, 50), (80, 24)


def listed(app: FinetopApp) -> list[str]:
    """The names on the screen, top first."""
    names = {row.view.record.name for row in app.runs.rows}
    lines = [line[:12].split() for line in screen_text(app).splitlines()[3:] if "✓" in line]
    return [word for line in lines for word in line if word in names]


@pytest.fixture
def three(tmp_path: Path) -> FinetopApp:
    """b, a, c by age; the losses at their ends are those of 20, 60 and 40 steps."""
    root = tmp_path / "three"
    for at, (name, points, rate) in enumerate([("b", 20, 1e-3), ("a", 60, 2e-4), ("c", 40, 1e-3)]):
        job = write_run(root, name, points=points, created=100.0 - at)
        recipe = TrainRecipe(name=name, training=Training(learning_rate=rate))
        job.recipe_file.write_text(recipes.to_toml(recipe))
    write_run(root, "none", created=1.0)
    return FinetopApp(Store(root))


async def test_any_column_sorts_both_ways_and_the_head_says_so(three: FinetopApp) -> None:
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "0.7")
        await until(pilot, lambda: listed(three) == ["b", "a", "c", "none"])
        await pilot.press("o")
        await until(pilot, lambda: listed(three) == ["a", "b", "c", "none"])
        assert "run ▲" in screen_text(three).splitlines()[2]
        await pilot.press("O")
        await until(pilot, lambda: listed(three) == ["none", "c", "b", "a"])
        assert "run ▼" in screen_text(three).splitlines()[2]
        await pilot.press(*"ooooo")  # loss, falling: what has none stays last
        await until(pilot, lambda: listed(three) == ["b", "c", "a", "none"])
        assert "by loss ▼" in screen_text(three)
        await pilot.press("O")
        await until(pilot, lambda: listed(three) == ["a", "c", "b", "none"])
        await pilot.press("ctrl+g")
        await see(pilot, "loss ^")


async def test_the_order_is_kept_for_the_folder(three: FinetopApp, tmp_path: Path) -> None:
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "none")
        await pilot.press("o", "O", "i")
        path = sort_order.order_file(three.store.root)
        kept = SortOrder("run", True, "best")
        await until(pilot, lambda: path.exists() and sort_order.load(three.store.root)[0] == kept)
    again = FinetopApp(Store(three.store.root))
    async with again.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: listed(again) == ["none", "c", "b", "a"])
        assert "best loss, eval and eval ppl" in screen_text(again)
    assert sort_order.load(tmp_path)[0] == SortOrder()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"schema": 0}', '{"schema": 1, "order": {"column": "colour"}}',
     '{"schema": 1, "order": 3}', "[" * 100_000],
)  # fmt: skip
async def test_a_broken_order_falls_back_with_a_note(three: FinetopApp, content: str) -> None:
    path = sort_order.order_file(three.store.root)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    async with three.run_test(size=WIDE, notifications=True) as pilot:
        await see(pilot, "The saved sort order")
        assert three.order == SortOrder()


async def test_last_best_and_smoothed_are_shown_and_sorted_by(three: FinetopApp) -> None:
    write_event(three.store.root / "a" / "events", 61, {"train/loss": 2.5})
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "2.500")

        def row() -> str:
            return next(line for line in screen_text(three).splitlines() if "✓ a " in line)

        await pilot.press(*"oooooo")
        await until(pilot, lambda: listed(three) == ["c", "b", "a", "none"])
        await pilot.press("i")
        await until(pilot, lambda: "0.728" in row())
        assert listed(three) == ["a", "c", "b", "none"]
        await pilot.press("i")
        curve = next(row for row in three.runs.rows if row.view.record.name == "a").loss
        assert curve is not None
        assert 0.728 < curve.smoothed < 2.5
        await until(pilot, lambda: f"{curve.smoothed:.3f}" in row())
        await pilot.press("i")
        await see(pilot, "2.500")


async def test_runs_are_grouped_by_a_setting_that_varies(three: FinetopApp) -> None:
    pretrain = recipes.to_toml(PretrainRecipe())
    (three.store.root / "none" / "recipe.toml").write_text(pretrain)
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "none")
        await pilot.press("b")
        await see(pilot, "training.learning_rate")
        assert "training.epochs" not in screen_text(three), "they all agree on it"
        assert "phase_steps" not in screen_text(three), "no run of ours has it"
        await pilot.press("down", "enter")
        await see(pilot, "training.learning_rate = 0.001 (2 runs)")
        assert "training.learning_rate = 0.0002 (1 run)" in screen_text(three)
        assert "training.learning_rate not set (1 run)" in screen_text(three)
        assert listed(three) == ["b", "c", "a", "none"]
        await pilot.press("home")  # a heading is no run
        await until(pilot, lambda: "m note" not in screen_text(three))
        await pilot.press("m", "d", "D", "x", "space", "enter")
        assert three.screen.query("#runs")
        await pilot.press("down", "b")
        await see(pilot, "no groups")
        await pilot.press("home", "enter")
        await until(pilot, lambda: listed(three) == ["b", "a", "c", "none"])


async def test_a_note_and_tags_are_kept_shown_and_found(three: FinetopApp) -> None:
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "none")
        await pilot.press("home", "m")
        await until(pilot, lambda: isinstance(three.screen, NoteWindow))
        await pilot.press(*"try q", "tab", *"#low,first, low", "enter")
        await see(pilot, "#low #first")
        await see(pilot, "try q")
        notes = summary.notes(JobDirectory(three.store.root / "b"))
        assert (notes.note, notes.tags) == ("try q", ["low", "first"])
        await pilot.press("slash", *"#first", "enter")
        await until(pilot, lambda: listed(three) == ["b"])
        await pilot.press("escape", "m")
        await until(pilot, lambda: isinstance(three.screen, NoteWindow))
        assert "try q" in screen_text(three), "it is there to be changed"
        await pilot.press("escape")
        assert summary.notes(JobDirectory(three.store.root / "b")).note == "try q"


def test_tags_are_what_stands_between_commas() -> None:
    assert tags_in(" #a, b c,,a, # ,é") == ["a", "b c", "é"]


async def test_archived_runs_are_away_and_come_back(three: FinetopApp) -> None:
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "none")
        await pilot.press("home", "z")
        await see(pilot, "1 archived")
        await until(pilot, lambda: listed(three) == ["a", "c", "none"])
        assert summary.notes(JobDirectory(three.store.root / "b")).archived
        assert not summary.notes(JobDirectory(three.store.root / "b")).hidden
        await pilot.press("Z")
        await until(pilot, lambda: listed(three) == ["b", "a", "c", "none"])
        await pilot.press("home", "z")
        await until(pilot, lambda: "archived" not in screen_text(three))


@pytest.mark.parametrize("size", [WIDE, NARROW, (40, 12)])
async def test_a_run_is_deleted_only_once_its_name_is_typed(
    three: FinetopApp, size: tuple[int, int]
) -> None:
    path = three.store.root / "a"
    async with three.run_test(size=size) as pilot:
        await see(pilot, "b")
        await until(pilot, lambda: len(three.runs.rows) == 4)
        await pilot.press("home", "down", "D")
        await until(pilot, lambda: isinstance(three.screen, RemoveWindow))
        await pilot.press("y", "enter")
        await see(pilot, "name does not match")
        assert path.exists()
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(three.screen, Page))
        assert path.exists()
        await pilot.press("D", "a", "enter")
        await until(pilot, lambda: not path.exists())
        await until(pilot, lambda: len(three.runs.rows) == 3)


async def test_a_running_one_is_never_deleted_and_its_users_are_named(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "> ● live")
        await pilot.press("D")
        assert isinstance(app.screen, Page)
        await pilot.press("down", "down")
        await see(pilot, "> ✓ emotion-lora")
        await pilot.press("D")
        await see(pilot, "Used by run child.")


async def test_a_name_typed_before_the_users_are_known_deletes_nothing_that_is_used(
    three: FinetopApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, known = three.store.root / "a", threading.Event()

    def find(_: object, __: Path) -> tuple[str, ...]:
        known.wait()
        return ("the set of arms 'two'",)

    monkeypatch.setattr(Actions, "find_users", find)
    async with three.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: len(three.runs.rows) == 4)
        await see(pilot, "b")
        await pilot.press("home", "down", "D")
        await until(pilot, lambda: isinstance(three.screen, RemoveWindow))
        await pilot.press("a", "enter")
        known.set()
        await see(pilot, "Used by the set of arms 'two'.")
        assert path.exists()
        await pilot.press("enter")
        await until(pilot, lambda: not path.exists())


async def test_one_that_began_to_run_meanwhile_is_not_deleted(app: FinetopApp, root: Path) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "> ● live")
        await pilot.press("end")  # the lost one: it may still run elsewhere
        await see(pilot, "> ? lost")
        await pilot.press("D", *"lost", "enter")
        await see(pilot, "may still run on another host")
        assert (root / "lost").exists()


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_only_the_settings_that_differ_are_shown(
    three: FinetopApp, size: tuple[int, int]
) -> None:
    async with three.run_test(size=size) as pilot:
        await see(pilot, "none")
        await until(pilot, lambda: len(three.runs.rows) == 4)
        await pilot.press("home", "d")
        assert isinstance(three.screen, Page), "there is nothing to compare it with"
        await pilot.press("space")
        await see(pilot, ">◆✓ b")
        await pilot.press("down", "d")
        await until(pilot, lambda: isinstance(three.screen, DifferenceWindow))
        text = screen_text(three)
        assert "b → a" in text
        assert "training.learning_rate  0.001 → 0.0002" in text
        assert "1 setting differs" in text
        assert "training.epochs" not in text
        await pilot.press("d")
        await until(pilot, lambda: isinstance(three.screen, Page))


async def test_without_a_mark_a_run_is_compared_with_what_it_builds_on(app: FinetopApp) -> None:
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "> ● live")
        await pilot.press("down", "down", "down")
        await see(pilot, "> └ ✓ child")
        await pilot.press("d")
        await see(pilot, "emotion-lora → child")
        await see(pilot, "run:emotion-lora")


async def test_notes_of_a_hostile_hand_are_cleaned(tmp_path: Path) -> None:
    job = write_run(tmp_path / "runs", "one")
    hostile = {"note": "a\x1b]0;pwn\x07[/red]", "tags": ["\x9b31m", "b"]}
    job.user_file.write_text(json.dumps(hostile))
    app = FinetopApp(Store(tmp_path / "runs"))
    async with app.run_test(size=WIDE) as pilot:
        await see(pilot, "a␛]0;pwn␇[/red]")
        assert "#�31m #b" in screen_text(app)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, NoteWindow))
        assert not {"\x1b", "\x07", "\x9b"} & set(screen_text(app))


async def test_nothing_is_lost_where_notes_cannot_be_written(three: FinetopApp) -> None:
    folder = three.store.root / "b"
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "none")
        (folder / "user.json").mkdir()  # no file can be put there
        await pilot.press("home", "z")
        await see(pilot, "A file could not be read or written.")


async def test_runs_are_filtered_pinned_and_sorted_by_any_tag(three: FinetopApp) -> None:
    root = three.store.root
    for name, speed in (("a", 3.0), ("b", 2.0), ("c", float("nan"))):
        write_event(root / name / "events", 90, {"speed": speed})
    async with three.run_test(size=WIDE) as pilot:
        await see(pilot, "! c ")
        await see(pilot, "! 1 with NaN/Inf")
        await pilot.press("home", "down", "down", "p")
        await until(pilot, lambda: listed(three) == ["c", "b", "a", "none"])
        await see(pilot, "! speed: NaN or Inf")
        await pilot.press("t")
        await see(pilot, "space pin")
        three.screen.query_one(TextField).value = "speed"
        await pilot.press("enter")
        await see(pilot, "by last speed ▲")
        await until(pilot, lambda: listed(three) == ["c", "b", "a", "none"])
        assert "speed ▲" in screen_text(three).splitlines()[2]
        await pilot.press("O")
        await until(pilot, lambda: listed(three) == ["c", "a", "b", "none"])
        await pilot.press("slash")
        field = three.screen.query_one(TextField)
        field.value = "tag:speed and not ("
        await see(pilot, "filter: a term is missing at the end")
        field.value = "state:queued"
        await see(pilot, "No runs match the filter.")
        field.value = "tag:speed and not (name:a or state:failed)"
        await until(pilot, lambda: listed(three) == ["c", "b"])
        await see(pilot, "4 runs · 2 shown")
        kept = SortOrder(descending=True, tag="speed", pinned=["c"])
        await until(pilot, lambda: sort_order.load(root)[0] == kept)
        await pilot.press("enter", "escape", "o")  # from a tag on to the columns
        await until(pilot, lambda: listed(three) == ["c", "none", "b", "a"])
        await pilot.press("end", "enter")
        await see(pilot, "b c")  # the pinned one is drawn beside any other
    again = FinetopApp(three.store)
    async with again.run_test(size=WIDE) as pilot:
        await see(pilot, "! c ")  # from what was remembered of it
        await until(pilot, lambda: listed(again) == ["c", "none", "b", "a"])
