"""Launch: a model, data, a form; the rows and the recipe beside it; and off it goes."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from engine.errors import EngineError
from engine.jobs.recipe import TrainRecipe
from engine.text import one_line
from tui.actions import Catalogue
from tui.drafting import FORM, Draft, draft, suggest, suggest_rate, texts_of
from tui.pickings import (
    MODEL_COLUMNS,
    SET_COLUMNS,
    about_model,
    about_set,
    model_row,
    rows_shown,
    set_row,
)
from tui.screens.dialogs import Trouble
from tui.screens.page import Page, bindings_of
from tui.widgets.cells import Line
from tui.widgets.form import Form
from tui.widgets.line import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Table

if TYPE_CHECKING:
    from engine.catalog.checkpoints import Checkpoint
    from engine.catalog.datasets import DataSet
    from engine.catalog.rows import Rows

PREVIEW_ROWS = 20


class LaunchPage(Page):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("launch")
    name_in_keymap = "launch"
    home = "#models"

    def __init__(self) -> None:
        super().__init__()
        self._start = TrainRecipe()
        self._catalogue = Catalogue()
        self._named = ""
        """The name that was suggested last; another one in the field is the user's own."""
        self._rated = ""
        """The learning rate likewise."""
        self._draft: Draft | None = None
        self._rows: Rows | EngineError | None = None
        self._rows_of = ""
        self._shows_rows = True
        self._launching = False
        self._warning = ""

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        with Horizontal():
            with Vertical(id="pick"):
                yield Table(MODEL_COLUMNS, empty="Looking ...", id="models")
                yield _facts("model-facts")
                yield Table(SET_COLUMNS, empty="Looking ...", id="sets")
                yield _facts("set-facts")
            with Vertical(id="write"):
                yield Form(FORM, id="form")
                yield _facts("state")
                yield Lines(id="shown")
                yield Pager(hang=11, id="text")
        yield keys

    def on_mount(self) -> None:
        self._take(self._start)
        super().on_mount()
        self.action_rescan()

    def open(self) -> None:
        super().open()
        recipe, self.finetop.draft = self.finetop.draft, None
        if recipe is not None:
            self._take(recipe)
            self._fill_lists()
        elif self._catalogue.checkpoints:
            self.action_rescan()  # a run may have ended since
        self._check()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "launch":
            return self._draft is not None and self._draft.recipe is not None
        return True

    def narrow(self, word: str) -> None:
        self._fill_lists()
        self._check()

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self._check()

    def on_form_edited(self, event: Form.Edited) -> None:
        self._check()

    def action_go_on(self) -> None:
        if self.focused is self.query_one("#models"):
            self.query_one("#sets").focus()
        else:
            self.query_one(Form).enter()

    def action_turn_pane(self) -> None:
        self._shows_rows = not self._shows_rows
        self.query_one("#text", Pager).to_top()
        self._show_text()

    def action_rescan(self) -> None:
        def look() -> None:
            try:
                found, warning = self.finetop.actions.catalogue(), self.finetop.actions.warning()
            except EngineError as error:
                self.app.call_from_thread(self.app.push_screen, Trouble(error))
            else:
                self.app.call_from_thread(self._found, found, warning)

        self.run_worker(look, thread=True, group="look", exclusive=True)

    def action_launch(self) -> None:
        recipe = self._draft.recipe if self._draft else None
        if recipe is None or self._launching:
            return
        self._launching = True
        self._say([(" starting the worker ...", "tuned")])

        def start() -> None:
            try:
                path = self.finetop.actions.launch(recipe)
            except EngineError as error:
                self.app.call_from_thread(self._failed, error)
            else:
                self.app.call_from_thread(self._started, str(path))

        self.run_worker(start, thread=True)

    @property
    def model(self) -> "Checkpoint | None":
        chosen = self.query_one("#models", Table).chosen
        return next((one for one in self._catalogue.checkpoints if one.ref == chosen), None)

    @property
    def dataset(self) -> "DataSet | None":
        chosen = self.query_one("#sets", Table).chosen
        return next((one for one in self._catalogue.datasets if one.ref == chosen), None)

    def _take(self, recipe: TrainRecipe) -> None:
        """Start from a recipe; its name is kept only as what a new one is suggested from."""
        self._start = recipe
        form = self.query_one(Form)
        form.fill(texts_of(recipe))
        self._named = recipe.name
        # A rate that another run used is the user's wish; the default is nobody's.
        self._rated = texts_of(TrainRecipe())["training.learning_rate"]
        self._suggest_name()

    def _found(self, catalogue: Catalogue, warning: str) -> None:
        self._catalogue, self._warning = catalogue, warning
        self.query_one(Form).offer("device", catalogue.devices)
        self._fill_lists()
        self._check()

    def _fill_lists(self) -> None:
        models, sets = self.query_one("#models", Table), self.query_one("#sets", Table)
        fresh = models.chosen is None
        word = self.word.casefold()
        models.show(
            [row for one in self._catalogue.checkpoints if word in (row := model_row(one)).text]
        )
        sets.show([row for one in self._catalogue.datasets if word in (row := set_row(one)).text])
        if fresh or self._start is not None:
            models.choose(self._start.model.checkpoint)
            sets.choose(self._start.data.train)

    def _check(self) -> None:
        """Read form and lists, and say what is wrong or what will be run."""
        self._suggest_name()
        form, model, dataset = self.query_one(Form), self.model, self.dataset
        self._suggest_rate(model)
        self._draft = draft(
            self._start,
            form.values,
            model.ref if model else self._start.model.checkpoint,
            dataset.ref if dataset else self._start.data.train,
        )
        form.complain(self._draft.problems)
        self.query_one("#model-facts", Pager).show(about_model(model, self.glyphs.separator))
        self.query_one("#set-facts", Pager).show(about_set(dataset, self.glyphs.separator))
        self._say_state(model, dataset)
        self._preview(dataset)
        self._show_text()
        self.show_keys()

    def _suggest_name(self) -> None:
        form = self.query_one(Form)
        values = form.values
        if values["name"] != self._named:
            return
        taken = {row.view.record.name for row in self.finetop.runs.rows}
        data = self.dataset.ref if self.dataset else self._start.data.train
        self._named = suggest(data, values["method.kind"], values["method.rank"], taken)
        form.fill({"name": self._named})

    def _suggest_rate(self, model: "Checkpoint | None") -> None:
        """Follow model and method with the learning rate, until somebody writes another one."""
        form = self.query_one(Form)
        if model is None or form.values["training.learning_rate"] != self._rated:
            return
        size = model.parameters if model.kind == "model" else None
        self._rated = suggest_rate(size, form.values["method.kind"])
        form.fill({"training.learning_rate": self._rated})

    def _say_state(self, model: "Checkpoint | None", dataset: "DataSet | None") -> None:
        reason = next((one.reason for one in (model, dataset) if one and one.reason), None)
        if self._launching:
            return
        if reason:
            self._say([(f" cannot be used: {one_line(reason)}", "bad")])
        elif self._draft and self._draft.problems:
            # The reason beside the field falls away where the form is narrow.
            (key, first), *others = self._draft.problems.items()
            label = key.rpartition(".")[2].replace("_", " ")
            more = f", and {len(others)} more to correct" if others else ""
            self._say([(f" {label}: {one_line(first)}{more}", "bad")])
        else:
            warning = f"  but mind: {one_line(self._warning)}" if self._warning else ""
            self._say([(" ready: ctrl+s launches", "good"), (warning, "warn")])

    def _say(self, line: Line) -> None:
        self.query_one("#state", Pager).show([line])

    def _preview(self, dataset: "DataSet | None") -> None:
        if dataset is None or dataset.ref == self._rows_of:
            return
        self._rows_of, self._rows = dataset.ref, None

        def read() -> None:
            try:
                rows: Rows | EngineError = self.finetop.actions.preview(dataset, PREVIEW_ROWS)
            except EngineError as error:
                rows = error
            self.app.call_from_thread(self._previewed, dataset.ref, rows)

        self.run_worker(read, thread=True, group="preview")

    def _previewed(self, ref: str, rows: "Rows | EngineError") -> None:
        if ref == self._rows_of:
            self._rows = rows
            self.query_one("#text", Pager).to_top()
            self._show_text()

    def redraw(self) -> None:
        self._check()
        super().redraw()

    def _show_text(self) -> None:
        turn = "v recipe" if self._shows_rows else "v rows"
        title = "rows as they are learned" if self._shows_rows else "recipe"
        self.query_one("#shown", Lines).show([(f" {title}", "strong"), (f"   {turn}", "dim")])
        if self._shows_rows:
            text = rows_shown(self._rows)
        else:
            toml = self._draft.toml if self._draft else ""
            text = [[(one_line(line), "")] for line in toml.splitlines()]
        self.query_one("#text", Pager).show([[(" ", ""), *line] for line in text])

    def _failed(self, error: EngineError) -> None:
        self._launching = False
        self._check()
        self.app.push_screen(Trouble(error))

    def _started(self, key: str) -> None:
        self._launching = False
        self._named = self.query_one(Form).values["name"]
        self.finetop.watch_run(key)
        self.finetop.call_later(self.finetop.switch_mode, "watch")


def _facts(id: str) -> Pager:
    """A few lines about the chosen row above, not to be stopped at."""
    pager = Pager(hang=1, id=id)
    pager.can_focus = False
    return pager
