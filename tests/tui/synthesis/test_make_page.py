"""Make data from Launch's data list: the source, the fields, the question as asked, the start."""

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from engine.errors import EngineError
from engine.jobs.store import Store
from engine.recipes import recipe as recipes
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField
from engine.synthesis.source_rows import SourceRow
from tests.tui.conftest import FakeCompanion, screen_text, see, until
from tests.tui.synthesis.made_job import RECIPE, TEXTS, write_made_job
from tui.actions import Actions
from tui.app import FinetopApp
from tui.launch.page import LaunchPage
from tui.screens.dialogs import ConfirmDialog, ErrorDialog, TextWindow
from tui.screens.pick_window import PickWindow
from tui.screens.text_area_window import TextAreaWindow
from tui.synthesis.made_page import MadePage
from tui.synthesis.make_page import MakePage
from tui.synthesis.recipe_draft import draft_recipe, texts_of
from tui.synthesis.row_field_window import RowFieldWindow
from tui.widgets.form import Form
from tui.widgets.table import Table


class Starting(Actions):
    """Real actions, but a start only writes what a worker would have made."""

    started: SynthesizeRecipe | None = None
    refuse: EngineError | None = None

    def make_data(self, recipe: SynthesizeRecipe) -> Path:
        if self.refuse is not None:
            raise self.refuse
        self.started = recipe
        return write_made_job(self.store.root, recipe.name, recipe=recipe).path


@pytest.fixture
def actions(tmp_path: Path) -> Starting:
    (tmp_path / "runs").mkdir()
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [{"review": text, "stars": at % 5} for at, text in enumerate(TEXTS)]
    (folder / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "make.toml").write_text(recipes.to_toml(RECIPE))
    return Starting(Store(tmp_path / "runs"))


@pytest.fixture
def app(actions: Starting, companion: FakeCompanion) -> FinetopApp:
    return FinetopApp(actions.store, actions=actions, companion=lambda: companion)  # type: ignore[arg-type, return-value]


async def open_make(pilot: Pilot[None], data: str = "reviews") -> None:
    """From Launch's data list, where files of unknown columns are listed too."""
    await pilot.press("2")
    await see(pilot, "demo-base")
    await see(pilot, data)
    sets = pilot.app.screen.query_one("#sets", Table)
    sets.focus()
    key = next(one for one in sets._keys if data in one)
    sets.choose(key)
    await see(pilot, "n make data")
    await pilot.press("n")
    await until(pilot, lambda: isinstance(pilot.app.screen, MakePage))


def form_of(pilot: Pilot[None]) -> Form:
    return pilot.app.screen.query_one(Form)


async def add_label(pilot: Pilot[None]) -> None:
    await pilot.press("a")
    await until(pilot, lambda: isinstance(pilot.app.screen, RowFieldWindow))
    window = pilot.app.screen
    window.query_one(Form).fill({"name": "view", "type": "label", "choices": "agree, disagree"})
    window.query_one(TextArea).text = "Does {review} sound happy?"
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(pilot.app.screen, MakePage))


@pytest.mark.parametrize("size", [(160, 50), (80, 24)])
async def test_a_source_of_any_columns_becomes_a_job(
    app: FinetopApp, actions: Starting, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await open_make(pilot)
        await see(pilot, "review")
        await see(pilot, "taken: {rev")
        await see(pilot, "No field of the rows")
        await add_label(pilot)
        await see(pilot, "label")
        await see(pilot, "generator: ctrl+l picks")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, PickWindow))
        await pilot.press("enter")
        await see(pilot, "ready: ctrl+s starts it")
        assert form_of(pilot).values["asking.generator"] == "generator=bundled:demo-base"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, MadePage))
    recipe = actions.started
    assert recipe is not None
    assert recipe.source.data.endswith("reviews.jsonl")
    assert recipe.fields["prompt"] == RowField(take="{review}")
    assert recipe.fields["view"].choices == ["agree", "disagree"]


async def test_the_question_is_shown_as_it_is_asked(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        await add_label(pilot)
        await see(pilot, "asked for view:")
        await see(pilot, TEXTS[0])
        await see(pilot, "Answer with one of these: agree, disagree, and nothing else.")
        await pilot.press("v")
        await see(pilot, "[recipe]")
        await pilot.press("v")
        await see(pilot, "[question]")


async def test_texts_fields_and_their_order_are_edited(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        table = app.screen.query_one("#asked", Table)
        table.choose("text:asking.instructions")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextAreaWindow))
        app.screen.query_one(TextArea).text = "Read {stars}.\nThen answer."
        await pilot.press("ctrl+s")
        await see(pilot, "Read {stars}.⏎Then answer.")
        await add_label(pilot)
        await pilot.press("K")
        assert list(table._keys)[-2:] == ["field:view", "field:prompt"]
        await pilot.press("J")
        assert list(table._keys)[-2:] == ["field:prompt", "field:view"]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RowFieldWindow))
        assert app.screen.query_one(Form).values["choices"] == "agree,disagree"
        app.screen.query_one(Form).fill({"name": "opinion"})
        await pilot.press("ctrl+s")
        await see(pilot, "opinion")
        await pilot.press("D")
        await see(pilot, "No field of the rows wanted is asked for.")
        table.choose("text:asking.instructions")
        await pilot.press("D")
        await until(pilot, lambda: "Read {stars}" not in screen_text(app))


