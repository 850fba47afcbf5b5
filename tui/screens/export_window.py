"""A window to export a run: in which forms, to which folder, and what the model card is to say.

Owns the choices and what they take of disk and memory. Starts nothing: it is dismissed with an
export that was found right, and stays open with the reason where it is not.
"""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.errors import EngineError
from engine.recipes.recipe import ExportRecipe
from engine.release.disk_need import DiskNeed
from engine.release.memory_need import MemoryNeed
from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import size
from tui.screens.modal import Window
from tui.styled_text import Line
from tui.widgets.form import Form, FormField, Group
from tui.widgets.lines import Lines

if TYPE_CHECKING:
    from engine.launching.export import PlannedExport

FORMS: Mapping[str, tuple[str, ...]] = {
    "adapter, merged and GGUF": ("adapter", "merged", "gguf"),
    "merged and GGUF": ("merged", "gguf"),
    "adapter": ("adapter",),
    "merged": ("merged",),
    "GGUF": ("gguf",),
}
"""What can be chosen, and its targets."""
DTYPES = ("auto", "float32", "bfloat16", "float16")
_HELP: Mapping[str, str] = {
    "forms": "adapter needs its base; merged is whole; GGUF is for llama.cpp, Ollama",
    "out": "a folder that does not exist yet",
    "dtype": "weights of the merged model; auto: as the base is stored",
    "base_id": "ORG/NAME of the model that was tuned; asked once, remembered",
    "license": "as the Hub names it (apache-2.0), or NAME=https://LINK; empty: none stated",
    "data_license": "license or terms of the training data, in your words",
    "intended_use": "for the model card, in your words",
    "limitations": "what it should not be used for; for the model card",
}
"""What a field wants, shown while it has the focus."""
_BUNDLED = "not needed: the base ships with finetop and is not on the Hub"
_MOST_LINES = 4
"""Of a reason why it cannot start."""
_BESIDE = 9 + _MOST_LINES
"""Rows of the window that are no fields."""
_KEYS = "ctrl+s start   h l change   tab next field   esc cancel"


@dataclass(frozen=True, slots=True)
class Exportable:
    """What there is to export of a run."""

    source: str
    """The arm, in the grammar."""
    needs: Mapping[str, DiskNeed]
    """By choice of FORMS: those that are possible."""
    memory: Mapping[str, MemoryNeed]
    """By the same."""
    free_memory: int
    """Bytes that the machine has free."""
    base_id: str
    """What the Hub calls its root; empty where nobody knows."""
    bundled: bool
    """Whether its root is the model that ships with finetop, which the Hub does not have."""


class ExportWindow(Window["PlannedExport | None"]):
    """Dismissed with what is to be started."""

    AUTO_FOCUS = "Choice"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", show=False, priority=True),
        Binding("enter", "accept", show=False),
    ]

    def __init__(
        self, name: str, found: Exportable, plan: "Callable[[ExportRecipe], PlannedExport]"
    ) -> None:
        """`plan` finds all that a recipe names, on a thread, or raises EngineError."""
        super().__init__()
        self._name_of_run = name
        self._found = found
        self._plan = plan

    def compose(self) -> ComposeResult:
        fields = (
            FormField("forms", "Targets", tuple(self._found.needs)),
            FormField("out", "Folder"),
            FormField("dtype", "Merged in", DTYPES),
            FormField("base_id", "Base on the Hub"),
            FormField("license", "License"),
            FormField("data_license", "Data license"),
            FormField("intended_use", "Intended use"),
            FormField("limitations", "Limits"),
        )
        with Vertical(classes="dialog"):
            head = Lines()
            head.show([(f"Export {one_line(self._name_of_run)}", "strong")])
            yield head
            yield Form((Group("", fields),), id="release")
            yield Lines(id="help")
            yield Lines(id="disk")
            yield Lines(id="memory")
            yield Lines(id="why")
            keys = Lines()
            keys.show([(_KEYS, "dim")])
            yield keys

    def on_mount(self) -> None:
        out = f"{self._name_of_run}-export"
        self.query_one(Form).fill({"out": out, "base_id": self._found.base_id})
        self._update()
        self._limit()

    def on_resize(self) -> None:
        self._limit()

    def on_descendant_focus(self) -> None:
        self._show_help()

    def on_form_edited(self) -> None:
        self._update()

    def action_accept(self) -> None:
        recipe = self._recipe()
        self.query_one("#why", Lines).show([("checking...", "dim")])
        run_in_background(
            self, lambda: self._plan(recipe), self.dismiss, failed=self._refuse, exclusive=True
        )

    def _recipe(self) -> ExportRecipe:
        values = {key: value.strip() for key, value in self.query_one(Form).values.items()}
        targets = list(FORMS[values.pop("forms")])
        return ExportRecipe(
            name=f"export-{self._name_of_run}",
            source=self._found.source,
            targets=targets,
            **values,  # type: ignore[arg-type]
        )

    def _limit(self) -> None:
        """Scroll the fields where the terminal is too low: what is said below them stays in
        sight."""
        self.query_one(Form).limit(self.size.height * 9 // 10 - _BESIDE)

    def _show_help(self) -> None:
        """What the field with the focus wants; of the folder, where that will be."""
        form, shown = self.query_one(Form), self.query_one("#help", Lines)
        text = _HELP.get(form.focused_key, "")
        if form.focused_key == "base_id" and self._found.bundled:
            text = _BUNDLED
        if form.focused_key == "out" and (named := form.values["out"].strip()):
            path, label = one_line(str(Path(named).expanduser().absolute())), "must not exist yet: "
            room = max(20, shown.size.width - len(label) - 3)
            # Its end is what tells folders apart.
            text = label + (path if len(path) <= room else f"...{path[-room:]}")
        shown.show([(one_line(text), "")])

    def _update(self) -> None:
        """What the choices take of disk and memory, and what the model card will lack."""
        self._show_help()
        values = self.query_one(Form).values
        need = self._found.needs[values["forms"]]
        memory, free = self._found.memory[values["forms"]].most, self._found.free_memory
        disk: Line = [
            ("disk: ", "dim"), (size(need.most), ""), (" while it works, ", "dim"),
            (size(need.kept), ""), (" when done", "dim"),
        ]  # fmt: skip
        room: Line = [
            ("memory: about ", "dim"), (size(memory), ""), (" of ", "dim"), (size(free), ""),
            (" free", "dim") if memory <= free else (" free: it waits for room", "warn"),
        ]  # fmt: skip
        self.query_one("#disk", Lines).show(disk)
        self.query_one("#memory", Lines).show(room)
        unknown = []
        if not self._found.bundled and not values["base_id"].strip():
            unknown.append("the base")
        if not values["data_license"].strip():
            unknown.append("the data's license")
        note = f"the model card will say unknown: {', '.join(unknown)}" if unknown else ""
        why = self.query_one("#why", Lines)
        why.styles.height = 1
        why.show([(note, "dim")])

    def _refuse(self, error: EngineError) -> None:
        """The whole reason: what is wrong, where, and what to do."""
        why = self.query_one("#why", Lines)
        hint = error.hint.replace("--out DIR", "Folder").replace("--out", "Folder")
        width = max(20, why.size.width)
        lines = [
            [(one, role)]
            for text, role in ((error.title, "bad"), (error.detail, ""), (hint, "warn"))
            for one in textwrap.wrap(one_line(text), width)
        ]
        why.styles.height = min(len(lines), _MOST_LINES)
        why.show(*lines[:_MOST_LINES])
