"""The Launch screen with the real catalogue."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.bundled import BASE
from engine.errors import EngineError
from engine.estimates.fit import Fit
from engine.jobs.store import Store
from engine.recipes.recipe import Recipe, TrainRecipe, parse, to_table
from engine.recipes.settings import Data, Forgetting
from tests.checkpoints.made import make_model
from tests.tui.building import write_run
from tests.tui.conftest import FakeCompanion, odd_report_of, report_of, screen_text, see, until
from tui.actions import Actions
from tui.app import FinetopApp
from tui.glyphs import ASCII
from tui.launch import data_report
from tui.launch.draft import draft, suggest, texts_of
from tui.launch.fit_lines import fit_line, measured
from tui.launch.page import LaunchPage
from tui.screens.dialogs import ErrorDialog
from tui.watch.page import WatchPage
from tui.widgets.form import Form
from tui.widgets.pager import Pager
from tui.widgets.table import Table

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
        return "runs stop when Slurm job 7 ends"


@pytest.fixture
def actions(root: Path) -> Recorder:
    return Recorder(Store(root))


@pytest.fixture
def app(root: Path, actions: Recorder, companion: FakeCompanion) -> FinetopApp:
    return FinetopApp(Store(root), actions=actions, companion=lambda: companion)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("size", SIZES)
async def test_models_data_form_and_rows_are_there(app: FinetopApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await see(pilot, "demo-base")
        await see(pilot, "⟦sadness<|end|>⟧")
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
        await see(pilot, "must be an integer")
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
        await pilot.press("V")
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
        await until(pilot, lambda: isinstance(app.screen, ErrorDialog))
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


@pytest.mark.parametrize("size", SIZES)
async def test_rows_that_a_model_cannot_read_are_refused_in_the_form(
    app: FinetopApp, actions: Recorder, tmp_path: Path, size: tuple[int, int]
) -> None:
    config: dict[str, Any] = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    make_model(tmp_path / "models" / "table", max_position_embeddings=64, **config)
    make_model(tmp_path / "models" / "wheel", max_position_embeddings=64)
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        models = app.screen.query_one("#models", Table)
        refs = {Path(model.ref).name: model.ref for model in actions.catalogue().checkpoints}
        models.choose(refs["table"])
        await see(pilot, "max length: must be at most 64")
        await pilot.press("ctrl+s")
        models.choose(refs["wheel"])
        await see(pilot, "is above the context of 64")
        assert actions.launched is None


async def test_rejected_rows_are_shown_with_line_and_reason(
    app: FinetopApp, companion: FakeCompanion, tmp_path: Path
) -> None:
    companion.report = EngineError("No torch here.", "the light install", "Install finetop[train].")
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
        for part in ("No torch here.", "the light install", "Install finetop[train]."):
            await see(pilot, part)
        assert "Say yes." in screen_text(app)  # what can be known without it stays


async def test_n_takes_over_all_settings_of_a_run(app: FinetopApp, actions: Recorder) -> None:
    write_run(actions.store.root, "full-one", method="full", points=5, created=9e9)
    async with app.run_test(size=(160, 50)) as pilot:
        await see(pilot, "full-one")
        await pilot.press("home", "n")
        await see(pilot, "emotion-full")
        await see(pilot, "ready")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
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


async def test_the_companion_is_asked_once_for_what_was_chosen(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    companion.held = True
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "loading preview")
        await see(pilot, "i finished the race")  # the plain rows come first
        companion.held = False
        await see(pilot, "⟦sadness<|end|>⟧")
        await see(pilot, "1,234 trained tokens")
        await pilot.press("tab", "down")
        await see(pilot, "prompt/chosen/rejected")
        await until(pilot, lambda: len(companion.inspected) == 2)
        await pilot.press("enter", "tab", "tab", "tab", *"9")  # alpha changes nothing of that
        await pilot.pause(1.0)
    assert len(companion.inspected) == 2
    (first, data, settings), (_, other, _) = companion.inspected
    assert first == "bundled:demo-base"
    assert (data["train"], other["train"]) == ("bundled:emotion", "bundled:counsel")
    assert data["max_length"] == 256
    assert settings["seed"] == 7
    assert settings["replay"] == {"data": "", "share": 0.1}
    assert companion.closed


async def test_who_only_passes_by_starts_no_companion(
    app: FinetopApp, companion: FakeCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_report, "STILL_SECONDS", 60.0)  # a slow machine is no slow reader
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
    assert companion.inspected == []


@pytest.mark.parametrize("size", SIZES)
async def test_panes_of_lengths_and_templates_take_turns(
    app: FinetopApp, companion: FakeCompanion, size: tuple[int, int]
) -> None:
    long = {"max_length": 256, "policy": "truncate", "cut": {"rows": 3, "example": "/d/x:4"},
            "dropped": {"rows": 0, "example": ""}, "share_of_learned": 0.125,
            "removed": {"source": "/d/x.jsonl:4", "text": "the end \x1b[2J of it"}}  # fmt: skip
    companion.report = report_of("who", "me", too_long=long)
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await see(pilot, "⟦me<|end|>⟧")
        await pilot.press("v")
        await see(pilot, "[lengths]")
        await see(pilot, "median 12")
        await pilot.press("tab", "tab", "tab")
        app.screen.query_one("#text", Pager).focus()
        await see(pilot, "200-399")
        await see(pilot, "max length 256")
        await pilot.press("end")
        await see(pilot, "12.5% of")
        await see(pilot, "x.jsonl:4")
        await see(pilot, "␛[2J")
        await pilot.press("v")
        await see(pilot, "[templates]")
        await pilot.press("home")
        await see(pilot, "raw")
        await see(pilot, "chatml  tokens not in vocab")
        await pilot.press("end")
        await see(pilot, "✓ in use")
        await pilot.press("v", "v")
        await see(pilot, "[recipe]")


async def test_what_is_odd_about_the_data_is_said_first(
    app: FinetopApp, companion: FakeCompanion
) -> None:
    few = {"rows": 3, "example": "/d/x:4"}
    reject = {"file": "/d/x.jsonl", "line": 4, "reason": "no \x1b answer", "text": "{}"}
    companion.report = odd_report_of("who", "me", few, reject)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        for part in (
            "! 3 rows start with two <|begin|>",
            "! 3 answers have no end token",
            "! the text of 3 rows contains special tokens",
            "invalid x.jsonl:4: no ␛ answer",
            "and 6 more invalid",
            "✗ not trained: the template leaves out",
            "! unread columns: source, id (9 rows)",
            "! unread keys of messages: mood (3 rows)",
            "! 3 rows labelled false: not trained on",
            "! 3 rows open with an answer: it is not trained on",
            "7 invalid · 5 duplicates · 2 eval rows also in",
        ):
            await see(pilot, part)


async def test_every_setting_can_be_reached_and_is_checked(
    app: FinetopApp, actions: Recorder
) -> None:
    async with app.run_test(size=(160, 60)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        form, keys = app.screen.query_one(Form), set()
        titles = "Data Method Training Stopping Replay Answers Forgetting Skills"
        for title in titles.split():
            await pilot.press("m")
            await see(pilot, f"{title}  ")
        keys = set(form.values)
        await pilot.press("M", "M", "M", "M")
        await see(pilot, "Stopping  page 5 of 9")
        await pilot.press("enter", "enter", "f2", "f2", "f2")  # from within a field
        await see(pilot, "Forgetting  page 8 of 9")
        await see(pilot, "Budget, nats/token")
        await pilot.press("tab", "tab", "home", "ctrl+k", *"many")
        await see(pilot, "budget, nats/token: must be a number")
        await pilot.press("home", "ctrl+k", *"0.25", "tab", "right", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, WatchPage))
    assert isinstance(actions.launched, TrainRecipe)
    assert actions.launched.forgetting == Forgetting(budget=0.25, stop=True)
    table = to_table(TrainRecipe())
    every = {f"{name}.{key}" for name, one in table.items() if isinstance(one, dict) for key in one}
    assert keys | {"model.checkpoint", "data.train"} == every | {"name", "device"}


def test_lists_and_tables_are_typed_as_text() -> None:
    start = TrainRecipe(data=Data(columns={"prompt": "q", "completion": "a"}))
    texts = texts_of(start)
    assert texts["data.columns"] == "prompt=q, completion=a"
    assert texts["method.target_modules"] == "all-linear"
    assert texts["training.packing"] == "no"
    texts |= {"data.columns": "text = body", "method.target_modules": "q_proj, v_proj",
              "training.packing": "yes"}  # fmt: skip
    made = draft(start, texts, "bundled:demo-base", start.data.train)
    assert made.recipe is not None
    assert made.recipe.data.columns == {"text": "body"}
    assert made.recipe.method.target_modules == ["q_proj", "v_proj"]
    assert made.recipe.training.packing is True
    wrong = draft(start, texts | {"data.columns": "text"}, "bundled:demo-base", "x")
    assert "data.columns" in wrong.problems


async def test_what_was_said_of_one_data_set_is_not_said_of_another(app: FinetopApp) -> None:
    data = Data(eval="/d/held-out.jsonl", columns={"output": "answer"}, max_length=99)
    app.draft = TrainRecipe(data=data)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2", "m")
        await see(pilot, "/d/held-out.jsonl")
        await see(pilot, "output=answer")
        await pilot.press("tab", "down")
        await until(pilot, lambda: "held-out.jsonl" not in screen_text(app))
        page = app.screen
        assert isinstance(page, LaunchPage)
        assert page._draft is not None
        assert page._draft.recipe is not None
        assert page._draft.recipe.data == Data(train="bundled:counsel", max_length=99)


async def test_a_choice_survives_a_visit_elsewhere(app: FinetopApp) -> None:
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.press("tab", "down")
        await see(pilot, "counsel-lora-r8")
        await pilot.press("1")
        await see(pilot, "progress")
        await pilot.press("2")
        await see(pilot, "ready")
        await pilot.pause(0.5)
        assert "counsel-lora-r8" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_whether_it_fits_follows_what_is_written(
    app: FinetopApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await see(pilot, "✓ fits: ")
        await see(pilot, "free · ")  # the time, once the rows are known
        before = [line for line in screen_text(app).splitlines() if "fits:" in line]
        await pilot.press("v", "v", "v")
        await see(pilot, "[fit]")
        await see(pilot, "weights")
        if size[0] > 100:
            await see(pilot, "138k trainable (counted)")
            await see(pilot, "compute and weights: fp32")
        await pilot.press("m", "m", "m", "M", "M", "M", "enter", "enter")
        await pilot.press(*["tab"] * 6, "home", "ctrl+k", *"65536")
        await see(pilot, "✗ does not fit:")
        await see(pilot, "batch_size")  # what to turn down
        assert [line for line in screen_text(app).splitlines() if "fits:" in line] != before


async def test_the_estimate_is_renewed_when_the_page_opens_and_on_rescan(
    app: FinetopApp, actions: Recorder
) -> None:
    """A run that ended meanwhile is a better basis of the time."""
    minutes = 5

    def fit(*_: object) -> Fit:
        seconds = 60.0 * minutes
        return Fit("cpu", needed=10**9, free=2 * 10**9, fits=True, needed_range=(10**9, 10**9),
                   seconds=seconds, seconds_range=(seconds, seconds))  # fmt: skip

    actions.fit = fit  # type: ignore[method-assign, assignment]
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "~5 min")
        minutes = 20
        await pilot.press("1")
        await see(pilot, "progress")
        await pilot.press("2")
        await see(pilot, "~20 min")
        minutes = 40
        await pilot.press("r")
        await see(pilot, "~40 min")


async def test_a_fit_that_cannot_be_reckoned_says_why(app: FinetopApp, actions: Recorder) -> None:
    def fit(*_: object) -> Fit:
        return Fit("cpu", problem="no \x1b sizes")

    actions.fit = fit  # type: ignore[method-assign, assignment]
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("2")
        await see(pilot, "? memory unknown: no ␛ sizes")


def test_before_its_rows_are_measured_a_run_may_not_fit() -> None:
    """Every row taken at max_length and trained whole: with 262,144 tokens 20 GB for 4."""
    span = (3_200_000_000, 23 * 10**9)
    found = Fit("cpu", needed=20 * 10**9, free=10 * 10**9, fits=False, needed_range=span)

    def shown(fit: Fit) -> str:
        return "".join(text for text, _ in fit_line(fit, ASCII))

    assert "may not fit: 3.2-23 of 10 GB free" in shown(found)
    assert "does not fit: 3.2-23 of 10 GB free" in shown(replace(found, measured=True))
    assert "fits: 3.2-23 of 10 GB free" in shown(replace(found, fits=True))
    timed = replace(found, seconds=600.0, seconds_range=(300.0, 1200.0), free=None)
    assert "3.2-23 GB - 5-20 min" in shown(timed)


def test_an_epoch_is_reckoned_from_the_rows_that_were_looked_at() -> None:
    report = report_of("who", "me")
    report["data"] = {"schema": "x", "rows": 90, "looked_at": 9}
    report["sides"] |= {"train": 8}
    report["learned_tokens"] = 137
    # Six rows of about 100 tokens, three cut at 256: 1,366 tokens of nine rows.
    known = measured(report, 0)
    assert known is not None
    assert known.tokens == int((6 * 99.5 + 3 * 256) / 9 * 8 * 10)
    assert known.row_tokens == pytest.approx((6 * 99.5 + 3 * 256) / 9)
    assert known.longest == 256
    assert known.target_share == pytest.approx(0.1, rel=0.01)
    limited = measured(report, 18)
    assert limited is not None
    assert limited.tokens == int((6 * 99.5 + 3 * 256) / 9 * 8 * 2)
    report["too_long"] |= {"max_length": 199, "dropped": {"rows": 3, "example": ""}}
    for policy in ("drop", "truncate"):
        report["too_long"]["policy"] = policy
        dropped = measured(report, 0)
        assert dropped is not None
        assert dropped.tokens == int(99.5 * 8 * 6 / 9 * 10), "six rows of nine are trained on"
    assert measured(report | {"lengths": None}, 0) is None
