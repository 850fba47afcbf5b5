"""A window to export a run: in which forms, to which folder, and what the model card is to say.

Owns the choices and what they take of disk and memory. Starts nothing: it is dismissed with an
export that was found right, and stays open with the reason where it is not.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.errors import EngineError
from engine.jobs.directory import RUN
from engine.recipes import recipe as recipes
from engine.recipes.recipe import ExportRecipe
from engine.release.disk_need import DiskNeed
from engine.release.gguf_targets import QUANTIZE
from engine.release.memory_need import MemoryNeed
from engine.release.targets import Target, parse_targets
from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import size
from tui.screens.form_dialog import ACCEPT_KEYS, FormDialog
from tui.screens.modal import Window
from tui.widgets.form import Form, FormField
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
"""What can be chosen, and its forms."""
DTYPES = ("auto", "float32", "bfloat16", "float16")
OWN = "own"
"""Of GGUF types: the weights' own type, which comes with q8_0 as on the command line."""
_TYPES = f"{OWN}, q8_0"
_UNMEASURED = "none has measured it"
_HELP: Mapping[str, str] = {
    "forms": "adapter needs its base; merged is whole; GGUF is for llama.cpp, Ollama",
    "out": "a folder that does not exist yet",
    "model_name": "what the model is called in its card and its files",
    "dtype": "weights of the merged model; auto: as the base is stored",
    "shard_gb": "the largest file of merged weights, in GB (10^9 bytes)",
    "report": "its gains and losses go into the card; I in Runs measures",
    "base_id": "ORG/NAME of the model that was tuned; asked once, remembered",
    "license": "as on the Hub (apache-2.0), or NAME=https://LINK; empty: the base's",
    "data_license": "license or terms of the training data, in your words",
    "intended_use": "for the model card, in your words",
    "limitations": "what it should not be used for; for the model card",
}
"""What a field wants, shown while it has the focus."""
_BUNDLED = "not needed: the base ships with finetop and is not on the Hub"
_NO_GGUF = "not used: GGUF is not among the targets"
_WITH_QUANTIZER = f"{_TYPES}, f16, bf16, f32; by {QUANTIZE}: Q4_K_M, Q5_K_M, Q6_K ..."
_WITHOUT_QUANTIZER = f"{_TYPES}, f16, bf16, f32; Q4_K_M ... need {QUANTIZE} (llama.cpp)"
_MOST_LINES = 5
"""Of a reason why it cannot start."""
_BESIDE = 9 + _MOST_LINES
"""Rows of the window that are no fields."""


@dataclass(frozen=True, slots=True)
class Exportable:
    """What there is to export of a run."""

    source: str
    """The arm, in the grammar."""
    model_name: str
    """What it is called where nobody says otherwise."""
    has_adapter: bool
    measure: Callable[[Sequence[Target], str], DiskNeed]
    """What targets take, merged weights in a type as recipes have it; reads no disk."""
    estimate: Callable[[Sequence[Target], str], MemoryNeed]
    """The same of memory."""
    free_memory: int
    """Bytes that the machine has free."""
    reports: tuple[str, ...]
    """Ids of evaluations that measured it, the newest first."""
    has_quantizer: bool
    """Whether llama-quantize was found."""
    base_id: str
    """What the Hub calls its root; empty where nobody knows."""
    bundled: bool
    """Whether its root is the model that ships with finetop, which the Hub does not have."""
    bundled_data: bool
    """Whether all that it was trained on ships with finetop, whose license is known."""


