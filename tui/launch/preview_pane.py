"""What is known of a recipe before it starts: rows as learned, lengths, templates, fit, the recipe.

Plain rows come first, at once; what needs a tokenizer comes from the companion once one stops
choosing; whether it fits is estimated on a thread once one stops typing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize
from textual.message import Message

from engine.errors import EngineError
from engine.estimates.parameters import Counted
from engine.recipes.settings import Replay
from engine.text import one_line
from tui.background import run_in_background
from tui.formatting import error_lines
from tui.launch.data_report import CompanionClient, CountRequest, DataReportRequest, Report
from tui.launch.draft import Draft
from tui.launch.fit_lines import fit_line, fit_lines, measured
from tui.launch.pick_rows import rows_shown
from tui.launch.report_lines import facts, lengths_lines, rows_lines, template_lines
from tui.styled_text import Line
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager

if TYPE_CHECKING:
    from engine.checkpoints.checkpoint_list import Checkpoint
    from engine.data.dataset_list import DataSet
    from engine.data.rows import Rows
    from engine.estimates.fit import Fit
    from tui.actions import Actions
    from tui.companion import Companion

PREVIEW_ROWS = 20
PANES = ("rows", "lengths", "templates", "fit", "recipe")
TYPING_SECONDS = 0.25
"""Without a change before it is estimated whether a recipe fits."""
_TURN_INDENT = 11


@dataclass(frozen=True, slots=True)
class LaunchInputs:
    """What is chosen and written now; a model or data that cannot be used is None."""

    model: "Checkpoint | None" = None
    dataset: "DataSet | None" = None
    draft: Draft | None = None


class PreviewPane(Vertical):
    """One pane at a time, and the line that says whether it fits."""

    class ReportChanged(Message):
        """More is known of the data now."""

    def __init__(
        self, actions: "Actions", companion: "Callable[[], Companion]", *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._actions = actions
        self._inputs = LaunchInputs()
        self._pane = 0
        self._rows: Rows | EngineError | None = None
        self._rows_of = ""
        self._report_client = CompanionClient[Report](companion, self._report_received)
        self._count_client = CompanionClient[Counted](companion, self._count_received)
        self._fit: Fit | EngineError | None = None
        self._fit_key: tuple[object, ...] = ()
        """What the fit was asked for; another answer comes too late."""
        self._renewals = 0
        """How often it was asked for anew; part of the key."""

    def compose(self) -> ComposeResult:
        yield Lines(id="fit")
        yield Lines(id="shown")
        yield Pager(id="text")

    def on_unmount(self) -> None:
        self._report_client.stop()
        self._count_client.stop()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self.redraw)

    @property
    def facts(self) -> list[str]:
        """What the companion found out about the data, in few words."""
        return facts(self._report) if self._report else []

    def show(self, inputs: LaunchInputs) -> None:
        """Take other inputs, and find out about them."""
        self._inputs = inputs
        self._read_rows()
        self._request_report()
        self._estimate_fit()
        self.redraw()

    def renew_fit(self) -> None:
        """Estimate anew with what runs, memory and disk are now; what is shown stays until then."""
        self._renewals += 1
        self._estimate_fit()

    def turn(self, by: int) -> None:
        self._pane = (self._pane + by) % len(PANES)
        self.query_one("#text", Pager).to_top()
        self.redraw()

    def redraw(self) -> None:
        """Draw what is known by now."""
        if not self.is_mounted:
            return
        tabs: Line = [
            (f" [{name}]", "strong") if at == self._pane else (f"  {name}", "dim")
            for at, name in enumerate(PANES)
        ]
        shown, text = self.query_one("#shown", Lines), self.query_one("#text", Pager)
        shown.show([*tabs, ("  v next", "dim")])
        fit, glyphs, inputs = self._fit, shown.glyphs, self._inputs
        if inputs.draft is not None and (inputs.draft.recipe is None or inputs.model is None):
            self.query_one("#fit", Lines).show([(" no estimate", "dim")])
        elif isinstance(fit, EngineError):
            self.query_one("#fit", Lines).show([(f" {one_line(fit.title)}", "bad")])
        else:
            self.query_one("#fit", Lines).show(fit_line(fit, glyphs))
        plain = PANES[self._pane] == "rows" and self._report is None
        lines = self._pane_lines()
        text.show([[(" ", ""), *line] for line in lines], hang=_TURN_INDENT if plain else 1)

    @property
    def _report(self) -> Report | None:
        """What the companion found, where that is about what is chosen now."""
        return self._report_client.current_answer

    def _read_rows(self) -> None:
        dataset = self._inputs.dataset
        if dataset is None or dataset.ref == self._rows_of:
            return
        self._rows_of, self._rows = dataset.ref, None

        def show(rows: "Rows | EngineError") -> None:
            if dataset.ref == self._rows_of:
                self._rows = rows
                self.query_one("#text", Pager).to_top()
                self.redraw()

        run_in_background(
            self,
            lambda: self._actions.preview(dataset, PREVIEW_ROWS),
            show,
            failed=show,
            group="preview",
        )

    def _request_report(self) -> None:
        """Have the companion look at what is chosen, where that can be used."""
        inputs = self._inputs
        recipe = inputs.draft.recipe if inputs.draft else None
        if recipe is not None and inputs.model is not None and inputs.dataset is not None:
            seed, replay = recipe.training.seed, recipe.replay if recipe.replay.data else Replay()
            checkpoint = recipe.model.checkpoint
            self._report_client.ask(
                DataReportRequest(checkpoint, recipe.data, seed, replay, recipe.training.objective)
            )
            self._count_client.ask(CountRequest(checkpoint, recipe.method))

    def _report_received(self) -> None:
        if self.is_mounted:
            self.query_one("#text", Pager).to_top()
            self._estimate_fit()
            self.redraw()
            self.post_message(self.ReportChanged())

    def _count_received(self) -> None:
        if self.is_mounted:
            self._estimate_fit()

    def _estimate_fit(self) -> None:
        """Estimate, once nobody types any more, whether the recipe fits."""
        recipe = self._inputs.draft.recipe if self._inputs.draft else None
        model, report = self._inputs.model, self._report
        if recipe is None or model is None:
            return
        known = measured(report, recipe.data.limit) if report else None
        number = self._count_client.current_answer
        key = (replace(recipe, name=""), model.ref, known, number, self._renewals)
        if key == self._fit_key:
            return
        self._fit_key = key

        def show(fit: "Fit | EngineError") -> None:
            if key == self._fit_key:
                self._fit = fit
                self.redraw()

        def start() -> None:
            if key == self._fit_key:
                run_in_background(
                    self,
                    lambda: self._actions.fit(recipe, model, known, number),
                    show,
                    failed=show,
                    group="fit",
                )

        self.set_timer(TYPING_SECONDS, start)

    def _pane_lines(self) -> list[Line]:
        pane, client = PANES[self._pane], self._report_client
        text = self.query_one("#text", Pager)
        if pane == "recipe":
            toml = self._inputs.draft.toml if self._inputs.draft else ""
            return [[(one_line(line), "")] for line in toml.splitlines()]
        if pane == "fit":
            fit = self._fit
            return error_lines(fit) if isinstance(fit, EngineError) else fit_lines(fit, text.glyphs)
        if not client.current or client.error is not None:
            lines: list[Line] = [[("loading preview...", "dim")]]
            if client.current and client.error is not None:
                lines = error_lines(client.error)
            return [*lines, [], *rows_shown(self._rows, text.glyphs)] if pane == "rows" else lines
        report = client.answer
        if report is None:
            return []
        if pane == "lengths":
            return lengths_lines(report, text.glyphs, text.size.width)
        return (rows_lines if pane == "rows" else template_lines)(report, text.glyphs)
