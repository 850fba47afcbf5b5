"""A window to start an evaluation of a run: which arms, which suites, how many items of each.

Owns the choices and what they come to. Starts nothing: it is dismissed with the recipe.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.compare.arms import parse_arm
from engine.errors import EngineError
from engine.impact.suites.suite_specs import SuiteSpec, format_suite, parse_suite
from engine.recipes.recipe import EvaluateRecipe, TrainRecipe
from engine.text import one_line
from tui.screens.evaluation_arms import (
    checkpoint_arms,
    run_arms,
    stage_arms,
    strength_arms,
    tree_arms,
)
from tui.screens.form_dialog import ACCEPT_KEYS, FormDialog
from tui.screens.modal import Window
from tui.snapshots import RunRow
from tui.styled_text import Line
from tui.widgets.form import Form, FormField
from tui.widgets.lines import Lines

RUN, STAGES, TREE = "base and this run", "base and its stages", "base and the whole tree"
CHECKPOINTS, STRENGTHS = "base and its checkpoints", "base and its strengths"
EXPORT = "the run and what was exported"
BUNDLED, HELD_OUT, BOTH, FILE = "bundled", "held-out rows", "bundled and held-out", "a file"


@dataclass(frozen=True, slots=True)
class Evaluable:
    """What can be measured of a run, beside itself."""

    bundled: tuple[str, ...]
    """Names of the bundled suites."""
    checkpoints: tuple[tuple[int, str], ...] = ()
    """Steps and folders."""
    held_out: int = 0
    """Rows that the run kept apart."""
    suite: str = ""
    """The ref of these rows."""
    exported: tuple[str, ...] = ()
    """The arms of an export, its run first; none of a run."""


class EvaluateWindow(Window[EvaluateRecipe | None]):
    """Dismissed with what is to be started."""

    AUTO_FOCUS = "Choice"
    BINDINGS: ClassVar[list[BindingType]] = ACCEPT_KEYS

    def __init__(self, run: RunRow, rows: Sequence[RunRow], evaluable: Evaluable) -> None:
        super().__init__()
        self._run = run
        self._evaluable = evaluable
        self._arms = (
            {EXPORT: list(evaluable.exported)} if evaluable.exported else self._list_arms(rows)
        )
        self._suites = [BUNDLED, *((HELD_OUT, BOTH) if evaluable.held_out else ()), FILE]
        if evaluable.exported and evaluable.held_out:
            # What a type costs shows first in what was trained.
            self._suites = [HELD_OUT, BOTH, BUNDLED, FILE]

    def _list_arms(self, rows: Sequence[RunRow]) -> dict[str, list[str]]:
        """The choices of a run."""
        run = self._run
        arms = {RUN: run_arms(run, rows)}
        if len(stages := stage_arms(run, rows)) > 2:
            arms[STAGES] = stages
        if len(tree := tree_arms(run, rows)) > max(2, len(stages)):
            arms[TREE] = tree
        if self._evaluable.checkpoints:
            arms[CHECKPOINTS] = checkpoint_arms(run, rows, self._evaluable.checkpoints)
        recipe = run.view.recipe
        if isinstance(recipe, TrainRecipe) and recipe.method.kind != "full":
            arms[STRENGTHS] = strength_arms(run, rows)
        return arms

    def compose(self) -> ComposeResult:
        fields = (
            FormField("arms", "Arms", tuple(self._arms)),
            FormField("suites", "Suites", tuple(self._suites)),
            FormField("file", "File of items"),
            FormField("limit", "Items of each"),
        )
        title = f"Evaluate {self._run.view.record.name}"
        yield FormDialog(title, fields, ("sum", "why"))

    def on_mount(self) -> None:
        self.query_one(Form).fill({"limit": "0"})
        self._update()

    def on_form_edited(self) -> None:
        self._update()

    def action_accept(self) -> None:
        try:
            self.dismiss(self._recipe())
        except EngineError as error:
            self._refuse(error)

    def _recipe(self) -> EvaluateRecipe:
        """What was chosen. Raises EngineError that says what is wrong."""
        values = self.query_one(Form).values
        limit = values["limit"].strip() or "0"
        if not limit.isdecimal():
            raise EngineError("Items of each: a whole number, 0 for all.")
        return EvaluateRecipe(
            name=f"impact-{self._run.view.record.name}",
            arms=list(self._arms[values["arms"]]),
            suites=self._suites_of(values["suites"], values["file"].strip()),
            limit=int(limit),
        )

    def _suites_of(self, chosen: str, file: str) -> list[str]:
        bundled = [
            format_suite(SuiteSpec(name, f"bundled:{name}")) for name in self._evaluable.bundled
        ]
        held_out = [self._evaluable.suite]
        if chosen != FILE:
            return {BUNDLED: bundled, HELD_OUT: held_out, BOTH: [*bundled, *held_out]}[chosen]
        if not file:
            raise EngineError("File of items: a suite or a data set, by its path.")
        suite = parse_suite(file)
        if ":" not in suite.ref:
            path = Path(suite.ref).expanduser().absolute()
            suite = dataclasses.replace(suite, ref=str(path))
        return [format_suite(suite)]

    def _update(self) -> None:
        """What the choices come to, or what is wrong with them."""
        values = self.query_one(Form).values
        names = [one_line(parse_arm(text).name) for text in self._arms[values["arms"]]]
        line: Line = [(f"{len(names)} arms: ", "dim"), (", ".join(names), "")]
        self.query_one("#sum", Lines).show(line)
        try:
            recipe = self._recipe()
        except EngineError as error:
            self._refuse(error)
            return
        count = len(recipe.suites)
        each = f"{recipe.limit:,} items of each" if recipe.limit else "all items"
        text = f"{count} suite{'s' * (count != 1)}, {each}"
        if values["suites"] in (HELD_OUT, BOTH):
            text += f"; the run held out {self._evaluable.held_out:,} rows"
        self.query_one("#why", Lines).show([(text, "dim")])

    def _refuse(self, error: EngineError) -> None:
        text = " ".join(filter(None, (error.title, error.hint)))
        self.query_one("#why", Lines).show([(one_line(text), "bad")])
