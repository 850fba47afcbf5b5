"""A window to write one field of the rows wanted in: asked for or taken, its type and bounds."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import TextArea

from engine.errors import EngineError
from engine.recipes import validation
from engine.recipes.synthesis_settings import FIELD_TYPES, RowField
from engine.synthesis.row_schema import make_schema
from engine.text import one_line
from tui.screens.modal import Window
from tui.screens.recipe_texts import NO, YES, write_value
from tui.screens.text_area_window import text_area
from tui.widgets.form import Form, FormField, Group
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager

ASK, TAKE = "asked for", "taken from the source"
NamedField = tuple[str, RowField]
_KEYS = "ctrl+s apply   h l change   tab next field   esc cancel"
_BESIDE = 13
"""Rows of the window that are no fields of the form."""
_HELP: Mapping[str, str] = {
    "name": "of the field, as it stands in the file of rows",
    "origin": "a text of the source is taken as it is, never asked for again",
    "type": "what an answer is read as; a label has choices",
    "choices": "of a label, all of them, with commas between; one with a comma in quotes",
    "range": "of a number, as 1, 5; empty: any",
    "min_chars": "of a text, or of each text of a list",
    "max_chars": "of a text, or of each text of a list",
    "optional": "whether a row may lack it",
}
"""What a field wants, shown while it has the focus."""


class RowFieldWindow(Window[NamedField | None]):
    """Dismissed with the name and the field, which fit together."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", show=False, priority=True),
    ]

    def __init__(
        self, name: str, field: RowField, taken: Collection[str], columns: Collection[str] | None
    ) -> None:
        """`taken` are names of other fields, `columns` those of the source where known."""
        super().__init__()
        self._name_of_field = name
        self._field = field
        self._taken = taken
        self._columns = columns

    def compose(self) -> ComposeResult:
        fields = (
            FormField("name", "Name"),
            FormField("origin", "Value", (ASK, TAKE)),
            FormField("type", "Type", FIELD_TYPES),
            FormField("choices", "Choices"),
            FormField("range", "Range"),
            FormField("min_chars", "Least characters"),
            FormField("max_chars", "Most characters"),
            FormField("optional", "Optional", (NO, YES)),
        )
        with Vertical(classes="dialog"):
            head = Lines()
            head.show([("Field of the rows", "strong")])
            yield head
            yield Form((Group("", fields),), id="row-field")
            yield Lines(id="template-label")
            yield text_area(self._field.take or self._field.ask, id="template")
            why = Pager(id="why")
            why.can_focus = False
            yield why
            keys = Lines()
            keys.show([(_KEYS, "dim")])
            yield keys

    def on_mount(self) -> None:
        field = self._field
        self.query_one(Form).fill(
            {
                "name": self._name_of_field,
                "origin": TAKE if field.take else ASK,
                "type": field.type,
                "choices": _write_choices(field.choices),
                "range": write_value(field.range),
                "min_chars": str(field.min_chars),
                "max_chars": str(field.max_chars),
                "optional": write_value(field.optional),
            }
        )
        self.on_resize()
        self._update()

    def on_resize(self) -> None:
        self.query_one(Form).limit(self.size.height * 9 // 10 - _BESIDE)

    def on_descendant_focus(self) -> None:
        self._update()

    def on_form_edited(self) -> None:
        self._update()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._update()

    def action_accept(self) -> None:
        try:
            self.dismiss(self._read())
        except EngineError as error:
            self._say(" ".join(filter(None, (error.title, error.detail))), "bad")

    def _read(self) -> NamedField:
        """The field as it was written. Raises EngineError that says what is wrong."""
        values = {key: text.strip() for key, text in self.query_one(Form).values.items()}
        name, origin = values.pop("name"), values.pop("origin")
        template = self.query_one(TextArea).text.strip()
        if name in self._taken:
            raise EngineError(f"There is a field {name!r} already.")
        table = {key: validation.coerce(RowField, key, text) for key, text in values.items()}
        table["choices"] = _read_choices(values["choices"])
        table["take" if origin == TAKE else "ask"] = template
        wrong = validation.errors(RowField, table)
        if wrong:
            key, reason = next(iter(wrong.items()))
            raise EngineError(f"{key}: {reason}")
        field = validation.build(RowField, table)
        # Whether a field fits is asked of a schema, of which something is asked for.
        beside = {} if field.ask else {f"{name} ": RowField(ask="?")}
        columns = None if self._columns is None else [*self._columns, *self._taken]
        make_schema({name: field, **beside}, columns)
        return name, field

    def _update(self) -> None:
        """What the template is, and what the field with the focus wants or what is wrong."""
        form = self.query_one(Form)
        asks = form.values.get("origin", ASK) == ASK
        columns = "" if self._columns is None else "  columns: " + ", ".join(self._columns)
        text = ("Question" if asks else "Template") + " ({column} is filled in)" + columns
        self.query_one("#template-label", Lines).show([(one_line(text), "dim")])
        try:
            self._read()
        except EngineError as error:
            reason = " ".join(filter(None, (error.title, error.detail)))
            help_text = _HELP.get(form.focused_key, "")
            written = self.query_one(TextArea).text.strip() and form.values["name"].strip()
            self._say(reason if written else help_text, "bad" if written else "dim")
            return
        self._say(_HELP.get(form.focused_key, ""), "dim")

    def _say(self, text: str, role: str) -> None:
        self.query_one("#why", Pager).show([[(one_line(text), role)]])


def _write_choices(choices: Sequence[str]) -> str:
    """In one line, as CSV has it: a choice may hold a comma."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(choices)
    return line.getvalue().replace("\n", " ") if choices else ""


def _read_choices(text: str) -> list[str]:
    read = next(csv.reader([text], skipinitialspace=True), [])
    return [choice.strip() for choice in read if choice.strip()]
