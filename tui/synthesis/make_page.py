"""Make data: a source, what is asked of it, the rows wanted; the question as asked; and the start.

Owns what is written. Reading the source and starting the job happen on threads.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from engine.compare.arms import Arm, format_arm, parse_arms
from engine.data.raw_row import RawRow
from engine.errors import EngineError
from engine.jobs.summary import short_ref
from engine.recipes import recipe as recipes
from engine.recipes import validation
from engine.recipes.recipe import SynthesizeRecipe
from engine.recipes.synthesis_settings import RowField, Source
from engine.synthesis.source_rows import SourceRow
from engine.synthesis.trained_fields import warn_of_names
from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import error_lines
from tui.keymap import Key
from tui.screens.dialogs import TextWindow
from tui.screens.key_questions import ask_for_hosts, ask_for_keys
from tui.screens.page import SubPage, bindings_of
from tui.screens.pick_window import PickOption, pick_option
from tui.screens.recipe_texts import read_value
from tui.screens.text_area_window import TextAreaWindow
from tui.styled_text import Line
from tui.synthesis.make_lists import ASKED_COLUMNS, SOURCE_COLUMNS, asked_rows, column_rows
from tui.synthesis.question_lines import question_lines
from tui.synthesis.recipe_draft import (
    ARM_SETTINGS,
    PAIR_TEMPLATES,
    TEMPLATES,
    SynthesisDraft,
    WrittenTexts,
    draft_recipe,
    groups,
    label_of,
    suggest_field,
    texts_of,
)
from tui.synthesis.row_field_window import NamedField, RowFieldWindow
from tui.synthesis.source_excerpt import LOOKED_AT, NOT_READ, SourceExcerpt, make_excerpt
from tui.synthesis.voted_reader import VotedReader
from tui.widgets.form import Form
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.snapshots import Catalogue

PANES = ("question", "recipe")
_NAMES = dict(zip(ARM_SETTINGS, ("generator", "rejected", "judge"), strict=True))
"""What an arm is called that is picked for a setting."""


class MakePage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("make")
    name_in_keymap = "make"
    initial_focus = "#asked"

    def __init__(self, recipe: SynthesizeRecipe) -> None:
        super().__init__()
        self._start = recipe
        self._fields: dict[str, RowField] = dict(recipe.fields)
        self._suggested = dict(recipe.fields)
        """The fields as they were before anybody wrote one."""
        self._opened: dict[str, str] = {}
        """The texts as they were then, by setting."""
        self._before: dict[str, str] = {}
        """What was written when this page was open before, by setting."""
        self._templates: dict[str, str] = {}
        """The texts of several lines, by setting."""
        self._excerpt = NOT_READ
        self._source_read = Source()
        """What the excerpt was read for."""
        self._source_error: EngineError | None = None
        self._draft = SynthesisDraft(None, {})
        self._catalogue: Catalogue | None = None
        self._pane = 0
        self._starting = False
        self._voted = VotedReader(self, self._read_voted, self._show_preview)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        with Horizontal():
            with Vertical(id="make-source"):
                yield Lines(id="source")
                yield Table(SOURCE_COLUMNS, empty="reading the source...", id="columns")
                yield Table(ASKED_COLUMNS, id="asked")
                yield _facts("asked-note")
            with Vertical(id="make-recipe"):
                yield Form(groups(), id="form")
                yield _facts("state")
                yield Lines(id="shown")
                yield Pager(hang=9, id="text")
        yield keys

    def on_mount(self) -> None:
        self._take(self._start)
        self._restore()
        run_in_background(self, self.services.actions.catalogue, self._offer, group="catalogue")

    def on_resize(self, event: Resize) -> None:
        self.query_one(Form).limit(event.size.height // 2 - 1)

    def on_form_edited(self, event: Form.Edited) -> None:
        self._check()
        if event.key.startswith("source.") and self._source != self._source_read:
            self._read_source()

    def on_table_row_highlighted(self) -> None:
        self.show_keys()

    def on_descendant_focus(self) -> None:
        self.show_keys()

    def redraw(self) -> None:
        super().redraw()
        self._check()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "start":
            return self._draft.recipe is not None and not self._starting
        if action in ("edit", "remove", "move"):
            name = self._chosen.partition(":")[0] if self.ready else ""
            if action == "edit" and self.ready and self.query_one("#columns").has_focus:
                return bool(self._excerpt.columns)
            return name == "field" or (action != "move" and name == "text")
        return action != "filter"

    def label_of(self, key: Key) -> str:
        if key.action == "edit" and self.query_one("#columns").has_focus:
            return "text column"
        return super().label_of(key)

    def action_start(self) -> None:
        recipe = self._draft.recipe
        if recipe is None or self._starting:
            return
        texts = (recipe.asking.generator, recipe.pairs.rejected_generator, recipe.gates.judge)
        arms: list[Arm] = []
        for text in filter(None, texts):
            arms += [arm for arm in parse_arms([text]) if arm not in arms]

        def start() -> None:
            self._starting = True
            self._show_state([(" starting the worker...", "tuned")])
            run_in_background(
                self,
                lambda: self.services.actions.make_data(recipe),
                self._started,
                failed=self._failed,
            )

        actions = self.services.actions
        ask_for_keys(self, actions, arms, lambda: ask_for_hosts(self, actions, arms, start))

    def action_edit(self) -> None:
        columns = self.query_one("#columns", Table)
        if columns.has_focus and columns.chosen is not None:
            self.query_one(Form).fill({"source.text": columns.chosen})
            self._check()
            self._read_source()
            return
        kind, _, name = self._chosen.partition(":")
        if kind == "text":
            self._edit_text(name)
        elif kind == "field":
            self._edit_field(name, self._fields[name])

    def action_add(self) -> None:
        self._edit_field("", RowField())

    def action_remove(self) -> None:
        kind, _, name = self._chosen.partition(":")
        if kind == "text":
            self._templates[name] = ""
        elif kind == "field":
            del self._fields[name]
        self._check()

    def action_move(self, by: int) -> None:
        kind, _, name = self._chosen.partition(":")
        names = list(self._fields)
        if kind != "field" or not 0 <= names.index(name) + by < len(names):
            return
        at = names.index(name)
        names.insert(at + by, names.pop(at))
        self._fields = {one: self._fields[one] for one in names}
        self._check()

    def action_pick_arm(self) -> None:
        """A model or adapter for the setting with the focus, else for the generator."""
        focused = self.query_one(Form).focused_key
        key = focused if focused in ARM_SETTINGS else ARM_SETTINGS[0]
        if self._catalogue is None:
            self.services.notify_user("Searching for models...")
            return
        options = [
            PickOption(one.ref, one.name, one.reason or one.source)
            for one in self._catalogue.checkpoints
        ]

        def take(ref: str) -> None:
            self.query_one(Form).fill({key: format_arm(Arm(_NAMES[key], ref))})
            self._check()

        pick_option(self.app, label_of(key).lower(), options, None, take)

    def action_turn_pane(self, by: int) -> None:
        self._pane = (self._pane + by) % len(PANES)
        self.query_one("#text", Pager).to_top()
        self._show_preview()

    def action_turn_form(self, by: int) -> None:
        self.query_one(Form).turn(by)
        self._check()

    def action_leaf(self) -> None:
        self.query_one(Form).turn(1, enter=True)
        self._check()

    def action_open_recipe(self) -> None:
        def read(text: str) -> SynthesizeRecipe:
            recipe = recipes.read(Path(os.path.expanduser(text)))
            if not isinstance(recipe, SynthesizeRecipe):
                raise EngineError(
                    "This recipe does not make data.", f"{text}: kind {recipe.kind}",
                    'Choose one with kind = "synthesize".',
                )  # fmt: skip
            return recipe

        def take(text: str | None) -> None:
            if text:
                run_in_background(self, lambda: read(text), self._take)

        window = TextWindow("Recipe file that makes data", "", "make.toml", enter="open")
        self.app.push_screen(window, take)

    def _take(self, recipe: SynthesizeRecipe) -> None:
        """Start from a recipe."""
        self._start = recipe
        self._fields = dict(recipe.fields)
        self._suggested = dict(recipe.fields)
        texts = texts_of(recipe)
        self._templates = {key: texts.pop(key) for key in (*TEMPLATES, *PAIR_TEMPLATES)}
        self.query_one(Form).fill(texts)
        self._opened, self._before = {**texts, **self._templates}, {}
        self._read_source()
        self._check()

    def _restore(self) -> None:
        """What was written of this source before, and not started, where nothing else is asked."""
        written = self.services.written_recipes.get(self._start.source.data)
        if written is None or self._start.fields:
            return
        self._before = dict(written.texts)
        self.query_one(Form).fill(self._before)
        self._templates = {key: written.texts[key] for key in self._templates}
        self._fields = dict(written.fields)
        self._read_source()
        self._check()
        self.services.notify_user("What you wrote before is here again.")

    def _keep_written(self, texts: Mapping[str, str]) -> None:
        """For when this page is left and opened again."""
        changed = any(self._opened.get(key, text) != text for key, text in texts.items())
        if changed or self._before or self._fields != self._suggested:
            written = WrittenTexts(texts, dict(self._fields))
            self.services.written_recipes[self._start.source.data] = written

    def _offer(self, catalogue: "Catalogue") -> None:
        self._catalogue = catalogue
        self.query_one(Form).offer("device", catalogue.devices)

    @property
    def _source(self) -> Source:
        """The source as it is written; the last one that could be read while it is not right."""
        table = dataclasses.asdict(self._start.source)
        for key, text in self.query_one(Form).values.items():
            section, _, name = key.partition(".")
            if section == "source":
                table[name] = read_value(SynthesizeRecipe, key, text)
        wrong = validation.errors(Source, table)
        return self._source_read if wrong else validation.build(Source, table)

    def _read_source(self) -> None:
        source = self._source_read = self._source
        self._source_error = None

        def show(excerpt: SourceExcerpt) -> None:
            self._excerpt = excerpt
            if excerpt.columnar:
                self.run_worker(self._read_columnar(source, show), group="rows", exclusive=True)
                return
            if not self._fields and excerpt.first is not None and excerpt.columns:
                self._suggested = suggest_field(list(excerpt.columns), excerpt.text_column)
                self._fields = dict(self._suggested)
            self._check()

        def fail(error: EngineError) -> None:
            self._excerpt, self._source_error = NOT_READ, error
            self._check()

        def read() -> SourceExcerpt:
            return self.services.actions.read_excerpt(source)

        if source.data:
            run_in_background(self, read, show, failed=fail, group="source", exclusive=True)

    async def _read_columnar(self, source: Source, show: Callable[[SourceExcerpt], None]) -> None:
        """The excerpt of Parquet or Arrow, whose rows the companion reads."""
        try:
            event = await self.services.companion().first_rows(source.data, LOOKED_AT).last()
            excerpt = make_excerpt(source, [RawRow(**row) for row in event["rows"]])
        except EngineError as error:
            excerpt = SourceExcerpt(problem=error)
        if self.is_attached and source == self._source_read:
            show(excerpt)

    def _read_voted(self, recipe: SynthesizeRecipe) -> list[SourceRow]:
        return self.services.actions.read_voted_sources(recipe)

    def _edit_text(self, key: str) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                self._templates[key] = text.strip()
                self._check()

        hint = "{column} is filled in" + self._columns_hint
        self.app.push_screen(TextAreaWindow(label_of(key), self._templates[key], hint), take)

    def _edit_field(self, name: str, field: RowField) -> None:
        def take(written: NamedField | None) -> None:
            if written is None:
                return
            new, changed = written
            kept = [
                (new, changed) if one == name else (one, at) for one, at in self._fields.items()
            ]
            self._fields = dict(kept if name else [*kept, (new, changed)])
            self._check()
            self.query_one("#asked", Table).choose(f"field:{new}")

        taken = [one for one in self._fields if one != name]
        window = RowFieldWindow(name, field, taken, self._excerpt.columns)
        self.app.push_screen(window, take)

    @property
    def _columns_hint(self) -> str:
        names = ", ".join(map(one_line, filter(None, self._excerpt.columns or ())))
        return f"; columns: {names}" if names else ""

    @property
    def _chosen(self) -> str:
        """What is chosen of what is asked: `text:SETTING` or `field:NAME`."""
        table = self.query_one("#asked", Table)
        return table.chosen or "" if table.has_focus else ""

    def _check(self) -> None:
        """Read all that was written, and say what is wrong or what will be asked."""
        if not self.ready:
            return
        form = self.query_one(Form)
        written = self._written
        self._draft = draft_recipe(self._start, written, self._fields, self._excerpt.columns)
        form.complain(self._draft.problems)
        self._keep_written(written)
        self._show_source()
        self._show_asked()
        self._update_state()
        self._show_preview()
        self.show_keys()

    def _show_source(self) -> None:
        excerpt, table = self._excerpt, self.query_one("#columns", Table)
        name = one_line(short_ref(self._start.source.data)) or "no source"
        self.query_one("#source", Lines).show([(f" source {name}", "strong")])
        wrong = self._source_error or excerpt.problem
        table.empty = "cannot be read" if wrong else "reading the source..."
        table.show(column_rows(excerpt, self.glyphs.separator))
        table.repaint()

    def _show_asked(self) -> None:
        mode = self.query_one(Form).values["mode"]
        table = self.query_one("#asked", Table)
        table.empty = "Pairs are made of votes: nothing is asked."
        table.show(asked_rows(mode, self._templates, self._fields))
        has_fields = mode in ("fields", "json")
        note, role = self._draft.problems.get("fields", "") if has_fields else "", "bad"
        if has_fields and not note and any(field.ask for field in self._fields.values()):
            note, role = warn_of_names(self._fields), "warn"
        shown = self.query_one("#asked-note", Pager)
        shown.show([[(f" {one_line(note)}", role)]] if note else [])
        shown.refresh(layout=True)

    def _update_state(self) -> None:
        if self._starting:
            return
        if self._source_error is not None:
            text = " ".join(filter(None, (self._source_error.title, self._source_error.detail)))
            self._show_state([(f" source: {one_line(text)}", "bad")])
        elif self._excerpt.problem is not None:
            hint = " Enter on a column makes it the text." if self._excerpt.columns else ""
            title = one_line(self._excerpt.problem.title)
            self._show_state([(f" source: {title}{hint}", "bad")])
        elif self._draft.problems:
            (key, first), *others = self._draft.problems.items()
            more = f", and {len(others)} more" if others else ""
            self._show_state([(f" {label_of(key).lower()}: {one_line(first)}{more}", "bad")])
        else:
            self._show_state([(" ready: ctrl+s starts it", "good")])

    def _show_state(self, line: Line) -> None:
        state = self.query_one("#state", Pager)
        state.show([line])
        state.refresh(layout=True)

    def _show_preview(self) -> None:
        tabs: Line = [
            (f" [{name}]", "strong") if at == self._pane else (f"  {name}", "dim")
            for at, name in enumerate(PANES)
        ]
        self.query_one("#shown", Lines).show([*tabs, ("  v next", "dim")])
        lines = self._preview_lines()
        hang = 10 if PANES[self._pane] == "question" else 1
        self.query_one("#text", Pager).show([[(" ", ""), *line] for line in lines], hang=hang)

    def _preview_lines(self) -> list[Line]:
        recipe, excerpt = self._draft.recipe, self._excerpt
        if PANES[self._pane] == "recipe":
            return [[(one_line(line), "")] for line in self._draft.toml.splitlines()]
        if self._source_error is not None:
            return error_lines(self._source_error)
        if recipe is not None and recipe.mode == "votes":
            return self._voted.lines(recipe)
        asked = recipe or self._unfinished
        if excerpt.problem is not None:
            # The hint of the error is for the command.
            problem = excerpt.problem
            return error_lines(EngineError(problem.title, problem.detail))
        if asked is None or excerpt.first is None:
            return [[("The question stands here once it can be asked.", "dim")]]
        return question_lines(asked, self._draft.schema, excerpt.first)

    @property
    def _written(self) -> dict[str, str]:
        """The text of each setting that was shown, or written before."""
        return {**self._before, **self.query_one(Form).values, **self._templates}

    @property
    def _unfinished(self) -> SynthesizeRecipe | None:
        """The recipe with a generator in its place, where that alone is lacking: the question is
        the same for all."""
        if set(self._draft.problems) - {"asking.generator", "name", "out"}:
            return None
        written = self._written
        written |= {"asking.generator": "bundled:demo-base", "name": "preview", "out": "",
                    "accept_all": "no"}  # fmt: skip
        return draft_recipe(self._start, written, self._fields, self._excerpt.columns).recipe

    def _failed(self, error: EngineError) -> None:
        self._starting = False
        self._check()
        self.call_after_refresh(self.services.show_error, error)

    def _started(self, path: Path) -> None:
        self.services.feed.wake()
        self.services.written_recipes.pop(self._start.source.data, None)
        services: Any = self.services
        self.dismiss()
        services.call_later(services.show_made, path)


def _facts(id: str) -> Pager:
    """A line or more about what is written, not to be stopped at."""
    pager = Pager(hang=1, id=id)
    pager.can_focus = False
    return pager
