"""One row to be judged: its source, the raw answers, and the row with what holds it back.

Side by side where there is room, else one below the other. Shows what it was given; the field in
which a row is edited stands in the place of the row.
"""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import TextArea

from engine.compare.samples import Sample
from engine.errors import EngineError
from engine.synthesis.outcomes import Outcome, Reason
from engine.synthesis.reviews import Review
from engine.synthesis.source_rows import SourceRow
from engine.synthesis.templates import write_value
from engine.text import clean, one_line
from tui.formatting import error_lines
from tui.glyphs import Glyphs
from tui.screens.text_area_window import text_area
from tui.styled_text import Line
from tui.synthesis.made_feed import MadeData
from tui.widgets.lines import Lines
from tui.widgets.pager import Pager

PANES = ("source", "answers", "row")
MOST_CHARACTERS = 20_000
"""Of one text."""
_STANDING_ROLES = {"accepted": "good", "edited": "good", "rejected": "bad", "ask again": "warn"}


class ReviewPane(Vertical):
    """The three texts of the chosen row."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown = ""
        """The source that is shown."""

    def compose(self) -> ComposeResult:
        for name in PANES:
            with Vertical(classes="pane", id=f"review-{name}"):
                yield Lines(classes="line head")
                yield Pager(hang=2, id=f"{name}-text")
                if name == "row":
                    yield text_area(id="row-field")
                    note = Pager(id="row-note")
                    note.can_focus = False
                    yield note

    def on_mount(self) -> None:
        self.close_field()

    def show(
        self,
        data: MadeData,
        source: str | None,
        answers: "Sequence[Sample] | EngineError | None",
        glyphs: Glyphs,
    ) -> None:
        """Another row, or what is new about it; `answers` are None until they are read."""
        self.display = source is not None
        if source is None:
            return
        if source != self._shown:
            self._shown = source
            for pager in self.query(Pager):
                pager.to_top()
        outcome, review = data.outcomes[source], data.reviews.get(source)
        standing = data.standing_of(source)
        heads: dict[str, Line] = {
            "source": [(" source ", "strong"), (one_line(source), "dim")],
            "answers": [(" raw answers ", "strong"), (f"{len(outcome.answers)}", "dim")],
            "row": [(" row ", "strong"), (standing, _STANDING_ROLES.get(standing, "dim"))],
        }
        texts = {
            "source": source_lines(data.sources.get(source), outcome),
            "answers": answer_lines(outcome, answers, glyphs),
            "row": row_lines(data, source, outcome, review),
        }
        for name in PANES:
            pane = self.query_one(f"#review-{name}")
            pane.query_one(".head", Lines).show(heads[name])
            pane.query(Pager).first().show([[(" ", ""), *line] for line in texts[name]])

    def open_field(self, text: str, place: tuple[int, int] = (0, 0)) -> None:
        """Edit a row where it stands, from this line and column of its text."""
        field = self.query_one("#row-field", TextArea)
        field.text = text
        field.move_cursor(place)
        self._set_editing(True)
        field.focus()

    def close_field(self) -> None:
        self._set_editing(False)
        self.note("", "")

    @property
    def field_text(self) -> str:
        return self.query_one("#row-field", TextArea).text

    def note(self, text: str, role: str) -> None:
        """What is wrong with the row that is edited, or is done with it."""
        shown = self.query_one("#row-note", Pager)
        shown.display = bool(text)
        shown.show([[(f" {one_line(text)}", role)]])
        shown.refresh(layout=True)  # it may take more lines, or fewer

    def _set_editing(self, editing: bool) -> None:
        self.query_one("#row-field").display = editing
        self.query_one("#row-text").display = not editing


def source_lines(source: SourceRow | None, outcome: Outcome) -> list[Line]:
    """The source's own text, then its other columns."""
    if source is None:
        return [[("This source is not in sources.jsonl.", "bad")]]
    lines: list[Line] = []
    if outcome.cut:
        lines.append([(f"cut: {outcome.cut:,} not shown to the generator", "warn")])
    lines += _text_lines(source.text)
    for name, value in source.columns.items():
        if value != source.text:
            lines.append([])
            lines.append([(one_line(name), "dim")])
            lines += _text_lines(write_value(value))
    return lines


def answer_lines(
    outcome: Outcome, answers: "Sequence[Sample] | EngineError | None", glyphs: Glyphs
) -> list[Line]:
    """Each answer as the generator wrote it, with its arm, and why it was of no use."""
    if answers is None:
        return [[("reading the answers...", "dim")]]
    if isinstance(answers, EngineError):
        return error_lines(answers)
    faults = {one.sample: one for one in outcome.answers}
    lines: list[Line] = []
    for sample in answers:
        record = faults.get(sample.prompt_id)
        number = sample.prompt_id.rpartition("/")[2]
        head: list[tuple[str, str]] = [(one_line(number), "strong")]
        if record is not None and record.fault:
            head.append((f" {glyphs.separator} {one_line(record.fault)}", "bad"))
        elif record is None:
            head.append((f" {glyphs.separator} of an earlier round", "dim"))
        if sample.finish != "stop":
            head.append((f" {glyphs.separator} {sample.finish}", "warn"))
        lines += [head, *_text_lines(sample.text or "(empty)"), []]
    return lines or [[("No answer was kept.", "dim")]]


def row_lines(data: MadeData, source: str, outcome: Outcome, review: Review | None) -> list[Line]:
    """The row as it stands, its reasons and repairs, and what a person said of it."""
    lines: list[Line] = []
    row = data.row_of(source)
    edited = review is not None and review.round == outcome.round and bool(review.row)
    reasons: Sequence[Reason] = outcome.reasons
    if review is not None and edited:
        reasons = review.reasons
        words = (
            "edited by hand, held back by a gate: a accepts it anyway"
            if reasons
            else "edited by hand"
        )
        lines.append([(words, "warn" if reasons else "good")])
    for one in reasons:
        text = f"{one.name}: {one.detail}" if one.detail else one.name
        lines.append([(one_line(text), "bad" if outcome.state == "set aside" else "warn")])
    lines += [
        [(f"repaired: {one_line(one.kind)}" + (f" in {one_line(one.field)}" if one.field else ""),
          "warn")]
        for one in outcome.repairs
    ]  # fmt: skip
    if lines:
        lines.append([])
    origin = data.sources.get(source)
    for name, value in row.items():
        if origin is not None and value == origin.text:
            lines.append([(one_line(name), "dim"), ("  the source, as it is", "dim")])
            continue
        lines.append([(one_line(name), "dim")])
        lines += _text_lines(write_value(value), "tuned")
    if not row:
        lines.append([("No row could be made: e writes one, A asks again.", "dim")])
    if review is not None and review.note:
        lines += [[], [("note: ", "dim"), (one_line(review.note), "warn")]]
    return lines


def _text_lines(text: str, role: str = "") -> list[Line]:
    lines: list[Line] = [[(line, role)] for line in clean(text[:MOST_CHARACTERS]).split("\n")]
    if len(text) > MOST_CHARACTERS:
        lines.append([(f"{len(text) - MOST_CHARACTERS:,} characters more", "dim")])
    return lines
