"""Launch: a model, data, a form; what is learned, the recipe, whether it fits; and off it goes."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from engine.checkpoints.gguf_file import as_trained
from engine.errors import EngineError
from engine.jobs.summary import short_ref
from engine.recipes.recipe import SynthesizeRecipe, TrainRecipe
from engine.recipes.synthesis_settings import Source
from engine.text import one_line
from tui.background import run_in_background
from tui.keymap import Key
from tui.launch.draft import (
    OF_ONE_SET,
    Draft,
    check_model,
    draft,
    groups,
    label_of,
    suggest,
    suggest_rate,
    texts_of,
    with_set,
)
from tui.launch.pick_rows import (
    MODEL_COLUMNS,
    SET_COLUMNS,
    about_model,
    about_set,
    model_row,
    set_row,
)
from tui.launch.preview_pane import LaunchInputs, PreviewPane
from tui.screens.page import Page, bindings_of
from tui.snapshots import Catalogue
from tui.styled_text import Line
from tui.widgets.form import Form
from tui.widgets.lines import Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Table

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint
    from engine.data.dataset_list import DataSet


class LaunchPage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("launch")
    name_in_keymap = "launch"
    initial_focus = "#models"

    def __init__(self) -> None:
        super().__init__()
        self._start = TrainRecipe()
        self._catalogue = Catalogue()
        self._suggested_name = ""
        """What was suggested last; another one in the field is the user's own."""
        self._suggested_rate = ""
        """The learning rate likewise."""
        self._draft: Draft | None = None
        self._choosing = True
        """Whether the model and data of the recipe are still to be found in the lists."""
        self._launching = False
        self._warning = ""
        self._start_error = ""
        """Why nothing can be launched, whatever is chosen."""
        self._state: Line = []

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        with Horizontal():
            with Vertical(id="pick"):
                yield Table(MODEL_COLUMNS, empty="Searching...", id="models")
                yield _facts("model-facts")
                yield Table(SET_COLUMNS, empty="Searching...", id="sets")
                yield _facts("set-facts")
            with Vertical(id="write"):
                yield Form(groups(), id="form")
                yield _facts("state")
                yield PreviewPane(self.services.actions, self.services.companion, id="preview")
        yield keys

    def on_mount(self) -> None:
        self._take(self._start)
        self.action_rescan()

    def open(self) -> None:
        super().open()
        recipe, self.services.draft = self.services.draft, None
        if recipe is not None:
            self._take(recipe)
            self._refresh_lists()
            self.query_one(PreviewPane).renew_fit()
        elif self._catalogue.checkpoints:
            self.action_rescan()  # a run may have ended since
        self._check()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "launch":
            return self._draft is not None and self._draft.recipe is not None
        if action == "make_data":
            return self.ready and self.dataset is not None
        return True

    def label_of(self, key: Key) -> str:
        if key.action == "make_data" and self.focused is not self.query_one("#sets"):
            return ""  # it works all the same, and the line is full
        return super().label_of(key)

    def apply_filter(self, text: str) -> None:
        self._refresh_lists()
        self._check()

    def on_resize(self, event: Resize) -> None:
        self.query_one(Form).limit(event.size.height - 9)

    def on_preview_pane_report_changed(self) -> None:
        self._update_dataset()

    def on_table_row_highlighted(self, event: Table.RowHighlighted) -> None:
        self._check()

    def on_form_edited(self, event: Form.Edited) -> None:
        self._check()

    def action_go_on(self) -> None:
        if self.focused is self.query_one("#models"):
            self.query_one("#sets").focus()
        else:
            self.query_one(Form).enter()

    def action_turn_form(self, by: int) -> None:
        self.query_one(Form).turn(by)
        self._check()

    def action_leaf(self) -> None:
        self.query_one(Form).turn(1, enter=True)
        self._check()

    def action_turn_pane(self, by: int) -> None:
        self.query_one(PreviewPane).turn(by)

    def action_rescan(self) -> None:
        actions = self.services.actions
        self.query_one(PreviewPane).renew_fit()
        run_in_background(
            self,
            lambda: (actions.catalogue(), actions.warning(), actions.start_error()),
            self._show_catalogue,
            group="catalogue",
            exclusive=True,
        )

    def action_launch(self) -> None:
        recipe = self._draft.recipe if self._draft else None
        if recipe is None or self._launching:
            return
        self._launching = True
        self._show_state([(" starting the worker...", "tuned")])

        run_in_background(
            self,
            lambda: self.services.actions.launch(recipe),
            lambda path: self._started(str(path)),
            failed=self._failed,
        )

    def action_make_data(self) -> None:
        """Rows to train on, made of the chosen data: any columns will do."""
        if self.dataset is not None:
            source = Source(data=self.dataset.ref)
            name = f"{short_ref(self.dataset.ref).partition('.')[0] or 'data'}-made"
            self.services.show_make(SynthesizeRecipe(name=name, source=source))

    @property
    def model(self) -> "Checkpoint | None":
        ref = self.query_one("#models", Table).chosen
        return next((model for model in self._catalogue.checkpoints if model.ref == ref), None)

    @property
    def dataset(self) -> "DataSet | None":
        ref = self.query_one("#sets", Table).chosen
        return next((dataset for dataset in self._catalogue.datasets if dataset.ref == ref), None)

    def _take(self, recipe: TrainRecipe) -> None:
        """Start from a recipe; its name is kept only as what a new one is suggested from."""
        self._start = recipe
        self._choosing = True
        form = self.query_one(Form)
        form.fill(texts_of(recipe))
        self._suggested_name = recipe.name
        # A rate that another run used is the user's wish; the default is nobody's.
        self._suggested_rate = texts_of(TrainRecipe())["training.learning_rate"]
        self._suggest_name()

    def _show_catalogue(self, found: tuple[Catalogue, str, str]) -> None:
        catalogue, self._warning, self._start_error = found
        models = tuple(map(as_trained, catalogue.checkpoints))
        self._catalogue = replace(catalogue, checkpoints=models)
        self.query_one(Form).offer("device", self._catalogue.devices)
        self._refresh_lists()
        self._check()

    def _refresh_lists(self) -> None:
        models, sets = self.query_one("#models", Table), self.query_one("#sets", Table)
        word = self.filter_text.casefold()
        model_rows = map(model_row, self._catalogue.checkpoints)
        set_rows = map(set_row, self._catalogue.datasets)
        models.show([row for row in model_rows if word in row.text])
        sets.show([row for row in set_rows if word in row.text])
        if self._choosing and self._catalogue.checkpoints:
            self._choosing = False
            models.choose(self._start.model.checkpoint)
            sets.choose(self._start.data.train)

    def _check(self) -> None:
        """Read form and lists, and say what is wrong or what will be run."""
        form, model, dataset = self.query_one(Form), self.model, self.dataset
        if dataset is not None and dataset.ref != self._start.data.train and not self._choosing:
            self._start = with_set(self._start, dataset.ref)
            texts = texts_of(self._start)
            form.fill({f"data.{name}": texts[f"data.{name}"] for name in OF_ONE_SET})
        self._suggest_name()
        self._suggest_rate(model)
        written = draft(
            self._start,
            form.values,
            model.ref if model else self._start.model.checkpoint,
            dataset.ref if dataset else self._start.data.train,
        )
        self._draft = check_model(written, model)
        form.complain(self._draft.problems)
        self.query_one("#model-facts", Pager).show(about_model(model, self.glyphs.separator))
        self._update_state(model, dataset)
        if not self._choosing:
            usable = model if model and not model.reason else None
            self.query_one(PreviewPane).show(
                LaunchInputs(
                    usable, dataset if dataset and not dataset.reason else None, self._draft
                )
            )
        self._update_dataset()
        self.show_keys()

    def _suggest_name(self) -> None:
        form = self.query_one(Form)
        values = form.values
        if values["name"] != self._suggested_name:
            return
        taken = {row.view.record.name for row in self.services.runs.rows}
        data = self.dataset.ref if self.dataset else self._start.data.train
        self._suggested_name = suggest(data, values["method.kind"], values["method.rank"], taken)
        form.fill({"name": self._suggested_name})

    def _suggest_rate(self, model: "Checkpoint | None") -> None:
        """Follow model and method with the learning rate, until somebody writes another one."""
        form = self.query_one(Form)
        if model is None or form.values["training.learning_rate"] != self._suggested_rate:
            return
        size = model.parameters if model.kind == "model" else None
        self._suggested_rate = suggest_rate(size, form.values["method.kind"])
        form.fill({"training.learning_rate": self._suggested_rate})

    def _update_state(self, model: "Checkpoint | None", dataset: "DataSet | None") -> None:
        reason = next((entry.reason for entry in (model, dataset) if entry and entry.reason), None)
        if self._launching:
            return
        if reason:
            self._show_state([(f" cannot be used: {one_line(reason)}", "bad")])
        elif self._draft and self._draft.problems:
            # The reason beside the field falls away where the form is narrow.
            (key, first), *others = self._draft.problems.items()
            label = label_of(key).lower()
            more = f", and {len(others)} more errors" if others else ""
            self._show_state([(f" {label}: {one_line(first)}{more}", "bad")])
        elif self._start_error:
            self._show_state([(f" cannot start: {one_line(self._start_error)}", "bad")])
        else:
            notes = (self._draft.note if self._draft else "", self._warning)
            warning = "".join(f"   note: {one_line(note)}" for note in notes if note)
            self._show_state([(" ready: ctrl+s launch", "good"), (warning, "warn")])

    def _show_state(self, line: Line) -> None:
        if line != self._state:
            self._state = line
            self.query_one("#state", Pager).show([line])
            self.query_one("#state", Pager).refresh(layout=True)  # it may take more lines, or fewer

    def redraw(self) -> None:
        self._check()
        super().redraw()

    def _update_dataset(self) -> None:
        further = self.query_one(PreviewPane).facts
        lines = about_set(self.dataset, self.glyphs.separator, further)
        self.query_one("#set-facts", Pager).show(lines)

    def _failed(self, error: EngineError) -> None:
        self._launching = False
        self._check()
        # What lies under a window is laid out no more: let the state take its lines first.
        self.call_after_refresh(self.services.show_error, error)

    def _started(self, key: str) -> None:
        self._launching = False
        self._suggested_name = self.query_one(Form).values["name"]
        self.app.call_later(self.services.show_watch, key)


def _facts(id: str) -> Pager:
    """A few lines about the chosen row above, not to be stopped at."""
    pager = Pager(hang=1, id=id)
    pager.can_focus = False
    return pager
