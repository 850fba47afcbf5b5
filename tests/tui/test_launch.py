"""The Launch screen with the real catalogue."""

import json
import tomllib
from pathlib import Path

import pytest

from engine.demo import BASE
from engine.errors import EngineError
from engine.jobs.recipe import Recipe, TrainRecipe, parse
from engine.jobs.store import Store
from tests.tui.building import write_run
from tests.tui.conftest import screen_text, see, until
from tui.actions import Actions
from tui.app import FinetopApp
from tui.drafting import draft, suggest, texts_of
from tui.screens.dialogs import Trouble
from tui.screens.launch import LaunchPage
from tui.screens.watch import WatchPage
from tui.widgets.form import Form

SIZES = [(160, 50), (80, 24)]


class Recorder(Actions):
    """Real actions, but a launch only writes what a worker would have found."""

    launched: Recipe | None = None
    refuse: EngineError | None = None

    def launch(self, recipe: TrainRecipe) -> Path:
        if self.refuse is not None:
            raise self.refuse
        self.launched = recipe
        return write_run(self.store.root, recipe.name).path

    def warning(self) -> str:
        return "It ends with Slurm's allocation 7."


@pytest.fixture
def actions(root: Path) -> Recorder:
    return Recorder(Store(root))


@pytest.fixture
def app(root: Path, actions: Recorder) -> FinetopApp:
    return FinetopApp(Store(root), actions=actions)


@pytest.mark.parametrize("size", SIZES)
async def test_models_data_form_and_rows_are_there(app: FinetopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await see(pilot, "demo-base")
        await see(pilot, "What emotion is in this text?")
        text = screen_text(app)
        for word in ("LlamaForCausalLM", "emotion", "counsel", "Learning rate", "0.0005", "Slurm"):
            assert word in text
        assert app.focused is not None
        assert app.focused.id == "models"


async def test_a_wrong_value_is_told_while_typing(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.press("enter", "enter", "tab", "tab", "home", "ctrl+k", *"0")
        await see(pilot, "must be at least 1")
        await see(pilot, "rank: must be at least 1")
        assert "ctrl+s launch" not in screen_text(app).splitlines()[-1]
        await pilot.press("home", "ctrl+k", *"sixteen")
        await see(pilot, "must be a whole number")
        await pilot.press("home", "ctrl+k", *"16")
        await see(pilot, "ready")
        await see(pilot, "emotion-lora-r16")  # the name follows


async def test_letters_and_digits_are_text_in_a_field_and_esc_leaves_it(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.press("enter", "enter", "home", "ctrl+k", *"q1v", "question_mark")
        await see(pilot, "q1v?")
        await pilot.press("escape")
        assert app.focused is not None
        assert app.focused.id == "models"
        await pilot.press("escape")
        await see(pilot, "progress")


async def test_the_recipe_as_toml_follows_the_form(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 60)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.press("v")
        await see(pilot, 'checkpoint = "bundled:demo-base"')
        await pilot.press("enter", "down")
        await see(pilot, 'train = "bundled:counsel"')
        await see(pilot, 'name = "counsel-lora-r8"')


async def test_launching_starts_what_is_shown_and_watches_it(
    app: FinetopApp, actions: Recorder
) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.press("enter", "down", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
        await see(pilot, "counsel-lora-r8")
    assert isinstance(actions.launched, TrainRecipe)
    assert actions.launched.data.train == "bundled:counsel"
    assert actions.launched.model.checkpoint == "bundled:demo-base"


async def test_an_error_is_shown_with_its_hint_and_nothing_is_lost(
    app: FinetopApp, actions: Recorder
) -> None:
    actions.refuse = EngineError("No room.", "/runs: disk [/red] full", "Free some space.")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, Trouble))
        for part in ("No room.", "disk [/red] full", "Free some space."):
            assert part in screen_text(app)
        await pilot.press("escape")
        await see(pilot, "ready")


async def test_what_cannot_be_used_is_listed_with_the_reason(
    app: FinetopApp, tmp_path: Path
) -> None:
    broken = tmp_path / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "config.json").write_text((BASE / "config.json").read_text())
    (broken / "model.safetensors").write_text("<!DOCTYPE html><html>no</html>")
    rows = tmp_path / "data" / "bad.jsonl"
    rows.parent.mkdir()
    rows.write_text("this is not JSON\n")
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "x broken")
        await pilot.press("end")
        await see(pilot, "cannot be used:")
        assert "HTML" in screen_text(app) or "html" in screen_text(app)
        assert "x bad" in screen_text(app)


async def test_rejected_rows_are_shown_with_line_and_reason(
    app: FinetopApp, tmp_path: Path
) -> None:
    good = {"instruction": "Say yes.", "output": "yes"}
    rows = tmp_path / "data" / "mixed.jsonl"
    rows.parent.mkdir()
    rows.write_text("\n".join([json.dumps(good), '{"instruction": "no answer"}', "{broken"]))
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "mixed")
        await pilot.press("tab", "end")
        await see(pilot, "mixed.jsonl:2")
        assert "Say yes." in screen_text(app)


async def test_n_takes_over_all_settings_of_a_run(app: FinetopApp, actions: Recorder) -> None:
    write_run(actions.store.root, "full-one", method="full", points=5, created=9e9)
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "full-one")
        await pilot.press("home", "n")
        await see(pilot, "emotion-full")
        await see(pilot, "ready")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: actions.launched is not None)
    assert isinstance(actions.launched, TrainRecipe)
    assert actions.launched.method.kind == "full"


def test_a_draft_is_the_recipe_that_its_toml_reads_as() -> None:
    texts = texts_of(TrainRecipe()) | {"name": "x", "training.learning_rate": "5e-4"}
    made = draft(TrainRecipe(), texts, "bundled:demo-base", "bundled:counsel")
    assert made.problems == {}
    assert parse(tomllib.loads(made.toml)) == made.recipe
    assert made.recipe is not None
    assert made.recipe.training.learning_rate == 5e-4


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert suggest("bundled:emotion", "lora", "8", {"x"}) == "emotion-lora-r8"
    assert suggest("/d/my rows.jsonl", "full", "8", set()) == "my rows-full"
    taken = {"emotion-lora-r8", "emotion-lora-r8-2"}
    assert suggest("bundled:emotion", "lora", "8", taken) == "emotion-lora-r8-3"


async def test_the_learning_rate_follows_the_method_until_it_is_written(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        page, form = app.screen, app.screen.query_one(Form)
        assert isinstance(page, LaunchPage)

        def rate_after(**values: str) -> str:
            form.fill({key.replace("__", "."): value for key, value in values.items()})
            page._check()
            return form.values["training.learning_rate"]

        assert form.values["training.learning_rate"] == "0.0005"
        assert rate_after(method__kind="full") == "0.0003"
        assert rate_after(method__kind="lora", training__learning_rate="0.01") == "0.01"
        assert rate_after(method__kind="full") == "0.01"
