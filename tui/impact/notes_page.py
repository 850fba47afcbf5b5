"""All that is known of a cell and of its evaluation, in words: what does not fit below the matrix.

The cell with its test, what should be known before it is read, the other measures of its skill, its
controls where they were measured, and what holds for all skills.
"""

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from engine.impact.changes.controls import read_row_controls
from engine.impact.changes.skill_rows import SkillRow, SkillTable
from engine.impact.changes.stage_summary import StageSummary
from engine.text import one_line
from tui.impact.arm_paths import Against
from tui.impact.cell_lines import list_facts, list_summary
from tui.impact.control_facts import list_control_facts
from tui.screens.page import SubPage, bindings_of
from tui.styled_text import Line
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager

_INDENT = 3


def note_lines(
    table: SkillTable, summary: StageSummary | None, row: SkillRow, arm: str, against: Against
) -> Iterator[Line]:
    """A fact a line, clean, under headings."""
    yield _head(f"{row.name}, {arm}")
    yield from map(_item, list_facts(table, row, arm, against))
    yield []
    yield _head(f"To know of {row.name}")
    yield from (_item([(one_line(note), "warn")]) for note in row.notes)
    if not row.notes:
        yield _item([("nothing in particular", "dim")])
    others = [one for one in table.measures_of(row.name) if not one.is_primary]
    if others:
        yield []
        yield _head(f"Other measures of {row.name}, each exploratory, unadjusted")
    for other in others:
        if arm in other.results:
            facts = list_facts(table, other, arm, against, is_short=True)
            yield _item([(f"{one_line(other.measure)}: ", ""), *_join(facts)])
    if controls := list_control_facts(read_row_controls(table, row)):
        yield []
        yield _head(f"Controls of {row.name}")
        yield from map(_item, controls)
    yield []
    yield _head("All skills")
    if summary is not None:
        yield from map(_item, list_summary(summary, table))
        yield from (_item([(one_line(note), "")]) for note in summary.notes)
        for measure in summary.measures:
            if measure.value is not None:
                count, names = len(measure.skills), ", ".join(map(one_line, measure.skills))
                words = f"{measure.name}: a mean over {count} skill{'s' * (count != 1)}, {names}"
                yield _item([(words, "dim")])


def _head(text: str) -> Line:
    return [(f" {one_line(text)}", "strong")]


def _item(line: Line) -> Line:
    return [(" " * _INDENT, ""), *line]


def _join(facts: list[Line]) -> Line:
    joined = [*facts[0]]
    for fact in facts[1:]:
        joined += [("; ", "dim"), *fact]
    return joined


class NotesPage(SubPage):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("notes")
    name_in_keymap = "notes"
    initial_focus = "Pager"

    def __init__(
        self,
        table: SkillTable,
        summary: StageSummary | None,
        row: SkillRow,
        arm: str,
        against: Against,
    ) -> None:
        super().__init__()
        self._title = f" {one_line(row.name)} "
        self._lines = list(note_lines(table, summary, row, arm, against))

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(hang=_INDENT + 2)
        yield keys

    def open(self) -> None:
        super().open()
        self._draw()

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "filter" and super().check_action(action, parameters)

    def _draw(self) -> None:
        if not self.ready:
            return
        words = f"{self.glyphs.separator} all that is known of a cell"
        self.query_one("#headline", Lines).show([(self._title, "strong"), (words, "")])
        self.query_one(Pager).show(self._lines)
        self.show_keys()
