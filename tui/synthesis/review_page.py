"""Review: rows that were made, beside their source and the raw answers, decided one by one.

Decisions show at once and are appended to the job on a thread; edits pass the gates again, in the
companion process.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from engine.errors import EngineError
from engine.synthesis.outcomes import Reason
from engine.synthesis.questions import CHOSEN, REJECTED
from engine.synthesis.reviews import Decision, Review
from engine.synthesis.row_schema import RowSchema
from tui.background import run_in_background
from tui.feeds.write_queue import OperationFailed, WriteQueue
from tui.screens.dialogs import Dialog, TextWindow
from tui.screens.external_editor import edit_outside
from tui.screens.page import SubPage, bindings_of
from tui.screens.pick_window import PickOption, pick_option
from tui.styled_text import Line
from tui.synthesis.made_feed import MadeData, MadeDataRead, MadeFeed
from tui.synthesis.review_lines import balance_line, review_headline, review_row
from tui.synthesis.review_list import (
    AS_MADE,
    AT_RANDOM,
    ReviewSelection,
    filter_options,
    listed,
    next_to_decide,
)
from tui.synthesis.review_pane import ReviewPane
from tui.synthesis.row_text import PAIR_FIELDS, find_place, read_row, write_row
from tui.synthesis.statistics_lines import statistics_lines
from tui.synthesis.write_rows import ask_and_write
from tui.widgets.lines import Lines, Rule
from tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from engine.compare.samples import Sample
    from engine.synthesis.made_statistics import MadeStatistics
    from engine.synthesis.review_sample import SampledReview

WIDE = 120
"""Cells from which the three texts stand side by side."""


class ReviewPage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("review")
    name_in_keymap = "review"
    filter_name = "search"
    initial_focus = "#rows"

    def __init__(self, path: Path, data: MadeData | None = None) -> None:
        """`data`: what is known of the job already."""
        super().__init__()
        self._path = path
        self._on_disk = self._data = data or MadeData()
        """What the job has, and the same with decisions that are still on their way to it."""
        self._read = data is not None
        self._selection = ReviewSelection()
        self._listed: list[str] = []
        self._answers: Sequence[Sample] | EngineError | None = None
        self._answers_of: tuple[str, int] = ("", -1)
        """Source, and how many answers it had."""
        self._edited = ""
        """The source whose row is being edited."""
        self._checking = False
        """Whether the gates look at an edited row."""
        self._decided: list[str] = []
        """Sources in the order in which they were decided here."""
        self._note = ""
        """Of the next decision."""
        self._pending: dict[str, Review] = {}
        """Decisions that are not read back from the job yet."""
        self._feed = MadeFeed(path, self.post_message)
        self._write_queue = WriteQueue(self.post_message)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Lines(id="balance")
        with Horizontal(id="review"):
            yield Table((), empty="", id="rows")
            yield ReviewPane(id="review-pane")
        yield keys

    def on_mount(self) -> None:
        self._arrange()
        self.run_worker(self._feed.run, thread=True)
        self.run_worker(self._write_queue.run, thread=True)

    def on_unmount(self) -> None:
        self._feed.stop()
        self._write_queue.stop()

    def open(self) -> None:
        super().open()
        self._draw()

    def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def on_made_data_read(self, event: MadeDataRead) -> None:
        """What the job has by now; decisions that are still on their way to it stay."""
        self._on_disk, self._read = event.data, True
        self._pending = {
            source: review
            for source, review in self._pending.items()
            if _is_older(self._on_disk.reviews.get(source), review)
        }
        self._put_together()

    def on_operation_failed(self, event: OperationFailed) -> None:
        self.services.show_error(event.error)
        self._pending.clear()
        self._put_together()

    def on_table_row_highlighted(self) -> None:
        if self._edited and self._chosen != self._edited:
            self._close_field()
        self._show_row()
        self.show_keys()

    def apply_filter(self, text: str) -> None:
        self._select(replace(self._selection, text=text))

    def go_back(self) -> bool:
        if self._edited:
            self._close_field()
            return True
        if not self.in_field and not self.filter_text and self._selection.shown:
            self._select(replace(self._selection, shown=""))
            return True
        return super().go_back()

    @property
    def field_keys(self) -> list[tuple[str, str]]:
        if self._edited and self.focused is not None and self.focused.id == "row-field":
            return [("ctrl+s", "apply"), ("esc", "leave the row as it was")]
        return super().field_keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "apply":
            return bool(self._edited) and not self._checking
        chosen = self._chosen if self.ready else None
        if action == "accept":
            return chosen is not None and bool(self._data.row_of(chosen))
        if action in ("reject", "edit", "edit_outside", "ask_again", "turn_row"):
            return chosen is not None and not self._checking
        if action == "undo":
            return bool(self._decided) or (chosen is not None and chosen in self._data.reviews)
        if action in ("write", "statistics", "choose_filter", "choose_order"):
            return bool(self._data.outcomes)
        return super().check_action(action, parameters)

    def action_accept(self) -> None:
        """The row as it stands: an edited one that gates hold back as well."""
        source = self._chosen
        if source is None:
            return
        edit = self._data.edit_of(source)
        if edit is None:
            self._decide("accept", source)
        else:
            self._decide("accept", source, dict(edit.row), edit.reasons)

    def action_reject(self) -> None:
        if self._chosen is not None:
            self._decide("reject", self._chosen)

    def action_ask_again(self) -> None:
        if self._chosen is not None:
            self._decide("ask again", self._chosen)
            self.services.notify_user("Asked again when the job is resumed.")

    def action_undo(self) -> None:
        source = self._decided.pop() if self._decided else self._chosen
        if source is None or source not in self._data.reviews:
            return
        self._keep(Review(source, self._data.outcomes[source].round, "undo", when=time.time()))
        self.query_one("#rows", Table).choose(source)

    def action_note(self) -> None:
        def take(text: str | None) -> None:
            if text is not None:
                self._note = text
                self._show_headline()

        window = TextWindow("Note on the next decision", self._note, "note", 2000)
        self.app.push_screen(window, take)

    def action_edit(self) -> None:
        source = self._chosen
        if source is not None:
            self._edited = source
            place = find_place(self._data.row_of(source), self._asked)
            self.query_one(ReviewPane).open_field(self._text_to_edit(source), place)
            self.show_keys()

    def action_edit_outside(self) -> None:
        """In the editor of the environment; what is wrong with the row is said over its text."""
        source = self._chosen
        if source is None:
            return
        try:
            text = edit_outside(self.app, self._text_to_edit(source), "row.toml")
        except EngineError as error:
            self.services.show_error(error)
            return
        if text != self._text_to_edit(source):
            self._edited = source
            self.query_one(ReviewPane).open_field(text)
            self.action_apply()

    def action_apply(self) -> None:
        """Read the edited row, and have the gates look at it."""
        source, pane = self._edited, self.query_one(ReviewPane)
        if not source or self._checking:
            return
        try:
            row = read_row(pane.field_text, self._schema)
        except EngineError as error:
            pane.note(" ".join(filter(None, (error.title, error.detail))), "bad")
            return
        if row == dict(self._data.row_of(source)):
            self._close_field()
            return
        self._checking = True
        pane.note("the gates look at it...", "dim")
        self.show_keys()
        self.run_worker(self._check_gates(source, row), group="gates", exclusive=True)

    def action_choose_filter(self) -> None:
        def take(key: str) -> None:
            self._select(replace(self._selection, shown=key))

        options = filter_options(self._data)
        pick_option(self.app, "filter", options, self._selection.shown, take)

    def action_choose_order(self) -> None:
        def take(key: str) -> None:
            self._select(replace(self._selection, order=key))

        about = "a sample that tells of the rest"
        options = [PickOption(AS_MADE, AS_MADE), PickOption(AT_RANDOM, AT_RANDOM, about)]
        pick_option(self.app, "order", options, self._selection.order, take)

    def action_statistics(self) -> None:
        data, actions = self._data, self.services.actions

        def show(measured: "tuple[MadeStatistics, SampledReview]") -> None:
            self.app.push_screen(Dialog[None](statistics_lines(*measured), "esc close"))

        run_in_background(self, lambda: actions.measure_rows(data), show)

    def action_write(self) -> None:
        ask_and_write(self, self._path, self._data.recipe)

    def action_turn_row(self, by: int) -> None:
        self.query_one("#rows", Table).action_move(by)

    def action_move_row(self, by: int) -> None:
        self.query_one("#rows", Table).action_move(by)

    @property
    def _chosen(self) -> str | None:
        return self.query_one("#rows", Table).chosen

    @property
    def _schema(self) -> RowSchema | None:
        recipe = self._data.recipe
        return RowSchema(recipe.fields) if recipe.mode in ("fields", "json") else None

    @property
    def _asked(self) -> tuple[str, ...]:
        """The fields that were asked for: what is taken from the source is rarely edited."""
        fields = self._data.recipe.fields
        return tuple(name for name, one in fields.items() if one.ask) or (CHOSEN, REJECTED)

    def _text_to_edit(self, source: str) -> str:
        row = self._data.row_of(source)
        if row:
            return write_row(row)
        return write_row(dict.fromkeys(self._data.recipe.fields or PAIR_FIELDS, ""))

    async def _check_gates(self, source: str, row: dict[str, Any]) -> None:
        """Ask the companion what the gates say of an edited row; then keep it, with that."""
        pane = self.query_one(ReviewPane)
        try:
            event = await self.services.companion().check_row(str(self._path), source, row).last()
        except EngineError as error:
            self._checking = False
            pane.note(" ".join(filter(None, (error.title, error.detail, error.hint))), "bad")
            self.show_keys()
            return
        self._checking = False
        reasons = tuple(Reason(str(one["name"]), str(one["detail"])) for one in event["reasons"])
        if self._edited == source:
            self._close_field()
        self._decide("edit", source, row, reasons)

    def _decide(
        self,
        decision: Decision,
        source: str,
        row: dict[str, Any] | None = None,
        reasons: tuple[Reason, ...] = (),
    ) -> None:
        """Keep a decision and go on to the next row; stay where an edit is held back by a gate."""
        outcome = self._data.outcomes[source]
        note, self._note = self._note, ""
        self._keep(
            Review(source, outcome.round, decision, row or {}, reasons, note, when=time.time())
        )
        self._decided = [*(one for one in self._decided if one != source), source]
        if decision == "edit" and reasons:
            return
        following = next_to_decide(self._data, self._listed, source)
        if following is not None:
            self.query_one("#rows", Table).choose(following)

    def _keep(self, review: Review) -> None:
        """It shows at once, and is written on a thread."""
        path, actions = self._path, self.services.actions
        self._pending[review.source] = review

        def write() -> None:
            actions.append_review(path, review)
            self._feed.again()

        self._write_queue.put(write)
        self._put_together()

    def _put_together(self) -> None:
        reviews = {**self._on_disk.reviews, **self._pending}
        kept = {source: one for source, one in reviews.items() if one.decision != "undo"}
        self._data = replace(self._on_disk, reviews=kept)
        self._draw()

    def _select(self, selection: ReviewSelection) -> None:
        self._selection = selection
        self._draw()

    def _close_field(self) -> None:
        self._edited, self._checking = "", False
        self.workers.cancel_group(self, "gates")
        self.query_one(ReviewPane).close_field()
        self.focus_initial()
        self.show_keys()

    def _arrange(self) -> None:
        wide = self.size.width >= WIDE
        self.set_class(not wide, "narrow")
        columns = [Column("row", 12 if wide else 30, 400), Column("gates", 6)]
        self.query_one("#rows", Table).columns = (*columns, Column("decision", 9))

    def _draw(self) -> None:
        if not self.ready:
            return
        self._listed = listed(self._data, self._selection)
        table = self.query_one("#rows", Table)
        table.empty = "No rows match these filters." if self._data.outcomes else "No rows yet."
        table.show_later(self._listed, lambda at: review_row(self._data, self._listed[at]))
        table.repaint()
        self._show_headline()
        self._show_row()
        self.show_keys()

    def _show_row(self) -> None:
        source = self._chosen
        if source is not None and source not in self._data.outcomes:
            source = None
        if source is not None:
            self._read_answers(source)
        answers = self._answers if source == self._answers_of[0] else None
        self.query_one(ReviewPane).show(self._data, source, answers, self.glyphs)

    def _read_answers(self, source: str) -> None:
        key = source, len(self._data.outcomes[source].answers)
        if key == self._answers_of:
            return
        self._answers_of, self._answers = key, None
        actions, recipe = self.services.actions, self._data.recipe

        def show(answers: "Sequence[Sample] | EngineError") -> None:
            if key == self._answers_of:
                self._answers = answers
                self._show_row()

        run_in_background(
            self,
            lambda: actions.read_source_answers(self._path, source, recipe),
            show,
            failed=show,
            group="answers",
            exclusive=True,
        )

    def _show_headline(self) -> None:
        """How much is decided, of what, and how it is listed."""
        data, separator = self._data, self.glyphs.separator
        line: Line = [(" reading...", "dim")]
        if self._read:
            line = review_headline(data, self._selection, len(self._listed), self._note, separator)
        self.query_one("#headline", Lines).show(line)
        self.query_one("#balance", Lines).show(balance_line(data, separator))


def _is_older(known: Review | None, decided: Review) -> bool:
    """Whether what a job has of a source is from before a decision."""
    if known is None:
        return decided.decision != "undo"
    return known.when < decided.when