class ExportWindow(Window["PlannedExport | None"]):
    """Dismissed with what is to be started."""

    AUTO_FOCUS = "Choice"
    BINDINGS: ClassVar[list[BindingType]] = ACCEPT_KEYS

    def __init__(
        self, name: str, found: Exportable, plan: "Callable[[ExportRecipe], PlannedExport]"
    ) -> None:
        """`plan` finds all that a recipe names, on a thread, or raises EngineError."""
        super().__init__()
        self._name_of_run = name
        self._found = found
        self._plan = plan
        self._forms = {
            name: forms
            for name, forms in FORMS.items()
            if found.has_adapter or "adapter" not in forms
        }

    def compose(self) -> ComposeResult:
        fields = (
            FormField("forms", "Targets", tuple(self._forms)),
            FormField("types", "GGUF types"),
            FormField("out", "Folder"),
            FormField("model_name", "Model name"),
            FormField("report", "Evaluation", self._found.reports or (_UNMEASURED,)),
            FormField("base_id", "Base on the Hub"),
            FormField("license", "License"),
            FormField("data_license", "Data license"),
            FormField("intended_use", "Intended use"),
            FormField("limitations", "Limits"),
            FormField("dtype", "Merged in", DTYPES),
            FormField("shard_gb", "Largest file"),
        )
        yield FormDialog(f"Export {self._name_of_run}", fields, ("help", "disk", "memory", "why"))

    def on_mount(self) -> None:
        self.query_one(Form).fill({
            "types": _TYPES,
            "out": f"{self._found.model_name}-export",
            "model_name": self._found.model_name,
            "base_id": self._found.base_id,
            "shard_gb": f"{ExportRecipe().shard_gb:g}",
        })  # fmt: skip
        self._update()
        self._limit()

    def on_resize(self) -> None:
        self._limit()

    def on_descendant_focus(self) -> None:
        self._show_help()

    def on_form_edited(self) -> None:
        self._update()

    def action_accept(self) -> None:
        try:
            recipe = self._recipe()
        except EngineError as error:
            self._refuse(error)
            return
        self._dialog.show("why", [("checking...", "dim")])
        run_in_background(
            self, lambda: self._plan(recipe), self.dismiss, failed=self._refuse, exclusive=True
        )

    @property
    def _dialog(self) -> FormDialog:
        return self.query_one(FormDialog)

    def _recipe(self) -> ExportRecipe:
        """What was chosen. Raises EngineError that says what is wrong."""
        table: dict[str, object] = {**self._dialog.values}
        table |= {"kind": "export", "source": self._found.source, "targets": self._targets}
        for key in ("forms", "types"):
            del table[key]
        report = str(table["report"])
        table["report"] = f"{RUN}{report}" if report in self._found.reports else ""
        try:
            table["shard_gb"] = float(str(table["shard_gb"]))
        except ValueError as error:
            raise EngineError("Largest file: a number of GB, as 5.") from error
        recipe = recipes.parse(table)
        assert isinstance(recipe, ExportRecipe)
        return recipe

    @property
    def _targets(self) -> list[str]:
        """What is chosen, as `--as` has it. Raises EngineError."""
        values = self._dialog.values
        forms = self._forms[values["forms"]]
        types = [one for one in re.split(r"[,\s]+", values["types"]) if one]
        if "gguf" in forms and not types:
            raise EngineError(f"GGUF types: {_TYPES}, or others.")
        gguf = ["gguf" if one.lower() == OWN else f"gguf:{one}" for one in types]
        return [target for form in forms for target in (gguf if form == "gguf" else [form])]

    def _limit(self) -> None:
        """Scroll the fields where the terminal is too low: what is said below them stays in
        sight."""
        self.query_one(Form).limit(self.size.height * 9 // 10 - _BESIDE)

    def _show_help(self) -> None:
        """What the field with the focus wants; of the folder, where that will be."""
        key, values = self.query_one(Form).focused_key, self._dialog.values
        text = _HELP.get(key, "")
        if key == "types":
            text = _WITH_QUANTIZER if self._found.has_quantizer else _WITHOUT_QUANTIZER
            text = text if "gguf" in self._forms[values["forms"]] else _NO_GGUF
        if key == "base_id" and self._found.bundled:
            text = _BUNDLED
        if key == "out" and values["out"]:
            path, label = str(Path(values["out"]).expanduser().absolute()), "must not exist yet: "
            room = max(20, self.query_one("#help", Lines).size.width - len(label) - 3)
            # Its end is what tells folders apart.
            path = one_line(path)
            text = label + (path if len(path) <= room else f"...{path[-room:]}")
        self._dialog.show("help", [(one_line(text), "")])

    def _update(self) -> None:
        """What the choices take of disk and memory, and what the model card will lack."""
        self._show_help()
        values = self._dialog.values
        self._show_needs(values["dtype"])
        unknown = []
        if not self._found.bundled and not values["base_id"]:
            unknown.append("the base")
        if not self._found.bundled_data and not values["data_license"]:
            unknown.append("the data's license")
        if not self._found.reports:
            unknown.append("what it forgot")
        note = f"the model card will say unknown: {', '.join(unknown)}" if unknown else ""
        self.query_one("#why", Lines).styles.height = 1
        self._dialog.show("why", [(note, "dim")])

    def _show_needs(self, dtype: str) -> None:
        """What the targets take of disk and memory; what is wrong of them, where something is."""
        try:
            targets = parse_targets(self._targets)
        except EngineError as error:
            self._dialog.show("disk", [(one_line(error.title), "warn")])
            self._dialog.show("memory", [])
            return
        need, free = self._found.measure(targets, dtype), self._found.free_memory
        memory = self._found.estimate(targets, dtype).most
        self._dialog.show("disk", [
            ("disk: ", "dim"), (size(need.most), ""), (" while it works, ", "dim"),
            (size(need.kept), ""), (" when done", "dim"),
        ])  # fmt: skip
        self._dialog.show("memory", [
            ("memory: about ", "dim"), (size(memory), ""), (" of ", "dim"), (size(free), ""),
            (" free", "dim") if memory <= free else (" free: it waits for room", "warn"),
        ])  # fmt: skip

    def _refuse(self, error: EngineError) -> None:
        """The reason: what is wrong, where, and what to do."""
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