@pytest.mark.parametrize(
    ("values", "template", "reason"),
    [
        ({"name": "prompt"}, "What?", "There is a field"),
        ({"name": ""}, "What?", "printable characters"),
        ({"name": "x", "type": "label", "choices": "one"}, "What?", "at least two"),
        ({"name": "x", "type": "integer", "range": "1"}, "What?", "a range is the least"),
        ({"name": "x", "type": "integer", "range": "few"}, "What?", "range"),
        ({"name": "x", "min_chars": "no"}, "What?", "must be an integer"),
        ({"name": "x"}, "What of {title}?", "no column 'title'"),
        ({"name": "x"}, "", "give either"),
    ],
)
async def test_a_field_that_makes_no_rows_is_refused(
    app: FinetopApp, values: dict[str, str], template: str, reason: str
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, RowFieldWindow))
        app.screen.query_one(Form).fill(values)
        app.screen.query_one(TextArea).text = template
        await pilot.press("ctrl+s")
        await see(pilot, reason)
        assert isinstance(app.screen, RowFieldWindow)


async def test_a_choice_with_a_comma_stays_one(app: FinetopApp) -> None:
    field = RowField(ask="Which?", type="label", choices=["yes, please", "no"])
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        written: list[object] = []
        app.push_screen(RowFieldWindow("x", field, (), None), written.append)
        await until(pilot, lambda: isinstance(app.screen, RowFieldWindow))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: bool(written))
        assert written == [("x", field)]


async def test_a_column_is_chosen_as_the_text(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot, "emotion")
        await see(pilot, "source: Several columns may be the text.")
        columns = app.screen.query_one("#columns", Table)
        columns.focus()
        columns.choose("input")
        await see(pilot, "enter text column")
        await pilot.press("enter")
        await see(pilot, "taken: {input}")
        assert form_of(pilot).values["source.text"] == "input"


async def test_a_recipe_file_is_opened_and_a_wrong_one_refused(
    app: FinetopApp, tmp_path: Path
) -> None:
    (tmp_path / "train.toml").write_text('kind = "train"\nversion = 2\n')
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        for name, page in (("train.toml", ErrorDialog), ("gone.toml", ErrorDialog)):
            await pilot.press("o")
            await until(pilot, lambda: isinstance(app.screen, TextWindow))
            await pilot.press(*name, "enter")
            await until(pilot, lambda page=page: isinstance(app.screen, page))  # type: ignore[misc]
            await pilot.press("escape")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, TextWindow))
        await pilot.press(*"make.toml", "enter")
        await see(pilot, "claim")
        assert form_of(pilot).values["asking.generator"] == RECIPE.asking.generator


async def test_a_start_that_is_refused_can_be_tried_again(
    app: FinetopApp, actions: Starting
) -> None:
    actions.refuse = EngineError("The file of rows exists already.", "rows.jsonl", "Name another.")
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        source = f"source.data={Path('data', 'reviews.jsonl')}"
        app.screen._take(recipes.changed(RECIPE, [source]))  # type: ignore[attr-defined]
        await see(pilot, "ready: ctrl+s starts it")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
        await pilot.press("escape")
        actions.refuse = None
        await see(pilot, "ready: ctrl+s starts it")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, MadePage))


async def test_texts_leave_the_machine_only_once_that_is_agreed_to(
    app: FinetopApp, actions: Starting
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        await add_label(pilot)
        form_of(pilot).fill({"asking.generator": "g=https://models.example/v1?model=m"})
        app.screen._check()  # type: ignore[attr-defined]
        await see(pilot, "ready")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await see(pilot, "Send texts of your data to")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, MakePage))
        assert actions.started is None
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, MadePage))
        assert actions.started is not None


