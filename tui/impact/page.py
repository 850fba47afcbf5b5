"""Impact: what each arm of an evaluation gained and lost, skill by skill; and which there are."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize

from engine.text import one_line
from tui.background import run_in_background
from tui.impact.arm_paths import Against, find_reference, has_stages
from tui.impact.cell_lines import cell_lines, clip, summary_lines
from tui.impact.evaluation_reader import EvaluationSnapshot, read_evaluation
from tui.impact.evaluations import (
    COLUMNS,
    evaluation_row,
    find_evaluation,
    find_run,
    list_evaluations,
)
from tui.impact.headlines import (
    arms_title,
    list_headline,
    matrix_headline,
    recipe_facts,
    trouble_lines,
    waiting_words,
)
from tui.impact.item_preview import ItemPreview
from tui.impact.matrix import MatrixView
from tui.impact.report_writing import ReportProgressed, ReportWriting
from tui.keymap import Key
from tui.screens.page import bindings_of
from tui.screens.run_actions import RunActions
from tui.snapshots import RunRow, RunsSnapshot
from tui.styled_text import Line
from tui.widgets.lines import Lines, Rule
from tui.widgets.pager import Pager
from tui.widgets.table import Table

if TYPE_CHECKING:
    from engine.impact.changes.skill_rows import SkillRow, SkillTable

FRAMED_FROM = 30
"""Rows of a terminal from which the matrix stands in a frame."""
WIDE = 110
_CELL_LINES, _MOST_SUMMARY = 4, 6
NONE_YET = "No evaluations yet. Press I to evaluate the run that is chosen in Runs."


class ImpactPage(RunActions):
    BINDINGS: ClassVar[list[BindingType]] = bindings_of("impact")
    name_in_keymap = "impact"
    filter_hint = "text in the name of a skill"

    def __init__(self) -> None:
        super().__init__()
        self._shown: str | None = None
        """Key of the evaluation that is shown; None: they are listed."""
        self._followed: str | None = None
        """The app's chosen run when it was last decided which evaluation is shown."""
        self._evaluation: EvaluationSnapshot | None = None
        self._row: RunRow | None = None
        """The shown job as it was when its results were last read."""
        self._against: Against = "parent"
        self._report = ReportWriting(self)

    def compose(self) -> ComposeResult:
        header, keys = self.frame()
        yield header
        yield Rule()
        yield Lines(id="headline")
        yield Pager(id="trouble")
        yield Table(COLUMNS, empty=NONE_YET, id="evaluations")
        yield MatrixView(id="matrix")
        yield Rule(id="cell-rule")
        yield Lines(id="cell")
        yield ItemPreview(id="items-of-cell")
        yield Rule(id="summary-rule")
        yield Lines(id="summary")
        yield keys

    def open(self) -> None:
        self._follow()
        self._read()  # votes may have been cast meanwhile
        super().open()
        self._draw()

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self._draw)

    def redraw(self) -> None:
        super().redraw()
        self._draw()

    def focus_initial(self) -> None:
        self.query_one("#matrix" if self._shown else "#evaluations").focus()

    def show_runs(self, snapshot: RunsSnapshot) -> None:
        self._follow()
        row = snapshot.row(self._shown)
        if row is not None and row != self._row:
            self._row = row
            self._read()
        self._draw()

    def on_table_row_highlighted(self) -> None:
        self._draw()

    def on_matrix_view_cell_highlighted(self) -> None:
        self._update_cell()
        self._update_preview()
        self.show_keys()

    def apply_filter(self, text: str) -> None:
        self._draw()

    def go_back(self) -> bool:
        if super().go_back():
            return True
        if self._shown is None:
            return False
        self.action_choose_evaluation()
        return True

    @property
    def chosen(self) -> RunRow | None:
        """The evaluation that is shown, or the one under the cursor of the list."""
        key = self._shown or (self.query_one(Table).chosen if self.ready else None)
        return self.services.runs.row(key)

    @property
    def table(self) -> "SkillTable | None":
        """The matrix that is shown."""
        return self._current.table if self._current is not None else None

    @property
    def _current(self) -> EvaluationSnapshot | None:
        """The shown evaluation, once it is read."""
        evaluation = self._evaluation
        is_shown = evaluation is not None and str(evaluation.path) == self._shown
        return evaluation if is_shown else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "evaluate":
            return True  # it says what is missing
        table = self.table
        if action == "open_items":
            return self.ready and (
                self._cell is not None if self._shown else self.chosen is not None
            )
        if action == "open_lost":
            return self.ready and self._cell is not None
        if action in ("classification", "format"):
            return self.ready and self._has_page(action)
        if action == "notes":
            return self.ready and table is not None and self._matrix.skill is not None
        if action in ("move_column", "browse"):
            return table is not None
        if action == "write_report":
            return table is not None and not self._report.words
        if action == "turn_reference":
            return table is not None and has_stages(table.results)
        if action == "choose_evaluation":
            return self._shown is not None
        if action == "filter":
            return table is not None
        return super().check_action(action, parameters)

    def label_of(self, key: Key) -> str:
        if key.action == "open_items" and self._shown is None:
            return "open"
        if key.action == "turn_reference":
            return f"against {'base' if self._against == 'parent' else 'parent'}"
        return super().label_of(key)

    def action_open_items(self) -> None:
        if self._shown is None:
            if self.chosen is not None:
                self._show_evaluation(self.chosen.key)
        else:
            self._open_items("")

    def action_open_lost(self) -> None:
        self._open_items("lost")

    def action_classification(self) -> None:
        from tui.impact.classification_page import ClassificationPage

        if self.table is not None and self._matrix.skill is not None:
            page = ClassificationPage(self.table.results, self._matrix.skill.name)
            self.app.push_screen(page)

    def action_format(self) -> None:
        from tui.impact.format_page import FormatPage

        table, skill = self.table, self._matrix.skill
        if table is not None and skill is not None:
            page = FormatPage(table.results, skill.name, delta=table.delta)
            self.app.push_screen(page)

    def action_notes(self) -> None:
        from tui.impact.notes_page import NotesPage

        evaluation, table = self._evaluation, self.table
        skill, arm = self._matrix.skill, self._matrix.arm
        if evaluation is not None and table is not None and skill is not None and arm is not None:
            page = NotesPage(table, evaluation.summary, skill, arm, self._against)
            self.app.push_screen(page)

    def action_move_column(self, by: int) -> None:
        self._matrix.move_column(by)

    def action_move_row(self, by: int) -> None:
        if self._shown is None:
            self.query_one(Table).action_move(by)
        else:
            self._matrix.action_move(by)

    def action_turn_reference(self) -> None:
        self._against = "base" if self._against == "parent" else "parent"
        self._draw()

    def action_choose_evaluation(self) -> None:
        """List the evaluations, the shown one under the cursor."""
        shown, self._shown = self._shown, None
        self._draw()
        self.query_one(Table).choose(shown)
        self.focus_initial()

    def action_browse(self) -> None:
        table, arm = self.table, self._matrix.arm
        if self._evaluation is None or table is None:
            return
        # The arm of the cursor beside what its cell is held against.
        every, arms = table.results.arms, None
        if arm is not None and (before := find_reference(table.results, arm, self._against)):
            arms = (every[before].spec, every[arm].spec)
        self.services.show_browse(self._evaluation.path, arms=arms)

    def action_write_report(self) -> None:
        if self._evaluation is not None and self.table is not None:
            self._report.choose_folder(self._evaluation.path, self.table)

    def on_report_progressed(self, event: ReportProgressed) -> None:
        self._report.words = event.words
        if self.ready:
            self._update_headline()
            self.show_keys()

    def action_evaluate(self) -> None:
        rows = self.services.runs.rows
        row = find_run(rows, self.services.runs.row(self.services.selected), self.chosen)
        if row is None:
            self.services.notify_user("Choose a run with a saved model in Runs first.", "warning")
        else:
            self.commands.evaluate(row)

    @property
    def _matrix(self) -> MatrixView:
        return self.query_one(MatrixView)

    @property
    def _cell(self) -> "tuple[SkillRow, str] | None":
        """The skill and the arm under the cursor, where they were measured."""
        matrix = self._matrix
        skill, arm = matrix.skill, matrix.arm
        if self.table is None or skill is None or arm is None or arm not in skill.results:
            return None
        return skill, arm

    def _has_page(self, action: str) -> bool:
        """Whether the skill under the cursor has labels, or measures that tell its format."""
        evaluation, skill = self._current, self._matrix.skill
        if evaluation is None or skill is None:
            return False
        is_labels = action == "classification"
        return skill.name in (evaluation.label_suites if is_labels else evaluation.format_suites)

    def _follow(self) -> None:
        """Show the evaluation of the run that another page has chosen since."""
        key = self.services.selected
        chosen = self.services.runs.row(key)
        if key == self._followed or chosen is None:
            return
        self._followed = key
        found = find_evaluation(self.services.runs.rows, chosen)
        if found is not None and found.key != self._shown:
            self._show_evaluation(found.key)
        elif found is None:
            self._shown = None

    def _show_evaluation(self, key: str) -> None:
        self._shown, self._row = key, self.services.runs.row(key)
        if self._evaluation is not None and str(self._evaluation.path) != key:
            self._evaluation = None
        self._read()
        if self.ready:
            self._draw()
            self.focus_initial()

    def _read(self) -> None:
        """Read what is new of the shown evaluation, on a thread."""
        row, known = self._row, self._evaluation
        if row is None or self._shown is None:
            return
        run_in_background(
            self, lambda: read_evaluation(row.path, known), self._take,
            group="evaluation", exclusive=True,
        )  # fmt: skip

    def _take(self, evaluation: EvaluationSnapshot | None) -> None:
        if evaluation is not None and str(evaluation.path) == self._shown:
            self._evaluation = evaluation
            self._draw()

    def _open_items(self, wanted: str) -> None:
        from tui.impact.items_page import ItemsPage

        if self._cell is not None and self._evaluation is not None:
            skill, arm = self._cell
            self.app.push_screen(
                ItemsPage(self._evaluation, skill.name, arm, self._against, wanted)
            )

    def _draw(self) -> None:
        if not self.ready:
            return
        is_listed = self._shown is None
        list_of_jobs = self.query_one(Table)
        rows = list_evaluations(self.services.runs.rows)
        list_of_jobs.show([evaluation_row(row, self.glyphs) for row in rows])
        list_of_jobs.display = is_listed
        self._matrix.display = not is_listed
        for part in ("#cell-rule", "#cell", "#summary-rule", "#summary"):
            self.query_one(part).display = not is_listed and self.table is not None
        if is_listed != list_of_jobs.has_focus and not self.in_field:
            self.focus_initial()
        self._update_headline()
        self._update_trouble()
        self._update_matrix()
        self._update_cell()
        self._update_summary()
        self._update_preview()
        self.show_keys()

    def _update_headline(self) -> None:
        headline, separator = self.query_one("#headline", Lines), self.glyphs.separator
        if self._shown is None:
            run = self.services.runs.row(self.services.selected)
            headline.show(list_headline(self.services.runs.rows, run, separator))
            return
        table, between = self.table, (f" {separator} ", "dim")
        line = matrix_headline(self.chosen, table, self._against, self.glyphs)
        if table is not None and not self._is_framed:
            line += [between, *arms_title(table, self.glyphs)]
        if self._report.words:
            line += [between, (f"report: {self._report.words}", "warn")]
        if self.filter_text:
            line += [between, (f"skills with “{one_line(self.filter_text)}”", "warn")]
        headline.show(line)

    @property
    def _is_framed(self) -> bool:
        return self.size.height >= FRAMED_FROM

    def _update_trouble(self) -> None:
        lines = trouble_lines(self.chosen, self._current) if self._shown is not None else []
        pager = self.query_one("#trouble", Pager)
        pager.styles.height = min(len(lines), max(1, self.size.height // 4))
        pager.display = bool(lines)
        pager.show([[(" ", ""), *line] for line in lines])

    def _update_matrix(self) -> None:
        table, evaluation = self.table, self._evaluation
        if table is None:
            self._matrix.styles.height = "1fr"
            words, facts = waiting_words(self.chosen, self._current), recipe_facts(self.chosen)
            self._matrix.show(None, below=facts, empty=words)
            return
        word = self.filter_text.casefold()
        rows = [row for row in table.skills if word in row.name.casefold()]
        empty = "No skill has this text in its name." if word else "No suite was measured."
        votes = evaluation.votes if evaluation is not None else ()
        lines = len(rows) + 3 + (len(votes) + 1 if votes else 0)
        # The room that is left shows the items of the cell.
        self._matrix.styles.height = min(lines, self.size.height // 2) if self._is_framed else "1fr"
        skills: Line = [("skills", "strong"), (f" {self.glyphs.line} ", "dim")]
        title = [*skills, *arms_title(table, self.glyphs)]
        self._matrix.show(
            table, rows, self._against, votes, empty, title if self._is_framed else ()
        )

    def _update_cell(self) -> None:
        table, lines = self.table, list[Line]()
        skill, arm = self._matrix.skill, self._matrix.arm
        separator, width = self.glyphs.separator, self.size.width
        if table is not None and skill is not None and arm is not None:
            lines = cell_lines(table, skill, arm, self._against, separator, width)
        cell = self.query_one("#cell", Lines)
        most = _CELL_LINES - (width >= WIDE)
        cell.styles.height = most
        cell.show(*clip(lines, most, width, self.glyphs))

    def _update_preview(self) -> None:
        table, cell = self.table, self._cell
        preview = self.query_one(ItemPreview)
        preview.display = table is not None and self._is_framed
        results = table.results if table is not None and cell is not None else None
        skill, arm = (cell[0].name, cell[1]) if cell is not None else ("", "")
        preview.show(results, skill, arm, self._against)

    def _update_summary(self) -> None:
        evaluation, table, lines = self._evaluation, self.table, list[Line]()
        if table is not None and evaluation is not None and evaluation.summary is not None:
            lines = summary_lines(evaluation.summary, table, self.glyphs.separator, self.size.width)
        summary = self.query_one("#summary", Lines)
        summary.styles.height = max(1, min(len(lines), _MOST_SUMMARY))
        summary.show(*clip(lines, _MOST_SUMMARY, self.size.width, self.glyphs))
