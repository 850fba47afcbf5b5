"""A window to export a run: in which forms, to which folder, and what the model card is to say.

Owns the choices and what they take of the disk. Starts nothing: it is dismissed with an export that
was found right, and stays open with the reason where it is not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.errors import EngineError
from engine.recipes.recipe import ExportRecipe
from engine.release.disk_need import DiskNeed
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
_KEYS = "ctrl+s start   h l change   tab next field   esc cancel"


@dataclass(frozen=True, slots=True)
class Exportable:
    """What there is to export of a run."""

    source: str
    """The arm, in the grammar."""
    needs: Mapping[str, DiskNeed]
    """By choice of FORMS: those that are possible."""
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
            FormField("forms", "Forms", tuple(self._found.needs)),
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
            yield Lines(id="sum")
            yield Lines(id="why")
            keys = Lines()
            keys.show([(_KEYS, "dim")])
            yield keys

    def on_mount(self) -> None:
        out = f"{self._name_of_run}-export"
        self.query_one(Form).fill({"out": out, "base_id": self._found.base_id})
        self._update()

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

    def _update(self) -> None:
        """What the choices take of the disk, and what the model card will lack."""
        values = self.query_one(Form).values
        need = self._found.needs[values["forms"]]
        line: Line = [
            ("needs at most ", "dim"), (size(need.most), ""), (" of disk, ", "dim"),
            (size(need.kept), ""), (" of it once it is done", "dim"),
        ]  # fmt: skip
        self.query_one("#sum", Lines).show(line)
        unknown = []
        if not self._found.bundled and not values["base_id"].strip():
            unknown.append("the base")
        if not values["data_license"].strip():
            unknown.append("the data's license")
        note = f"unknown to the model card: {', '.join(unknown)}" if unknown else ""
        self.query_one("#why", Lines).show([(note, "dim")])

    def _refuse(self, error: EngineError) -> None:
        text = " ".join(filter(None, (error.title, error.detail, error.hint)))
        self.query_one("#why", Lines).show([(one_line(text), "bad")])