async def test_what_was_written_is_there_when_the_page_is_opened_again(
    app: FinetopApp, actions: Starting
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        await add_label(pilot)
        form_of(pilot).fill({"asking.generator": "g=bundled:demo-base"})
        app.screen._templates["asking.system"] = "Be brief."  # type: ignore[attr-defined]
        await pilot.press("m", "m", "m", "m", "m")
        await see(pilot, "Budget")
        form_of(pilot).fill({"budget.rows": "7"})
        app.screen._check()  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LaunchPage))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, MakePage))
        await see(pilot, "ready: ctrl+s starts it")
        await see(pilot, "Be brief.")
        assert "view" in app.screen._fields  # type: ignore[attr-defined]
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, MadePage))
        assert app.written_recipes == {}, "what was started is a job, and no draft any more"
    assert actions.started is not None
    assert actions.started.asking.system == "Be brief."
    assert actions.started.budget.rows == 7, "of a page of settings that was not shown again"


async def test_nothing_is_kept_where_nothing_was_written(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        written = dict(app.written_recipes)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LaunchPage))
    assert written == {}


async def test_the_columns_of_parquet_are_those_that_the_companion_reads(
    app: FinetopApp, companion: FakeCompanion, tmp_path: Path
) -> None:
    companion.columnar = [{"review": text, "stars": 3, "at": "2020-01-01"} for text in TEXTS]
    (tmp_path / "data" / "rows.parquet").write_bytes(b"PAR1")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_make(pilot, "rows")
        await see(pilot, "source rows")
        await see(pilot, "stars")
        await see(pilot, "source: Several columns may be the text.")
        await see(pilot, "Enter on a column makes it the text.")
        assert "--set" not in screen_text(app)
        columns = app.screen.query_one("#columns", Table)
        columns.focus()
        columns.choose("review")
        await pilot.press("enter")
        await see(pilot, "taken: {rev")
        await add_label(pilot)
        await see(pilot, "asked for view:")


async def test_votes_show_the_pairs_that_they_make(app: FinetopApp, actions: Starting) -> None:
    answers = [{"arm": "a", "name": "base", "text": "Nothing."},
               {"arm": "b", "name": "tuned", "text": "Tea [/red] helps."}]  # fmt: skip
    sources = [
        SourceRow(f"p{at}", f"job/p{at}", "samples.jsonl", at, "What helps?",
                  {"prompt": "What helps?", "answers": answers, "votes": counts, "problem": ""})
        for at, counts in enumerate([{"b": 2}, {"a": 1, "b": 1}, {"b": 1}, {"tie": 3}], 1)
    ]  # fmt: skip
    asked: list[str] = []

    def read(recipe: SynthesizeRecipe) -> list[SourceRow]:
        asked.append(recipe.pairs.job)
        if recipe.pairs.job == "run:none":
            raise EngineError("There are no votes.", "none", "Vote in Compare: press v.")
        return sources

    actions.read_voted_sources = read  # type: ignore[method-assign]
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await see(pilot, "taken: {review}")
        await pilot.press("m", "m", "m")
        await see(pilot, "Job voted on")
        form_of(pilot).fill({"mode": "votes", "pairs.job": "run:none"})
        app.screen._check()  # type: ignore[attr-defined]
        await see(pilot, "Vote in Compare: press v.")
        form_of(pilot).fill({"pairs.job": "run:voted"})
        app.screen._check()  # type: ignore[attr-defined]
        await see(pilot, "2 of 4 pairs make rows")
        await see(pilot, "1 set aside: voters disagree")
        await see(pilot, "1 set aside: tie")
        await see(pilot, "Tea [/red] helps.")
        app.screen._check()  # type: ignore[attr-defined]
        await pilot.pause()
    assert asked == ["run:none", "run:voted"], "votes are read once"


async def test_esc_goes_back_to_launch(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await open_make(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LaunchPage))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"mode": "votes"}, "pairs.job"),
        ({"mode": "pairs"}, "pairs.prompt"),
        ({"out": "rows.csv"}, "out"),
        ({"out": "", "accept_all": "yes"}, "out"),
        ({"asking.generator": "a=b?c=d"}, "asking.generator"),
        ({"gates.judge": "j=bundled:demo-base"}, "gates.judge_question"),
        ({"gates.copy": "2"}, "gates.copy"),
        ({"asking.instructions": "{gone}"}, "asking.instructions"),
        ({"asking.system": "{"}, "asking.system"),
        ({"name": " "}, "name"),
    ],
)
def test_what_is_wrong_is_said_of_its_setting(changes: dict[str, str], key: str) -> None:
    texts = texts_of(RECIPE) | changes
    draft = draft_recipe(RECIPE, texts, RECIPE.fields, ("review", "stars"))
    assert draft.recipe is None
    assert key in draft.problems


def test_the_texts_of_a_recipe_make_it_again() -> None:
    draft = draft_recipe(RECIPE, texts_of(RECIPE), RECIPE.fields, ("review", "stars"))
    assert draft.problems == {}
    assert draft.recipe == RECIPE
